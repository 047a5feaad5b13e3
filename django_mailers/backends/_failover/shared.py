"""The mailers that rest, in a cache that processes share.

An entry gives the end of a rest by the wall clock, which all machines have. That clock may be set,
and differs between machines. So a process looks at it once for each rest, and believes it at most
for the length of that rest; from then on its own monotonic clock counts (H44).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django_mailers.smtp import is_injected

from .rests import Attempt, Rest

T = TypeVar("T")

logger = logging.getLogger("django_mailers.failover")

# Seconds for which a cache that has failed is not asked again: it may be slow to fail.
PAUSE = 60
# Seconds for which the cache keeps a rest after its end: by then some message has tried the mailer.
KEEPS = 24 * 3600

# By alias of the cache: until when it is not asked, by the monotonic clock.
_paused: dict[str, float] = {}


class SharedRests:
    """The rests in the cache `alias`. Each method returns None if the cache fails."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def read(self, keys: Iterable[str], max_rest: float) -> dict[str, Rest | None] | None:
        """Return the rest of each of `keys`, or None for those that work."""

        def ask(cache: Any) -> dict[str, Rest | None]:
            found = cache.get_many([*keys])
            return {key: _parse(found.get(key), max_rest) for key in keys}

        return self._ask(ask)

    def add(self, key: str, rest: Rest) -> bool | None:
        """Store a first rest; return False if another process was faster."""
        return self._ask(lambda cache: bool(cache.add(key, _entry(rest), _expiry(rest))))

    def replace(self, key: str, rest: Rest) -> bool | None:
        """Store the rest that follows another one."""

        def ask(cache: Any) -> bool:
            cache.set(key, _entry(rest), _expiry(rest))
            return True

        return self._ask(ask)

    def remove(self, key: str) -> bool | None:
        """Remove a rest; return False if another process was faster."""
        return self._ask(lambda cache: bool(cache.delete(key)))

    def claim(self, attempt: Attempt, key: str, seconds: float) -> bool | None:
        """Make `attempt` the only probe of all processes, for at most so many seconds."""
        probe, timeout = _probe(key), math.ceil(seconds)
        return self._ask(lambda cache: bool(cache.add(probe, attempt.name, timeout)))

    def release(self, attempt: Attempt) -> None:
        def ask(cache: Any) -> None:
            probe = _probe(attempt.key)
            # After its time another attempt may have it.
            if cache.get(probe) == attempt.name:
                cache.delete(probe)

        self._ask(ask)

    def _ask(self, ask: Callable[[Any], T]) -> T | None:
        if time.monotonic() < _paused.get(self.alias, 0.0):
            return None
        from django.core.cache import caches

        try:
            return ask(caches[self.alias])
        except Exception as error:
            # A cache may raise anything. Mail is sent without it (H56).
            if is_injected(error):
                raise
            _paused[self.alias] = time.monotonic() + PAUSE
            # Only the type: the text may contain the password of the cache.
            logger.warning(
                "The cache %r failed (%s). For the next %d seconds this process does not share "
                "which mailers rest.",
                self.alias,
                type(error).__name__,
                PAUSE,
            )
            return None


def _probe(key: str) -> str:
    return f"{key}:probe"


def _expiry(rest: Rest) -> int:
    return math.ceil(max(0.0, rest.until - time.monotonic()) + KEEPS)


def _entry(rest: Rest) -> dict[str, Any]:
    # Of plain types, for caches that write JSON.
    seconds = max(0.0, rest.until - time.monotonic())
    until = time.time() + seconds
    return {"id": rest.id, "until": until, "seconds": seconds, "step": rest.step}


def _parse(entry: Any, max_rest: float) -> Rest | None:
    """Return the Rest of an entry, seen for the first time now; None if it is not one of ours."""
    if not isinstance(entry, Mapping):
        return None
    try:
        left = float(entry["until"]) - time.time()
        seconds, step = float(entry["seconds"]), float(entry["step"])
        name = str(entry["id"])
    except (KeyError, TypeError, ValueError):
        return None  # Of another version, perhaps.
    # A clock that was set back, or one of another machine, could make it last for hours.
    left = max(0.0, min(left, seconds, max_rest))
    return Rest(name, time.monotonic() + left, min(step, max_rest), is_shared=True)
