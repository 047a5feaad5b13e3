"""Sessions that are kept for the next message, shared by the threads of a process."""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from .doubts import Limits
from .envelope import Envelope, Result
from .errors import PoolTimeout
from .lease import Lease
from .session import Server, Session

logger = logging.getLogger("django_mailers.smtp")

# Messages by which a helper finds out whether it is of any help, and the part of the time that the
# process computes in, above which it is not.
TRIAL = 8
# What None means for `max_messages`.
MAX_MESSAGES = 100
FULL_LOAD = 0.7


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


class Load:
    """Whether this process computes all the time, since this was made, so that the threads of it
    wait for each other instead of for a server."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def is_full(self) -> bool:
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            return False
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return cpu > FULL_LOAD * wall


@dataclass
class _Member:
    """A session, as the pool knows it."""

    session: Session
    expires: float
    idle_since: float = 0.0


class Pool:
    """Up to `pool_size` sessions with one server, opened when they are needed.

    Any number of threads may use it. What to do is decided under the lock; connecting, checking
    and closing are done outside of it, by the thread that needs it.

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
        self._lock = threading.RLock()
        # That a thread in `_waiting` may find something now.
        self._changed = threading.Condition(self._lock)
        # Sessions that are free, the last used last: the others get their chance to expire.
        self._idle: list[_Member] = []
        self._busy: dict[Session, _Member] = {}
        # Slots taken by threads that are about to connect.
        self._connecting = 0
        # Threads that wait, the first in turn first, so that none waits for ever.
        self._waiting: deque[object] = deque()
        self._counts: Counter[str] = Counter()
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
        """
        names = ["opened", "reused", "replaced", "closed", "broken"]
        names += ["waits", "timeouts", "failures", "messages"]
        with self._lock:
            return {
                "size": self.options.pool_size,
                "idle": len(self._idle),
                "busy": len(self._busy) + self._connecting,
                "waiting": len(self._waiting),
                "message_limit": self.limits.messages or 0,
                **{name: self._counts[name] for name in names},
            }

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

        Raises `PoolTimeout` if none becomes free in time, or is free now, if `wait` is false; and
        what `Server.connect()` raises.
        """
        while True:
            expired: list[_Member] = []
            try:
                member = self._reserve(expired, wait)
            finally:
                for old in expired:
                    old.session.disconnect()
            if member is None:
                return self._connect(), False
            if self._is_alive(member):
                return member.session, True
            # Its slot is free again, for a new session or another one that is idle.
            member.session.close()
            self.release(member.session)

    def release(self, session: Session, *, wait: bool = True) -> bool:
        """Give a session back; it is closed if it has done enough, or the pool was meanwhile.

        Returns whether it is kept. If it is not, and `wait` is false, the caller has to call its
        `disconnect()` when there is time to wait for the server.
        """
        with self._lock:
            member = self._busy.pop(session, None)
            if member is None:
                # It was given back before, or was the parent's when this process forked.
                return True
            keep = (
                session.is_open
                and not session.in_transaction
                and not self._closed
                and self.options.pool_size > 0
                and self.room(session) > 0
                and time.monotonic() < member.expires
            )
            if keep:
                member.idle_since = time.monotonic()
                self._idle.append(member)
            else:
                self._counts["closed" if session.is_open else "broken"] += 1
            if self._waiting:
                self._changed.notify_all()
        if not keep:
            end = session.disconnect if wait else session.begin_quit
            end()
        return keep

    def room(self, session: Session) -> int:
        """Return how many messages more `session` is to be given; 0 or less for none."""
        if session.is_worn:
            return 0
        most = self.options.max_messages
        if most is None:
            most = min(MAX_MESSAGES, session.message_limit or MAX_MESSAGES)
        learned = self.limits.messages
        return (most if learned is None else min(most, learned)) - session.messages

    def connect(self) -> Session:
        """Open a session that takes no slot. See `exchange()`."""
        session = self.server.connect()
        self.count("opened")
        return session

    def exchange(self, old: Session, new: Session) -> bool:
        """Give `new` the slot of `old`, which is in use, and is the caller's to close then.

        Returns false if `old` has no slot: this process was forked meanwhile.
        """
        with self._lock:
            if self._busy.pop(old, None) is None:
                return False
            self._busy[new] = self._member(new)
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
        if parallel <= 1:
            with Lease(self) as lease:
                return lease.deliver(messages)
        size, longer = divmod(len(messages), parallel)
        ends = [size * n + min(n, longer) for n in range(parallel + 1)]
        shares = [messages[start:end] for start, end in pairwise(ends)]
        load = Load()
        with (
            ThreadPoolExecutor(parallel - 1, "django_mailers-smtp") as executor,
            self.lease() as lease,
        ):
            others = [executor.submit(self._help, share, load) for share in shares[1:]]
            results = lease.deliver(shares[0])
            for other in others:
                results += other.result()
            # What a helper left, or could not get a session for: many servers take fewer at a time
            # than one would like.
            left = [number for number, result in enumerate(results) if result.status == "skipped"]
            if len(left) < len(results):
                again = lease.deliver([messages[number] for number in left])
                for number, result in zip(left, again, strict=True):
                    results[number] = result
        return results

    def _help(self, share: Sequence[Envelope], load: Load) -> list[Result]:
        """Deliver `share`, or only the beginning of it, if that does not make the rest faster."""
        # Who waits for a session is no help, and all would wait for him.
        with self.lease(wait=False) as lease:
            results = lease.deliver(share[:TRIAL])
            last, rest = results[-1], share[TRIAL:]
            if last.status == "skipped" or load.is_full():
                return results + [Result("skipped", error=last.error) for _ in rest]
            return results + lease.deliver(rest)

    def send_one(self, message: Envelope) -> Result:
        """Deliver one message. See `deliver()`."""
        return self.deliver([message])[0]

    def close(self) -> None:
        """Close the free sessions now, and any other when it is given back.

        The pool can still be used, but keeps nothing any more.
        """
        with self._lock:
            self._closed = True
            members, self._idle = self._idle, []
            self._counts["closed"] += len(members)
            self._changed.notify_all()
        for member in members:
            member.session.disconnect()

    def close_if_unused(self) -> bool:
        """Close sessions that nobody has used for `max_idle`; and the pool if it has no others.

        Returns whether the pool is closed.
        """
        expired: list[_Member] = []
        with self._lock:
            self._expire(expired)
            if not (self._idle or self._busy or self._connecting or self._waiting):
                self._closed = True
            closed = self._closed
        for old in expired:
            old.session.disconnect()
        return closed

    def _reserve(self, expired: list[_Member], wait: bool) -> _Member | None:
        """Return a free session, or None for a slot for a new one; wait for either.

        Sessions that were kept long enough are added to `expired`, to be closed by the caller.
        """
        with self._lock:
            self._expire(expired)
            if not self._waiting and self._has_room():
                return self._take()
            if not wait:
                raise PoolTimeout(f"{self.server.place}: No session is free.")
            timeout, ticket = self.options.acquire_timeout, object()
            deadline = None if timeout is None else time.monotonic() + timeout
            self._waiting.append(ticket)
            self._counts["waits"] += 1
            try:
                while self._waiting[0] is not ticket or not self._has_room():
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        self._counts["timeouts"] += 1
                        raise PoolTimeout(
                            f"{self.server.place}: No session became free in {timeout} seconds."
                        )
                    self._changed.wait(left)
                    self._expire(expired)
                return self._take()
            finally:
                self._waiting.remove(ticket)
                # The next in turn may find something, too.
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Whether there is a free session, or a slot for one."""
        size = self.options.pool_size
        return bool(self._idle) or size == 0 or len(self._busy) + self._connecting < size

    def _take(self) -> _Member | None:
        if not self._idle:
            self._connecting += 1
            return None
        member = self._idle.pop()
        self._busy[member.session] = member
        self._counts["reused"] += 1
        return member

    def _expire(self, expired: list[_Member]) -> None:
        now = time.monotonic()
        for member in self._idle[:]:
            if now >= member.expires or now - member.idle_since >= self.options.max_idle:
                self._idle.remove(member)
                expired.append(member)
                self._counts["closed"] += 1

    def _connect(self) -> Session:
        """Open a session in the slot that was reserved for it."""
        try:
            session = self.server.connect()
        except BaseException:
            with self._lock:
                self._connecting -= 1
                self._counts["failures"] += 1
                self._changed.notify_all()
            raise
        member = self._member(session)
        with self._lock:
            self._connecting -= 1
            self._counts["opened"] += 1
            self._busy[session] = member
        logger.debug("%r opened a session.", self)
        return session

    def _member(self, session: Session) -> _Member:
        age = self.options.max_age * random.uniform(0.9, 1)  # noqa: S311
        return _Member(session, time.monotonic() + age)

    def _is_alive(self, member: _Member) -> bool:
        if not member.session.is_quiet():
            return False
        if time.monotonic() - member.idle_since < self.options.check_after:
            return True
        if member.session.answers():
            return True
        # Whatever became of it (a server restarted, a firewall forgot) became of those that have
        # been idle for longer, too: asking each would take as long again.
        with self._lock:
            others = [old for old in self._idle if old.idle_since <= member.idle_since]
            self._idle = [young for young in self._idle if young not in others]
            self._counts["broken"] += len(others)
        for other in others:
            other.session.close()
        return False

    def count(self, name: str, number: int = 1) -> None:
        """Add to a number of `stats()`."""
        with self._lock:
            self._counts[name] += number

    def _abandon(self) -> None:
        """Let go of the parent's sessions, in a child."""
        for member in [*self._idle, *self._busy.values()]:
            # It closes this process's copy of the socket. Over TLS nothing is said, either.
            member.session.close()
        self._forget()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
