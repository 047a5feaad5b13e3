"""Everything that a pool counts: the slots that are taken, and the threads that wait for one.

An exception can come between any two bytecodes: of a signal handler, of a greenlet's timeout, of
`PyThreadState_SetAsyncExc()`. No `try` closes the gap between a call that takes something and the
assignment of its result. So nothing here is counted up and down: a slot is taken as long as its
Slot is alive, and a thread waits as long as it is seen to.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session

# Seconds after which a thread that waits looks by itself, whether it was woken or not.
LOOK = 1.0
# Seconds after which a thread that has not done so counts as gone, whatever the queue says.
GONE = 3 * LOOK


class Slot:
    """A slot that is taken: by a thread that connects, then by the session that it got.

    ref         The reference by which the pool knows it, once it is counted.
    user        (thread,), a new tuple for each use; None while the session is free.
    is_extra    Whether it goes beyond the size of the pool.
    session     The session, once there is one. It refers to its slot, not the other way round.
    expires     When the session is to be closed.
    idle_since  When it was used last.
    """

    __slots__ = ("__weakref__", "expires", "idle_since", "is_extra", "ref", "session", "user")

    def __init__(self, user: tuple[int]) -> None:
        self.ref: weakref.ref[Slot] | None = None
        self.user: tuple[int] | None = user
        self.is_extra = False
        self.session: weakref.ref[Session] | None = None
        self.expires = self.idle_since = 0.0


class Slots:
    """The slots that are taken. To be used under the lock of the pool, each step of it atomic.

    taken  The slots by their `ref`, some of them lost, maybe. len() gives how many there are.
    """

    def __init__(self) -> None:
        self.taken: set[weakref.ref[Slot] | None] = set()
        # References to slots that nobody holds any more. They die anywhere, in any thread, maybe
        # under the pool's own lock: that can only be noted there.
        self._lost: deque[weakref.ref[Slot]] = deque()

    def take(self, slot: Slot) -> None:
        """Count `slot`, which the caller holds already, until it is freed or nobody holds it."""
        slot.ref = weakref.ref(slot, self._lost.append)
        self.taken.add(slot.ref)

    def free(self, slot: Slot) -> None:
        """No longer count `slot`, if it is counted."""
        self.taken.discard(slot.ref)

    def __len__(self) -> int:
        while self._lost:
            try:
                # In this order: if it is interrupted in between, it is done again.
                ref = self._lost[0]
                self.taken.discard(ref)
                self._lost.remove(ref)
            except (IndexError, ValueError):
                pass  # A signal handler has done it meanwhile.
        return len(self.taken)

    def __iter__(self) -> Iterator[Slot]:
        for ref in tuple(self.taken):
            slot = None if ref is None else ref()
            if slot is not None:
                yield slot


class Turn:
    """A thread's place in a Queue. Only that thread may call `wait()`."""

    __slots__ = ("_woken", "seen")

    def __init__(self) -> None:
        # Looked up here: gevent and eventlet may replace it late.
        self._woken = threading.Lock()
        self._woken.acquire()
        self.seen = time.monotonic()

    def wait(self, timeout: float) -> None:
        """Wait until `wake()` is or was called, and at most `timeout` seconds."""
        # Not a Condition: its `with` is a method in Python, and an exception behind the call in it
        # that takes the lock would leave that locked.
        self._woken.acquire(timeout=timeout)
        self.seen = time.monotonic()

    def wake(self) -> None:
        with suppress(RuntimeError):  # It was woken already, and has not looked yet.
            self._woken.release()


class Queue(deque[Turn]):
    """Threads that wait, the first in turn first. To be used under the lock of the pool."""

    def leave(self, turn: Turn) -> None:
        with suppress(ValueError):  # It was taken for gone.
            self.remove(turn)

    def ahead_of(self, turn: Turn) -> int:
        """Return how many turns come before `turn`."""
        number, oldest = 0, time.monotonic() - GONE
        for other in tuple(self):
            if other is turn:
                return number
            if other.seen < oldest:
                # Most likely its thread was interrupted at the wrong moment. If the thread is not
                # gone, it will look, and come last.
                self.leave(other)
            else:
                number += 1
        self.append(turn)
        return number

    def wake(self, number: float) -> None:
        """Wake the first `number` of them."""
        # A copy, as a signal handler may send mail in the middle of it.
        for turn in tuple(islice(self, int(min(number, len(self))))):
            turn.wake()
