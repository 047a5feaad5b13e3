"""The objects that the names in a module refer to.

Where a name may also refer to something else, the answer comes with the doubt: see `Meaning`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .django_api import MAIL, STAR_NAMES
from .scopes import Binding, Scope, Scopes


@dataclass(frozen=True)
class Meaning:
    """The object that an expression refers to, by its dotted name `path`.

    `bindings` bind it in `scope`. `doubt` says why it may refer to something else, or is None.
    """

    path: str
    scope: Scope
    bindings: tuple[Binding, ...]
    doubt: str | None = None


class Names(Scopes):
    """The names of a module: what they refer to, and where they are read."""

    def meaning(self, node: ast.expr) -> Meaning | None:
        """Return the object that the name or attribute `node` refers to by an import, or None."""
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
        """Return all bindings of `name` in its scope."""
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

    def _from_star(self, name: str) -> Meaning | None:
        for statement, module in self.stars:
            if module == MAIL and name in STAR_NAMES:
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
