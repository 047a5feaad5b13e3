"""The scopes of a module: which imports, assignments and parameters bind its names.

These are Python's own rules, as far as the source shows what they need.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from .sources import SourceFile

Node = TypeVar("Node", bound=ast.AST)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FunctionNode = (*FUNCTIONS, ast.Lambda)
Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, eq=False)
class Binding:
    """A place that binds a name.

    `node` is the node that binds it; for an import it is the alias, and `statement` the import.
    `imported` is the dotted name of an imported object; `value` the expression that an assignment
    or a `with` binds; `element_of` the expression that a loop runs over; `instance_of` the class
    whose method has it as first parameter. `conditional` is whether it may not run.
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
    # Names that `global` and `nonlocal` statements bind in another scope.
    elsewhere: dict[str, Scope] = field(default_factory=dict)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def module(self) -> Scope:
        return self if self.parent is None else self.parent.module

    def lookup(self, name: str) -> Scope | None:
        """Return the scope that binds `name` as this one sees it, or None."""
        if name in self.elsewhere:
            return self.elsewhere[name].lookup(name)
        if name in self.bindings:
            return self
        scope = self.parent
        while scope is not None:
            # The functions in a class do not see the names that it binds.
            if not scope.is_class and (name in scope.bindings or name in scope.elsewhere):
                return scope.lookup(name)
            scope = scope.parent
        return None


class Scopes(ast.NodeVisitor):
    """The scopes of a module: `scope_of` has the scope of each node, `parent_of` its parent."""

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

    def nodes(self, kind: type[Node]) -> list[Node]:
        """Return the nodes of a kind, outer ones first."""
        return self._nodes.get(kind, [])  # type: ignore[return-value]

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
        # Python evaluates the first one outside.
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
        # Not by recursion, as generated sums may have more terms than the stack has frames.
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
    """Note the `global` and `nonlocal` statements of a function before its names are bound."""
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
    """Return the absolute name of the module that `node` imports from, or None."""
    if not node.level:
        return node.module
    parents = file.module.split(".")
    if not file.is_package:
        parents.pop()
    parents = parents[: len(parents) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])]) or None
