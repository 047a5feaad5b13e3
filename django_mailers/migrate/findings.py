"""What an audit finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .files import Span

# What each finding is about, by its code.
CODES = {
    "address-pairs": "ADMINS or MANAGERS with (name, address) pairs",
    "auth-arguments": "the arguments auth_user and auth_password",
    "backend-options": "a backend of the project that Django 6.1 cannot make from MAILERS",
    "connection-argument": "the argument connection",
    "deprecated-name": "a name of django.core.mail that goes away",
    "fail-silently": "the argument fail_silently",
    "get-connection": "get_connection()",
    "hook": "a method or an attribute that Django 6.1 refuses to see overridden",
    "log-handler": "AdminEmailHandler with email_backend",
    "message-connection": "the attribute connection of a message",
    "mime-attachment": "an attachment of a class of email.mime",
    "positional-arguments": "arguments by position that are keywords now",
    "setting-defined": "a setting that MAILERS replaces, defined",
    "setting-overridden": "a setting that MAILERS replaces, overridden in a test",
    "setting-read": "a setting that MAILERS replaces, read",
    "short-backend": "the short name of a backend, as in the betas of Django 1.2",
    "smtp-direct": "an SMTP backend made by calling its class",
}


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

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.code}: {self.problem}; {self.replacement}"


@dataclass
class Report:
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
