"""Where values come from, through names, loops, displays and functions of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .project import Module, Project
from .scopes import FUNCTIONS, Binding, FunctionNode

# Functions and methods whose result contains their arguments, or the object they belong to.
CONTAINERS = {"chain", "dict", "enumerate", "filter", "frozenset", "iter", "list", "reversed"}
CONTAINERS |= {"set", "sorted", "tuple", "zip"}
VIEWS = {"copy", "items", "keys", "values"}
ADDING = {"add", "append", "appendleft", "extend", "insert", "setdefault", "update"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Flow:
    """Follows expressions to their parts and sources, as far as the source code shows them."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def leaves(self, module: Module, node: ast.expr) -> Iterator[tuple[Module, ast.expr]]:
        """Yield what `node` may be, contain, or be an element of, each with its module.

        These are constants, calls, and names that lead no further.
        """
        yield from self._leaves(module, node, set())

    def mappings(self, module: Module, node: ast.expr) -> Iterator[tuple[Module, ast.Dict]]:
        """Yield the dictionaries that `node` may be, each with its module."""
        if isinstance(node, ast.Dict):
            yield module, node
        elif isinstance(node, ast.Name | ast.Attribute):
            for other, value in self._sources(module, node):
                if isinstance(value, ast.Dict):
                    yield other, value

    def _leaves(
        self, module: Module, node: ast.expr, seen: set[ast.AST]
    ) -> Iterator[tuple[Module, ast.expr]]:
        if node in seen:
            return
        seen.add(node)
        if isinstance(node, ast.Name | ast.Attribute):
            sources = list(self._sources(module, node))
        elif isinstance(node, ast.Call):
            sources = list(self._of_call(module, node))
        else:
            sources = [(module, part) for part in _parts(node) if part is not None]
        for other, source in sources:
            yield from self._leaves(other, source, seen)
        if not sources:
            yield module, node

    def _sources(
        self, module: Module, node: ast.Name | ast.Attribute
    ) -> Iterator[tuple[Module, ast.expr]]:
        meaning = self.project.meaning(module, node)
        if meaning is not None:
            owner, _, name = meaning.path.rpartition(".")
            other = self.project.by_name.get(owner)
            for binding in other.names.module.bindings.get(name, ()) if other else ():
                if other is not None and binding.value is not None:
                    yield other, binding.value
        elif isinstance(node, ast.Name):
            for binding in module.names.bindings(node):
                if binding.value is not None or binding.element_of is not None:
                    yield module, binding.value or binding.element_of  # type: ignore[misc]
                elif isinstance(binding.node, ast.arg):
                    yield from self._passed(module, binding, binding.node.arg)
            for value in _added(module, node):
                yield module, value
        elif isinstance(node.value, ast.Name):
            # As in `self.NAMES`.
            for binding in module.names.bindings(node.value):
                for statement in binding.instance_of.body if binding.instance_of else ():
                    if isinstance(statement, ast.Assign) and any(
                        isinstance(target, ast.Name) and target.id == node.attr
                        for target in statement.targets
                    ):
                        yield module, statement.value

    def _of_call(self, module: Module, call: ast.Call) -> Iterator[tuple[Module, ast.expr]]:
        name = ast.unparse(call.func).rpartition(".")[2]
        if isinstance(call.func, ast.Attribute) and name in VIEWS and not call.args:
            yield module, call.func.value
        elif name in CONTAINERS:
            for argument in call.args:
                yield module, argument
            for keyword in call.keywords:
                yield module, keyword.value
        else:
            found = self.function(module, call.func)
            for value in returned(found[1]) or () if found else ():
                yield found[0], value  # type: ignore[index]

    def _passed(
        self, module: Module, binding: Binding, name: str
    ) -> Iterator[tuple[Module, ast.expr]]:
        """Yield the arguments that calls in the project pass as the parameter `name`."""
        owner = module.names.function_of.get(binding.node)
        if not isinstance(owner, FUNCTIONS):
            return
        parameters = [arg.arg for arg in (*owner.args.posonlyargs, *owner.args.args)]
        position = parameters.index(name) if name in parameters else None
        for other in self.project.modules:
            if owner.name not in other.file.text:
                continue
            for call in other.names.nodes(ast.Call):
                found = self.function(other, call.func)
                if found is None or found[1] is not owner:
                    continue
                bound = parameters[:1] == ["self"] or parameters[:1] == ["cls"]
                index = None if position is None else position - bound
                if index is not None and 0 <= index < len(call.args):
                    yield other, call.args[index]
                for keyword in call.keywords:
                    if keyword.arg == name:
                        yield other, keyword.value

    def function(
        self, module: Module, node: ast.expr
    ) -> tuple[Module, Function, str | None] | None:
        """Return the function of the project that `node` refers to.

        It comes with its module and, if `node` may refer to something else, the reason.
        """
        meaning = self.project.meaning(module, node)
        if meaning is not None:
            owner, _, name = meaning.path.rpartition(".")
            other = self.project.by_name.get(owner)
            if other is None:
                return self._method(meaning.path)
            found = _only_function(other.names.module.bindings.get(name, []))
            return (other, found, meaning.doubt or _doubt(found)) if found else None
        if isinstance(node, ast.Name):
            found = _only_function(module.names.bindings(node))
            return (module, found, _doubt(found)) if found else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for binding in module.names.bindings(node.value):
                cls = binding.instance_of or binding.node
                if isinstance(cls, ast.ClassDef) and module.classes.get(cls.name) is cls:
                    return self._method(f"{module.file.module}.{cls.name}.{node.attr}")
        return None

    def _method(self, path: str, depth: int = 0) -> tuple[Module, Function, str | None] | None:
        owner, _, name = path.rpartition(".")
        found = self.project.find_class(owner)
        if found is None or depth > 20:
            return None
        module, cls = found
        for statement in cls.body:
            if isinstance(statement, FUNCTIONS) and statement.name == name:
                return module, statement, f"a class that derives from {cls.name} may do otherwise"
        for base in cls.bases:
            parent = self.project.base_of(module, base)
            method = self._method(f"{parent}.{name}", depth + 1) if parent else None
            if method is not None:
                return method
        return None


