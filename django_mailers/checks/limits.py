"""Checks of rate limits and of mailers that try again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from .entries import Mailer
from .references import hint_for, import_or_none, targets_of
from .table import check_message


def check_limits(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check the mailers whose backends are `ratelimit` or `retry`, or derive from those."""
    by_alias = {mailer.alias: mailer for mailer in mailers}
    for mailer in mailers:
        if mailer.derives_from("ratelimit"):
            yield from _check_cache(mailer)
            yield from _check_over_retry(mailer, by_alias, "mailers.W034")
        elif mailer.derives_from("retry"):
            yield from _check_over_retry(mailer, by_alias, "mailers.W032")
            yield from _check_delay(mailer)


def _check_cache(mailer: Mailer) -> Iterator[CheckMessage]:
    alias = mailer.value("cache")
    if not isinstance(alias, str) or not isinstance(settings.CACHES, Mapping):
        return
    if alias not in settings.CACHES:
        hint = hint_for(alias, settings.CACHES, "CACHES")
        text = f"OPTIONS 'cache' names {alias!r}, which is not in CACHES."
        yield check_message("mailers.E030", text, alias=mailer.alias, hint=hint)
        return
    found = _weakness(settings.CACHES[alias])
    if found is not None:
        id, weakness = found  # noqa: A001
        text = f"OPTIONS 'cache' names {alias!r}, a cache {weakness}."
        yield check_message(id, text, alias=mailer.alias)


def _weakness(entry: Any) -> tuple[str, str] | None:
    """Return the id of what is wrong with the cache of this entry of CACHES, and what it is."""
    from django.core.cache.backends.base import BaseCache
    from django.core.cache.backends.dummy import DummyCache
    from django.core.cache.backends.locmem import LocMemCache
    from django.core.cache.backends.redis import RedisCache

    backend = import_or_none(entry.get("BACKEND")) if isinstance(entry, Mapping) else None
    if not isinstance(backend, type):
        return None  # Django says so when the cache is used.
    if issubclass(backend, DummyCache):
        return "mailers.W030", "that keeps nothing"
    if issubclass(backend, LocMemCache):
        return "mailers.W030", "that each process has for itself"
    weakness = None
    if getattr(backend, "incr", None) is BaseCache.incr:
        weakness = "mailers.W031", "that does not count atomically"
    elif issubclass(backend, RedisCache) and _servers(entry.get("LOCATION")) > 1:
        weakness = "mailers.W031", "that reads from replicas, which lag behind"
    return weakness


def _servers(location: Any) -> int:
    return len(re.split("[;,]", location) if isinstance(location, str) else location or ())


def _check_over_retry(
    mailer: Mailer, by_alias: Mapping[Any, Mailer], problem: str
) -> Iterator[CheckMessage]:
    """Check that no mailer that tries again is behind `mailer`, however many are between them."""
    ways: list[list[Any]] = [[mailer.alias]]
    seen = {mailer.alias}
    for way in ways:
        if len(way) > 1 and by_alias[way[-1]].derives_from("retry"):
            what = "not counted" if problem == "mailers.W034" else "repeated"
            path = " -> ".join(map(repr, way))
            text = f"The attempts of {way[-1]!r} are {what}: {path}."
            yield check_message(problem, text, alias=mailer.alias)
            return
        for target in targets_of(by_alias[way[-1]]):
            if target in by_alias and target not in seen:
                seen.add(target)
                ways.append([*way, target])


def _check_delay(mailer: Mailer) -> Iterator[CheckMessage]:
    delay = mailer.value("delay")
    for name in ("max_delay", "deadline"):
        longest = mailer.value(name)
        if _is_number(delay) and _is_number(longest) and longest < delay:
            text = f"OPTIONS {name!r} is shorter than 'delay'."
            yield check_message("mailers.W033", text, alias=mailer.alias)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
