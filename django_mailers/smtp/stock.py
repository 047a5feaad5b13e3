"""What a pool has, and which thread gets it: everything that is decided under its lock."""

from __future__ import annotations

import math
import smtplib
import threading
import time
import weakref
from collections import Counter, deque
from typing import TYPE_CHECKING

from .locks import Lockable, locked
from .slots import Queue, Slot, Slots, Turn

if TYPE_CHECKING:
    from .session import Session

# For how long, in seconds, a pool opens no more sessions than a server has let it have.
REMEMBER = 60
# How often, in seconds, a thread that was refused a session looks at the others; and for how long
# the server may count a session that has ended.
RETRY = 0.1
LINGER = 1.0
# What is counted for `Pool.stats()`, besides seconds.
COUNTED = (
    *("opened", "reused", "replaced", "closed", "broken"),
    *("waits", "timeouts", "failures", "messages"),
)


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


class Stock(Lockable):
    """The sessions that are free, the slots that are taken, the threads that wait for either.

    Its public methods decide under the lock. Each step leaves everything in order, as it may be the
    last: an exception may come between two steps, and a signal handler may send mail.

    size       Sessions at most; `math.inf` for any number.
    max_idle   Seconds without use after which a session is retired.
    is_closed  Whether no session is kept any more.
    """

    def __init__(self, size: float, max_idle: float) -> None:
        self.size, self.max_idle = size, max_idle
        super().__init__()
        self.is_closed = False
        # When a free session may have to be retired, or sooner.
        self._next_expiry = math.inf
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

    # What the pool shows

    @locked
    def numbers(self) -> dict[str, int]:
        """Return what `Pool.stats()` tells of this."""
        return {
            "idle": len(self.idle),
            "busy": max(0, len(self.slots) - len(self.idle)),
            "waiting": len(self.queue),
            **{name: self.counts[name] for name in COUNTED},
            **{f"{name}_ms": round(spent * 1000) for name, spent in self.seconds.items()},
        }

    @locked
    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number

    # Taking

    @locked
    def take_now(self, claim: Claim, now: float, *, may_wait: bool) -> bool:
        """Claim a session or a slot, if there is one that no other thread waits for.

        A thread must not wait for itself: if it may wait, and would, it gets one beyond the size.
        """
        if now >= self._next_expiry:
            self._expire(now)
        return self._take(claim, len(self.queue)) or (may_wait and self._take_extra(claim))

    @locked
    def queue_up(self, turn: Turn) -> None:
        """Let a thread wait."""
        self.queue.append(turn)
        self.counts["waits"] += 1

    @locked
    def leave(self, turn: Turn, started: float) -> None:
        """Let a thread, which has waited since `started`, wait no more."""
        self.queue.leave(turn)
        self.seconds["wait"] += time.monotonic() - started
        # Whether it has taken something or was interrupted: there may be more for the next.
        self._wake()

    @locked
    def take_in_turn(self, claim: Claim, turn: Turn, refusal: Refusal | None) -> bool:
        """Claim a session or a slot, if it is the turn of this thread.

        Raises the error of `refusal` if there is nothing left to wait for.
        """
        self._expire(time.monotonic())
        may_connect = refusal is None or self._may_try_again(refusal)
        return self._take(claim, self.queue.ahead_of(turn), may_connect=may_connect)

    def _take(self, claim: Claim, ahead: int, *, may_connect: bool = True) -> bool:
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

    def _take_extra(self, claim: Claim) -> bool:
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

    @locked
    def give_back(
        self, session: Session, slot: Slot, user: tuple[int] | None, *, is_good: bool
    ) -> bool | None:
        """Let the next thread have `session`, if it `is_good` for another use; return whether.

        Returns None if it is not the caller's: it was given back before, or was the parent's when
        this process forked.
        """
        if user is None or slot.user is not user or slot.ref not in self.slots.taken:
            return None
        if not is_good or self.is_closed or time.monotonic() >= slot.expires:
            return False
        # Only then can there be more than there may be.
        if (slot.is_extra or self.allowed_until) and self._is_over():
            return False
        slot.idle_since = time.monotonic()
        slot.is_extra = False
        # Nothing can come between these two.
        slot.user = None
        self.idle.append(session)
        self._next_expiry = min(self._next_expiry, slot.expires, slot.idle_since + self.max_idle)
        if self.queue:
            self._wake()
        return True

    @locked
    def free(self, slot: Slot, count: str) -> None:
        """Free the slot of a session that has ended, and count that."""
        self._free(slot, count)

    @locked
    def give_up(self, slot: Slot, *, had_session: bool) -> None:
        """Free a slot wherever its user was interrupted."""
        self._free(slot, "broken" if had_session and slot.ref in self.slots.taken else None)

    @locked
    def exchange(self, old: Session, new: Session, expires: float) -> bool:
        """Give `new` the slot of `old`; return false if that has none."""
        slot = old.slot
        if slot is None or slot not in self.slots:
            return False
        new.slot = slot
        slot.session, slot.expires = weakref.ref(new), expires
        old.slot = None
        self.counts["closed" if old.is_open else "broken"] += 1
        return True

    @locked
    def close(self) -> None:
        """Keep no sessions any more, and retire those that are free."""
        self.is_closed = True
        for session in self.idle[:]:
            self._retire(session)

    @locked
    def close_if_unused(self) -> bool:
        """Retire the sessions that were kept long enough; close if there are no others.

        Returns whether it is closed.
        """
        self._expire(time.monotonic())
        if not (self.idle or len(self.slots) or self.queue):
            self.is_closed = True
        return self.is_closed

    @locked
    def retire_older(self, idle_since: float) -> None:
        """Retire the free sessions that are idle since then, or for longer; they are dead."""
        for session in self.idle[:]:
            if session.slot is None or session.slot.idle_since <= idle_since:
                session.close()
                self._retire(session, "broken")

    def _free(self, slot: Slot, count: str | None) -> None:
        if count is not None:
            self.counts[count] += 1
            self.ended = time.monotonic()
        self.slots.free(slot)
        self._wake()

    def _is_over(self) -> bool:
        """Whether there are more sessions than there may be."""
        return self._others()[0] > self._limit()

    def _expire(self, now: float) -> None:
        """Retire the sessions that were kept long enough."""
        # In this order: what is given back meanwhile, by a signal handler, makes it sooner.
        self._next_expiry = math.inf
        for session in self.idle[:]:
            slot = session.slot
            expiry = now if slot is None else min(slot.expires, slot.idle_since + self.max_idle)
            if now >= expiry:
                self._retire(session)
            else:
                self._next_expiry = min(self._next_expiry, expiry)

    def _retire(self, session: Session, count: str = "closed") -> None:
        """Take a free session out. QUIT is to be sent to it outside of the lock."""
        try:
            self.idle.remove(session)
        except ValueError:
            return  # A signal handler has taken it.
        self.retired.append(session)
        if session.slot is not None:
            self._free(session.slot, count)

    def _wake(self) -> None:
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

    @locked
    def connected(self, started: float) -> None:
        """Count a connection that was begun at `started`."""
        self.counts["opened"] += 1
        self.seconds["connect"] += time.monotonic() - started
        if self.allowed_until:
            self._allowed = max(self._allowed, self._others()[0])

    @locked
    def failed(self, started: float) -> None:
        """Count a connection that was begun at `started`, and that failed."""
        self.counts["failures"] += 1
        self.seconds["connect"] += time.monotonic() - started

    @locked
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
