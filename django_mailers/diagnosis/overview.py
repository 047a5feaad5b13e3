"""MAILERS as a table: each mailer, and those that it sends through. It contains no secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from django_mailers import checks
from django_mailers.checks.entries import Mailer, read
from django_mailers.checks.references import reachable, targets_of


@dataclass(frozen=True)
class Row:
    """A mailer in the tree; `depth` says how many mailers are above it."""

    alias: str
    depth: int
    backend: str
    server: str
    security: str
    login: bool | None


def overview() -> list[Row]:
    """Return the mailers of MAILERS, in its order, each with those below it."""
    aliases = configured()
    mailers, _ = read(aliases)
    known = {mailer.alias: mailer for mailer in mailers}
    rows: list[Row] = []
    for alias in roots():
        rows += _rows(alias, 0, known, ())
    return rows


def problems() -> list[CheckMessage]:
    """Return what `manage.py check` says about mail, once each, without what is silenced."""
    found = [message for message in checks.check_mailers(None) if not message.is_silenced()]
    return [*{(message.id, str(message.msg)): message for message in found}.values()]


def roots() -> list[str]:
    """Return the aliases that no other mailer names, and one of each circle."""
    aliases = configured()
    targets = {mailer.alias: targets_of(mailer) for mailer in read(aliases)[0]}
    named = {target for names in targets.values() for target in names}
    found: list[str] = []
    seen: dict[str, None] = {}
    for alias in [*(a for a in aliases if a not in named), *(a for a in aliases if a in named)]:
        if alias not in seen:
            found.append(alias)
            seen |= reachable([alias], targets, stops=seen)
    return found


def configured() -> Mapping[Any, Any]:
    """Return MAILERS, or nothing if it is not a dict."""
    aliases: Any = getattr(settings, "MAILERS", {})
    return aliases if isinstance(aliases, Mapping) else {}


def _rows(
    alias: Any,
    depth: int,
    known: Mapping[Any, Mailer],
    above: Sequence[Any],
) -> Iterator[Row]:
    mailer = known.get(alias)
    yield _row(alias, depth, mailer)
    if mailer is None or alias in above:
        return
    for target in targets_of(mailer):
        yield from _rows(target, depth + 1, known, (*above, alias))


def _row(alias: Any, depth: int, mailer: Mailer | None) -> Row:
    if mailer is None:
        return Row(str(alias), depth, "", "", "", None)
    get = mailer.options.get
    server = security = ""
    login = None
    if mailer.has("host") and get("host"):
        default = 465 if get("use_ssl") else 587 if get("use_tls") else 25
        host = f"[{get('host')}]" if ":" in str(get("host")) else get("host")
        server = f"{host}:{get('port') or default}"
        security = "TLS" if get("use_ssl") else "STARTTLS" if get("use_tls") else "plain text"
        login = bool(get("username") and (get("password") or get("auth")))
    return Row(str(alias), depth, mailer.path, server, security, login)
