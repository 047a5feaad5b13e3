"""Claims: only the run of a task that has claimed a message hands it over.

Some engines run a task again if its worker has died (H57). Before a run hands a message over, it
adds a key to a cache, which only one run can add. The key is never removed (H58): a run that finds
it there cannot know what the other run has done, and does not send.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Literal

from django.core.files import locks

from django_mailers.smtp import is_injected

from . import lines
from .tickets import WEEK, Ticket

# "mine"     this run may hand the message over.
# "taken"    another run may have handed it over.
# "revoked"  the process that wanted to queue it was told that it is not queued.
# "broken"   the cache does not work.
Claim = Literal["mine", "taken", "revoked", "broken"]

# Instead of the token of a run.
REVOKED = "revoked"


def claim(ticket: Ticket, token: str) -> Claim:
    """Claim the message of `ticket` for a run with this random `token`.

    A claim may have been made although the cache did not say so (its reply was lost, a replica
    lags). So the next run after "broken" has its token in `ticket.doubts`, and first makes sure
    that this other claim is not somebody else's.
    """
    if ticket.claims is None:
        return "mine"
    try:
        cache = _cache(ticket.claims)
        for attempt, doubtful in ticket.doubts:
            outcome = _hold(cache, _key(ticket, attempt), doubtful)
            if outcome != "mine":
                return outcome
        return _hold(cache, _key(ticket, ticket.attempt), token)
    except Exception as error:
        # The client of a cache may raise anything.
        if is_injected(error):
            raise
        lines.write(
            logging.ERROR,
            "The cache %r, which has the claims of messages, failed: %s.",
            ticket.claims,
            type(error).__name__,
        )
        return "broken"


def revoke(ticket: Ticket) -> Claim:
    """Keep any run from handing the message over; return "mine" if that is certain now."""
    if ticket.claims is None or _is_in_transaction(ticket.claims):
        return "broken"
    return claim(ticket, REVOKED)


def _is_in_transaction(alias: str) -> bool:
    """Whether what is added to the cache may be rolled back, as in a table of the database."""
    from django.core.cache.backends.db import DatabaseCache
    from django.db import connections, router

    try:
        cache = _cache(alias)
    except Exception as error:
        # The cache cannot even be made: claim() says so.
        if is_injected(error):
            raise
        return False
    if not isinstance(cache, DatabaseCache):
        return False
    return connections[router.db_for_write(cache.cache_model_class)].in_atomic_block


def is_shared(alias: str) -> bool:
    """Whether processes share the cache `alias`, as far as Django's own caches are concerned."""
    from django.core.cache.backends.dummy import DummyCache
    from django.core.cache.backends.locmem import LocMemCache

    return not isinstance(_cache(alias), LocMemCache | DummyCache)


def guards(ticket: Ticket) -> bool:
    """Whether there are claims that other processes see."""
    try:
        return ticket.claims is not None and is_shared(ticket.claims)
    except Exception as error:
        # The cache cannot even be made: claim() says so.
        if is_injected(error):
            raise
        return True


def _hold(cache: Any, key: str, token: str) -> Claim:
    if _add(cache, key, token):
        return "mine"
    found = cache.get(key)
    if found is None:
        # A cache that keeps quiet about its errors says False, too (H56).
        return "broken"
    if found == token:
        # Added by this run; the client asked twice, as the first reply was lost.
        return "mine"
    return "revoked" if found == REVOKED else "taken"


def _add(cache: Any, key: str, token: str) -> bool:
    from django.core.cache.backends.filebased import FileBasedCache

    if not isinstance(cache, FileBasedCache):
        return bool(cache.add(key, token, WEEK))
    # It looks for the key first, and adds it then. In between another process may do the same.
    folder = cache._dir  # type: ignore[attr-defined, unused-ignore]
    os.makedirs(folder, 0o700, exist_ok=True)
    with open(os.path.join(folder, "django_mailers.lock"), "wb") as file:
        locks.lock(file, locks.LOCK_EX)
        try:
            return cache.add(key, token, WEEK)
        finally:
            locks.unlock(file)


def _cache(alias: str) -> Any:
    from django.core.cache import caches

    return caches[alias]


def _key(ticket: Ticket, attempt: int) -> str:
    return f"django_mailers.claim.{ticket.id}.{attempt}"
