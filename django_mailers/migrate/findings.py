"""The findings of an audit, and the changes that they lead to."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from .sources import SourceFile, Span


@dataclass(frozen=True)
class Fix:
    """A change that `rewrite` makes, of one of these kinds:

    - "call": the call of get_connection() at `span` becomes `mailers.default`;
    - "argument": the keyword argument at `span` is removed;
    - "alias": `names`, perhaps none, replace the name at `span` in a `from ... import`.
    """

    kind: str
    span: Span
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A place where `path` has to change, by its line and column (both from 1).

    `replacement` says what to write instead. `fixes` make the change. If they are empty, `refusal`
    says why --write makes such a change elsewhere but not here; it is None if --write never makes
    it.
    """

    path: Path
    line: int
    column: int
    code: str
    problem: str
    replacement: str
    fixes: tuple[Fix, ...] = ()
    refusal: str | None = None

    @classmethod
    def at(
        cls,
        file: SourceFile,
        node: ast.AST,
        code: str,
        problem: str,
        replacement: str,
        *,
        refusal: str | None = None,
    ) -> Finding:
        """Return a finding at `node` of `file`."""
        line, column, _, _ = file.span(node)
        return cls(file.path, line, column + 1, code, problem, replacement, refusal=refusal)

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.code}: {self.problem}; {self.replacement}"


@dataclass
class AuditResult:
    """The findings of an audit, in the order of files and lines.

    `unreadable` has a line for each file that could not be read, and says why. `other_settings` are
    settings modules that build upon the one in force and also define settings that MAILERS
    replaces.
    """

    findings: list[Finding] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    other_settings: list[str] = field(default_factory=list)

    def fixes(self) -> dict[Path, list[Fix]]:
        """Return the changes to make, by file."""
        found: dict[Path, list[Fix]] = {}
        for finding in self.findings:
            for fix in finding.fixes:
                changes = found.setdefault(finding.path, [])
                if fix not in changes:
                    changes.append(fix)
        return found
