"""Checks of the mailers between which a failover or a round robin chooses."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from django_mailers.options import FLAG, TakesOptions
from django_mailers.signatures import DEVELOPMENT, path_of
from django_mailers.wording import listed

from .entries import Mailer
from .references import hint_for, import_or_none
from .table import check_message


def check_failovers(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check each failover, and round robin, together with the mailers that it names."""
    by_alias = {mailer.alias: mailer for mailer in mailers}
    for mailer in mailers:
        if not mailer.derives_from("failover"):
            continue
        named = mailer.options.get("mailers")
        kind = mailer.kinds.get("mailers")
        # Otherwise `entries` and `references` say what is wrong.
        if kind is not None and named is not None and kind.allows(named):
            targets = [by_alias[alias] for alias in dict.fromkeys(named) if alias in by_alias]
            yield from _check_number(mailer, named)
            yield from _check_same(mailer, named, targets)
            for target in targets:
                yield from _check_target(mailer, target, by_alias)
        yield from _check_cache(mailer)


def _check_number(mailer: Mailer, named: Sequence[str]) -> Iterator[CheckMessage]:
    if len(named) < 2:
        text = "OPTIONS 'mailers' names one mailer only."
        yield check_message("mailers.W020", text, alias=mailer.alias)


def _check_same(
    mailer: Mailer, named: Sequence[str], targets: Sequence[Mailer]
) -> Iterator[CheckMessage]:
    """Check that no two of the mailers would fail together."""
    groups: dict[Any, list[str]] = {}
    for target in targets:
        account = _account(target)
        if account is not None:
            groups.setdefault(account, []).extend([target.alias] * named.count(target.alias))
    for aliases in groups.values():
        if len(aliases) > 1:
            same = listed(map(repr, aliases))
            text = f"OPTIONS 'mailers' names {same}, which are one and the same."
            yield check_message("mailers.W023", text, alias=mailer.alias)


def _account(target: Mailer) -> Any:
    """Return a value that mailers with the same account share; None if sharing it is harmless."""
    if path_of(target.backend) in DEVELOPMENT:
        return None
    host = target.options.get("host")
    if isinstance(host, str) and host:
        port, user = target.options.get("port"), target.options.get("username")
        return (host.lower().rstrip("."), str(port or 0), user or "")
    return (target.path, repr(sorted(target.options.items())))


def _check_target(
    mailer: Mailer, target: Mailer, by_alias: Mapping[Any, Mailer]
) -> Iterator[CheckMessage]:
    """Check that `mailer` notices when the mailer `target` fails."""
    place = f"OPTIONS 'mailers' names {target.alias!r}, which"
    end = _end_of(target, by_alias)
    by = "" if end is target else f" sends through {end.alias!r}, which"
    if end.kinds.get("fail_silently") is FLAG and end.options.get("fail_silently"):
        text = f"{place}{by} sets 'fail_silently'."
        yield check_message("mailers.W021", text, alias=mailer.alias)
    if (
        end.has("timeout")
        and end.options.get("timeout") is None
        # A backend of ours has a timeout if none is given.
        and not issubclass(end.backend, TakesOptions)
        and socket.getdefaulttimeout() is None
    ):
        text = f"{place}{by} has no 'timeout'."
        yield check_message("mailers.W022", text, alias=mailer.alias)


def _end_of(target: Mailer, by_alias: Mapping[Any, Mailer]) -> Mailer:
    """Return the mailer that `target` sends through in the end, as far as `using` tells it."""
    seen = [target]
    while "using" in target.kinds:
        using = target.options.get("using")
        following = by_alias.get(using) if isinstance(using, str) else None
        if following is None or following in seen:
            break
        target = following
        seen.append(target)
    return target


def _check_cache(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check that processes can tell each other by the cache which mailers rest."""
    alias = mailer.options.get("cache")
    if not isinstance(alias, str) or mailer.kinds.get("cache") is None:
        return
    if alias not in settings.CACHES:
        text = f"OPTIONS 'cache' names {alias!r}, which is not in CACHES."
        hint = hint_for(alias, settings.CACHES, "CACHES")
        yield check_message("mailers.W024", text, alias=mailer.alias, hint=hint)
        return
    # Imported here, as most projects have no failover.
    from django.core.cache.backends.dummy import DummyCache
    from django.core.cache.backends.locmem import LocMemCache

    backend = import_or_none(settings.CACHES[alias].get("BACKEND"))
    if isinstance(backend, type) and issubclass(backend, DummyCache | LocMemCache):
        text = f"OPTIONS 'cache' names {alias!r}, which processes do not share."
        yield check_message("mailers.W024", text, alias=mailer.alias)
