"""Whose turn it is among mailers with weights, in this process."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Collection, Hashable, Mapping

from django.core.signals import setting_changed

from django_mailers.smtp.locks import Lockable, after_fork, locked

# The first turn is at most this many turns from the beginning.
MAX_START = 1000


class Turns(Lockable):
    """The turns of each round robin, as smooth as those of nginx: 5, 1, 1 gives a a b a c a a."""

    def __init__(self) -> None:
        super().__init__()
        self._balances: dict[Hashable, dict[str, int]] = {}

    @locked
    def take(
        self, name: Hashable, weights: Mapping[str, int], aliases: Collection[str], count: int
    ) -> Counter[str]:
        """Take `count` turns of the round robin `name` among `aliases`; return who gets how many.

        Each process begins with a random turn, so that not all begin with the same mailer.
        """
        balance = self._balances.get(name)
        if balance is None:
            balance = dict.fromkeys(weights, 0)
            turns = sum(weights.values()) // math.gcd(*weights.values())
            _advance(balance, weights, weights, secrets.randbelow(min(turns, MAX_START)))
        balance = dict(balance)
        shares = _advance(balance, weights, aliases, count)
        # In one step: an interrupt cannot leave half of it.
        self._balances[name] = balance
        return shares

    def forget(self) -> None:
        """Begin at random again: in a forked child, or after a change of settings."""
        self.renew_lock()
        self._balances = {}

    def on_setting_changed(self, *, setting: str, **kwargs: object) -> None:
        if setting == "MAILERS":
            self._balances = {}


def _advance(
    balance: dict[str, int], weights: Mapping[str, int], aliases: Collection[str], count: int
) -> Counter[str]:
    total = sum(weights[alias] for alias in aliases)
    shares: Counter[str] = Counter()
    for _ in range(count):
        for alias in aliases:
            balance[alias] += weights[alias]
        chosen = max(aliases, key=balance.__getitem__)
        balance[chosen] -= total
        shares[chosen] += 1
    return shares


turns = Turns()
after_fork(turns.forget)
# In tests: override_settings().
setting_changed.connect(turns.on_setting_changed)
