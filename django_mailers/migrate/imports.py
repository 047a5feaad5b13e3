"""Whether a call of get_connection() can be removed, and how its import changes."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import replace
from functools import cached_property

from .django_api import GET_CONNECTION, MAILERS
from .findings import Finding, Fix
from .names import Meaning
from .project import Module, Project
from .scopes import Binding, Scope


class ImportPlan:
    """Collects the uses of get_connection that are removed, then plans the changes of imports."""

    def __init__(self, project: Project, module: Module) -> None:
        self.project = project
        self.module = module
        self.names = module.names
        self.file = module.file
        self._gone: list[tuple[ast.Name, Binding, Scope, bool]] = []
        self._dropped: set[ast.Call] = set()

    # Before: can the call be removed?

    def refusal(
        self, call: ast.Call, meaning: Meaning, *, needs_mailers: bool = True
    ) -> str | None:
        """Return why the `call` of get_connection(), which `meaning` is about, must stay, or None.

        `needs_mailers`: whether `mailers` will be written in its place.
        """
        if meaning.doubt is not None:
            return meaning.doubt
        direct = self.names.meaning(call.func)
        if direct is None or direct.path != GET_CONNECTION:
            return f"it is imported through {direct.path}" if direct else "it is not imported"
        place = self.project.replacement(self.module, call.func)
        if place is not None:
            return f"{place} replaces it"
        if self._has_comment(call):
            return "there is a comment in the call"
        if isinstance(call.func, ast.Name):
            return self._taken(call) if needs_mailers else None
        return None

    def comment_refusal(self, call: ast.Call, argument: ast.keyword) -> str | None:
        """Return why `argument` must stay: a comment in `call` that may be about it; or None."""
        arguments = sorted(
            (self.file.span(node) for node in [*call.args, *call.keywords]), key=lambda s: s[:2]
        )
        own = self.file.span(argument)
        position = arguments.index(own)
        _, _, *opening = self.file.span(call.func)
        start = arguments[position - 1][2:] if position else tuple(opening)
        after = arguments[position + 1][:2] if position + 1 < len(arguments) else None
        end = after or self.file.span(call)[2:]
        for line, column in self._comments:
            if start <= (line, column) < end and not start[0] == line < own[0]:
                return f"line {line} has a comment at the argument"
        return None

    def _taken(self, call: ast.Call) -> str | None:
        scope = self.names.scope_of[call].lookup("mailers")
        if scope is None:
            return None
        bindings = scope.bindings["mailers"]
        if all(
            binding.imported == MAILERS and not binding.conditional and binding.line < call.lineno
            for binding in bindings
        ):
            return None
        return f"line {bindings[0].line} binds 'mailers'"

    @cached_property
    def _comments(self) -> list[tuple[int, int]]:
        tokens = tokenize.generate_tokens(io.StringIO(self.file.text, newline="").readline)
        return [token.start for token in tokens if token.type == tokenize.COMMENT]

    def _has_comment(self, node: ast.AST) -> bool:
        *start, line, column = self.file.span(node)
        return any(tuple(start) <= place < (line, column) for place in self._comments)

    def _comment_beside(self, binding: Binding) -> bool:
        """Whether a comment stands in the lines of an import, or right above it."""
        statement = binding.statement
        if statement is None:
            return False
        lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
        above = statement.lineno - 1
        return any(
            line in lines or (line == above and not self.file.lines[line - 1][:column].strip())
            for line, column in self._comments
        )

    # After: how do the imports change?

    def replace(self, call: ast.Call, meaning: Meaning) -> None:
        """Note that `mailers.default` replaces the `call` of get_connection()."""
        self._note(call.func, meaning, needs_mailers=True)

    def drop(self, call: ast.Call, meaning: Meaning) -> None:
        """Note that the `call` of get_connection() goes, with the argument that it is."""
        self._dropped.add(call)
        self._note(call.func, meaning, needs_mailers=False)

    def is_dropped(self, call: ast.Call) -> bool:
        return call in self._dropped

    def _note(self, name: ast.expr, meaning: Meaning, *, needs_mailers: bool) -> None:
        if isinstance(name, ast.Name):
            [binding] = meaning.bindings
            self._gone.append((name, binding, meaning.scope, needs_mailers))

    def completed(self, finding: Finding) -> Finding:
        """Return `finding` with the changes of imports that belong to its own change."""
        changes = tuple(
            fix
            for (name, binding, scope, _) in self._gone
            if self._goes_with(name, finding)
            for fix in self._changes.get((binding, scope), ())
        )
        return replace(finding, fixes=(*finding.fixes, *changes)) if changes else finding

    def _goes_with(self, name: ast.Name, finding: Finding) -> bool:
        line, column, _, _ = self.file.span(name)
        return any(
            fix.span[:2] <= (line, column) < fix.span[2:]
            for fix in finding.fixes
            if fix.kind in {"argument", "call"}
        )

    @cached_property
    def _changes(self) -> dict[tuple[Binding, Scope], tuple[Fix, ...]]:
        return {
            (binding, scope): self._change(binding, scope) for _, binding, scope, _ in self._gone
        }

    def _change(self, binding: Binding, scope: Scope) -> tuple[Fix, ...]:
        alias = binding.node
        if not isinstance(alias, ast.alias):
            return ()
        gone = [entry for entry in self._gone if entry[1] is binding]
        bound = alias.asname or alias.name
        left = set(self.names.uses(bound, scope)) - {entry[0] for entry in gone}
        keep = bool(left) or (scope.parent is None and self._is_public(bound))
        needed = any(
            needs_mailers and self.names.scope_of[name].lookup("mailers") is None
            for name, _, _, needs_mailers in gone
        )
        text = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        names = (*([text] if keep else []), *(["mailers"] if needed else []))
        if not names and self._comment_beside(binding):
            # The comment would be removed as well. The next audit reports the unused import.
            return ()
        return () if names == (text,) else (Fix("alias", self.file.span(alias), names),)

    def _is_public(self, name: str) -> bool:
        """Whether other modules may import `name` from this one."""
        path = f"{self.file.module}.{name}"
        listed = any(
            isinstance(node, ast.Constant) and node.value == name
            for binding in self.names.module.bindings.get("__all__", ())
            if binding.value is not None
            for node in ast.walk(binding.value)
        )
        return self.file.is_package or listed or path in self.project.imported