def returned(function: Function) -> list[ast.expr] | None:
    """Return the expressions that a function returns, except None; None for a generator."""
    values: list[ast.expr] = []
    nodes: list[ast.AST] = [*function.body]
    while nodes:
        node = nodes.pop(0)
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return None
        value = node.value if isinstance(node, ast.Return) else None
        if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            values.append(value)
        if not isinstance(node, (*FunctionNode, ast.ClassDef)):
            nodes += ast.iter_child_nodes(node)
    return values


def _only_function(bindings: list[Binding]) -> Function | None:
    node = bindings[0].node if len(bindings) == 1 else None
    return node if isinstance(node, FUNCTIONS) else None


def _doubt(function: Function) -> str | None:
    names = [ast.unparse(decorator) for decorator in function.decorator_list]
    return f"{function.name}() is decorated with {names[0]}" if names else None


# The fields of an expression with its elements, or with the values that it may have.
PARTS: dict[type[ast.expr], tuple[str, ...]] = {
    ast.List: ("elts",),
    ast.Tuple: ("elts",),
    ast.Set: ("elts",),
    ast.Dict: ("keys", "values"),
    ast.ListComp: ("elt",),
    ast.SetComp: ("elt",),
    ast.GeneratorExp: ("elt",),
    ast.DictComp: ("key", "value"),
    ast.IfExp: ("body", "orelse"),
    ast.BoolOp: ("values",),
    ast.BinOp: ("left", "right"),
    ast.Starred: ("value",),
    ast.Subscript: ("value",),
    ast.NamedExpr: ("value",),
    ast.Await: ("value",),
}


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    for name in PARTS.get(type(node), ()):
        part = getattr(node, name)
        yield from part if isinstance(part, list) else [part]


def _added(module: Module, name: ast.Name) -> Iterator[ast.expr]:
    """Yield what append(), similar methods or += put into the container `name`."""
    names = module.names
    scope = names.scope_of[name].lookup(name.id)
    if scope is None:
        return
    for use in names.uses(name.id, scope):
        method = names.parent_of.get(use)
        if isinstance(method, ast.Attribute) and method.attr in ADDING:
            call = names.parent_of.get(method)
            if isinstance(call, ast.Call) and call.func is method:
                yield from call.args
    for statement in names.nodes(ast.AugAssign):
        target = statement.target
        if (
            isinstance(target, ast.Name)
            and target.id == name.id
            and names.scope_of[statement].lookup(name.id) is scope
        ):
            yield statement.value
