"""The mailers that rest, as this process knows them: backends live for one message (H44)."""

from __future__ import annotations

import secrets
import time
from functools import cached_property
from typing import Any, NamedTuple

from django.core.signals import setting_changed

from django_mailers.smtp.locks import Lockable, after_fork, locked


def new_name() -> str:
    return secrets.token_hex(8)


# No dataclass: making that class takes ten times as long, in each process.
class Rest(NamedTuple):
    """A time in which a mailer is left alone. After it the mailer is half open: one message tries.

    id         a name for it, the same in all processes.
    until      when it ends, by the monotonic clock of this process.
    step       seconds; the next one is twice as long, if it is not told otherwise.
    is_shared  whether the cache has it as well.
    """

    id: str
    until: float
    step: float
    is_shared: bool = False


class Attempt:
    """One hand-over to a mailer. `Health.choose()` fills it in.

    alias, key   of the mailer; "" before it is chosen.
    name         a name that no other attempt has, in any process.
    rest         the rest during or after which it is made; None if the mailer works.
    is_probe     whether it is the one attempt that tries a half-open mailer.
    started      when, by the monotonic clock.
    """

    alias = ""
    key = ""
    rest: Rest | None = None
    is_probe = False
    started = 0.0
    # Whether its claim to be the probe may be in the cache, too.
    is_claimed_for_all = False

    @cached_property
    def name(self) -> str:
        return new_name()

    def begin(self, alias: str, key: str, rest: Rest | None) -> None:
        self.alias, self.key, self.rest = alias, key, rest
        self.started = time.monotonic()

    @property
    def is_forced(self) -> bool:
        """Whether it is made although the mailer rests."""
        return self.rest is not None and not self.is_probe


class Rests(Lockable):
    """The rests of all mailers, by key, and who tries those that are half open.

    Each method decides under the lock and does nothing else. What it decides is one assignment to a
    dictionary: an interrupt cannot leave half of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    @locked
    def forget(self) -> None:
        self._rests: dict[str, Rest] = {}
        # By key: which attempt tries, and until when no other one does.
        self._probes: dict[str, tuple[Attempt, float]] = {}
        # By key: when the mailer last came back.
        self._returns: dict[str, float] = {}

    def after_fork(self) -> None:
        """Keep in a child what rests. A thread that was trying a mailer is not in the child."""
        self.renew_lock()
        self._probes = {}

    def get(self, key: str) -> Rest | None:
        return self._rests.get(key)

    def is_being_tried(self, key: str) -> bool:
        _, until = self._probes.get(key, (None, 0.0))
        return time.monotonic() < until

    @locked
    def claim(self, attempt: Attempt, key: str, rest: Rest, seconds: float) -> bool:
        """Make `attempt` the one that tries, for at most so many seconds; return whether it is."""
        now, current = time.monotonic(), self._rests.get(key)
        if current is None or current.id != rest.id or self.is_being_tried(key):
            return False
        self._probes[key] = (attempt, now + seconds)
        return True

    @locked
    def release(self, attempt: Attempt) -> None:
        for key, (holder, _) in [*self._probes.items()]:
            if holder is attempt:
                del self._probes[key]

    @locked
    def begin(self, attempt: Attempt, rest: Rest) -> bool:
        """Make the mailer of `attempt` rest, unless that is outdated; return whether it does.

        If many attempts fail at the same time, only the first one counts.
        """
        key, known = attempt.key, attempt.rest
        current = self._rests.get(key)
        if (known and known.id) != (current and current.id):
            return False
        if attempt.started < self._returns.get(key, 0.0):
            return False
        self._rests[key] = rest
        return True

    @locked
    def end(self, attempt: Attempt) -> bool:
        """End the rest during or after which `attempt` was made; return whether this ended it."""
        current = self._rests.get(attempt.key)
        if current is None or attempt.rest is None or current.id != attempt.rest.id:
            return False
        self._returns[attempt.key] = time.monotonic()
        del self._rests[attempt.key]
        return True

    @locked
    def adopt(self, key: str, shared: Rest) -> None:
        """Take over a rest from the cache, unless it is known already: then its end does not move.

        The cache tells the end by the wall clock, which may be set.
        """
        current = self._rests.get(key)
        if current is None or current.id != shared.id:
            self._rests[key] = shared
        elif not current.is_shared:
            self._rests[key] = current._replace(is_shared=True)

    @locked
    def lose(self, key: str, rest: Rest) -> None:
        """Forget `rest`, which another process has ended."""
        current = self._rests.get(key)
        if current is not None and current.id == rest.id:
            self._returns[key] = time.monotonic()
            del self._rests[key]

    def on_setting_changed(self, *, setting: str, **kwargs: Any) -> None:
        if setting == "MAILERS":
            self.forget()


rests = Rests()
after_fork(rests.after_fork)
# In tests: override_settings().
setting_changed.connect(rests.on_setting_changed)
