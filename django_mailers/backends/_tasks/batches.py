"""Messages on their way to an engine."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from django_mailers.delivery import SendResult
from django_mailers.delivery.codec import dump, load
from django_mailers.delivery.copies import shallow_copy
from django_mailers.delivery.identity import fix_identity
from django_mailers.errors import NotQueued
from django_mailers.signals import mail_finished, mail_queued
from django_mailers.smtp import is_injected
from django_mailers.tasks.queueing import enqueue
from django_mailers.tasks.tickets import Ticket
from django_mailers.types import Mailer, Message

logger = logging.getLogger("django_mailers.tasks")


class Stored(NamedTuple):
    """A message as JSON, with its ticket."""

    ticket: Ticket
    text: str


class Batch:
    """The messages of one send_many(). `mailer` queues them as `task`, with a ticket for each.

    `database` is the one in which the engine has its tasks.
    """

    def __init__(
        self, mailer: Mailer, task: Any, database: str | None, tickets: Sequence[Ticket]
    ) -> None:
        self._sender = type(mailer)
        self._alias: str | None = mailer.alias  # type: ignore[attr-defined, unused-ignore]
        self._max_size: int = mailer.max_size  # type: ignore[attr-defined, unused-ignore]
        self._task = task
        self._database = database
        self._tickets = tickets

    def enqueue(self, messages: Sequence[Message]) -> list[SendResult]:
        """Queue each of `messages`, one after the other; return a result for each."""
        results = []
        for message, ticket in zip(messages, self._tickets, strict=True):
            stored = self._store(message, ticket)
            if isinstance(stored, Stored):
                result = self._enqueue(message, stored)
                self._tell(result)
                stored = result
            results.append(stored)
        return results

    def store(self, messages: Sequence[Message]) -> tuple[list[SendResult], list[Stored]]:
        """Return a result for each of `messages`, and those that are to be queued later.

        Nothing of them is kept, so that each may be changed and sent again.
        """
        results: list[SendResult] = []
        later: list[Stored] = []
        for message, ticket in zip(messages, self._tickets, strict=True):
            stored = self._store(message, ticket)
            if isinstance(stored, Stored):
                later.append(stored)
                stored = SendResult(message, "queued", via=self._alias)
            results.append(stored)
        return results, later

    def enqueue_stored(self, later: Sequence[Stored]) -> None:
        """Queue what `store()` has returned: the transaction has been committed.

        Nothing could catch an exception here, so an error is logged.
        """
        failures = []
        for stored in later:
            result = self._enqueue(None, stored)
            if result.status != "queued":
                failures.append(result)
            if mail_queued.receivers or mail_finished.receivers:
                self._tell(result.about(load(stored.text)))
        if failures:
            logger.error(
                "MAILERS[%r]: %s",
                self._alias,
                NotQueued(len(failures), len(later), _cause(failures[0])),
            )

    def _store(self, message: Message, ticket: Ticket) -> Stored | SendResult:
        """Return `message` as JSON, or the result that says why that is not possible."""
        try:
            fixed = fix_identity(message)
            # What is wrong with it is found here, where it was made. A copy, as some render a
            # template into themselves, which the worker is to do once.
            shallow_copy(fixed).message()
            text = dump(fixed)
            if len(text) > self._max_size:
                raise ValueError(
                    f"The message has {len(text)} bytes as JSON, and 'max_size' allows "
                    f"{self._max_size}."
                )
        except Exception as error:
            if is_injected(error):
                raise
            # The message's own code may raise anything; this is about the one message.
            return SendResult(message, "failed", error=error)
        return Stored(ticket, text)

    def _enqueue(self, message: Any, stored: Stored) -> SendResult:
        status, error = enqueue(self._task, stored.ticket, stored.text, self._database)
        if status == "queued":
            return SendResult(message, "queued", via=self._alias)
        logger.warning(
            "Message %s from %r was not queued: %s.",
            stored.ticket.id,
            self._alias,
            type(error).__name__,
        )
        return SendResult(message, status, error=NotQueued(1, 1, error))

    def _tell(self, result: SendResult) -> None:
        signal = mail_queued if result.status == "queued" else mail_finished
        signal.send_robust(
            sender=self._sender, message=result.message, alias=self._alias, result=result
        )


def _cause(result: SendResult) -> Any:
    return None if result.error is None else result.error.__cause__
