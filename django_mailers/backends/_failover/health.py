"""Which of several mailers gets the next messages, and what the outcome means for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django_mailers.delivery.faults import Fault
from django_mailers.signals import mailer_recovered, mailer_rested

from .keys import key_of, timeout_of
from .rests import Attempt, Rest, new_name, rests
from .shared import SharedRests

if TYPE_CHECKING:
    from ..failover import EmailBackend

logger = logging.getLogger("django_mailers.failover")

# A probe may take this many seconds more than the timeout of its mailer. After that another message
# tries the mailer: the first process may have been killed (H43).
GRACE = 30


class Health:
    """The health of the mailers of `backend`: a failover, or what derives from it.

    A mailer works until a fault makes it rest; after the rest it is half open. Then exactly one
    message tries it, among all threads and, with a cache, among all processes. If the mailer takes
    that message, it works again; otherwise it rests twice as long.
    """

    def __init__(self, backend: EmailBackend) -> None:
        self.backend = backend
        self.shared = None if backend.cache is None else SharedRests(backend.cache)

    def choose(self, attempt: Attempt, aliases: Sequence[str], *, may_force: bool) -> bool:
        """Make `attempt` one through the first of `aliases` that may be tried.

        If all of them rest, `may_force` allows the one whose rest ends first. Returns False if no
        mailer is chosen. In any case the caller has to `release()` the attempt in the end.
        """
        keys = {alias: key_of(alias) for alias in aliases}
        self._refresh([*keys.values()])
        resting: list[tuple[bool, float, str]] = []
        for alias, key in keys.items():
            rest = rests.get(key)
            if rest is None or (time.monotonic() >= rest.until and self._claim(attempt, alias)):
                if not attempt.is_probe:
                    attempt.begin(alias, key, None)
                return True
            rest = rests.get(key) or rest
            resting.append((rests.is_being_tried(key), rest.until, alias))
        if not resting or not may_force:
            return False
        # A mailer that another attempt is trying now is used only if no other is left.
        _, _, alias = min(resting, key=lambda one: one[:2])
        attempt.begin(alias, keys[alias], rests.get(keys[alias]))
        return True

    def is_resting(self, alias: str) -> bool:
        """Whether `alias` rests, as far as this process knows; False if it is half open."""
        rest = rests.get(key_of(alias))
        return rest is not None and time.monotonic() < rest.until

    def refresh(self, aliases: Sequence[str]) -> None:
        """Learn from the other processes which of `aliases` rest."""
        self._refresh([*map(key_of, aliases)])

    def succeeded(self, attempt: Attempt) -> None:
        """The mailer has taken a message: it works."""
        if attempt.rest is None or not rests.end(attempt):
            return
        is_first = self.shared is None or self.shared.remove(attempt.key) is not False
        if not is_first and attempt.is_forced and attempt.rest.is_shared:
            return  # Another process was faster, and has logged it.
        self._log(logging.INFO, "%r works again.", attempt.alias)
        mailer_recovered.send_robust(
            sender=type(self.backend), alias=attempt.alias, mailer=self.backend.alias
        )

    def failed(self, attempt: Attempt, fault: Fault) -> None:
        """Make the mailer rest because of `fault`."""
        seconds, rest = self._next_rest(attempt, fault)
        if seconds <= 0 or not rests.begin(attempt, rest):
            return
        if self.shared is not None and not self._share(self.shared, attempt, rest):
            return
        self._log(
            logging.WARNING,
            "%r rests for %.0f s after a fault: %s.",
            attempt.alias,
            seconds,
            fault.kind,
        )
        mailer_rested.send_robust(
            sender=type(self.backend),
            alias=attempt.alias,
            mailer=self.backend.alias,
            fault=fault.kind,
            seconds=seconds,
        )

    def release(self, attempt: Attempt) -> None:
        """End `attempt`; if it was the probe of its mailer, others may try that now."""
        try:
            rests.release(attempt)
        finally:
            if attempt.is_claimed_for_all and self.shared is not None:
                attempt.is_claimed_for_all = False
                self.shared.release(attempt)

    def _refresh(self, keys: list[str]) -> None:
        if self.shared is None:
            return
        known = {key: rests.get(key) for key in keys}
        for key, rest in (self.shared.read(keys, self.backend.max_rest) or {}).items():
            before = known[key]
            if rest is not None:
                rests.adopt(key, rest)
            elif before is not None and before.is_shared:
                rests.lose(key, before)

    def _claim(self, attempt: Attempt, alias: str) -> bool:
        """Whether `attempt` may be the only one to use the mailer `alias`, which is half open.

        If the mailer has come back meanwhile, `attempt` is not a probe.
        """
        key, seconds = key_of(alias), timeout_of(alias) + GRACE
        rest = rests.get(key)
        if rest is None:
            return True
        attempt.key = key
        if not rests.claim(attempt, key, rest, seconds):
            return False
        if self.shared is not None:
            # Set before asking: an interrupt may come while the answer is on its way.
            attempt.is_claimed_for_all = True
            if self.shared.claim(attempt, key, seconds) is False:
                attempt.is_claimed_for_all = False
                rests.release(attempt)
                return False
            # Since the cache was read, another process may have tried it and finished.
            self._refresh([key])
            current = rests.get(key)
            if current is None or current.id != rest.id:
                self.release(attempt)
                return current is None
        attempt.begin(alias, key, rest)
        attempt.is_probe = True
        return True

    def _next_rest(self, attempt: Attempt, fault: Fault) -> tuple[float, Rest]:
        """Return how long the mailer rests after `fault`, and that rest."""
        longest, last = self.backend.max_rest, attempt.rest
        step = self.backend.rest if last is None else min(2 * last.step, longest)
        seconds = step
        if fault.retry_after is not None:
            # What the server asks for says nothing about the next time, which begins as if there
            # had not been this one.
            seconds = min(fault.retry_after, longest)
            step = self.backend.rest / 2 if last is None else last.step
        return seconds, Rest(new_name(), time.monotonic() + seconds, step)

    def _share(self, shared: SharedRests, attempt: Attempt, rest: Rest) -> bool:
        """Store `rest` for the others; return False if another process has stored its own first."""
        store = shared.add if attempt.rest is None else shared.replace
        stored = store(attempt.key, rest)
        if stored is None:
            return True  # The cache is broken: this process is on its own.
        if stored:
            rests.adopt(attempt.key, rest._replace(is_shared=True))
        else:
            self._refresh([attempt.key])
        return stored

    def _log(self, level: int, text: str, *args: object) -> None:
        logger.log(level, f"MAILERS[%r]: {text}", self.backend.alias, *args)
