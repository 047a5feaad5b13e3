"""How often reports are sent: limits of one process, or of several that share a cache."""

from __future__ import annotations

import math
import os
import re
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from django_mailers.smtp.locks import Lockable, locked

from .describe import describe, digest, logger

T = TypeVar("T")

PERIODS = {"minute": 60, "hour": 3600}
# How many sites a process remembers, which takes about 300 kB.
MAX_SITES = 1000
# Seconds for which a cache that has failed is not asked again: it may be slow to fail.
CACHE_PAUSE = 60
# Seconds after the window for which the cache keeps the counts for the next report.
CACHE_KEEPS = 7 * 24 * 3600


@dataclass(frozen=True)
class Admission:
    """The permission to send one report, with the counts of reports that were not sent.

    similar   Errors at the same site that were suppressed.
    others    Errors that were suppressed at other sites, or because of the rate.
    unsent    Reports about any site that could not be sent.
    reason    The type of the error of the last one that could not be sent.
    """

    similar: int = 0
    others: int = 0
    unsent: int = 0
    reason: str = ""

    def notes(self, noun: str = "error") -> list[str]:
        """Return the lines that the report has to contain about these counts."""
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
    """Decides whether a report is sent, so that a storm of errors does not become a storm of mail.

    window   Seconds after a report in which no other is sent about the same site, which is any
             string that says where the error is. None for no such limit.
    rate     How many reports are sent in any minute or any hour, over all sites: "10/minute",
             "100/hour". None for no such limit.
    cache    An alias of CACHES: processes with the same `scope` share both limits through it.
             Without it, and while it fails, the limits are those of this process.
    scope    A name for these limits among those in the same cache.
    clock    A function that returns seconds, for the limits of this process. A cache has a clock
             of its own.

    Reports that are suppressed are counted, and the next report contains the count. A report that
    could not be sent is mentioned by the next one about any site. It uses up the limits all the
    same, so that not every visitor waits for a server that is down.

    Any number of threads may share a limiter. It holds its lock to decide, never over I/O. In a
    forked child it starts from zero: the counts are the parent's to report.
    """

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
        self.cache = cache
        self.scope = scope
        limit, period = parse_rate(rate)
        self._local = LocalLimits(window, limit, period, clock)
        self._shared = cache and SharedLimits(cache, scope, window, limit, period)
        self._cache_returns = -math.inf
        _limiters.add(self)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} window={self.window!r} rate={self.rate!r} "
            f"cache={self.cache!r}>"
        )

    @property
    def clock(self) -> Callable[[], float]:
        """The clock of the limits of this process; a test may replace it."""
        return self._local.clock

    @clock.setter
    def clock(self, clock: Callable[[], float]) -> None:
        self._local.clock = clock

    def admit(self, site: str) -> Admission | None:
        """Return the permission to report an error at `site`, or count it and return None.

        To be called inside `reporting()`: a failure of the cache is logged.
        """
        key = digest(site)
        return self._decide(lambda limits: limits.admit(key))

    def failed(self, site: str, admission: Admission, error: BaseException) -> None:
        """Count an admitted report as one that could not be sent because of `error`.

        The counts that it should have contained are left to the next one.
        """
        key = digest(site)
        unsent = replace(admission, unsent=admission.unsent + 1, reason=type(error).__name__)
        self._decide(lambda limits: limits.failed(key, unsent))

    def _decide(self, ask: Callable[[LocalLimits | SharedLimits], T]) -> T:
        """Return what `ask` gets from the limits in the cache or, without one, of this process."""
        if self._shared and self.clock() >= self._cache_returns:
            try:
                return ask(self._shared)
            except Exception as error:  # of any backend of CACHES
                self._cache_returns = self.clock() + CACHE_PAUSE
                with suppress(Exception):
                    logger.warning(
                        "The cache %r failed to keep the limits of reports (%s); this process "
                        "keeps its own for the next %d seconds.",
                        self.cache,
                        describe(error),
                        CACHE_PAUSE,
                    )
        return ask(self._local)

    def _forget(self) -> None:
        self._local.forget()
        self._cache_returns = -math.inf


