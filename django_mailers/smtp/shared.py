"""The pools of this process, one for the same settings."""

from __future__ import annotations

import atexit

from .locks import Lockable, after_fork, locked
from .pool import Pool
from .server import PoolOptions, Server

Key = tuple[Server, PoolOptions]


class Pools(Lockable):
    """Pools by their settings. Its methods take the lock; reading `pools` needs none."""

    def __init__(self) -> None:
        super().__init__()
        self.pools: dict[Key, Pool] = {}

    @locked
    def find(self, key: Key) -> tuple[Pool, list[tuple[Key, Pool]]]:
        """Return the pool for `key`, and if it is a new one, the others."""
        pool = self.pools.get(key)
        if pool is not None:
            if not pool.is_closed:
                return pool, []
            # By another thread, say, which found it unused, and is about to forget it.
            del self.pools[key]
        others = list(self.pools.items())
        return self.pools.setdefault(key, Pool(*key)), others

    @locked
    def forget(self, key: Key, pool: Pool) -> None:
        if self.pools.get(key) is pool:
            del self.pools[key]

    @locked
    def take_all(self) -> list[Pool]:
        pools = list(self.pools.values())
        self.pools.clear()
        return pools


_shared = Pools()


def shared_pool(server: Server, options: PoolOptions | None = None) -> Pool:
    """Return the one pool of this process for these settings."""
    key = server, options or PoolOptions()
    # Without the lock first: nearly always it is there.
    known = _shared.pools.get(key)
    if known is not None and not known.is_closed:
        return known
    pool, others = _shared.find(key)
    # Settings may come and go: those of tenants' mailers, say, or passwords that are renewed.
    for other_key, other in others:
        if other.close_if_unused():
            _shared.forget(other_key, other)
    return pool


def close_pools() -> None:
    """Close and forget the pools that `shared_pool()` returned; done automatically at exit."""
    for pool in _shared.take_all():
        pool.close()


# The pools themselves are kept: they have forgotten their sessions.
after_fork(_shared.renew_lock)
atexit.register(close_pools)
