"""How many messages were sent lately: counters in Django's cache, which processes share.

The period of a rate has PARTS, and each part a counter of its own. A period that begins at any
moment touches at most PARTS + 1 of them. As long as these together never hold more than the rate,
no period does (H54). The price is that room comes back up to one part late.

Only `add()` and `incr()` are atomic in a cache (H55). So a process counts first, reads the counters
then, and takes back what was too much. Of all processes that count for the same period, the last
one sees what the others have counted, and keeps only what fits with that. `incr()` returns how much
the counter held before, and that alone decides between processes that count at the same time:
otherwise two of them that ask for the last place would both go without it.

The counters of the parts to come are read as well. They are those of machines whose clock is ahead,
or from before the clock went back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from django.core.cache.backends.base import BaseCache

from .._wrapping import clock
from .costs import Cost, fitting, total

PARTS = 20
# Seconds that a counter is kept longer than it is needed: clocks differ.
SPARE = 5
# How many attempts to find a place are made while others take it at the same moment.
ROUNDS = 8
# Seconds after which to try again if a place that was free a moment ago is gone.
MOMENT = 0.01
# The most keys that are read at a time: a database has a limit.
KEYS = 500


class CacheBroken(Exception):
    """The cache does not keep what it is given."""


class Rate(NamedTuple):
    number: int
    seconds: int

    def part(self, now: float) -> int:
        return int(now * PARTS // self.seconds)

    def wait(self, counts: Mapping[int, int], units: int, now: float) -> float:
        """Return after how many seconds there is room for `units`, if nobody else takes it."""
        excess, leaves = sum(counts.values()) + units - self.number, now
        for part in sorted(counts):
            if excess <= 0:
                break
            excess -= counts[part]
            leaves = (part + PARTS + 1) * self.seconds / PARTS
        return max(leaves - now, MOMENT)


class Place(NamedTuple):
    """Where a message was counted: for what, and in the parts of which time."""

    cost: Cost
    time: float


class Full(NamedTuple):
    """The limit is reached; in so many seconds there may be room again."""

    seconds: float


# How much each part holds, by name and rate.
Counts = dict[tuple[str, Rate], dict[int, int]]


class Ledger:
    """The counters of one mailer.

    Arguments: the Django cache that they are in; the `owner`, which is the alias of the mailer; its
    rates.
    """

    def __init__(self, cache: Any, owner: str, rates: Sequence[Rate]) -> None:
        self._cache = cache
        self._owner = owner
        self._rates = rates
        self._digests: dict[str, str] = {}

    def take(self, costs: Sequence[Cost]) -> list[Place | Full]:
        """Count the messages that cost so much, as far as there is room; say of each where.

        A message is counted for all of its names in all rates, or not at all.

        Raises what the cache raises, and CacheBroken.
        """
        outcomes: list[Place | Full] = [Full(MOMENT)] * len(costs)
        waiting = [*range(len(costs))]
        for _ in range(ROUNDS):
            now = clock.time()
            asked = [costs[number] for number in waiting]
            counts = self._read({name for cost in asked for name in cost}, now)
            candidates = [waiting[number] for number in fitting(asked, self._rooms(counts))]
            for number in {*waiting} - {*candidates}:
                outcomes[number] = Full(self._wait(costs[number], counts, now))
            if not candidates:
                break
            for number in self._reserve(candidates, costs, now):
                outcomes[number] = Place(costs[number], now)
            waiting = [n for n in waiting if isinstance(outcomes[n], Full)]
            if not waiting:
                break
        return outcomes

    def give_back(self, places: Iterable[Place]) -> None:
        """Count messages out again that were not handed over. Raises what the cache raises."""
        costs: dict[float, list[Cost]] = {}
        for place in places:
            costs.setdefault(place.time, []).append(place.cost)
        for time, given in costs.items():
            units = total(given)
            for counter, name, rate in self._counters(units, time):
                self._uncount(counter, units[name], rate)

    def _uncount(self, counter: str, units: int, rate: Rate) -> None:
        with suppress(ValueError):  # It is not there any more.
            rest = _add(self._cache, counter, -units, _timeout(rate))
            if rest < 0:
                # The cache had lost it meanwhile. Below zero it would let more through.
                _add(self._cache, counter, -rest, _timeout(rate))

    def _reserve(self, numbers: Sequence[int], costs: Sequence[Cost], now: float) -> list[int]:
        """Count the messages with these numbers, and take back those that find no room."""
        units = total(costs[number] for number in numbers)
        counted: list[tuple[str, int, Rate]] = []
        try:
            before = {}
            for counter, name, rate in self._counters(units, now):
                held = count(self._cache, counter, units[name], _timeout(rate)) - units[name]
                before[name, rate] = max(0, held)
                counted.append((counter, units[name], rate))
            counts = self._read(units, now)
            for (name, rate), parts in counts.items():
                parts[rate.part(now)] = before[name, rate]
            rooms = self._rooms(counts)
            kept = [numbers[n] for n in fitting([costs[number] for number in numbers], rooms)]
        except BaseException:
            # An interrupt, or an error of the cache: this may fail, too, and places stay unused.
            with suppress(Exception):
                for each in counted:
                    self._uncount(*each)
            raise
        self.give_back(Place(costs[number], now) for number in {*numbers} - {*kept})
        return kept

    def _read(self, names: Collection[str], now: float) -> Counts:
        """Return what was counted less than a period ago, or will be if the clock is right."""
        counts: Counts = {(name, rate): {} for name in names for rate in self._rates}
        where = {}
        for name, rate in counts:
            meter, present = self._meter(name, rate), rate.part(now)
            for part in range(present - PARTS, present + PARTS + 1):
                where[f"{meter}:{part}"] = name, rate, part
        keys = [*where]
        for start in range(0, len(keys), KEYS):
            for counter, value in self._cache.get_many(keys[start : start + KEYS]).items():
                name, rate, part = where[counter]
                # Below zero, if the cache had lost what is being given back.
                counts[name, rate][part] = max(0, int(value))
        return counts

    def _rooms(self, counts: Counts) -> dict[str, int]:
        rooms: dict[str, int] = {}
        for (name, rate), parts in counts.items():
            room = rate.number - sum(parts.values())
            rooms[name] = min(room, rooms.get(name, room))
        return rooms

    def _wait(self, cost: Cost, counts: Counts, now: float) -> float:
        waits = [
            rate.wait(counts[name, rate], units, now)
            for name, units in cost.items()
            for rate in self._rates
        ]
        return max(waits, default=MOMENT)

    def _counters(self, names: Iterable[str], now: float) -> Iterator[tuple[str, str, Rate]]:
        """Yield the counter of each name and rate, which is that of the present part."""
        for name in names:
            for rate in self._rates:
                yield f"{self._meter(name, rate)}:{rate.part(now)}", name, rate

    def _meter(self, name: str, rate: Rate) -> str:
        """Return how the keys begin. They do not show a domain; an alias may be any text."""
        digest = self._digests.get(name)
        if digest is None:
            digest = hashlib.sha256(f"{self._owner}\n{name}".encode()).hexdigest()[:24]
            self._digests[name] = digest
        return f"django_mailers.ratelimit:{digest}:{rate.seconds}"


def count(cache: Any, counter: str, units: int, timeout: int) -> int:
    """Add `units` to a counter, which is made for `timeout` seconds; return what it holds now.

    Raises what the cache raises, and CacheBroken.
    """
    for _ in range(ROUNDS):
        try:
            return _add(cache, counter, units, timeout)
        except ValueError:  # It is not there, or it has expired or been deleted a moment ago.
            if cache.add(counter, units, timeout):
                return units
    raise CacheBroken("A counter is lost as soon as it is there.")


def _add(cache: Any, counter: str, units: int, timeout: int) -> int:
    """Return what the counter holds with `units` more; ValueError if it is not there."""
    value: int
    # That of the base class reads and writes, with the timeout of the cache.
    if getattr(type(cache), "incr", None) is BaseCache.incr:
        # No less atomic than its incr(), which might forget the counter at once.
        value = cache.get(counter)
        if value is None:
            raise ValueError(counter)
        cache.set(counter, value + units, timeout)
        return value + units
    # Memcached adds no negative numbers.
    add, number = (cache.decr, -units) if units < 0 else (cache.incr, units)
    value = add(counter, number)
    return value


def _timeout(rate: Rate) -> int:
    """Return how many seconds a counter is kept: enough even if the clock is set back a period."""
    return 2 * rate.seconds + SPARE