class LocalLimits(Lockable):
    """The limits of this process. Arguments as for `ReportLimiter`, with `rate` parsed."""

    clock: Callable[[], float]

    def __init__(
        self, window: float | None, limit: int | None, period: int, clock: Callable[[], float]
    ) -> None:
        self.window = window
        self.limit = limit
        self.period = period
        self.clock = clock
        self.forget()

    def forget(self) -> None:
        """Start from zero."""
        self.renew_lock()
        # By site: when it was reported last, and how many errors were suppressed since.
        self.sites: OrderedDict[str, tuple[float, int]] = OrderedDict()
        # When the reports of the last period were sent; never more than `limit`.
        self.sent: deque[float] = deque()
        # As in an Admission.
        self.others = 0
        self.unsent, self.reason = 0, ""

    @locked
    def admit(self, site: str) -> Admission | None:
        now = self.clock()
        reported, similar = self.sites.get(site, (-math.inf, 0))
        if self.window is not None and now - reported < self.window:
            self.sites[site] = (reported, similar + 1)
            return None
        while self.sent and now - self.sent[0] >= self.period:
            self.sent.popleft()
        if self.limit is not None:
            if len(self.sent) >= self.limit:
                self.others += 1
                return None
            self.sent.append(now)
        self._remember(site, now, 0)
        admission = Admission(similar, self.others, self.unsent, self.reason)
        self.others = 0
        self.unsent, self.reason = 0, ""
        return admission

    @locked
    def failed(self, site: str, unsent: Admission) -> None:
        self.others += unsent.others
        self.unsent, self.reason = self.unsent + unsent.unsent, unsent.reason
        # The site may be forgotten by now, and errors may have been counted there meanwhile.
        reported, suppressed = self.sites.pop(site, (self.clock(), 0))
        self._remember(site, reported, suppressed + unsent.similar)

    def _remember(self, site: str, reported: float, suppressed: int) -> None:
        self.sites[site] = (reported, suppressed)
        self.sites.move_to_end(site)
        while len(self.sites) > MAX_SITES:
            _, (_, forgotten) = self.sites.popitem(last=False)
            self.others += forgotten


class SharedLimits:
    """The limits of all processes that use the same `scope` in the same cache.

    They are kept by the cache's atomic operations. Between two of them another process may make a
    count wrong, but no limit is exceeded.
    """

    def __init__(
        self, alias: str, scope: str, window: float | None, limit: int | None, period: int
    ) -> None:
        self.alias = alias
        self.window = 0 if window is None else math.ceil(window)
        self.limit = limit
        self.period = period
        self._prefix = f"django_mailers.reports:{digest(scope)}"
        self._keeps = CACHE_KEEPS + self.window

    def admit(self, site: str) -> Admission | None:
        cache = self._open_cache()
        if self.window and not cache.add(self._key("site", site), 1, self.window):
            self._count(cache, self._key("similar", site))
            return None
        if self.limit is not None and not self._is_counted(cache, self.limit):
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

    def failed(self, site: str, unsent: Admission) -> None:
        cache = self._open_cache()
        if unsent.similar:
            self._count(cache, self._key("similar", site), unsent.similar)
        if unsent.others:
            self._count(cache, self._key("others"), unsent.others)
        cache.set(self._key("reason"), unsent.reason, self._keeps)
        self._count(cache, self._key("unsent"), unsent.unsent)

    def _open_cache(self) -> Any:
        from django.core.cache import caches
        from django.core.cache.backends.db import BaseDatabaseCache
        from django.core.cache.backends.dummy import DummyCache

        cache = caches[self.alias]
        if isinstance(cache, BaseDatabaseCache | DummyCache):
            raise ImproperlyConfigured(
                f"CACHES[{self.alias!r}]: reports by mail need a cache that keeps values, and not "
                f"in a database."
            )
        return cache

    def _is_counted(self, cache: Any, limit: int) -> bool:
        """Count a report, if the period has room for one more; return whether it had."""
        from django_mailers.backends._ratelimit.costs import MAILER
        from django_mailers.backends._ratelimit.counting import Ledger, Place, Rate

        ledger = Ledger(cache, self._prefix, [Rate(limit, self.period)])
        [outcome] = ledger.take([{MAILER: 1}])
        return isinstance(outcome, Place)

    def _key(self, *parts: str) -> str:
        return ":".join([self._prefix, *parts])

    def _count(self, cache: Any, key: str, number: int = 1) -> None:
        from django_mailers.backends._ratelimit.counting import count

        # Another process may take it at any moment, to tell it in its report.
        count(cache, key, number, self._keeps)

    @staticmethod
    def _take(cache: Any, key: str) -> int:
        count = cache.get(key, 0)
        if count:
            cache.delete(key)
        return int(count)


_limiters: weakref.WeakSet[ReportLimiter] = weakref.WeakSet()


def _forget_parent() -> None:
    # A thread that the child does not have may hold the lock, with the counts half changed.
    for limiter in list(_limiters):
        limiter._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


def check_seconds(name: str, value: float | None) -> float | None:
    """Return `value` if it is a number of seconds or None; raise `ValueError` if it is not."""
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
