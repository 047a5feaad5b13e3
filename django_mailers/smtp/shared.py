"""The pools of this process, one for the same settings."""

from __future__ import annotations

import atexit
import threading

from .fork import after_fork
from .pool import Pool
from .pooloptions import PoolOptions
from .server import Server

_shared: dict[tuple[Server, PoolOptions], Pool] = {}
# One that the same thread may take again: a signal handler may send mail in the middle of it.
_lock = threading.RLock()


def shared_pool(server: Server, options: PoolOptions | None = None) -> Pool:
    """Return the one pool of this process for these settings."""
    key = server, options or PoolOptions()
    with _lock:
        pool = _shared.get(key)
        if pool is not None:
            if not pool.is_closed:
                return pool
            # By another thread, say, which found it unused, and is about to forget it.
            del _shared[key]
        others = list(_shared.items())
        pool = _shared.setdefault(key, Pool(*key))
    # Settings may come and go: those of tenants' mailers, say, or passwords that are renewed.
    for other_key, other in others:
        if other.close_if_unused():
            with _lock:
                if _shared.get(other_key) is other:
                    del _shared[other_key]
    return pool


def close_pools() -> None:
    """Close and forget the pools that `shared_pool()` returned; done automatically at exit."""
    with _lock:
        pools = list(_shared.values())
        _shared.clear()
    for pool in pools:
        pool.close()


@after_fork
def _renew_lock() -> None:
    # A thread that the child does not have may hold it. The pools have forgotten their sessions.
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


atexit.register(close_pools)
