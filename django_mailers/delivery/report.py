"""What became of messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, get_args, overload

Status = Literal["sent", "refused", "failed", "unknown", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)


class RecipientResult(NamedTuple):
    """What the server said about one recipient: the address as it was sent, code and text."""

    address: str
    code: int
    text: str

    @property
    def is_refused(self) -> bool:
        return not 200 <= self.code < 300


class Outcome(Protocol):
    """What a `ReportingBackend` says of a message; the attributes are those of `SendResult`."""

    @property
    def status(self) -> Status: ...

    @property
    def code(self) -> int | None: ...

    @property
    def text(self) -> str: ...

    @property
    def recipients(self) -> Iterable[tuple[str, int, str]]: ...

    @property
    def error(self) -> Exception | None: ...


class ReportingBackend(Protocol):
    """A backend that knows what became of each message, and so needs no guesses.

    It connects and closes by itself, as in `send_messages()`. It is given messages that have
    recipients, returns an outcome for each in the same order, and raises nothing that is about a
    message. It may return NotImplemented, having done nothing, to be taken for any other backend:
    a subclass overrides what `send_many()` would go round, say. It may also have `asend_many()`, a
    coroutine function that does the same.
    """

    def send_many(self, messages: Sequence[Any]) -> Sequence[Outcome]: ...


@dataclass(frozen=True)
class SendResult:
    """What became of one message. Its repr() has no address, no reply and nothing of the message.

    message     the EmailMessage, as it was given.
    status      "sent"     the server (or whatever the backend sends to) has taken it for at least
                           one recipient.
                "refused"  the server has said no: it has the message for nobody.
                "failed"   it went wrong before the message was handed over.
                "unknown"  it may have been sent or not: the reply was lost, or the backend does
                           not tell.
                "skipped"  the message has no recipients.
    code, text  the reply to the message as a whole, if there was one and the backend gives it.
    recipients  a RecipientResult for each recipient the server gave an answer about, if the
                backend gives them.
    error       the exception, if there was one.
    """

    message: Any = field(repr=False)
    status: Status
    code: int | None = None
    text: str = field(default="", repr=False)
    recipients: tuple[RecipientResult, ...] = field(default=(), repr=False)
    error: Exception | None = field(default=None, repr=False)

    @property
    def refused_recipients(self) -> tuple[RecipientResult, ...]:
        return tuple(recipient for recipient in self.recipients if recipient.is_refused)

    @property
    def is_success(self) -> bool:
        """Whether nobody waits in vain: it was sent to all recipients, or has none."""
        return self.status == "skipped" or (self.status == "sent" and not self.refused_recipients)

    @property
    def is_retryable(self) -> bool:
        """Whether sending it again gives nobody a second copy, and may succeed.

        RFC 5321, 4.2.1: what was refused with a code of 5xx is not to be sent again as it is.
        """
        codes = [self.code, *(recipient.code for recipient in self.recipients)]
        return self.status == "failed" or (
            self.status == "refused" and any(400 <= code < 500 for code in codes if code)
        )


class SendReport(Sequence[SendResult]):
    """The results of send_many(), in the order of its messages."""

    def __init__(self, results: Iterable[SendResult], *, using: str | None = None) -> None:
        self._results = tuple(results)
        self.using = using

    @overload
    def __getitem__(self, index: int) -> SendResult: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SendResult]: ...

    def __getitem__(self, index: int | slice) -> SendResult | Sequence[SendResult]:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<SendReport using={self.using!r}: {self.summary()}>"

    @property
    def counts(self) -> dict[Status, int]:
        """How many messages there are of each status, zeros included."""
        counted = Counter(result.status for result in self)
        return {status: counted[status] for status in STATUSES}

    @property
    def failures(self) -> list[SendResult]:
        """The results that are no success: a message sent to some of its recipients is here too."""
        return [result for result in self if not result.is_success]

    @property
    def retryable(self) -> list[Any]:
        """The messages that may be sent again: see `SendResult.is_retryable`."""
        return [result.message for result in self if result.is_retryable]

    def summary(self) -> str:
        """Say how many messages there are of each status, without a word about any of them."""
        parts = [f"{count} {status}" for status, count in self.counts.items() if count]
        in_part = sum(result.status == "sent" and not result.is_success for result in self)
        if in_part:
            parts[0] += f" ({in_part} not to all recipients)"
        return ", ".join(parts) or "no messages"

    def raise_for_failures(self) -> SendReport:
        """Raise `SendError` unless each result is a success; return the report."""
        failures = self.failures
        if failures:
            cause = next((result.error for result in failures if result.error), None)
            raise SendError(self) from cause
        return self

    def retry(self) -> SendReport:
        """Send what is `retryable` again, through the same mailer; return the report of that."""
        from . import send_many

        return send_many(self.retryable, using=self.using)


class SendError(Exception):
    """Not every message of `report` was sent to all of its recipients.

    The first exception among the results is the cause. (There may be many. An ExceptionGroup
    would need Python 3.11, and most refusals it could hold are not exceptions.)
    """

    def __init__(self, report: SendReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report.summary()
