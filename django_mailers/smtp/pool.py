"""Sessions that are kept for the next message, shared by the threads of a process."""

from __future__ import annotations

import logging
import math
import random
import smtplib
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import PoolTimeout
from .locks import after_fork
from .server import PoolOptions, Server
from .session import WORN, Session
from .slots import LOOK, Slot, Turn
from .stock import RETRY, Claim, Refusal, Stock, is_limit

if TYPE_CHECKING:
    from .doubts import Limits

logger = logging.getLogger("django_mailers.smtp")

# What None means for `max_messages`: few servers have a limit that they do not tell, and each new
# session costs round trips, TLS and a login.
MAX_MESSAGES = 1000


class Pool:
    """Up to `pool_size` sessions with one server, opened when they are needed.

    Any number of threads may use it. Decisions are made under the lock; connecting, checking and
    closing happen outside of it, in the thread that needs it. The pool has only a weak reference to
    the slot of a session that is lent: once nobody holds the session any more, the slot is free.

    In a forked child it is empty: the sessions are the parent's, and nothing is written to them.
    """

    # Made by the first use of `limits`.
    _limits: Limits | None = None

    def __init__(self, server: Server, options: PoolOptions | None = None) -> None:
        self.server = server
        self.options = options or PoolOptions()
        self._forget()
        _pools.add(self)

    def _forget(self) -> None:
        """Begin with nothing, in __init__() and in a forked child."""
        self._stock = Stock(self.options.pool_size or math.inf, self.options.max_idle)
        vars(self).pop("_limits", None)
        # Called with a name, and maybe a number, it adds to a number of `stats()`.
        self.count = self._stock.count

    def __repr__(self) -> str:
        stats = self.stats()
        numbers = " ".join(f"{name}={stats[name]}" for name in ("size", "idle", "busy", "waiting"))
        return f"<{type(self).__name__} {self.server.endpoint} {numbers}>"

    @property
    def limits(self) -> Limits:
        """What the pool has found out about its server."""
        if self._limits is None:
            # Not before: a server without CHUNKING that refuses nothing gives no cause for it.
            from .doubts import Limits

            # Another thread may have made them meanwhile. This is a single operation.
            return vars(self).setdefault("_limits", Limits())
        return self._limits

    @property
    def is_closed(self) -> bool:
        return self._stock.is_closed

    def stats(self) -> dict[str, int]:
        """Return numbers: the present state, and counts of this process so far.

        size, idle, busy, waiting    Sessions at most, free ones, used ones; threads that wait.
        message_limit                Messages that the server takes in a session, as it has shown; 0
                                     while no limit is known.
        opened, reused, replaced     Sessions connected; uses of a session that was there; sessions
                                     found dead when a message was to be sent over them.
        closed, broken               Sessions that the pool closed; that were closed in use.
        waits, timeouts, failures    Times a thread had to wait; waited in vain; could not connect.
        messages                     Messages handed to sessions.
        wait_ms, connect_ms          Milliseconds that threads have spent waiting, and connecting,
                                     which includes TLS and the login; all together.
        """
        return {
            "size": self.options.pool_size,
            "message_limit": self._learned_limit() or 0,
            **self._stock.numbers(),
        }

    def acquire(self, *, wait: bool = True) -> tuple[Session, bool]:
        """Take a session, which must be given back to `release()`; and whether it is a new one.

        A thread that holds one already would wait for itself if there is no other: it gets one
        beyond the size of the pool, and no more. If the server allows no further session, that is
        an error only if there is none to wait for.

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
                        return self._connect(claim), True
                    except smtplib.SMTPException as error:
                        if not wait or not is_limit(error):
                            raise
                        refusal = self._refused(claim, error)
                elif self._is_alive(claim.session):
                    return claim.session, False
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
        """Give a session back; it is closed if it has done enough, or the pool was closed.

        Returns whether it is kept. If it is not, QUIT is sent to it; `wait` says whether to wait
        for the reply, or to leave that to `hang_up()`.
        """
        slot, stock = session.slot, self._stock
        if slot is None:
            return True
        user = slot.user
        try:
            is_good = (
                session.sock is not None
                and session.quit_at is None
                and not session.in_transaction
                and self.options.pool_size > 0
                and self.room(session) > 0
            )
            keep = stock.give_back(session, slot, user, is_good=is_good)
            if keep is None:
                return True
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
        self._stock.free(slot, count)

    def _give_up(self, slot: Slot | None, session: Session | None) -> None:
        """Close and free what was taken, wherever its user was interrupted."""
        if session is not None:
            session.close()
            slot = slot or session.slot
        stock = self._stock
        if slot is not None:
            stock.give_up(slot, had_session=session is not None)
        if stock.leaving:
            self.hang_up()

    def hang_up(self) -> None:
        """Close the sessions to which QUIT was sent, without waiting for those yet to reply."""
        for session in _each(self._stock.leaving):
            session.hang_up()
            self._stock.ended = time.monotonic()

    def leave(self, session: Session) -> None:
        """Say QUIT to a session that has no slot; `hang_up()` closes it."""
        session.begin_quit()
        if session.is_open:
            self._stock.leaving.append(session)

    def room(self, session: Session) -> int:
        """Return how many more messages `session` may be given; 0 or less if none.

        This is where `max_messages` and the limits of servers are enforced.
        """
        if session.refusals >= WORN:
            return 0
        most = session.most_messages
        if self._limits is not None and (learned := self._learned_limit()) is not None:
            most = min(most, learned)
        return most - session.messages

    def _learned_limit(self) -> int | None:
        limits = self._limits
        return limits.messages if limits is not None and limits.has_learned else None

    def connect(self) -> Session:
        """Open a session that has no slot. See `exchange()`."""
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
        return self._stock.exchange(old, new, self._expiry(time.monotonic()))

    def close(self) -> None:
        """Close the free sessions now, and the others when they are given back.

        The pool can still be used, but no longer keeps sessions.
        """
        self._stock.close()
        self._see_off()

    def close_if_unused(self) -> bool:
        """Close sessions that nobody has used for `max_idle`; and the pool if it has no others.

        Returns whether the pool is closed.
        """
        is_closed = self._stock.close_if_unused()
        self._see_off()
        return is_closed

    def _dismiss(self) -> None:
        """Say QUIT to the sessions that are to go, without waiting for their replies."""
        for session in _each(self._stock.retired):
            session.begin_quit()
            # Now, as another thread may hang up at once.
            self._stock.leaving.append(session)

    def _see_off(self) -> bool:
        """Say QUIT and wait a little for the replies; return whether there was a session to end."""
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
        if refusal is None and stock.take_now(claim, started, may_wait=wait):
            return
        if not wait:
            raise PoolTimeout(f"{self.server.endpoint}: No session is free.")
        timeout, turn, begun = self.options.acquire_timeout, Turn(), time.monotonic()
        try:
            stock.queue_up(turn)
            while not stock.take_in_turn(claim, turn, refusal):
                left = math.inf if timeout is None else started + timeout - time.monotonic()
                if left <= 0:
                    self.count("timeouts")
                    raise PoolTimeout(
                        f"{self.server.endpoint}: No session became free in {timeout} seconds."
                    ) from (None if refusal is None else refusal.error)
                turn.wait(min(left, LOOK if refusal is None else RETRY))
        finally:
            stock.leave(turn, begun)

    def _refused(self, claim: Claim, error: smtplib.SMTPException) -> Refusal | None:
        """Return what a thread that was refused a session has to wait for; None to try again.

        Raises `error` if there is nothing to wait for.
        """
        # The server counts them until they have ended. Our slot is still taken meanwhile, so that
        # another thread that is refused waits for us.
        if self._see_off():
            return None
        return self._stock.refused(claim, error)

    def _connect(self, claim: Claim) -> Session:
        """Open a session in the slot that was claimed for it."""
        started = claim.started = time.monotonic()
        slot, stock = claim.slot, self._stock
        try:
            session = claim.session = self.server.connect()
            session.most_messages = self._most_messages(session)
        except BaseException:
            stock.failed(started)
            raise
        if slot is not None:
            slot.expires, slot.session = self._expiry(time.monotonic()), weakref.ref(session)
            session.slot = slot
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
        # Whatever happened to it (a server restarted, a firewall forgot) happened to those that
        # have been idle for longer, too: asking each of them would take as long again.
        self._stock.retire_older(idle_since)
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
        self._stock.is_closed = stock.is_closed


def _each(sessions: deque[Session]) -> Iterator[Session]:
    """Take out one after the other, as long as no other thread does."""
    with suppress(IndexError):
        while True:
            yield sessions.popleft()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


@after_fork
def _abandon_all() -> None:
    for pool in list(_pools):
        pool._abandon()
