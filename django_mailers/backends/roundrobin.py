"""Several mailers in turn: `"django_mailers.backends.roundrobin.EmailBackend"`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django_mailers.delivery import SendResult
from django_mailers.options import WEIGHTS, Option
from django_mailers.types import Message

from . import failover
from ._failover.batch import Batch
from ._failover.health import Health
from ._failover.turns import turns


class EmailBackend(failover.EmailBackend):
    """Hands the messages to its `mailers` in turn, by their `weights`, which are all 1 by default.

    A batch is divided into one group for each mailer. Mailers that rest are left out. If a mailer
    cannot take a message, the next one gets it, by the rules of the failover.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {"weights": Option(WEIGHTS)}

    weights: Sequence[int] | None

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        batch = Batch(self, messages)
        return self.send_batch(batch, [*self._groups(len(messages))])

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which of `options`, each of which is valid by itself, do not go together."""
        mailers, weights = options.get("mailers"), options.get("weights")
        if mailers is not None and weights is not None and len(mailers) != len(weights):
            return "OPTIONS 'weights' must have one item for each of 'mailers'."
        return failover.EmailBackend.option_conflict(options)

    def _groups(self, count: int) -> Iterator[tuple[Sequence[int], Sequence[str]]]:
        """Yield the numbers of the messages of each group, and the mailers to try in order."""
        aliases, health = self.mailers, Health(self)
        health.refresh(aliases)
        working = [alias for alias in aliases if not health.is_resting(alias)]
        start = 0
        for alias, share in self._shares(working or aliases, count):
            place = aliases.index(alias)
            yield range(start, start + share), [*aliases[place:], *aliases[:place]]
            start += share

    def _shares(self, aliases: Sequence[str], count: int) -> Iterator[tuple[str, int]]:
        """Yield how many of `count` messages each of `aliases` gets."""
        weights: dict[str, int] = {}
        for alias, weight in zip(
            self.mailers, self.weights or [1] * len(self.mailers), strict=True
        ):
            weights[alias] = weights.get(alias, 0) + weight
        shares = turns.take((self.alias, *weights.items()), weights, aliases, count)
        return iter(shares.items())
