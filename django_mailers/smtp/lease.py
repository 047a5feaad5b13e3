"""A session of a pool for as long as somebody needs one, in place of one that ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .envelope import Envelope, Result
from .session import Session

if TYPE_CHECKING:
    from .pool import Pool

logger = logging.getLogger("django_mailers.smtp")


class Lease:
    """At most one session at a time, kept between deliveries until `close()`.

    It is for one thread at a time. In a forked child it has no session any more.
    """

    def __init__(self, pool: Pool, *, wait: bool = True) -> None:
        self._pool = pool
        self._wait = wait
        self._session: Session | None = None
        # Whether one had done enough in the midst of a delivery, and was told QUIT.
        self._has_leaving = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._pool!r}: {self._session!r}>"

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def session(self) -> Session | None:
        """The session, if there is one. It may have ended meanwhile."""
        return self._session

    def open(self) -> tuple[Session, bool]:
        """Return a session that is good for a message, and whether it is a new connection.

        The one at hand is given back if it is over, or has done as many messages as it may.

        Raises what `Pool.acquire()` raises.
        """
        session = self._session
        if session is not None:
            if session.is_quiet() and self._room(session) > 0:
                return session, False
            # In this order: what is given back may be another thread's at once.
            self._session = None
            # The server has all the time of the next session to reply to QUIT.
            self._has_leaving = not self._pool.release(session, wait=False)
        self._session, reused = self._pool.acquire(wait=self._wait)
        return self._session, not reused

    def deliver(self, messages: Sequence[Envelope]) -> list[Result]:
        """Deliver `messages`, in order; return a Result for each.

        Raises nothing that the server, the network or the login does: what no session could be had
        for is "skipped". A session that was there before and turns out to be dead before it was
        handed a message is replaced in silence, in the end by a new one; when one breaks that has
        sent some, the next one goes on with those that were skipped. But what was begun is never
        sent again: what "failed" or is "unknown" stays so.
        """
        results: list[Result] = []
        try:
            while len(results) < len(messages):
                results += self._go_on(messages[len(results) :] if results else messages)
        except BaseException:
            # An interrupt: the session may be anywhere in a dialogue.
            if self._session is not None:
                self._session.close()
            self.close()
            raise
        finally:
            if self._has_leaving:
                self._has_leaving = False
                self._pool.hang_up()
        return results

    def close(self) -> None:
        """Give the session back, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            self._pool.release(session)

    def _go_on(self, messages: Sequence[Envelope]) -> list[Result]:
        """Deliver the first of `messages`, or try to; return a Result for each that is settled."""
        try:
            session, is_new = self.open()
        except Exception as error:
            # The server's, the network's, or what a caller's own function to log in raises:
            # whatever it is, nothing of these was handed over, and of others something was.
            return [Result("skipped", error=error) for _ in messages]
        room = max(1, self._room(session))
        done = session.deliver(messages[:room] if room < len(messages) else messages, checked=True)
        if session.is_open:
            self._pool.count("messages", len(done))
            return done
        statuses = [result.status for result in done]
        if not is_new and {*statuses} <= {"failed", "skipped"}:
            self._pool.count("replaced")
            logger.debug("%r replaces a session that was dead when it was needed.", self._pool)
            return []
        self._pool.count("messages", len(done))
        if "skipped" not in statuses:
            return done
        if {"sent", "refused"} & {*statuses}:
            return done[: statuses.index("skipped")]
        # The server is in no state to go on with.
        left = len(messages) - len(done)
        return done + [Result("skipped", error=done[-1].error) for _ in range(left)]

    def _room(self, session: Session) -> int:
        return self._pool.options.max_messages - session.messages
