"""The wire: SMTP sessions, pipelined transactions, and a pool. Standard library only.

server = Server("smtp.example.com", 587, security="starttls", username="u", password="p")
pool = shared_pool(server, PoolOptions(pool_size=2))
results = pool.deliver([Envelope("ada@example.com", ["bob@example.com"], content)])
"""

from .auth import XOAuth2
from .envelope import Envelope, Reply, Result, Status
from .errors import OutOfStepError, PoolTimeout
from .interrupts import is_injected, note_sent
from .lease import Lease
from .pool import Pool, PoolOptions
from .session import Server, Session, TLSSession
from .shared import close_pools, shared_pool
from .tls import TLS, TLSConfig, shared_tls

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
    "is_injected",
    "note_sent",
    "shared_pool",
    "shared_tls",
]
