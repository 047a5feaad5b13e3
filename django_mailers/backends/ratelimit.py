"""A mailer that limits how many messages are sent in a period, counted for all processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer

from django_mailers.delivery import SendResult
from django_mailers.errors import RateLimited
from django_mailers.options import ALIAS, DELAY, NAME, RATE, Option, one_of, read_rates
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from ._ratelimit.costs import Cost, cost_of
from ._ratelimit.counting import MOMENT, Full, Ledger, Place, Rate
from ._wrapping import clock
from ._wrapping.calls import current_call
from ._wrapping.waiting import wait
from .base import Wrapper

logger = logging.getLogger("django_mailers.backends")

# Results of messages that were not handed over.
NOT_HANDED_OVER = frozenset({"failed", "skipped"})
# The mailers whose cache was broken when this process last used it.
_broken: set[str | None] = set()
# The place of a message that a broken cache let through.
UNCOUNTED = Place({}, 0)

OPTIONS = {
    "using": Option(ALIAS, is_required=True),
    "rate": Option(RATE, is_required=True),
    "cache": Option(NAME, "default"),
    "per": Option(one_of("mailer", "domain"), "mailer"),
    "count": Option(one_of("messages", "recipients"), "messages"),
    "on_limit": Option(one_of("raise", "wait"), "raise"),
    "max_wait": Option(DELAY, 30, "seconds"),
}


class EmailBackend(Wrapper):
    """A rate limit: in any period no more messages are handed on to `using` than `rate` allows.

    The counters are in the Django cache `cache`. On Redis and Memcached the limit holds for all
    processes and machines together. If the cache fails, mail is sent without a limit.

    A message that was not handed over does not count. Messages for which there is no room are
    "failed" with a `RateLimited` error, at once or after `max_wait` seconds in a batch.
    """

    option_kinds = OPTIONS

    rate: str | Sequence[str]
    cache: str
    per: str
    count: str
    on_limit: str
    max_wait: float

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        rates = [Rate(*rate) for rate in read_rates(self.rate)]
        ledger = Ledger(self._cache(), repr(self.alias), rates)
        costs = [self._cost(message) for message in messages]
        most = min(rate.number for rate in rates)
        results: dict[int, SendResult] = {
            number: self._never(messages[number], most)
            for number, cost in enumerate(costs)
            if max(cost.values(), default=0) > most
        }
        waiting = [number for number in range(len(messages)) if number not in results]
        patience = self.max_wait if self.on_limit == "wait" else 0
        while waiting:
            begun = clock.monotonic()
            given = self._take(ledger, [costs[number] for number in waiting])
            outcomes = dict(zip(waiting, given, strict=True))
            places = {n: it for n, it in outcomes.items() if isinstance(it, Place)}
            sent = self._send([messages[n] for n in places], [*places.values()], ledger)
            results.update(zip(places, sent, strict=True))
            elapsed = clock.monotonic() - begun
            left = {n: it.seconds - elapsed for n, it in outcomes.items() if isinstance(it, Full)}
            waiting = [*left]
            # Not less, or it would ask the cache without a pause.
            pause = max(min(left.values(), default=0), MOMENT)
            if pause > patience:
                results.update((n, self._limited(messages[n], left[n])) for n in waiting)
                break
            if waiting:
                wait(self, pause, messages)
                patience -= pause
        return [results[number] for number in range(len(messages))]

    def _cost(self, message: Message) -> Cost:
        per_domain, per_recipient = self.per == "domain", self.count == "recipients"
        return cost_of(message, per_domain=per_domain, per_recipient=per_recipient)

    def _cache(self) -> BaseCache:
        if self.cache not in caches.settings:
            text = f"OPTIONS 'cache' names {self.cache!r}, which is not in CACHES."
            raise InvalidMailer(text, alias=self.alias)
        return caches[self.cache]

    def _take(self, ledger: Ledger, costs: Sequence[Cost]) -> Sequence[Place | Full]:
        """Count messages with these costs; if the cache is broken, let all of them through."""
        try:
            outcomes = ledger.take(costs)
        except ImproperlyConfigured:
            raise
        except Exception as error:
            # A cache raises the errors of its client (H56).
            if is_injected(error):
                raise
            if self.alias not in _broken:
                _broken.add(self.alias)
                logger.error(
                    "MAILERS[%r]: The cache %r failed (%s). Until it works again, mail is sent "
                    "without the rate limit.",
                    self.alias,
                    self.cache,
                    type(error).__name__,
                )
            return [UNCOUNTED] * len(costs)
        _broken.discard(self.alias)
        return outcomes

    def _send(
        self, messages: Sequence[Message], places: Sequence[Place], ledger: Ledger
    ) -> Sequence[SendResult]:
        """Send the messages that have these places; return the results."""
        results: Sequence[SendResult]
        try:
            results = self.hand_on(self.using, messages)
        except ImproperlyConfigured as error:
            self._give_back(ledger, places, current_call(self).report(messages, error))
            raise
        self._give_back(ledger, places, results)
        return results

    def _give_back(
        self, ledger: Ledger, places: Sequence[Place], results: Sequence[SendResult]
    ) -> None:
        """Give back the places of messages that were not handed over."""
        unused = [
            place
            for place, result in zip(places, results, strict=True)
            if result.status in NOT_HANDED_OVER
        ]
        try:
            ledger.give_back(unused)
        except Exception as error:
            # An error of the cache: the places stay taken until their time has passed.
            if is_injected(error):
                raise

    def _limited(self, message: Message, seconds: float) -> SendResult:
        seconds = max(seconds, 0)
        text = f"OPTIONS 'rate' has room for the message in {seconds:.3g} seconds."
        error = RateLimited(f"MAILERS[{self.alias!r}]: {text}", seconds)
        return SendResult(message, "failed", error=error)

    def _never(self, message: Message, most: int) -> SendResult:
        at = " at one domain" if self.per == "domain" else ""
        error = ValueError(
            f"MAILERS[{self.alias!r}]: OPTIONS 'rate' never has room for a message to more than "
            f"{most} recipients{at}. Send it in parts, or allow more."
        )
        return SendResult(message, "refused", error=error)
