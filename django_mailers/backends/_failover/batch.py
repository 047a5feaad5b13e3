"""The messages of one send_many(): what was tried for each of them, and what became of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import Fault
from django_mailers.delivery.faulttable import NETWORK, ORDER
from django_mailers.delivery.report import COUNTED
from django_mailers.errors import MailersFailed
from django_mailers.types import Message

from .verdicts import Judge

if TYPE_CHECKING:
    from ..failover import EmailBackend

logger = logging.getLogger("django_mailers.failover")


class Try(NamedTuple):
    """The answer of a mailer about one message; `fault` is None if it took or skipped it."""

    alias: str
    result: SendResult
    fault: Fault | None


class Batch:
    """The `messages` that `backend`, a failover, hands on until one of its mailers takes them.

    A message is referred to by its number. A result that is set is final.
    """

    def __init__(self, backend: EmailBackend, messages: Sequence[Message]) -> None:
        self.backend = backend
        self.messages = messages
        # Before the first try: with unknown="next" somebody may get a message twice (H42).
        self.outgoing = [backend.fix_identity(message) for message in messages]
        self.results: list[SendResult | None] = [None] * len(messages)
        self._tries: list[list[Try]] = [[] for _ in messages]
        self._judge = Judge(backend)

    def hand_on(self, alias: str, numbers: Sequence[int]) -> list[Try]:
        """Hand on the messages `numbers` to the mailer `alias`; return what it says of each."""
        results = self.backend.hand_on(
            alias, [self.messages[n] for n in numbers], [self.outgoing[n] for n in numbers]
        )
        tries = [Try(alias, *self._judge(result, alias)) for result in results]
        for number, one in zip(numbers, tries, strict=True):
            self._note(number, one)
        alarming = [one for one in tries if one.fault is not None and one.fault.is_alarming]
        if alarming:
            # Without a text of the server, which may name anybody.
            logger.error(
                "MAILERS[%r]: %r refuses the sender of %d of %d messages. Another mailer takes "
                "them, but the account needs attention.",
                self.backend.alias,
                alias,
                len(alarming),
                len(tries),
            )
        return tries

    def pending(self, numbers: Sequence[int]) -> list[int]:
        """Return those of `numbers` that another mailer may be given."""
        return [number for number in numbers if self.results[number] is None]

    def share(self, one: Try, numbers: Sequence[int]) -> None:
        """Note that `numbers` were not given to the mailer of `one`, because of its answer."""
        fault = NETWORK if one.fault is None or one.fault.kind == "unknown" else one.fault
        for number in numbers:
            result = SendResult(self.messages[number], "failed", error=one.result.error)
            self._note(number, Try(one.alias, result, fault))

    def give_up(self, numbers: Sequence[int]) -> None:
        """Settle the messages that no mailer has taken."""
        for number in numbers:
            self.results[number] = self._failure(number)

    def doubtful(self) -> list[SendResult]:
        """Return the results of messages that are not settled, and that somebody may have."""
        return [
            self._failure(number)
            for number, tries in enumerate(self._tries)
            if self.results[number] is None and _is_doubtful(tries)
        ]

    def _note(self, number: int, one: Try) -> None:
        tries = self._tries[number]
        tries.append(one)
        if self._moves(one):
            return
        if len(tries) > 1 and one.result.status not in COUNTED and _is_doubtful(tries[:-1]):
            # Whatever this one says, an earlier mailer may have sent it.
            self.results[number] = self._failure(number)
        else:
            self.results[number] = one.result

    def _moves(self, one: Try) -> bool:
        # Never by the type of the exception, which may come before the hand-over and after (H41).
        if one.fault is None or one.result.status in COUNTED:
            return False
        return one.fault.moves or (one.fault.kind == "unknown" and self.backend.unknown == "next")

    def _failure(self, number: int) -> SendResult:
        """Return the result of a message that several mailers did not take: the worst of theirs."""
        tries = [one for one in self._tries[number] if one.fault is not None]
        worst = min(tries, key=lambda one: ORDER.index(one.fault.kind) if one.fault else 0)
        error = MailersFailed(
            {one.alias: one.result.error or _unexplained() for one in tries}, self.backend.alias
        )
        return worst.result._replace(message=self.messages[number], error=error)


def _is_doubtful(tries: Sequence[Try]) -> bool:
    return any(one.fault is not None and one.fault.kind == "unknown" for one in tries)


def _unexplained() -> Exception:
    return ConnectionError("The mailer did not take the message, and does not say why.")
