"""Settings that are defined without an assignment, as by `globals()["NAME"] = ...`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .scopes import FUNCTIONS

READ_ONLY = {"all", "any", "dict", "dir", "frozenset", "id", "isinstance", "iter", "len", "list"}
READ_ONLY |= {"print", "repr", "set", "sorted", "str", "tuple", "type", "format", "deepcopy"}
SPACES = {"globals", "locals", "vars"}


@dataclass(frozen=True)
class Write:
    """What `node` does to the namespace of a module.

    It binds `name`, to `value` if that is known; or runs the `files` that match a pattern in the
    same namespace, of which there may be none if they are `optional`; or does something unknown.
    """

    node: ast.AST
    name: str | None = None
    value: ast.expr | None = None
    conditional: bool = False
    files: tuple[str, ...] = ()
    optional: bool = False


class Namespaces:
    """Finds what a module does to its own namespace, under any name for it."""

    def __init__(self, tree: ast.Module) -> None:
        self.aliases: set[str] = set()
        self.includes = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("split_settings")
            for alias in node.names
        }
        self.scripts = tuple(_scripts(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and self._is_space(node.value):
                self.aliases |= {
                    target.id for target in node.targets if isinstance(target, ast.Name)
                }

    def writes(self, statement: ast.stmt) -> Iterator[Write]:
        """Yield what a statement writes into the namespace, but not the statements in it."""
        if isinstance(statement, FUNCTIONS):
            yield from self._function(statement)
            return
        if isinstance(statement, ast.ClassDef):
            return
        if isinstance(statement, ast.Assign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                yield from self._target(statement, target)
        for node in _own_nodes(statement):
            if isinstance(node, ast.Call):
                yield from self._call(node)

    def _function(self, function: ast.AST) -> Iterator[Write]:
        """Yield what a function writes if it is called."""
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield from (Write(node, name, None, True) for name in node.names)
            elif isinstance(node, ast.stmt) and not isinstance(node, FUNCTIONS):
                for write in self.writes(node):
                    yield replace(write, value=None, conditional=True)

    def _target(self, statement: ast.Assign | ast.AugAssign, target: ast.expr) -> Iterator[Write]:
        plain = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Subscript) and self._is_space(target.value):
            if isinstance(target.slice, ast.Constant):
                yield Write(statement, str(target.slice.value), plain)
            elif _may_name_a_setting(target.slice):
                yield Write(statement)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                if isinstance(element, ast.Subscript) and self._is_space(element.value):
                    constant = isinstance(element.slice, ast.Constant)
                    yield Write(statement, str(element.slice.value) if constant else None)  # type: ignore[attr-defined]
        elif isinstance(statement, ast.AugAssign) and self._is_space(target):
            yield from self._entries(statement, statement.value)

    def _call(self, call: ast.Call) -> Iterator[Write]:
        function = call.func
        name = function.id if isinstance(function, ast.Name) else ""
        if isinstance(function, ast.Attribute):
            name = function.attr
            if self._is_space(function.value):
                yield from self._method(call, name)
                return
        if name == "setattr" and len(call.args) == 3 and _is_module(call.args[0]):
            key = call.args[1]
            if isinstance(key, ast.Constant):
                yield Write(call, str(key.value), call.args[2])
            elif _may_name_a_setting(key):
                yield Write(call)
        elif name in {"exec", "execfile"}:
            named = tuple(_scripts(call))
            # The name of the file may stand elsewhere, as for `exec(path.read_text())`.
            yield Write(call, files=named or self.scripts, conditional=not named)
        elif self.includes.get(name) == "include":
            for argument in call.args:
                optional = isinstance(argument, ast.Call)
                pattern = _pattern(argument.args[0] if optional else argument)  # type: ignore[attr-defined]
                # A pattern may match several files, or none.
                unsure = optional or "*" in pattern
                yield Write(call, conditional=unsure, files=(pattern,), optional=unsure)
        elif name not in READ_ONLY and name not in SPACES:
            values = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg)]
            if any(self._is_space(value, named=False) for value in values):
                yield Write(call)

    def _method(self, call: ast.Call, method: str) -> Iterator[Write]:
        if method == "update":
            for argument in call.args:
                yield from self._entries(call, argument)
            yield from self._keywords(call, call)
        elif method in {"setdefault", "__setitem__"} and call.args:
            key = call.args[0]
            value = call.args[1] if len(call.args) > 1 else None
            if isinstance(key, ast.Constant):
                yield Write(call, str(key.value), value, conditional=method == "setdefault")
            elif _may_name_a_setting(key):
                yield Write(call)

    def _entries(self, node: ast.AST, value: ast.expr) -> Iterator[Write]:
        """Yield the entries of a mapping."""
        if isinstance(value, ast.Dict):
            for key, entry in zip(value.keys, value.values, strict=True):
                if key is None:
                    yield from self._entries(node, entry)
                elif isinstance(key, ast.Constant):
                    yield Write(node, str(key.value), entry)
                elif _may_name_a_setting(key):
                    yield Write(node)
        elif (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id == "dict"
            and not value.args
        ):
            yield from self._keywords(node, value)
        else:
            yield Write(node)

    def _keywords(self, node: ast.AST, call: ast.Call) -> Iterator[Write]:
        for keyword in call.keywords:
            if keyword.arg is None:
                yield from self._entries(node, keyword.value)
            else:
                yield Write(node, keyword.arg, keyword.value)

    def _is_space(self, node: ast.expr, *, named: bool = True) -> bool:
        """Whether `node` is the namespace of the module, or, if `named`, a name for it."""
        if isinstance(node, ast.Name):
            return named and node.id in self.aliases
        if isinstance(node, ast.Attribute):
            return node.attr == "__dict__" and _is_module(node.value)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return False
        if node.func.id not in SPACES:
            return False
        return not node.args or _is_module(node.args[0])


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, without the statements in it."""
    nodes: list[ast.AST] = [statement]
    while nodes:
        node = nodes.pop()
        yield node
        nodes += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case | ast.Lambda)
        ]


def _is_module(node: ast.expr) -> bool:
    """Whether `node` is `sys.modules[...]` or a call of import_module()."""
    text = ast.unparse(node)
    return "modules[" in text or "import_module(" in text or "__import__(" in text


def _may_name_a_setting(key: ast.expr) -> bool:
    """Whether a computed name may begin with EMAIL_."""
    prefix = _pattern(key).partition("*")[0]
    return prefix.startswith("EMAIL_") or "EMAIL_".startswith(prefix)


def _pattern(node: ast.expr) -> str:
    """Return a computed string, with `*` for the parts that are unknown."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_pattern, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _pattern(node.left) + _pattern(node.right)
    return "*"


def _scripts(tree: ast.AST) -> Iterator[str]:
    """Yield the names of Python files in the strings of `tree`."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and value.endswith(".py"):
            yield value.rpartition("/")[2]
