"""A session of a pool for as long as it is needed, or others in place of those that ended.

`deliver()` is the way to the wire: by one such lease, or by several at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .envelope import Envelope, Result
from .interrupts import is_injected, note_sent
from .progress import Progress
from .session import Session

if TYPE_CHECKING:
    from .doubts import Doubt
    from .pool import Pool

logger = logging.getLogger("django_mailers.smtp")

# How many seconds to wait for the outcome of another message's probe, if no timeout is set.
WAIT = 60


class Lease:
    """At most one session at a time, kept between deliveries until `close()`.

    Only one thread at a time may use it. In a forked child it no longer has a session.

    wait  Whether to wait for a session while there is none. See `Pool.acquire()`.
    """

    def __init__(self, pool: Pool, *, wait: bool = True) -> None:
        self._pool = pool
        self._wait = wait
        self._session: Session | None = None
        # The session that a message is being sent by, and how many it had taken before.
        self._sending: tuple[Session, int] | None = None
        # Whether a session reached its limit of messages during a delivery, and QUIT was sent.
        self._has_leaving = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._pool!r}: {self._session!r}>"

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def session(self) -> Session | None:
        """The session, if there is one. It may have ended by now."""
        return self._session

    def open(self) -> tuple[Session, bool]:
        """Return a session that is good for a message, and whether it is a new one.

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
        self._session, is_new = self._pool.acquire(wait=self._wait)
        return self._session, is_new

    def deliver(self, messages: Sequence[Envelope]) -> list[Result]:
        """Deliver `messages`, in order; return a Result for each.

        Raises nothing that the server, the network or the login does: messages for which no session
        could be had are "untried". If a session that was there before turns out to be dead before
        a message was handed to it, it is silently replaced, in the end by a new one. If one ends
        that has sent some, the next one goes on. See `Progress` for the message at which it ended,
        and `doubts` for refusals that may be about the session.
        """
        progress, pool = Progress(messages), self._pool
        try:
            while progress.left or progress.last:
                try:
                    session, is_new = self.open()
                except Exception as error:
                    if is_injected(error):
                        raise
                    # Of the server, of the network, or of a caller's own function to log in: in any
                    # case none of these messages was handed over, and others may have been.
                    progress.give_up(error)
                    break
                # Another thread may have learned of a lower limit since.
                numbers, before = progress.next(max(1, pool.room(session))), session.messages
                part = [messages[number] for number in numbers]
                is_asked = "chunking" in session.esmtp_features and self._tell(session, len(part))
                self._sending = session, session.taken
                results = session.deliver(part, checked=True)
                self._sending = None
                if is_asked:
                    pool.limits.ask(session)
                is_open = session.sock is not None
                if is_open or is_new or not _is_dead(results):
                    pool.count("messages", session.messages - before)
                    self._settle(progress, numbers, results, has_ended=not is_open)
                else:
                    self._replace(progress, numbers)
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
                pool.hang_up()
        return progress.results

    def close(self) -> None:
        """Give the session back, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            self._pool.release(session)

    def _tell(self, session: Session, number: int) -> bool:
        """Tell `session`, which is about to be given `number` messages, what its pool knows.

        Returns whether it may find out something about the server by them.
        """
        if session.consumes_chunks:
            return False
        self._pool.limits.tell(session, number)
        return True

    def _unsettled(self) -> int:
        """Return how many messages were taken by the session that an interrupt has ended."""
        sending, self._sending = self._sending, None
        return sending[0].taken - sending[1] if sending else 0

    def _replace(self, progress: Progress, numbers: Sequence[int]) -> None:
        """Leave messages to another session: the one for them was dead by then."""
        self._pool.count("replaced")
        logger.debug("%r replaces a session that was dead when it was needed.", self._pool)
        progress.put_back(numbers)

    def _settle(
        self,
        progress: Progress,
        numbers: Sequence[int],
        results: Sequence[Result],
        *,
        has_ended: bool = False,
    ) -> None:
        """Settle what is certain of the `results` for `numbers`, and plan the rest."""
        is_sent = results[0].status == "sent" and (
            len(results) == 1 or all(result.status == "sent" for result in results)
        )
        if is_sent and not has_ended:
            progress.settle_sent(numbers, results)
            return
        certain: list[tuple[int, Result]] = []
        doubtful: list[tuple[int, Result]] = []
        for pair in zip(numbers, results, strict=True):
            (certain if pair[1].doubt is None else doubtful).append(pair)
        if has_ended:
            has_worked = any(result.status in {"sent", "refused"} for result in results)
            progress.end(certain, has_worked=has_worked)
        else:
            for number, result in certain:
                if result.status != "untried":
                    progress.settle(number, result)
            if certain and certain[-1][1].status == "untried":
                # The session is worn, or it would not be open.
                progress.put_back([n for n, result in certain if result.status == "untried"])
        while doubtful:
            code = doubtful[0][1].code
            self._reconsider(progress, [pair for pair in doubtful if pair[1].code == code])
            doubtful = [pair for pair in doubtful if pair[1].code != code]

    def _reconsider(self, progress: Progress, refused: list[tuple[int, Result]]) -> None:
        """Settle messages that were `refused` with one code, or plan to send them again."""
        # Not before: see Pool.limits.
        from .doubts import Probe

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
            # A failure says less than the refusal before it.
            progress.settle(number, first if result is None or result.is_open else result)
            verdict = verdict.outcome.was_taken
        elif verdict and (session := self._session) is not None:
            # It is useless: the session that took the other message was a new one.
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

        Returns None if no new session can be had.
        """
        old = self._session
        assert old is not None  # noqa: S101
        new = self._connect_another(old)
        if new is None:
            return None
        is_asked = "chunking" in new.esmtp_features and self._tell(new, 1)
        self._sending = new, new.taken
        result = new.deliver([message], checked=True)[0]
        self._sending = None
        if is_asked:
            self._pool.limits.ask(new)
        self._pool.count("messages", new.messages)
        does_better = result.status in {"sent", "refused"} and result.code != doubt.code
        if new.is_open and (does_better or not old.is_open) and self._pool.exchange(old, new):
            self._session, new = new, old
        self._pool.leave(new)
        self._has_leaving = True
        return result

    def _connect_another(self, old: Session) -> Session | None:
        for _ in range(2):
            try:
                return self._pool.connect()
            except OSError as error:
                if is_injected(error):
                    raise
                if not old.is_open:
                    break
                # The server may not take one more session than it has.
                old.disconnect()
        return None


def _is_dead(results: Sequence[Result]) -> bool:
    """Whether nothing was handed to the session that has ended with these `results`."""
    return all(result.status in {"failed", "untried"} for result in results)


def deliver(pool: Pool, messages: Sequence[Envelope], *, parallel: int = 1) -> list[Result]:
    """Deliver `messages` over sessions of `pool`; return a Result for each, in order.

    They go over one session, in order, or over up to `parallel` at a time, each of which gets a
    share. Raises nothing that the server or the network does, see `Lease.deliver()`.
    """
    if parallel > 1:
        # A pool without a size keeps none, but opens as many as it is asked for.
        parallel = min(parallel, pool.options.pool_size or parallel, len(messages))
    if parallel > 1:
        # Not before: most processes never need it.
        from .batches import deliver_in_parallel

        return deliver_in_parallel(pool, messages, parallel)
    lease = Lease(pool)
    try:
        return lease.deliver(messages)
    finally:
        lease.close()
