"""What became of messages."""

# No annotations from the future: a NamedTuple would compile each of them, at import.
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args, overload

from django_mailers.types import Message

if TYPE_CHECKING:
    from .faulttable import Fault

Phase = Literal["connecting", "rendering", "sending"]
Status = Literal["sent", "queued", "refused", "failed", "unknown", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)
# What send_messages() counts.
COUNTED = frozenset[Status]({"sent", "queued"})
# The backend has the message, or may have it.
TAKEN = frozenset[Status]({"sent", "queued", "unknown"})


class RecipientResult(NamedTuple):
    """What the server said about one recipient: the address as it was sent, code and text."""

    address: str
    code: int
    text: str

    @property
    def is_refused(self) -> bool:
        return not 200 <= self.code < 300


# Not a dataclass: making that class takes ten times as long, in each process that sends.
class SendResult(NamedTuple):
    """What became of one message. Its repr() has no address, no reply and nothing of the message.

    message     the EmailMessage, as it was given.
    status      "sent"     the server (or the service, or the file) has taken it for at least
                           one recipient.
                "queued"   a task engine has taken it; nothing has been sent yet.
                "refused"  the server has refused it for every recipient.
                "failed"   it went wrong before the message was handed over, or it was handed to a
                           service that says no for a time, or to this account.
                "unknown"  it may have been sent or not: the reply was lost, or the backend does
                           not tell.
                "skipped"  it was deliberately not sent; `reason` says why.
    code, text  the reply to the message as a whole, if there was one and the backend gives it.
    recipients  a RecipientResult for each recipient that the server gave an answer about, if the
                backend gives them.
    error       the exception, if there was one.
    reason      why the message was skipped: "no recipients", for example.
    via         the alias of the mailer that has taken the message, or may have taken it if the
                status is "unknown"; None if none has.
    phase       what was being done when it went wrong: "connecting" if there was no connection to
                send the message over, "rendering" if the message could not be made ready to be
                sent, "sending" after that; None if the backend does not tell.
    """

    message: Message
    status: Status
    code: int | None = None
    text: str = ""
    recipients: tuple[RecipientResult, ...] = ()
    error: Exception | None = None
    reason: str = ""
    via: str | None = None
    phase: Phase | None = None

    def __repr__(self) -> str:
        via = "" if self.via is None else f", via={self.via!r}"
        return f"SendResult(status={self.status!r}, code={self.code!r}{via})"

    def about(self, message: Message) -> "SendResult":
        """Return this result as one of `message`, of which another was sent in its place."""
        return SendResult(message, *self[1:])

    @property
    def refused_recipients(self) -> tuple[RecipientResult, ...]:
        return tuple(recipient for recipient in self.recipients if recipient.is_refused)

    @property
    def is_success(self) -> bool:
        """Whether nothing is left to do: it was taken for all of its recipients, or skipped."""
        if self.status in COUNTED:
            return not self.refused_recipients
        return self.status == "skipped"

    @property
    def fault(self) -> "Fault | None":
        """What went wrong, and what follows from it; None if nothing did. See `faults`."""
        # Imported here, as a process whose mail is sent never needs it.
        from .faults import fault_of

        return fault_of(self)

    @property
    def is_retryable(self) -> bool:
        """Whether sending it again gives nobody a second copy, and may succeed.

        RFC 5321, 4.2.1: what was refused with a code of 5xx is not to be sent again as it is.
        Neither is a message that has an error itself.
        """
        if self.status == "failed":
            fault = self.fault
            return fault is None or fault.kind != "message"
        codes = [self.code, *(recipient.code for recipient in self.recipients)]
        return self.status == "refused" and any(400 <= code < 500 for code in codes if code)


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
        """The results that are not a success, among them those sent to some recipients only."""
        return [result for result in self if not result.is_success]

    @property
    def retryable(self) -> list[Message]:
        """The messages that may be sent again: see `SendResult.is_retryable`."""
        return [result.message for result in self if result.is_retryable]

    def summary(self) -> str:
        """Say how many messages there are of each status, and nothing about any of them."""
        parts = [f"{count} {status}" for status, count in self.counts.items() if count]
        in_part = sum(result.status == "sent" and not result.is_success for result in self)
        if in_part:
            parts[0] += f" ({in_part} not to all recipients)"
        return ", ".join(parts) or "no messages"

    def raise_for_failures(self) -> "SendReport":
        """Raise `SendError` unless each result is a success; return the report."""
        failures = self.failures
        if failures:
            cause = next((result.error for result in failures if result.error), None)
            raise SendError(self) from cause
        return self


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
