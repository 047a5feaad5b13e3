"""Claims: only the run of a task that has claimed a message hands it over.

Some engines run a task again if its worker has died (H57). Before a run hands a message over, it
adds a key to a cache, which only one run can add. The key is never removed (H58): a run that finds
it there cannot know what the other run has done, and does not send.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

from django_mailers.smtp import is_injected

from .tickets import Ticket

logger = logging.getLogger("django_mailers.tasks")

# "mine"     this run may hand the message over.
# "taken"    another run may have handed it over.
# "revoked"  the process that wanted to queue it was told that it is not queued.
# "broken"   the cache does not work.
Claim = Literal["mine", "taken", "revoked", "broken"]

# Engines give up on a task earlier than that.
SECONDS = 7 * 24 * 60 * 60
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
        logger.error(
            "The cache %r, which has the claims of messages, failed: %s.",
            ticket.claims,
            type(error).__name__,
        )
        return "broken"


def revoke(ticket: Ticket) -> Claim:
    """Keep any run from handing the message over; return "mine" if that is certain now."""
    if ticket.claims is None:
        return "broken"
    return claim(ticket, REVOKED)


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
    if cache.add(key, token, SECONDS):
        return "mine"
    found = cache.get(key)
    if found is None:
        # A cache that keeps quiet about its errors says False, too (H56).
        return "broken"
    if found == token:
        # Added by this run; the client asked twice, as the first reply was lost.
        return "mine"
    return "revoked" if found == REVOKED else "taken"


def _cache(alias: str) -> Any:
    from django.core.cache import caches

    return caches[alias]


def _key(ticket: Ticket, attempt: int) -> str:
    return f"django_mailers.claim.{ticket.id}.{attempt}"
