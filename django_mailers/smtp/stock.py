"""What a pool has, and which thread gets it: everything that is decided under its lock."""

from __future__ import annotations

import math
import smtplib
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from .slots import Queue, Slot, Slots, Turn

if TYPE_CHECKING:
    from .session import Session

# For how long, in seconds, a pool opens no more sessions than a server has let it have.
REMEMBER = 60
# How often, in seconds, a thread that was refused a session looks at the others; and for how long
# the server may count a session that has ended.
RETRY = 0.1
LINGER = 1.0


class Claim:
    """What a thread has taken so far; it is given up again if the thread is interrupted."""

    slot: Slot | None = None
    session: Session | None = None
    # When it began to connect.
    started: float = 0.0


class Refusal:
    """A connection that the server refused.

    error           Its refusal.
    started, ended  When the connection was tried, and when it was refused.
    learned         Whether there were sessions then, so that the pool knows how many it may have.
    """

    def __init__(
        self, error: smtplib.SMTPException, started: float, ended: float, learned: bool
    ) -> None:
        self.error = error
        self.started, self.ended = started, ended
        self.learned = learned


class Stock:
    """The sessions that are free, the slots that are taken, the threads that wait for either.

    Everything but `lock` is to be used under `lock`. Each step leaves everything in order, as it
    may be the last: an exception may come between two steps, and a signal handler may send mail.

    size      Sessions at most; `math.inf` for any number.
    max_idle  Seconds without use after which a session is retired.
    """

    def __init__(self, size: float, max_idle: float) -> None:
        self.size, self.max_idle = size, max_idle
        # Used by `with` alone: nothing can come between taking a lock written in C and the block. A
        # Condition has methods in Python there.
        self.lock = threading.RLock()
        self.slots = Slots()
        self.queue = Queue()
        # Sessions that are free, the last used last: the others have their chance to expire.
        self.idle: list[Session] = []
        # Sessions to which QUIT is to be sent, and those to which it was.
        self.retired: deque[Session] = deque()
        self.leaving: deque[Session] = deque()
        # How many sessions the server has allowed, and until when that counts.
        self._allowed, self.allowed_until = math.inf, 0.0
        # When a session ended last.
        self.ended = -math.inf
        self.counts: Counter[str] = Counter()
        self.seconds = {"wait": 0.0, "connect": 0.0}

    # Taking

    def take_in_turn(self, claim: Claim, turn: Turn, refusal: Refusal | None) -> bool:
        """Claim a session or a slot, if it is the turn of this thread.

        Raises the error of `refusal` if there is nothing left to wait for.
        """
        self.expire(time.monotonic())
        may_connect = refusal is None or self._may_try_again(refusal)
        return self.take(claim, self.queue.ahead_of(turn), may_connect=may_connect)

    def take(self, claim: Claim, ahead: int, *, may_connect: bool = True) -> bool:
        """Claim a session or a slot, if there are more of them than threads that come before."""
        if len(self.idle) <= ahead and not (may_connect and ahead < self._room()):
            return False
        user = (threading.get_ident(),)
        try:
            session = claim.session = self.idle.pop()
        except IndexError:
            if not may_connect:
                return False
            claim.slot = Slot(user)
            self.slots.take(claim.slot)
            return True
        claim.slot = session.slot
        if claim.slot is not None:
            claim.slot.user = user
        self.counts["reused"] += 1
        return True

    def take_extra(self, claim: Claim) -> bool:
        """Claim a slot beyond the size, once, for a thread that would wait for itself."""
        user = (threading.get_ident(),)
        mine = [slot for slot in self.slots if slot.user == user]
        if not mine or any(slot.is_extra for slot in mine):
            return False
        claim.slot = Slot(user)
        claim.slot.is_extra = True
        self.slots.take(claim.slot)
        return True

    # Giving back

    def keep(self, session: Session, slot: Slot) -> None:
        """Let the next thread have `session`, which is no longer the caller's."""
        slot.idle_since = time.monotonic()
        slot.is_extra = False
        # Nothing can come between these two.
        slot.user = None
        self.idle.append(session)
        if self.queue:
            self.wake()

    def free(self, slot: Slot, count: str | None = None) -> None:
        """Free `slot`, whose session, if it has one, has ended; that is counted as `count`."""
        if count is not None:
            self.counts[count] += 1
            self.ended = time.monotonic()
        self.slots.free(slot)
        self.wake()

    def is_over(self) -> bool:
        """Whether there are more sessions than there may be."""
        return self._others()[0] > self._limit()

    def expire(self, now: float) -> None:
        """Retire the sessions that were kept long enough."""
        for session in self.idle[:]:
            slot = session.slot
            if slot is None or now >= slot.expires or now - slot.idle_since >= self.max_idle:
                self.retire(session)

    def retire(self, session: Session, count: str = "closed") -> None:
        """Take a free session out. QUIT is to be sent to it outside of the lock."""
        try:
            self.idle.remove(session)
        except ValueError:
            return  # A signal handler has taken it.
        self.retired.append(session)
        if session.slot is not None:
            self.free(session.slot, count)

    def wake(self) -> None:
        """Wake as many threads as there is something for."""
        if self.queue:
            self.queue.wake(self._room())

    def _limit(self) -> float:
        """Return how many sessions there may be."""
        if self.allowed_until and time.monotonic() >= self.allowed_until:
            self._allowed, self.allowed_until = math.inf, 0.0
        return min(self.size, self._allowed)

    def _room(self) -> float:
        """Return how many threads there is a session or a slot for."""
        return len(self.idle) + max(0, self._limit() - len(self.slots))

    # Servers that allow fewer sessions than there may be

    def connected(self, started: float) -> None:
        """Count a connection that was begun at `started`."""
        self.counts["opened"] += 1
        self.seconds["connect"] += time.monotonic() - started
        if self.allowed_until:
            self._allowed = max(self._allowed, self._others()[0])

    def refused(self, claim: Claim, error: smtplib.SMTPException) -> Refusal:
        """Remember how many sessions the server allows; return what the thread has to wait for.

        Raises `error` if there is nothing to wait for.
        """
        opened, others, changing = self._others(claim.slot)
        if opened:
            self._learn(opened)
        is_extra = claim.slot is not None and claim.slot.is_extra
        if is_extra or not (others or changing or self._may_linger(claim.started)):
            raise error
        return Refusal(error, claim.started, time.monotonic(), learned=opened > 0)

    def _may_try_again(self, refusal: Refusal) -> bool:
        opened, others, changing = self._others()
        if opened and not refusal.learned:
            self._learn(opened)
            refusal.learned = True
        if others:
            return True  # If the number that was learned allows it.
        if changing:
            return False  # They may get the session that this thread did not.
        if self._may_linger(refusal.started):
            return time.monotonic() > refusal.ended + RETRY
        raise refusal.error

    def _may_linger(self, started: float) -> bool:
        """Whether the server may have counted a session that has ended, at a connection then."""
        return self.ended > started - LINGER

    def _others(self, own: Slot | None = None) -> tuple[int, int, int]:
        """Return how many sessions are open; of these, how many this thread does not use; and how
        many are about to be opened by other threads, or to be given back though they have ended."""
        opened, others, changing, user = 0, 0, 0, (threading.get_ident(),)
        for slot in self.slots:
            session = None if slot.session is None else slot.session()
            if session is not None and session.is_open:
                opened += 1
                others += slot.user != user
            elif slot is not own:
                changing += slot.user != user
        return opened, others, changing

    def _learn(self, opened: int) -> None:
        self._allowed, self.allowed_until = opened, time.monotonic() + REMEMBER


def is_limit(error: smtplib.SMTPException) -> bool:
    """Whether a server refuses a session because there are enough, as far as that shows."""
    if not isinstance(error, smtplib.SMTPResponseException):
        return False
    # Anything temporary instead of a greeting, or the code that always ends a session.
    is_greeting = isinstance(error, smtplib.SMTPConnectError) and 400 <= error.smtp_code < 500
    return is_greeting or error.smtp_code == 421
