"""MAILERS as a table: each mailer, and those that it sends through. It contains no secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from django_mailers import checks
from django_mailers.checks.entries import Mailer, read
from django_mailers.checks.references import targets_of


@dataclass(frozen=True)
class Row:
    """A mailer in the tree; `depth` says how many mailers are above it.

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
    aliases = _configured()
    mailers, _ = read(aliases)
    known = {mailer.alias: mailer for mailer in mailers}
    found = checks.check_mailers(None)
    rows: list[Row] = []
    for alias in roots():
        rows += _rows(alias, 0, known, found, ())
    return rows


def roots() -> list[str]:
    """Return the aliases that no other mailer names, and one of each circle."""
    aliases = _configured()
    targets = {mailer.alias: targets_of(mailer) for mailer in read(aliases)[0]}
    named = {target for names in targets.values() for target in names}
    found: list[str] = []
    seen: set[str] = set()
    for alias in [*(a for a in aliases if a not in named), *(a for a in aliases if a in named)]:
        if alias in seen:
            continue
        found.append(alias)
        left = [alias]
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left += targets.get(name, ())
    return found


def _configured() -> Mapping[Any, Any]:
    aliases: Any = getattr(settings, "MAILERS", {})
    return aliases if isinstance(aliases, Mapping) else {}


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
    for target in targets_of(mailer):
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
