"""Sessions that are kept for the next message, shared by the threads of a process."""

from __future__ import annotations

import logging
import math
import os
import random
import smtplib
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .doubts import Limits
from .envelope import Envelope, Result
from .errors import PoolTimeout
from .lease import Lease
from .parallel import deliver_in_parallel
from .session import WORN, Server, Session
from .slots import LOOK, Queue, Slot, Slots, Turn

logger = logging.getLogger("django_mailers.smtp")

# What None means for `max_messages`.
MAX_MESSAGES = 100
# For how long, in seconds, a pool opens no more sessions than a server has let it have.
REMEMBER = 60
# How often a thread that was refused a session looks what became of the others, in seconds; and for
# how long the server may count one that has ended.
RETRY = 0.1
LINGER = 1.0


@dataclass(frozen=True)
class PoolOptions:
    """How many sessions there are, and for how long.

    pool_size        Sessions at most; 0 for a new one each time, as many as there are users.
    max_messages     Messages after which a session is closed; None for as many as the server takes
                     (10 if it is known to queue or refuse the 11th), at most 100.
    max_age          Seconds after which a session is closed, once it is free. Up to a tenth
                     less, at random, so that sessions opened together do not all end together.
    max_idle         Seconds without use after which a session is closed, by the next use of the
                     pool (there is no thread to do it sooner).
    check_after      Seconds without use after which a NOOP proves a session before it is used.
    acquire_timeout  Seconds to wait for a session to become free; None for any time.
    """

    pool_size: int = 4
    max_messages: int | None = None
    max_age: float = 300
    max_idle: float = 30
    check_after: float = 5
    acquire_timeout: float | None = 30

    def __post_init__(self) -> None:
        if self.pool_size < 0:
            raise ValueError(f"'pool_size' must be 0 or more, not {self.pool_size!r}")
        if self.max_messages is not None and self.max_messages < 1:
            raise ValueError(f"'max_messages' must be 1 or more, not {self.max_messages!r}")


class _Claim:
    """What a thread has taken so far, to be given up again if it is interrupted."""

    slot: Slot | None = None
    session: Session | None = None
    # When it began to connect.
    started: float = 0.0


@dataclass
class _Refusal:
    """A connection that the server refused.

    started, ended  When it was tried, and when it was refused.
    learned         Whether there were sessions then, so that the pool knows how many it may have.
    """

    error: smtplib.SMTPException
    started: float
    ended: float
    learned: bool


