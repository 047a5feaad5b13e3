"""Locks that an exception cannot leave locked, wherever it comes.

`with lock:` is not enough. Python 3.14 looks for signals when `__enter__()` has returned and the
block is not yet entered, so that an exception of a signal handler (a job's time limit, Ctrl+C)
leaves the lock locked for good. Before and after 3.14, Python does not look there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Lockable(Protocol):
    """An object with a lock of its own: an RLock, as a signal handler may send mail."""

    lock: Any


L = TypeVar("L", bound=Lockable)


def locked(method: Callable[Concatenate[L, P], R]) -> Callable[Concatenate[L, P], R]:
    """Let `method` run under the `lock` of its object.

    What the method has decided must be on objects that the caller has: an exception may come when
    it has returned, too.
    """

    @functools.wraps(method)
    def under_lock(self: L, *args: P.args, **kwargs: P.kwargs) -> R:
        lock = self.lock
        try:
            lock.acquire()
            return method(self, *args, **kwargs)
        finally:
            # Called before Python looks for signals again, as nothing else is called before.
            try:  # noqa: SIM105
                lock.release()
            except RuntimeError:
                pass  # It was interrupted while it waited for the lock.

    return under_lock  # type: ignore[return-value]
