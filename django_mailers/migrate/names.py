"""What the names in a module mean: which imports, assignments and parameters bind them.

Python's own rules of scopes, as far as the source shows them. Where a name may also mean something
else, the answer comes with the doubt: see `Meaning`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from .files import SourceFile

Node = TypeVar("Node", bound=ast.AST)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FunctionNode = (*FUNCTIONS, ast.Lambda)
Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, eq=False)
class Binding:
    """One place that gives a name its meaning.

    `imported` is the dotted name of what an import binds; `value` the expression that an
    assignment or a `with` binds; `element_of` what a loop runs over; `instance_of` the class whose
    method has this as first parameter. `node` is the node that binds; for an import the
    alias, with the statement in `statement`.
    """

    node: ast.AST
    line: int
    imported: str | None = None
    value: ast.expr | None = None
    element_of: ast.expr | None = None
    instance_of: ast.ClassDef | None = None
    statement: ast.ImportFrom | ast.Import | None = None
    conditional: bool = False


@dataclass(eq=False)
class Scope:
    node: ast.AST
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    # Names that `global` and `nonlocal` statements send to another scope.
    elsewhere: dict[str, Scope] = field(default_factory=dict)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def module(self) -> Scope:
        return self if self.parent is None else self.parent.module

    def lookup(self, name: str) -> Scope | None:
        """Return the scope that binds `name`, seen from this one."""
        if name in self.elsewhere:
            return self.elsewhere[name].lookup(name)
        if name in self.bindings:
            return self
        scope = self.parent
        while scope is not None:
            # What a class binds is not seen by the functions in it.
            if not scope.is_class and (name in scope.bindings or name in scope.elsewhere):
                return scope.lookup(name)
            scope = scope.parent
        return None


@dataclass(frozen=True)
class Meaning:
    """What an expression refers to: the dotted name `path`, bound by `bindings` in `scope`.

    `doubt`, if any, says why it might mean something else, with the line.
    """

    path: str
    scope: Scope
    bindings: tuple[Binding, ...]
    doubt: str | None = None


class Names(ast.NodeVisitor):
    """The scopes of a module. `scope_of` has the scope that each node is evaluated in."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.module = Scope(file.tree)
        self.stars: list[tuple[ast.ImportFrom, str]] = []
        self.scope_of: dict[ast.AST, Scope] = {}
        self.parent_of: dict[ast.AST, ast.AST] = {}
        # The function that each parameter belongs to.
        self.function_of: dict[ast.AST, ast.AST] = {}
        self._nodes: dict[type[ast.AST], list[ast.AST]] = {}
        self._parent: ast.AST = file.tree
        self._declares = "global" in file.text or "nonlocal" in file.text
        self._scope = self.module
        self._conditional = False
        self._iterable: ast.expr | None = None
        for statement in file.tree.body:
            self.visit(statement)

    # Reading.

    def meaning(self, node: ast.expr) -> Meaning | None:
        """Return what the name or attribute `node` refers to, if an import leads there."""
        if isinstance(node, ast.Attribute):
            base = self.meaning(node.value)
            if base is None:
                return None
            return Meaning(f"{base.path}.{node.attr}", base.scope, base.bindings, base.doubt)
        if not isinstance(node, ast.Name):
            return None
        scope = self.scope_of[node].lookup(node.id)
        if scope is None:
            return self._from_star(node.id)
        bindings = scope.bindings[node.id]
        imported = {binding.imported for binding in bindings if binding.imported is not None}
        if len(imported) != 1:
            return None
        [path] = imported
        return Meaning(path, scope, tuple(bindings), self._doubt(node.id, scope, bindings))

    def bindings(self, name: ast.Name) -> list[Binding]:
        """Return every place that binds what `name` refers to."""
        scope = self.scope_of[name].lookup(name.id)
        return [] if scope is None else scope.bindings[name.id]

    def uses(self, name: str, scope: Scope) -> Iterator[ast.Name]:
        """Yield the nodes that read `name` as bound in `scope`."""
        for node in self.loads.get(name, ()):
            if self.scope_of[node].lookup(name) is scope:
                yield node

    @cached_property
    def loads(self) -> dict[str, list[ast.Name]]:
        """The nodes that read a name, by the name."""
        found: dict[str, list[ast.Name]] = {}
        for node in self.nodes(ast.Name):
            if isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, []).append(node)
        return found

    def nodes(self, kind: type[Node]) -> list[Node]:
        """Return the nodes of a kind, outer ones first."""
        return self._nodes.get(kind, [])  # type: ignore[return-value]

    def _from_star(self, name: str) -> Meaning | None:
        from .django_api import STAR_NAMES

        for statement, module in self.stars:
            if module == "django.core.mail" and name in STAR_NAMES:
                doubt = f"line {statement.lineno} imports * from {module}"
                return Meaning(f"{module}.{name}", self.module, (), doubt)
        return None

    def _doubt(self, name: str, scope: Scope, bindings: list[Binding]) -> str | None:
        others = [binding for binding in bindings if binding.imported is None]
        if others:
            return f"line {others[0].line} binds '{name}' to something else"
        if any(binding.conditional for binding in bindings):
            return f"the import in line {bindings[0].line} is conditional"
        if len(bindings) > 1 and not isinstance(bindings[0].statement, ast.Import):
            return f"line {bindings[1].line} imports '{name}' once more"
        if scope is self.module and self.stars:
            return f"the import of * in line {self.stars[0][0].lineno} may bind '{name}' as well"
        return None

    # Building.

    def visit(self, node: ast.AST) -> None:
        self.scope_of[node] = self._scope
        self._nodes.setdefault(type(node), []).append(node)
        self.parent_of[node] = outer = self._parent
        self._parent = node
        super().visit(node)
        self._parent = outer

    def _bind(
        self, name: str, node: ast.AST, scope: Scope | None = None, **details: object
    ) -> None:
        scope = scope or self._scope
        scope = scope.elsewhere.get(name, scope)
        line = getattr(node, "lineno", 0)
        binding = Binding(node, line, conditional=self._conditional, **details)  # type: ignore[arg-type]
        scope.bindings.setdefault(name, []).append(binding)

    @contextmanager
    def _inside(self, scope: Scope) -> Iterator[None]:
        outer = self._scope, self._conditional
        self._scope, self._conditional = scope, False
        yield
        self._scope, self._conditional = outer

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _maybe(self, node: ast.AST) -> None:
        outer, self._conditional = self._conditional, True
        self.generic_visit(node)
        self._conditional = outer

    visit_If = visit_Try = visit_TryStar = visit_While = visit_Match = _maybe

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        outer, self._conditional = self._conditional, True
        self._visit_elements(node.target, node.iter)
        self._visit_all([node.iter, *node.body, *node.orelse])
        self._conditional = outer

    visit_AsyncFor = visit_For

    def _visit_elements(self, target: ast.expr, iterable: ast.expr) -> None:
        outer, self._iterable = self._iterable, iterable
        self.visit(target)
        self._iterable = outer

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name, node)
        arguments = node.args
        annotations = [arg.annotation for arg in _parameters(arguments)]
        self._visit_all([*node.decorator_list, *arguments.defaults, *arguments.kw_defaults])
        self._visit_all([*annotations, node.returns])
        method_of = self._scope.node if isinstance(self._scope.node, ast.ClassDef) else None
        static = any(
            isinstance(decorator, ast.Name) and decorator.id in {"classmethod", "staticmethod"}
            for decorator in node.decorator_list
        )
        with self._inside(Scope(node, self._scope)):
            if self._declares:
                _declare(node.body, self._scope)
            for position, parameter in enumerate(_parameters(arguments)):
                own = method_of if position == 0 and not static else None
                self.function_of[parameter] = node
                self._bind(parameter.arg, parameter, instance_of=own)
            self._visit_all(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all([*node.args.defaults, *node.args.kw_defaults])
        with self._inside(Scope(node, self._scope)):
            for parameter in _parameters(node.args):
                self._bind(parameter.arg, parameter)
            self.visit(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, node)
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        with self._inside(Scope(node, self._scope)):
            self._visit_all(node.body)

    def _visit_comprehension(self, node: ast.ListComp | ast.DictComp) -> None:
        first, *others = node.generators
        # Python evaluates this one outside.
        self.visit(first.iter)
        with self._inside(Scope(node, self._scope)):
            self._visit_elements(first.target, first.iter)
            self._visit_all(first.ifs)
            for other in others:
                self.visit(other.iter)
                self._visit_elements(other.target, other.iter)
                self._visit_all(other.ifs)
            if isinstance(node, ast.DictComp):
                self._visit_all([node.key, node.value])
            else:
                self.visit(node.elt)

    visit_ListComp = visit_DictComp = _visit_comprehension
    visit_SetComp = visit_GeneratorExp = _visit_comprehension  # type: ignore[assignment]

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.scope_of[alias] = self._scope
            if alias.asname:
                self._bind(alias.asname, alias, imported=alias.name, statement=node)
            else:
                name = alias.name.partition(".")[0]
                self._bind(name, alias, imported=name, statement=node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        origin = absolute_import(node, self.file)
        for alias in node.names:
            self.scope_of[alias] = self._scope
            if alias.name == "*":
                self.stars.append((node, origin or "?"))
            else:
                imported = f"{origin}.{alias.name}" if origin else None
                name = alias.asname or alias.name
                self._bind(name, alias, imported=imported, statement=node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._visit_target(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.annotation, node.value])
        if node.value is not None or not isinstance(node.target, ast.Name):
            self._visit_target(node.target, node.value)
        else:
            self.scope_of[node.target] = self._scope

    def visit_BinOp(self, node: ast.BinOp) -> None:
        # Not by recursion: there are generated sums with more terms than Python has stack.
        operands: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            operands.append(left.right)
            left = left.left
        self._visit_all([left, *reversed(operands)])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        scope = self._scope
        while isinstance(scope.node, Comprehension) and scope.parent is not None:
            scope = scope.parent
        self.scope_of[node.target] = self._scope
        self._bind(node.target.id, node.target, scope, value=node.value)

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        if node.optional_vars is not None:
            self._visit_target(node.optional_vars, node.context_expr)

    def _visit_target(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            self.scope_of[target] = self._scope
            self._bind(target.id, target, value=value)
        else:
            self.visit(target)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id, node, element_of=self._iterable)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._bind(node.rest, node)
        self.generic_visit(node)


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return parameters + [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]


def _declare(body: list[ast.stmt], scope: Scope) -> None:
    """Note the `global` and `nonlocal` statements of a function before anything in it is bound."""
    nodes: list[ast.AST] = [*body]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Global):
            scope.elsewhere.update(dict.fromkeys(node.names, scope.module))
        elif isinstance(node, ast.Nonlocal) and scope.parent is not None:
            for name in node.names:
                scope.elsewhere[name] = scope.parent.lookup(name) or scope.module
        elif not isinstance(node, (*FunctionNode, ast.ClassDef)):
            nodes += ast.iter_child_nodes(node)


def absolute_import(node: ast.ImportFrom, file: SourceFile) -> str | None:
    """Return the absolute name of the module that `node` imports from, None if it has none."""
    if not node.level:
        return node.module
    parents = file.module.split(".")
    if not file.is_package:
        parents.pop()
    parents = parents[: len(parents) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])]) or None
