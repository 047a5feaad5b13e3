"""The wire: SMTP sessions, pipelined transactions, and a pool. Standard library only.

server = Server("smtp.example.com", 587, security="starttls", username="u", password="p")
pool = shared_pool(server, PoolOptions(pool_size=2))
results = deliver(pool, [Envelope("ada@example.com", ["bob@example.com"], content)])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth import XOAuth2
    from .envelope import Envelope, Reply, Result, Status
    from .errors import OutOfStepError, PoolTimeout
    from .interrupts import is_injected, note_sent
    from .lease import Lease, deliver
    from .pool import Pool
    from .server import PoolOptions, Server, TLSConfig
    from .session import Session, TLSSession
    from .shared import close_pools, shared_pool
    from .tls import TLS, shared_tls

# Imported by the first use: a plain session does without some, and other rooms need only a few.
_MODULES = {
    "TLS": "tls",
    "Envelope": "envelope",
    "Lease": "lease",
    "OutOfStepError": "errors",
    "Pool": "pool",
    "PoolOptions": "server",
    "PoolTimeout": "errors",
    "Reply": "envelope",
    "Result": "envelope",
    "Server": "server",
    "Session": "session",
    "Status": "envelope",
    "TLSConfig": "server",
    "TLSSession": "session",
    "XOAuth2": "auth",
    "close_pools": "shared",
    "deliver": "lease",
    "is_injected": "interrupts",
    "note_sent": "interrupts",
    "shared_pool": "shared",
    "shared_tls": "tls",
}

__all__ = [
    "TLS",
    "Envelope",
    "Lease",
    "OutOfStepError",
    "Pool",
    "PoolOptions",
    "PoolTimeout",
    "Reply",
    "Result",
    "Server",
    "Session",
    "Status",
    "TLSConfig",
    "TLSSession",
    "XOAuth2",
    "close_pools",
    "deliver",
    "is_injected",
    "note_sent",
    "shared_pool",
    "shared_tls",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    # For the next time: before Python 3.12 import_module() takes a lock even for a module that is
    # there, and an exception of a signal handler in it can leave that locked.
    globals()[name] = value
    return value