class Pool:
    """Up to `pool_size` sessions with one server, opened when they are needed.

    Any number of threads may use it. What to do is decided under the lock; connecting, checking
    and closing are done outside of it, by the thread that needs it. Of a session that is lent the
    pool has but a weak reference to its slot: when nobody holds it any more, the slot is free.

    Each step under the lock leaves the pool in order, as there may be no next one: an exception may
    come between any two, and a signal handler may send mail there.

    In a forked child it is empty: the sessions are the parent's, and nothing is written to them.
    """

    def __init__(self, server: Server, options: PoolOptions | None = None) -> None:
        self.server = server
        self.options = options or PoolOptions()
        self._closed = False
        self._forget()
        _pools.add(self)

    def _forget(self) -> None:
        """Begin anew, in __init__() and in a forked child."""
        # Used by `with` alone: of a lock written in C, nothing comes between its being taken and
        # the block. A Condition has methods in Python there.
        self._lock = threading.RLock()
        self._slots = Slots()
        self._queue = Queue()
        # Sessions that are free, the last used last: the others get their chance to expire.
        self._idle: list[Session] = []
        # Those that are to be told QUIT, and those that were, for whose reply nobody waits.
        self._retired: deque[Session] = deque()
        self.leaving: deque[Session] = deque()
        # How many sessions the server has let us have, and until when that counts.
        self._allowed, self._allowed_until = math.inf, 0.0
        # When a session ended last.
        self._ended = -math.inf
        self._counts: Counter[str] = Counter()
        self.limits = Limits()
        self._seconds = {"wait": 0.0, "connect": 0.0}

    def __repr__(self) -> str:
        stats = self.stats()
        numbers = " ".join(f"{name}={stats[name]}" for name in ("size", "idle", "busy", "waiting"))
        return f"<{type(self).__name__} {self.server.place} {numbers}>"

    @property
    def is_closed(self) -> bool:
        return self._closed

    def stats(self) -> dict[str, int]:
        """Return numbers: the present state, and what has happened in this process so far.

        size, idle, busy, waiting    Sessions at most, free ones, used ones; threads that wait.
        message_limit                Messages that the server takes in a session, as it has shown; 0
                                     while nothing of that kind is known.
        opened, reused, replaced     Sessions connected; uses of one that was there; sessions that
                                     were found dead when a message was to be sent by them.
        closed, broken               Sessions that the pool closed; that were closed in use.
        waits, timeouts, failures    Times a thread had to wait; waited in vain; could not connect.
        messages                     Messages handed to sessions.
        wait_ms, connect_ms          Milliseconds that threads have spent waiting, and connecting,
                                     which includes TLS and the login; all together.
        """
        names = ["opened", "reused", "replaced", "closed", "broken"]
        names += ["waits", "timeouts", "failures", "messages"]
        with self._lock:
            return {
                "size": self.options.pool_size,
                "idle": len(self._idle),
                "busy": max(0, len(self._slots) - len(self._idle)),
                "waiting": len(self._queue),
                "message_limit": self.limits.messages or 0,
                **{name: self._counts[name] for name in names},
                **{f"{name}_ms": round(spent * 1000) for name, spent in self._seconds.items()},
            }

    def count(self, name: str, number: int = 1) -> None:
        """Add to a number of `stats()`."""
        with self._lock:
            self._counts[name] += number

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend a session for the block. See `acquire()`."""
        session, _ = self.acquire()
        try:
            yield session
        except BaseException:
            # It may be anywhere in a dialogue.
            session.close()
            raise
        finally:
            self.release(session)

    def acquire(self, *, wait: bool = True) -> tuple[Session, bool]:
        """Take a session, which must be given back to `release()`; and whether it was used before.

        A thread that holds one already would wait for itself if there is no other: it gets one
        beyond the size of the pool, and no more. That the server allows no further session is an
        error only if there is none to wait for.

        Raises `PoolTimeout` if none becomes free in time, or is free now, if `wait` is false; and
        what `Server.connect()` raises.
        """
        started, claim, refusal = time.monotonic(), _Claim(), None
        try:
            while True:
                self._reserve(claim, started, wait, refusal)
                if self._retired:
                    self._dismiss()
                if claim.session is None:
                    try:
                        return self._connect(claim), False
                    except smtplib.SMTPException as error:
                        if not wait or not _is_limit(error):
                            raise
                        refusal = self._refused(claim, error)
                elif self._is_alive(claim.session):
                    return claim.session, True
                self._give_up(claim.slot, claim.session)
                claim = _Claim()
        except BaseException:
            self._give_up(claim.slot, claim.session)
            raise

    def release(self, session: Session, *, wait: bool = True) -> bool:
        """Give a session back; it is closed if it has done enough, or the pool was meanwhile.

        Returns whether it is kept. If it is not, it is told QUIT; `wait` says whether to wait for
        the reply, or to leave that to `hang_up()`.
        """
        slot = session.slot
        if slot is None:
            return True
        user = slot.user
        try:
            with self._lock:
                if user is None or slot.user is not user or slot.ref not in self._slots.taken:
                    # It was given back before, or was the parent's when this process forked.
                    return True
                keep = self._is_worth_keeping(session, slot)
                if keep:
                    slot.idle_since = time.monotonic()
                    slot.is_extra = False
                    # With this it is not ours any more.
                    slot.user = None
                    self._idle.append(session)
                    if self._queue:
                        self._wake()
            if not keep:
                self._end(session, slot, wait)
            if self.leaving:
                self.hang_up()
        except BaseException:
            if slot.user is user:
                self._give_up(slot, session)
            raise
        return keep

    def _is_worth_keeping(self, session: Session, slot: Slot) -> bool:
        return (
            session.is_open
            and session.quit_at is None
            and not session.in_transaction
            and not self._closed
            and self.options.pool_size > 0
            and self.room(session) > 0
            and time.monotonic() < slot.expires
            # Only in these cases there may be too many.
            and not ((slot.is_extra or self._allowed_until) and self._others()[0] > self._limit())
        )

    def _end(self, session: Session, slot: Slot, wait: bool) -> None:
        """Close a session that is not kept. Its slot is free when the server knows of it."""
        name = "closed" if session.is_open else "broken"
        session.begin_quit()
        if wait:
            session.disconnect()
        elif session.is_open:
            self.leaving.append(session)
        with self._lock:
            self._counts[name] += 1
            self._slots.free(slot)
            self._ended = time.monotonic()
            self._wake()

    def _give_up(self, slot: Slot | None, session: Session | None) -> None:
        """Close and free what was taken, wherever its user was interrupted."""
        if session is not None:
            session.close()
            slot = slot or session.slot
        if slot is None:
            return
        with self._lock:
            if session is not None and slot.ref in self._slots.taken:
                self._counts["broken"] += 1
                self._ended = time.monotonic()
            self._slots.free(slot)
            self._wake()
        if self.leaving:
            self.hang_up()

    def hang_up(self) -> None:
        """Close the sessions that were told QUIT, whether they have replied by now or not.

        They are not waited for: they are the business of whoever used them last.
        """
        while self.leaving:
            try:
                session = self.leaving.popleft()
            except IndexError:
                return  # Another thread was faster.
            session.hang_up()
            self._ended = time.monotonic()

    def room(self, session: Session) -> int:
        """Return how many messages more `session` is to be given; 0 or less for none."""
        if session.refusals >= WORN:
            return 0
        most, limits = session.most_messages, self.limits
        if limits.has_learned and (learned := limits.messages) is not None:
            most = min(most, learned)
        return most - session.messages

    def connect(self) -> Session:
        """Open a session that takes no slot. See `exchange()`."""
        session = self.server.connect()
        session.most_messages = self._most_messages(session)
        self.count("opened")
        return session

    def _most_messages(self, session: Session) -> int:
        if self.options.max_messages is not None:
            return self.options.max_messages
        return min(MAX_MESSAGES, session.message_limit or MAX_MESSAGES)

    def exchange(self, old: Session, new: Session) -> bool:
        """Give `new` the slot of `old`, which is in use, and is the caller's to close then.

        Returns false if `old` has no slot: this process was forked meanwhile.
        """
        with self._lock:
            slot = old.slot
            if slot is None or slot not in self._slots:
                return False
            new.slot = slot
            slot.session, slot.expires = weakref.ref(new), self._expiry(time.monotonic())
            old.slot = None
            self._counts["closed" if old.is_open else "broken"] += 1
            return True

    def lease(self, *, wait: bool = True) -> Lease:
        """Return a lease, which takes a session when it needs one. See `acquire()`."""
        return Lease(self, wait=wait)

    def deliver(self, messages: Sequence[Envelope], *, parallel: int = 1) -> list[Result]:
        """Deliver `messages`; return a Result for each, in order.

        They go over one session, in order, or over up to `parallel` at a time, each of which gets
        a share. Raises nothing that the server or the network does, see `Lease.deliver()`.
        """
        if parallel > 1:
            # A pool without a size keeps none, but has as many as one likes.
            parallel = min(parallel, self.options.pool_size or parallel, len(messages))
        if parallel > 1:
            return deliver_in_parallel(self, messages, parallel)
        with Lease(self) as lease:
            return lease.deliver(messages)

    def send_one(self, message: Envelope) -> Result:
        """Deliver one message. See `deliver()`."""
        return self.deliver([message])[0]

    def close(self) -> None:
        """Close the free sessions now, and any other when it is given back.

        The pool can still be used, but keeps nothing any more.
        """
        with self._lock:
            self._closed = True
            for session in self._idle[:]:
                self._retire(session)
            self._wake()
        self._see_off()

    def close_if_unused(self) -> bool:
        """Close sessions that nobody has used for `max_idle`; and the pool if it has no others.

        Returns whether the pool is closed.
        """
        with self._lock:
            self._expire(time.monotonic())
            if not (self._idle or len(self._slots) or self._queue):
                self._closed = True
            closed = self._closed
        self._see_off()
        return closed

    def _dismiss(self) -> None:
        """Say QUIT to the sessions that are to go. Their replies are not waited for."""
        while self._retired:
            try:
                session = self._retired.popleft()
            except IndexError:
                return  # Another thread was faster.
            self.leaving.append(session)
            session.begin_quit()

    def _see_off(self) -> bool:
        """Say QUIT and wait for the replies, not long; return whether there was any to be had."""
        self._dismiss()
        seen = False
        while self.leaving:
            try:
                session = self.leaving.popleft()
            except IndexError:
                break  # Another thread was faster.
            session.disconnect()
            self._ended = time.monotonic()
            seen = True
        return seen

    # Who gets what

    def _reserve(self, claim: _Claim, started: float, wait: bool, refusal: _Refusal | None) -> None:
        """Claim a free session, or a slot for a new one; wait for either."""
        if refusal is None:
            with self._lock:
                if self._idle:
                    self._expire(started)
                # Not before those who wait.
                if self._take(claim, len(self._queue)) or (wait and self._take_extra(claim)):
                    return
        if not wait:
            raise PoolTimeout(f"{self.server.place}: No session is free.")
        timeout, turn, begun = self.options.acquire_timeout, Turn(), time.monotonic()
        try:
            with self._lock:
                self._queue.append(turn)
                self._counts["waits"] += 1
            while not self._take_in_turn(claim, turn, refusal):
                left = math.inf if timeout is None else started + timeout - time.monotonic()
                if left <= 0:
                    self.count("timeouts")
                    raise PoolTimeout(
                        f"{self.server.place}: No session became free in {timeout} seconds."
                    ) from (None if refusal is None else refusal.error)
                turn.wait(min(left, LOOK if refusal is None else RETRY))
        finally:
            with self._lock:
                self._queue.leave(turn)
                self._seconds["wait"] += time.monotonic() - begun
                # Whether it has taken something or was interrupted: the next may find some, too.
                self._wake()

    def _take_in_turn(self, claim: _Claim, turn: Turn, refusal: _Refusal | None) -> bool:
        with self._lock:
            self._expire(time.monotonic())
            may_connect = refusal is None or self._may_try_again(refusal)
            return self._take(claim, self._queue.ahead_of(turn), may_connect=may_connect)

    def _take(self, claim: _Claim, ahead: int, *, may_connect: bool = True) -> bool:
        """Claim a session or a slot, if there are more of them than threads that come first."""
        if len(self._idle) <= ahead and not (may_connect and ahead < self._room()):
            return False
        user = (threading.get_ident(),)
        try:
            session = claim.session = self._idle.pop()
        except IndexError:
            if not may_connect:
                return False
            claim.slot = Slot(user)
            self._slots.take(claim.slot)
            return True
        claim.slot = session.slot
        if claim.slot is not None:
            claim.slot.user = user
        self._counts["reused"] += 1
        return True

    def _take_extra(self, claim: _Claim) -> bool:
        """Claim a slot beyond the size, if this thread would else wait for itself."""
        user = (threading.get_ident(),)
        mine = [slot for slot in self._slots if slot.user == user]
        if not mine or any(slot.is_extra for slot in mine):
            return False
        claim.slot = Slot(user)
        claim.slot.is_extra = True
        self._slots.take(claim.slot)
        return True

    def _limit(self) -> float:
        """Return how many sessions there may be."""
        size = self.options.pool_size or math.inf
        if self._allowed_until and time.monotonic() >= self._allowed_until:
            self._allowed, self._allowed_until = math.inf, 0.0
        return min(size, self._allowed)

    def _room(self) -> float:
        """Return how many threads there is a session or a slot for."""
        return len(self._idle) + max(0, self._limit() - len(self._slots))

    def _wake(self) -> None:
        if self._queue:
            self._queue.wake(self._room())

    def _expire(self, now: float) -> None:
        """Retire the sessions that were kept long enough."""
        for session in self._idle[:]:
            slot = session.slot
            if slot is None or (
                now >= slot.expires or now - slot.idle_since >= self.options.max_idle
            ):
                self._retire(session)

    def _retire(self, session: Session, name: str = "closed") -> None:
        """Take a free session out; outside of the lock it is told QUIT."""
        try:
            self._idle.remove(session)
        except ValueError:
            return  # A signal handler has taken it.
        self._retired.append(session)
        self._counts[name] += 1
        self._ended = time.monotonic()
        if session.slot is not None:
            self._slots.free(session.slot)

    # Servers that allow fewer sessions than there may be

    def _refused(self, claim: _Claim, error: smtplib.SMTPException) -> _Refusal | None:
        """Say what a thread that was refused a session has to wait for; None to try again.

        Raises `error` if there is nothing.
        """
        # They count with the server until they have ended. Our slot is still taken meanwhile, so
        # that another thread that is refused waits for us.
        if self._see_off():
            return None
        with self._lock:
            opened, others, changing = self._others(claim.slot)
            if opened:
                self._learn(opened)
            is_extra = claim.slot is not None and claim.slot.is_extra
            if is_extra or not (others or changing or self._may_linger(claim.started)):
                raise error
            return _Refusal(error, claim.started, time.monotonic(), learned=opened > 0)

    def _may_try_again(self, refusal: _Refusal) -> bool:
        opened, others, changing = self._others()
        if opened and not refusal.learned:
            self._learn(opened)
            refusal.learned = True
        if others:
            return True  # If it is allowed by what was learned.
        if changing:
            return False  # They may get what this thread did not.
        if self._may_linger(refusal.started):
            return time.monotonic() > refusal.ended + RETRY
        raise refusal.error

    def _may_linger(self, started: float) -> bool:
        """Whether the server may have counted a session that has ended, at a connection then."""
        return self._ended > started - LINGER

    def _others(self, own: Slot | None = None) -> tuple[int, int, int]:
        """Return how many sessions are open; of these, how many this thread does not use; and how
        many are about to be opened by other threads, or to be given back though they have ended."""
        opened, others, changing, user = 0, 0, 0, (threading.get_ident(),)
        for slot in self._slots:
            session = None if slot.session is None else slot.session()
            if session is not None and session.is_open:
                opened += 1
                others += slot.user != user
            elif slot is not own:
                changing += slot.user != user
        return opened, others, changing

    def _learn(self, opened: int) -> None:
        self._allowed, self._allowed_until = opened, time.monotonic() + REMEMBER

    # Sessions

    def _connect(self, claim: _Claim) -> Session:
        """Open a session in the slot that was claimed for it."""
        started = claim.started = time.monotonic()
        slot = claim.slot
        try:
            session = claim.session = self.server.connect()
            session.most_messages = self._most_messages(session)
        except BaseException:
            with self._lock:
                self._counts["failures"] += 1
                self._seconds["connect"] += time.monotonic() - started
            raise
        now = time.monotonic()
        if slot is not None:
            slot.expires, slot.session = self._expiry(now), weakref.ref(session)
            session.slot = slot
        with self._lock:
            self._counts["opened"] += 1
            self._seconds["connect"] += now - started
            if self._allowed_until:
                self._allowed = max(self._allowed, self._others()[0])
        logger.debug("%r opened a session.", self)
        return session

    def _expiry(self, now: float) -> float:
        return now + self.options.max_age * random.uniform(0.9, 1)  # noqa: S311

    def _is_alive(self, session: Session) -> bool:
        if not session.is_quiet():
            return False
        idle_since = session.slot.idle_since if session.slot is not None else 0
        if time.monotonic() - idle_since < self.options.check_after:
            return True
        if session.answers():
            return True
        # Whatever became of it (a server restarted, a firewall forgot) became of those that have
        # been idle for longer, too: asking each would take as long again.
        with self._lock:
            others = [old for old in self._idle if old.slot and old.slot.idle_since <= idle_since]
            for other in others:
                other.close()
                self._retire(other, "broken")
        return False

    def _abandon(self) -> None:
        """Let go of the parent's sessions, in a child."""
        lent = [slot.session() for slot in self._slots if slot.session is not None]
        for session in [*self._idle, *self._retired, *self.leaving, *lent]:
            # It closes this process's copy of the socket. Over TLS nothing is said, either.
            if session is not None:
                session.close()
        self._forget()


def _is_limit(error: smtplib.SMTPException) -> bool:
    """Whether a server refuses a session because there are enough, as far as one can tell."""
    if not isinstance(error, smtplib.SMTPResponseException):
        return False
    # Anything temporary instead of a greeting, or what always means that the session ends.
    is_greeting = isinstance(error, smtplib.SMTPConnectError) and 400 <= error.smtp_code < 500
    return is_greeting or error.smtp_code == 421


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
