"""How often mail about errors and broken links is sent, for log.py and middleware.py."""

from __future__ import annotations

import math
import os
import re
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from .sending import describe, digest, logger

PERIODS = {"minute": 60, "hour": 3600}
# For how many sites it is remembered that they were reported: about 300 kB.
MAX_SITES = 1000
# How long, in seconds, a cache that has failed is not asked again: it may be slow to fail.
CACHE_PAUSE = 60
# How often a slot is tried for that others take first: more than that at a time are too many.
MAX_RACES = 8
# How long, in seconds after the window, the cache keeps what is to be told in the next report.
CACHE_KEEPS = 7 * 24 * 3600


@dataclass(frozen=True)
class Admission:
    """Leave to send one report, with what it has to tell about those that were not sent.

    `similar` is how many errors were suppressed that happened at the same place, `others` how many
    that happened elsewhere, or were too many for the rate. `unsent` is how many reports could not
    be sent, about whatever, and `reason` the type of the error for which the last could not.
    """

    similar: int = 0
    others: int = 0
    unsent: int = 0
    reason: str = ""

    def notes(self, noun: str = "error") -> list[str]:
        """Return what the report has to tell, line by line."""
        counts = {"similar": self.similar, "further": self.others}
        notes = [
            f"{count} {kind} {noun}{'' if count == 1 else 's'} suppressed"
            for kind, count in counts.items()
            if count
        ]
        if self.unsent == 1:
            notes.append(f"1 report could not be sent: {self.reason}")
        elif self.unsent:
            notes.append(f"{self.unsent} reports could not be sent, the last: {self.reason}")
        return notes


