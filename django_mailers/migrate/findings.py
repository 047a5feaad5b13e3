"""What an audit finds."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from .files import SourceFile, Span


@dataclass(frozen=True)
class Fix:
    """A change that `rewrite` makes: one of

    - "call": the call of get_connection() at `span` becomes `mailers.default`;
    - "argument": the keyword argument at `span` goes;
    - "alias": the name at `span` in a `from ... import` becomes `names`, which may be none.
    """

    kind: str
    span: Span
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing to change, at a line and column (both from 1) of `path`.

    `replacement` says what to write instead. Either `fixes` make the change, or `refusal` says
    why not, for a kind of change that can be made elsewhere; neither, for one that cannot.
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
    """The findings of an audit in the order of files and lines, and the files that it could not
    read, each as a line that says why. `other_settings` are settings modules that build upon the
    one in force and define what MAILERS replaces as well."""

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
