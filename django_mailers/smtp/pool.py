"""Sessions that are kept for the next message, shared by the threads of a process."""

from __future__ import annotations

import logging
import math
import os
import random
import smtplib
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .doubts import Limits
from .envelope import Envelope, Result
from .errors import PoolTimeout
from .lease import Lease
from .parallel import deliver_in_parallel
from .session import WORN, Server, Session
from .slots import LOOK, Slot, Turn
from .stock import RETRY, Claim, Refusal, Stock, is_limit

logger = logging.getLogger("django_mailers.smtp")

# What None means for `max_messages`.
MAX_MESSAGES = 100


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


class Pool:
    """Up to `pool_size` sessions with one server, opened when they are needed.

    Any number of threads may use it. What to do is decided under the lock; connecting, checking
    and closing are done outside of it, by the thread that needs it. Of a session that is lent the
    pool has but a weak reference to its slot: when nobody holds it any more, the slot is free.

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
        self._stock = Stock(self.options.pool_size or math.inf, self.options.max_idle)
        self.limits = Limits()

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
        stock = self._stock
        with stock.lock:
            return {
                "size": self.options.pool_size,
                "idle": len(stock.idle),
                "busy": max(0, len(stock.slots) - len(stock.idle)),
                "waiting": len(stock.queue),
                "message_limit": self.limits.messages or 0,
                **{name: stock.counts[name] for name in names},
                **{f"{name}_ms": round(spent * 1000) for name, spent in stock.seconds.items()},
            }

    def count(self, name: str, number: int = 1) -> None:
        """Add to a number of `stats()`."""
        with self._stock.lock:
            self._stock.counts[name] += number

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
        started, claim, refusal = time.monotonic(), Claim(), None
        try:
            while True:
                self._reserve(claim, started, wait, refusal)
                if self._stock.retired:
                    self._dismiss()
                if claim.session is None:
                    try:
                        return self._connect(claim), False
                    except smtplib.SMTPException as error:
                        if not wait or not is_limit(error):
                            raise
                        refusal = self._refused(claim, error)
                elif self._is_alive(claim.session):
                    return claim.session, True
                self._give_up(claim.slot, claim.session)
                claim = Claim()
        except BaseException:
            self._give_up(claim.slot, claim.session)
            raise
        finally:
            if refusal is not None:
                # Its traceback refers to this frame, which would keep what was taken.
                claim, refusal = Claim(), None

    def release(self, session: Session, *, wait: bool = True) -> bool:
        """Give a session back; it is closed if it has done enough, or the pool was meanwhile.

        Returns whether it is kept. If it is not, it is told QUIT; `wait` says whether to wait for
        the reply, or to leave that to `hang_up()`.
        """
        slot, stock = session.slot, self._stock
        if slot is None:
            return True
        user = slot.user
        try:
            with stock.lock:
                if user is None or slot.user is not user or slot.ref not in stock.slots.taken:
                    # It was given back before, or was the parent's when this process forked.
                    return True
                keep = (
                    session.sock is not None
                    and session.quit_at is None
                    and not session.in_transaction
                    and not self._closed
                    and self.options.pool_size > 0
                    and self.room(session) > 0
                    and time.monotonic() < slot.expires
                    # Only then can there be more than there may be.
                    and not ((slot.is_extra or stock.allowed_until) and stock.is_over())
                )
                if keep:
                    stock.keep(session, slot)
            if not keep:
                self._end(session, slot, wait)
            if stock.leaving:
                self.hang_up()
        except BaseException:
            if slot.user is user:
                self._give_up(slot, session)
            raise
        return keep

    def _end(self, session: Session, slot: Slot, wait: bool) -> None:
        """Close a session that is not kept. Its slot is free when the server knows of it."""
        count = "closed" if session.is_open else "broken"
        session.begin_quit()
        if wait:
            session.disconnect()
        elif session.is_open:
            self._stock.leaving.append(session)
        with self._stock.lock:
            self._stock.free(slot, count)

    def _give_up(self, slot: Slot | None, session: Session | None) -> None:
        """Close and free what was taken, wherever its user was interrupted."""
        if session is not None:
            session.close()
            slot = slot or session.slot
        stock = self._stock
        if slot is not None:
            with stock.lock:
                is_counted = session is not None and slot.ref in stock.slots.taken
                stock.free(slot, "broken" if is_counted else None)
        if stock.leaving:
            self.hang_up()

    def hang_up(self) -> None:
        """Close the sessions that were told QUIT, whether they have replied by now or not.

        They are not waited for: they are the business of whoever used them last.
        """
        for session in _each(self._stock.leaving):
            session.hang_up()
            self._stock.ended = time.monotonic()

    def leave(self, session: Session) -> None:
        """Say QUIT to a session that takes no slot; `hang_up()` closes it."""
        session.begin_quit()
        if session.is_open:
            self._stock.leaving.append(session)

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
        stock = self._stock
        with stock.lock:
            slot = old.slot
            if slot is None or slot not in stock.slots:
                return False
            new.slot = slot
            slot.session, slot.expires = weakref.ref(new), self._expiry(time.monotonic())
            old.slot = None
            stock.counts["closed" if old.is_open else "broken"] += 1
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
        stock = self._stock
        with stock.lock:
            self._closed = True
            for session in stock.idle[:]:
                stock.retire(session)
        self._see_off()

    def close_if_unused(self) -> bool:
        """Close sessions that nobody has used for `max_idle`; and the pool if it has no others.

        Returns whether the pool is closed.
        """
        stock = self._stock
        with stock.lock:
            stock.expire(time.monotonic())
            if not (stock.idle or len(stock.slots) or stock.queue):
                self._closed = True
            closed = self._closed
        self._see_off()
        return closed

    def _dismiss(self) -> None:
        """Say QUIT to the sessions that are to go. Their replies are not waited for."""
        for session in _each(self._stock.retired):
            session.begin_quit()
            # Now, as another thread may hang up at once.
            self._stock.leaving.append(session)

    def _see_off(self) -> bool:
        """Say QUIT and wait for the replies, not long; return whether there was any to be had."""
        self._dismiss()
        seen = False
        for session in _each(self._stock.leaving):
            session.disconnect()
            self._stock.ended = time.monotonic()
            seen = True
        return seen

    def _reserve(self, claim: Claim, started: float, wait: bool, refusal: Refusal | None) -> None:
        """Claim a free session, or a slot for a new one; wait for either."""
        stock = self._stock
        if refusal is None:
            with stock.lock:
                if stock.idle:
                    stock.expire(started)
                # Not before those who wait; but a thread would not wait for itself.
                if stock.take(claim, len(stock.queue)) or (wait and stock.take_extra(claim)):
                    return
        if not wait:
            raise PoolTimeout(f"{self.server.place}: No session is free.")
        timeout, turn, begun = self.options.acquire_timeout, Turn(), time.monotonic()
        try:
            with stock.lock:
                stock.queue.append(turn)
                stock.counts["waits"] += 1
            while True:
                with stock.lock:
                    if stock.take_in_turn(claim, turn, refusal):
                        return
                left = math.inf if timeout is None else started + timeout - time.monotonic()
                if left <= 0:
                    self.count("timeouts")
                    raise PoolTimeout(
                        f"{self.server.place}: No session became free in {timeout} seconds."
                    ) from (None if refusal is None else refusal.error)
                turn.wait(min(left, LOOK if refusal is None else RETRY))
        finally:
            with stock.lock:
                stock.queue.leave(turn)
                stock.seconds["wait"] += time.monotonic() - begun
                # Whether it has taken something or was interrupted: the next may find some, too.
                stock.wake()

    def _refused(self, claim: Claim, error: smtplib.SMTPException) -> Refusal | None:
        """Say what a thread that was refused a session has to wait for; None to try again.

        Raises `error` if there is nothing.
        """
        # They count with the server until they have ended. Our slot is still taken meanwhile, so
        # that another thread that is refused waits for us.
        if self._see_off():
            return None
        with self._stock.lock:
            return self._stock.refused(claim, error)

    def _connect(self, claim: Claim) -> Session:
        """Open a session in the slot that was claimed for it."""
        started = claim.started = time.monotonic()
        slot, stock = claim.slot, self._stock
        try:
            session = claim.session = self.server.connect()
            session.most_messages = self._most_messages(session)
        except BaseException:
            with stock.lock:
                stock.counts["failures"] += 1
                stock.seconds["connect"] += time.monotonic() - started
            raise
        if slot is not None:
            slot.expires, slot.session = self._expiry(time.monotonic()), weakref.ref(session)
            session.slot = slot
        with stock.lock:
            stock.connected(started)
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
        stock = self._stock
        with stock.lock:
            for old in stock.idle[:]:
                if old.slot is None or old.slot.idle_since <= idle_since:
                    old.close()
                    stock.retire(old, "broken")
        return False

    def _abandon(self) -> None:
        """Let go of the parent's sessions, in a child."""
        stock = self._stock
        lent = [slot.session() for slot in stock.slots if slot.session is not None]
        for session in [*stock.idle, *stock.retired, *stock.leaving, *lent]:
            # It closes this process's copy of the socket. Over TLS nothing is said, either.
            if session is not None:
                session.close()
        self._forget()


def _each(sessions: deque[Session]) -> Iterator[Session]:
    """Take out one after the other, as long as no other thread does."""
    with suppress(IndexError):
        while True:
            yield sessions.popleft()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
