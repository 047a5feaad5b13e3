"""Locks that an exception cannot leave locked, wherever it comes, nor a fork.

`with lock:` is not enough. Python 3.14 looks for signals when `__enter__()` has returned and the
block is not yet entered, so that an exception of a signal handler (a job's time limit, Ctrl+C)
leaves the lock locked for good. Before and after 3.14, Python does not look there.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Lockable:
    """An object with a lock of its own: an RLock, as a signal handler may send mail."""

    def __init__(self) -> None:
        self.renew_lock()

    def renew_lock(self) -> None:
        """Take a new lock; in a child, where a thread that is not there may hold the old one."""
        self.lock = threading.RLock()


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


# The one hook of this room for forks, and the functions that it calls in a child.
_renewals: list[Callable[[], object]] = []


def after_fork(renew: Callable[[], object]) -> Callable[[], object]:
    """Have `renew` called in each forked child, the last one first: locks before pools."""
    _renewals.insert(0, renew)
    return renew


def _in_child() -> None:
    for renew in _renewals:
        renew()


# Windows does not fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