class ReportLimiter:
    """Decides whether a report is sent, so that a storm of errors is none of mail.

    window   Seconds for which, after a report, no other is sent about the same site: any string
             that says where the error is. None for no such limit.
    rate     How many reports are sent in any minute or any hour, over all sites: "10/minute",
             "100/hour". None for no such limit.
    cache    An alias of CACHES, to share both limits with the processes that have the same `scope`;
             else they are this process's own. They are so as well while the cache fails.
    scope    A name for these limits among those in the same cache.

    What is not sent is counted, and told by the next report. A report that could not be sent is
    told by the next one about whatever, and uses the limits up too: a dead server is not tried by
    each visitor.

    Any number of threads may share a limiter. It holds its lock only to decide, never over I/O; it
    remembers `MAX_SITES` sites; and forgets all of them in a forked child, whose parent will tell.

    `clock`, in seconds, can be replaced in tests. A cache goes by its own time.
    """

    clock: Callable[[], float]

    def __init__(
        self,
        *,
        window: float | None,
        rate: str | None,
        cache: str | None = None,
        scope: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.window = check_seconds("window", window)
        self.rate = rate
        self.limit, self.period = parse_rate(rate)
        self.cache = cache
        self.scope = scope
        self.clock = clock
        self._forget()
        _limiters.add(self)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} window={self.window!r} rate={self.rate!r} "
            f"cache={self.cache!r}>"
        )

    def admit(self, site: str) -> Admission | None:
        """Return leave to report an error at `site`, or None, and then it is counted.

        To be called inside `reporting()`: a failure of the cache is logged.
        """
        site = digest(site)
        return self._through_cache(
            lambda cache: self._admit_shared(cache, site), lambda: self._admit(site)
        )

    def failed(self, site: str, admission: Admission, error: BaseException) -> None:
        """Count the report that was admitted as one that could not be sent because of `error`.

        What it had to tell is told by the next one.
        """
        site = digest(site)
        unsent = replace(admission, unsent=admission.unsent + 1, reason=type(error).__name__)
        self._through_cache(
            lambda cache: self._failed_shared(cache, site, unsent),
            lambda: self._failed(site, unsent),
        )

    # In this process.

    def _forget(self) -> None:
        # One that a signal handler may take again which logs an error in the middle of it.
        self._lock = threading.RLock()
        # By site: when it was reported last, and how often it was suppressed since.
        self._sites: OrderedDict[str, tuple[float, int]] = OrderedDict()
        # When the reports of the last period were sent; never more than `limit`.
        self._sent: deque[float] = deque()
        self._others = 0
        self._unsent, self._reason = 0, ""
        self._cache_returns = -math.inf

    def _admit(self, site: str) -> Admission | None:
        with self._lock:
            now = self.clock()
            reported, similar = self._sites.get(site, (-math.inf, 0))
            if self.window is not None and now - reported < self.window:
                self._sites[site] = (reported, similar + 1)
                return None
            while self._sent and now - self._sent[0] >= self.period:
                self._sent.popleft()
            if self.limit is not None:
                if len(self._sent) >= self.limit:
                    self._others += 1
                    return None
                self._sent.append(now)
            self._remember(site, now, 0)
            admission = Admission(similar, self._others, self._unsent, self._reason)
            self._others = 0
            self._unsent, self._reason = 0, ""
            return admission

    def _failed(self, site: str, unsent: Admission) -> None:
        with self._lock:
            self._others += unsent.others
            self._unsent, self._reason = self._unsent + unsent.unsent, unsent.reason
            # The site may be forgotten by now, and others may have been counted at it.
            reported, suppressed = self._sites.pop(site, (self.clock(), 0))
            self._remember(site, reported, suppressed + unsent.similar)

    def _remember(self, site: str, reported: float, suppressed: int) -> None:
        self._sites[site] = (reported, suppressed)
        self._sites.move_to_end(site)
        while len(self._sites) > MAX_SITES:
            _, (_, forgotten) = self._sites.popitem(last=False)
            self._others += forgotten

    # In the cache, by its atomic operations. What another process does between two of them may make
    # a count wrong that is told, but breaks no limit.

    def _through_cache(
        self, shared: Callable[[Any], Admission | None], local: Callable[[], Admission | None]
    ) -> Admission | None:
        """Return what `shared` does with the cache, or what `local` does if there is none."""
        if self.cache is None or self.clock() < self._cache_returns:
            return local()
        try:
            return shared(self._open_cache(self.cache))
        except Exception as error:
            self._cache_returns = self.clock() + CACHE_PAUSE
            with suppress(Exception):
                logger.warning(
                    "The cache %r failed to keep the limits of reports (%s); this process keeps "
                    "its own for the next %d seconds.",
                    self.cache,
                    describe(error),
                    CACHE_PAUSE,
                )
            return local()

    @staticmethod
    def _open_cache(alias: str) -> Any:
        from django.core.cache import caches
        from django.core.cache.backends.db import BaseDatabaseCache
        from django.core.cache.backends.dummy import DummyCache

        cache = caches[alias]
        if isinstance(cache, BaseDatabaseCache | DummyCache):
            raise ImproperlyConfigured(
                f"CACHES[{alias!r}]: reports by mail need a cache that keeps values, and not in "
                f"a database."
            )
        return cache

    def _admit_shared(self, cache: Any, site: str) -> Admission | None:
        window = 0 if self.window is None else math.ceil(self.window)
        if window and not cache.add(self._key("site", site), 1, window):
            self._count(cache, self._key("similar", site))
            return None
        if self.limit is not None and not self._take_slot(cache, self.limit):
            cache.delete(self._key("site", site))
            self._count(cache, self._key("others"))
            return None
        reason = cache.get(self._key("reason"), "")
        return Admission(
            self._take(cache, self._key("similar", site)),
            self._take(cache, self._key("others")),
            unsent := self._take(cache, self._key("unsent")),
            reason if unsent else "",
        )

    def _take_slot(self, cache: Any, limit: int) -> bool:
        """Return whether there was a slot for a report, of as many as a period has; it is taken.

        A slot is free again a period later, by the cache's own time. They are taken in turn, so
        that it is enough to look at one: if the next one is not free, no other is.
        """
        for _ in range(MAX_RACES):
            number = cache.get(self._key("sent"), 0)
            if cache.add(self._key("slot", str(number % limit)), 1, self.period):
                self._count(cache, self._key("sent"))
                return True
            # Unless another process has taken it meanwhile.
            if cache.get(self._key("sent"), 0) == number:
                break
        return False

    def _failed_shared(self, cache: Any, site: str, unsent: Admission) -> None:
        if unsent.similar:
            self._count(cache, self._key("similar", site), unsent.similar)
        if unsent.others:
            self._count(cache, self._key("others"), unsent.others)
        cache.set(self._key("reason"), unsent.reason, self._keeps)
        self._count(cache, self._key("unsent"), unsent.unsent)

    def _key(self, *parts: str) -> str:
        return ":".join(["django_mailers.reports", digest(self.scope), *parts])

    @property
    def _keeps(self) -> int:
        return CACHE_KEEPS + math.ceil(self.window or 0)

    def _count(self, cache: Any, key: str, number: int = 1) -> None:
        from django.core.cache.backends.base import BaseCache

        if type(cache).incr is BaseCache.incr:
            # It forgets when the number expires, and is not atomic anyway: files, for one.
            cache.set(key, cache.get(key, 0) + number, self._keeps)
            return
        cache.add(key, 0, self._keeps)
        cache.incr(key, number)

    @staticmethod
    def _take(cache: Any, key: str) -> int:
        count = cache.get(key, 0)
        if count:
            cache.delete(key)
        return int(count)


_limiters: weakref.WeakSet[ReportLimiter] = weakref.WeakSet()


def _forget_parent() -> None:
    # The lock may be held by a thread that the child does not have, its holder half-way through.
    for limiter in list(_limiters):
        limiter._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


def check_seconds(name: str, value: float | None) -> float | None:
    """Return `value` if it can be a number of seconds, or None; raise `ValueError` if it cannot."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise ValueError(
            f"{name!r} must be a number of seconds greater than 0, or None, not {value!r}."
        )
    return value


def parse_rate(rate: str | None) -> tuple[int | None, int]:
    """Return how many reports `rate` allows, None for any number, and in how many seconds."""
    if rate is None:
        return None, 0
    match = re.fullmatch(r"([1-9][0-9]*)/(minute|hour)", rate) if isinstance(rate, str) else None
    if match is None:
        raise ValueError(f"'rate' must be like '10/minute' or '100/hour', or None, not {rate!r}.")
    return int(match[1]), PERIODS[match[2]]
