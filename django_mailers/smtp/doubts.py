"""Refusals that may be about a session instead of a message, and what a pool learns from them.

Some servers take a number of messages in a session and no more, and refuse the next one with a
code that stands for a bad message or a bad moment elsewhere: 452 to DATA, 503 to MAIL. The number
and the code differ from server to server, and a message that is refused for good must not be tried
on one new session after the other. So a refusal of that kind is a suspicion: one message at a time
tests it on a new session, and all others that met the same code follow.
"""

from __future__ import annotations

import re
import time
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from .envelope import Reply, Result
from .locks import Lockable, locked
from .slots import Turn

if TYPE_CHECKING:
    from .session import Session

# For how many seconds no message is tried again for a code, once a new session refused one with it.
STANDS_FOR = 5 * 60
# For how many seconds a number of messages is remembered.
LEARNED_FOR = 60 * 60
# How often, in seconds, a thread that waits for the outcome checks that it is still to come.
LOOK = 1

# Codes that say something else: 421 ends the session, 432 and 454 are about passwords and TLS.
CERTAIN_CODES = frozenset({421, 432, 454})
# Refusals for good that are about the state of a session as often as about a message.
DOUBTFUL_CODES = frozenset({503, 530, 554})
# RFC 3463: policy, mailboxes, addresses and contents are about the message.
CERTAIN_TEXT = rb"(?:4\.[27]|5\.[1267])\.[0-9]"
# RFC 3463, 3.5: the server has waited for too long for a command.
TIMED_OUT = rb"4\.4\.2\b"
NAMES_LIMIT = (
    rb"(?i)too many (?:messages|mails|e-?mails|transactions)"
    rb"|(?:messages|mails|e-?mails|transactions) (?:per|in (?:a|one|this)) (?:session|connection)"
    rb"|(?:session|connection) (?:message )?limit"
    rb"|message limit"
)


class Doubt(NamedTuple):
    """Why a refusal may be about the session.

    code         The code of the reply.
    number       How many messages the session was given before.
    names_limit  Whether the text says that there is a limit.
    is_timeout   Whether the text says that the session was idle for too long.
    """

    code: int
    number: int
    names_limit: bool
    is_timeout: bool


def doubt_about(
    kind: str, replies: Sequence[Reply], number: int, *, has_taken: bool
) -> Doubt | None:
    """Return the doubt about a refusal, or None.

    `kind` is the command that was refused, RCPT if all of them were; `replies` are those to it.
    `has_taken` says whether the session had taken a message before, of the `number` it was given.
    """
    code = replies[0].code
    is_timeout = kind == "MAIL" and re.match(TIMED_OUT, replies[0].text) is not None
    if not has_taken and not is_timeout:
        return None
    for reply in replies:
        is_doubtful = reply.code < 500 or (kind != "RCPT" and reply.code in DOUBTFUL_CODES)
        if not is_doubtful or reply.code in CERTAIN_CODES or re.match(CERTAIN_TEXT, reply.text):
            return None
    return Doubt(code, number, re.search(NAMES_LIMIT, replies[0].text) is not None, is_timeout)


