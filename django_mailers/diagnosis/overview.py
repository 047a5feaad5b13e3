"""What is in MAILERS, for a table: each mailer, and those that it sends through. Never a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from django_mailers import checks
from django_mailers.checks.entries import Mailer, read
from django_mailers.options import ALIAS, ALIASES


@dataclass(frozen=True)
class Row:
    """A mailer in the tree; `depth` says how many mailers it is below.

    problems  what `manage.py check` says about it.
    """

    alias: str
    depth: int
    backend: str
    server: str
    security: str
    login: bool | None
    problems: Sequence[CheckMessage]


def overview() -> list[Row]:
    """Return the mailers of MAILERS, in its order, each with those below it."""
    aliases: Any = getattr(settings, "MAILERS", {})
    if not isinstance(aliases, Mapping):
        return []
    mailers, _ = read(aliases)
    known = {mailer.alias: mailer for mailer in mailers}
    found = checks.check_mailers(None)
    below = {target for mailer in mailers for target in _targets(mailer)}
    rows: list[Row] = []
    # First those that no other one names; then what is left, as in a circle each is named.
    for alias in [*(a for a in aliases if a not in below), *(a for a in aliases if a in below)]:
        if alias not in below or alias not in {row.alias for row in rows}:
            rows += _rows(alias, 0, known, found, ())
    return rows


def _rows(
    alias: Any,
    depth: int,
    known: Mapping[Any, Mailer],
    found: Sequence[CheckMessage],
    above: Sequence[Any],
) -> Iterator[Row]:
    mailer = known.get(alias)
    prefix = f"MAILERS[{alias!r}]: "
    problems = [message for message in found if str(message.msg).startswith(prefix)]
    yield _row(alias, depth, mailer, problems)
    if mailer is None or alias in above:
        return
    for target in _targets(mailer):
        yield from _rows(target, depth + 1, known, found, (*above, alias))


def _row(alias: Any, depth: int, mailer: Mailer | None, problems: Sequence[CheckMessage]) -> Row:
    if mailer is None:
        return Row(str(alias), depth, "", "", "", None, problems)
    get = mailer.options.get
    server = security = ""
    login = None
    if mailer.has("host"):
        default = 465 if get("use_ssl") else 587 if get("use_tls") else 25
        server = f"{get('host')}:{get('port') or default}"
        security = "TLS" if get("use_ssl") else "STARTTLS" if get("use_tls") else "plain text"
        login = bool(get("username") and (get("password") or get("auth")))
    return Row(str(alias), depth, mailer.path, server, security, login, problems)


def _targets(mailer: Mailer) -> list[str]:
    """Return the aliases that the options of a mailer name."""
    named: list[str] = []
    for name, kind in mailer.kinds.items():
        value = mailer.options.get(name)
        if kind == ALIAS and isinstance(value, str):
            named.append(value)
        elif kind == ALIASES and isinstance(value, list | tuple):
            named += [alias for alias in value if isinstance(alias, str)]
    return [*dict.fromkeys(named)]
