"""A session of a pool for as long as somebody needs one, in place of one that ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .doubts import Doubt, Probe
from .envelope import Envelope, Result
from .interrupts import is_injected, note_sent
from .progress import Progress
from .session import Session

if TYPE_CHECKING:
    from .pool import Pool

logger = logging.getLogger("django_mailers.smtp")

# How long to wait for what another message is found out by, in seconds, if there is no timeout.
WAIT = 60


class Lease:
    """At most one session at a time, kept between deliveries until `close()`.

    It is for one thread at a time. In a forked child it has no session any more.
    """

    def __init__(self, pool: Pool, *, wait: bool = True) -> None:
        self._pool = pool
        self._wait = wait
        self._session: Session | None = None
        # The session that a message is being sent by, and how many it had taken before.
        self._sending: tuple[Session, int] | None = None
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
            if session.is_quiet() and self._pool.room(session) > 0:
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
        handed a message is replaced in silence, in the end by a new one. When one ends that has
        sent some, the next one goes on. See `Progress` for the message at which it ended, and
        `doubts` for refusals that may be about the session.
        """
        progress = Progress(messages)
        try:
            while progress.left or progress.last:
                self._go_on(progress)
        except BaseException as error:
            # An interrupt: the session may be anywhere in a dialogue.
            note_sent(error, progress.sent + self._unsettled(), len(messages))
            if self._session is not None:
                self._session.close()
            self.close()
            raise
        finally:
            if self._has_leaving:
                self._has_leaving = False
                self._pool.hang_up()
        return progress.results

    def close(self) -> None:
        """Give the session back, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            self._pool.release(session)

    def _go_on(self, progress: Progress) -> None:
        """Send what one session can of what is left."""
        try:
            session, is_new = self.open()
        except Exception as error:
            if is_injected(error):
                raise
            # The server's, the network's, or what a caller's own function to log in raises:
            # whatever it is, nothing of these was handed over, and of others something was.
            progress.give_up(error)
            return
        room = 1 if len(progress.messages) == 1 else max(1, self._pool.room(session))
        numbers, before = progress.next(room), session.messages
        results = self._deliver(session, [progress.messages[number] for number in numbers])
        if not (session.is_open or is_new) and {result.status for result in results} <= {
            "failed",
            "skipped",
        }:
            self._pool.count("replaced")
            logger.debug("%r replaces a session that was dead when it was needed.", self._pool)
            progress.put_back(numbers)
            return
        self._pool.count("messages", session.messages - before)
        self._settle(progress, numbers, results, has_ended=not session.is_open)

    def _deliver(self, session: Session, messages: Sequence[Envelope]) -> list[Result]:
        limits = self._pool.limits
        is_proved = session.consumes_chunks or "chunking" not in session.esmtp_features
        if not is_proved:
            limits.tell(session, len(messages))
        self._sending = session, session.taken
        results = session.deliver(messages, checked=True)
        self._sending = None
        if not is_proved:
            limits.ask(session)
        return results

    def _unsettled(self) -> int:
        """Return how many messages were taken by the session that an interrupt has ended."""
        sending, self._sending = self._sending, None
        return sending[0].taken - sending[1] if sending else 0

    def _settle(
        self,
        progress: Progress,
        numbers: Sequence[int],
        results: Sequence[Result],
        *,
        has_ended: bool = False,
    ) -> None:
        """Settle what is certain of the `results` for `numbers`, and plan the rest."""
        pairs = list(zip(numbers, results, strict=True))
        doubtful = [(number, result) for number, result in pairs if result.doubt is not None]
        certain = [(number, result) for number, result in pairs if result.doubt is None]
        if has_ended:
            has_worked = any(result.status in {"sent", "refused"} for result in results)
            progress.end(certain, has_worked=has_worked)
        else:
            for number, result in certain:
                if result.status != "skipped":
                    progress.settle(number, result)
            if certain and certain[-1][1].status == "skipped":
                # The session is worn, or it would not be open.
                progress.put_back([n for n, result in certain if result.status == "skipped"])
        while doubtful:
            code = doubtful[0][1].code
            self._reconsider(progress, [pair for pair in doubtful if pair[1].code == code])
            doubtful = [pair for pair in doubtful if pair[1].code != code]

    def _reconsider(self, progress: Progress, refused: list[tuple[int, Result]]) -> None:
        """Settle messages that were `refused` with one code, or have them sent again."""
        limits, doubt = self._pool.limits, refused[0][1].doubt
        assert doubt is not None  # noqa: S101
        verdict = limits.begin(doubt.code, self._pool.server.timeout or WAIT)
        if isinstance(verdict, Probe):
            (number, first), refused = refused[0], refused[1:]
            try:
                result = self._try_again(progress.messages[number], doubt)
            except BaseException:
                limits.abandon(verdict)
                raise
            limits.end(verdict, doubt, result)
            # What failed again says less than the refusal.
            progress.settle(number, first if result is None or result.is_open else result)
            verdict = verdict.outcome.was_taken
        elif verdict and (session := self._session) is not None:
            # It is of no use: the session that took the other message was a new one.
            session.begin_quit()
            self._session = None
            self._has_leaving = not self._pool.release(session, wait=False)
        if verdict:
            progress.put_back([number for number, _ in refused])
        else:
            for number, result in refused:
                progress.settle(number, result)

    def _try_again(self, message: Envelope, doubt: Doubt) -> Result | None:
        """Try a message on a new session, which replaces this one if it does better.

        Returns None if there is no new session to be had.
        """
        old = self._session
        assert old is not None  # noqa: S101
        new = self._connect_beside(old)
        if new is None:
            return None
        result = self._deliver(new, [message])[0]
        self._pool.count("messages", new.messages)
        does_better = result.status in {"sent", "refused"} and result.code != doubt.code
        if new.is_open and (does_better or not old.is_open) and self._pool.exchange(old, new):
            self._session, new = new, old
        self._pool.leave(new)
        self._has_leaving = True
        return result

    def _connect_beside(self, old: Session) -> Session | None:
        for _ in range(2):
            try:
                return self._pool.connect()
            except OSError as error:
                if is_injected(error):
                    raise
                if not old.is_open:
                    break
                # The server may take no more sessions at a time than it has.
                old.disconnect()
        return None