class Probe:
    """One message that is being tried on a new session, while it is; `outcome` outlives it."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.outcome = Outcome()


class Outcome:
    """The outcome of a probe; other messages that were refused with the same code wait for it."""

    def __init__(self) -> None:
        self.has_ended = self.was_taken = False
        # Not an Event: an exception in a method of its Condition would leave that locked.
        self._turns: deque[Turn] = deque()

    def wait(self, timeout: float) -> bool:
        """Wait for up to `timeout` seconds; return whether it has ended."""
        turn = Turn()
        self._turns.append(turn)
        if not self.has_ended:
            turn.wait(timeout)
        with suppress(ValueError):
            self._turns.remove(turn)
        return self.has_ended

    def end(self) -> None:
        self.has_ended = True
        for turn in tuple(self._turns):
            turn.wake()


class Limits(Lockable):
    """Everything that a pool has found out about its server. Any number of threads may use it.

    consumes_chunks  Whether the server reads the octets of a BDAT command that it refuses; None
                     while nobody knows.
    has_learned      Whether there may be a limit of messages, see `messages`.
    """

    def __init__(self) -> None:
        self.consumes_chunks: bool | None = None
        self._asking: weakref.ref[Session] | None = None
        super().__init__()
        # Held weakly: if the thread that tries is interrupted, the others stop waiting for it.
        self._probe: weakref.ref[Probe] | None = None
        self._stands_until: dict[int, float] = {}
        self._seen: dict[int, float] = {}
        self._learned: tuple[int, float] | None = None
        self.has_learned = False

    @property
    def messages(self) -> int | None:
        """How many messages the server takes in a session, if that was learned lately."""
        learned = self._learned
        if learned is None or time.monotonic() - learned[1] > LEARNED_FOR:
            return None
        return learned[0]

    def tell(self, session: Session, messages: int) -> None:
        """Tell `session`, which is about to be given `messages`, about CHUNKING.

        While that is not known, one session at a time finds out; the others do without CHUNKING.
        """
        session.consumes_chunks = self.consumes_chunks
        if self.consumes_chunks is None and (messages > 1 or session.messages):
            other = None if self._asking is None else self._asking()
            if other is None or other is session or not other.is_open:
                self._asking = weakref.ref(session)
            else:
                session.consumes_chunks = False

    def ask(self, session: Session) -> None:
        """Ask `session`, if it was to find out about CHUNKING, for the result."""
        asking = self._asking
        if asking is not None and asking() is session and session.consumes_chunks is not None:
            self.consumes_chunks, self._asking = session.consumes_chunks, None

    def begin(self, code: int, timeout: float) -> Probe | bool:
        """Decide about a message that was refused with `code`.

        Returns a Probe if it is to be tried on a new session: the caller has to call `end()`. True
        if the server has just taken another one there; False if the refusal stands. While another
        message is being tried, waits for up to `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            decision = self._decide(code, now)
            if not isinstance(decision, tuple):
                return decision
            outcome, is_same = decision
            if now >= deadline:
                return False
            if outcome.wait(min(LOOK, deadline - now)) and is_same and outcome.was_taken:
                return True

    @locked
    def _decide(self, code: int, now: float) -> Probe | tuple[Outcome, bool] | Literal[False]:
        """Return False or a Probe, as `begin()`, or the outcome to wait for, and whether it is
        about `code`."""
        if self._stands_until.get(code, 0.0) > now:
            return False
        other = None if self._probe is None else self._probe()
        if other is None:
            probe = Probe(code)
            self._probe = weakref.ref(probe)
            return probe
        # Not `other` itself: it would live for as long as a thread waits.
        return other.outcome, other.code == code

    def end(self, probe: Probe, doubt: Doubt, result: Result | None) -> None:
        """Take the `result` of `probe`: that of the new session, None if there was none.

        Only the same code confirms the refusal by the old session. If the new one came to another
        judgement, it is the better one to go on with.
        """
        self._judge(probe, doubt, result, time.monotonic())
        self.abandon(probe)

    @locked
    def _judge(self, probe: Probe, doubt: Doubt, result: Result | None, now: float) -> None:
        if result is not None and result.status in {"sent", "refused"}:
            probe.outcome.was_taken = result.code != doubt.code
        if result is None or not probe.outcome.was_taken:
            self._stands_until[doubt.code] = now + STANDS_FOR
        elif result.status == "sent":
            self._learn(doubt, now)

    def abandon(self, probe: Probe) -> None:
        """Let the threads that wait for `probe` go on: the next one of them tries."""
        self._forget(probe)
        probe.outcome.end()

    @locked
    def _forget(self, probe: Probe) -> None:
        if self._probe is not None and self._probe() is probe:
            self._probe = None

    def _learn(self, doubt: Doubt, now: float) -> None:
        """Learn a number of messages when it is seen twice, or if the server names a limit."""
        if doubt.is_timeout:
            return
        seen = self._seen.get(doubt.number)
        if doubt.names_limit or (seen is not None and now - seen <= LEARNED_FOR):
            self._learned, self.has_learned = (doubt.number, now), True
        self._seen[doubt.number] = now
