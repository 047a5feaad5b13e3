"""send_many(): sends each of several messages, and says what became of it.

`send_messages()` returns a count: a failing message ends the batch, the count of those before it is
lost, and a recipient who was refused among others is never heard of (H34). `send_many()` goes on
after a failure and returns a `SendReport`. A backend that knows what became of its messages says so
itself (`ReportingBackend`); any other is given one message at a time over one connection, and what
it returns or raises is judged. What cannot be known is "unknown": never "sent", because
somebody would be without their mail, and never "failed", because somebody would get it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from .onebyone import send_one_by_one
from .report import (
    Outcome,
    RecipientResult,
    ReportingBackend,
    SendError,
    SendReport,
    SendResult,
)
from .windows import in_windows

__all__ = [
    "Batch",
    "Outcome",
    "RecipientResult",
    "ReportingBackend",
    "SendError",
    "SendReport",
    "SendResult",
    "deliver",
    "get_mailer",
    "send_each",
    "send_many",
]


def send_many(messages: Iterable[Any], *, using: str | None = None) -> SendReport:
    """Send each of `messages` through the mailer `using`; return what became of them.

    Raises only what is wrong with the configuration, as `InvalidMailer` and `MailerDoesNotExist`.
    If that shows after messages were sent, `error.report` says which.
    """
    return deliver(get_mailer(using), Batch(messages, using))


def send_each(messages: Iterable[Any], *, using: str | None = None) -> Iterator[SendResult]:
    """Send `messages`, as many as there may be, through the mailer `using`; yield the results.

    The results are those of `send_many()`, in order, but neither they nor the messages are kept.
    Nothing is sent until the first result is asked for. Up to 250 messages are taken from
    `messages` and sent, and the mailer gives its connection back, before their results are
    yielded. If the caller stops in between, results that were not taken are counted in a warning
    of the logger "django_mailers.delivery", and no further message is sent.

    If the mailer cannot be reached, these messages are "failed", and the next ones are tried.

    Raises what is wrong with the configuration, as `send_many()` does, when the first result is
    asked for; and what `messages` raises, after the messages before that were sent.
    """
    return in_windows(messages, lambda window: deliver(get_mailer(using), Batch(window, using)))


def get_mailer(using: str | None) -> Any:
    return mail.mailers.default if using is None else mail.mailers[using]


def deliver(mailer: Any, batch: Batch) -> SendReport:
    """Send `batch` over the backend `mailer`, in this thread."""
    if hasattr(mailer, "send_many"):
        outcomes = mailer.send_many(batch.messages) if batch.messages else ()
        if outcomes is not NotImplemented:
            return batch.report_outcomes(outcomes)
    results, error = send_one_by_one(mailer, batch.messages)
    report = batch.report(results)
    if isinstance(error, ImproperlyConfigured):
        error.report = report  # type: ignore[attr-defined]
        raise error
    return report


class Batch:
    """The messages of one send_many(). `messages` are those that a backend has to be given."""

    def __init__(self, messages: Iterable[Any], using: str | None) -> None:
        self._using = using
        everything = list(messages)
        # The results that need no backend, and None where one is needed.
        self._results = [_without_backend(message) for message in everything]
        self.messages = [
            message
            for message, result in zip(everything, self._results, strict=True)
            if result is None
        ]

    def report(self, results: Sequence[SendResult]) -> SendReport:
        given = iter(results)
        return SendReport([result or next(given) for result in self._results], using=self._using)

    def report_outcomes(self, outcomes: Sequence[Outcome]) -> SendReport:
        """Make the report of what a `ReportingBackend` has returned."""
        if len(outcomes) != len(self.messages):
            raise RuntimeError(
                f"The backend returned {len(outcomes)} results for {len(self.messages)} messages."
            )
        return self.report(
            [
                SendResult(
                    message,
                    outcome.status,
                    outcome.code,
                    outcome.text,
                    tuple(RecipientResult(*recipient) for recipient in outcome.recipients),
                    outcome.error,
                )
                for message, outcome in zip(self.messages, outcomes, strict=True)
            ]
        )


def _without_backend(message: Any) -> SendResult | None:
    try:
        return None if message.recipients() else SendResult(message, "skipped")
    except Exception as error:
        # A message's own code, or lists that are none: it is about this message, and in its result.
        return SendResult(message, "failed", error=error)
