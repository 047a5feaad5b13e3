"""Judge what became of a message by an exception, or by a count."""

from __future__ import annotations

from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

from django_mailers.types import Message

from .report import Phase, RecipientResult, SendResult, Status

# Anymail's statuses of a recipient who does not get the message.
NO = frozenset({"failed", "invalid", "rejected"})


def judge_return(returned: Any) -> Status:
    """Judge what send_messages() has returned for one message, if nothing else is known.

    The contract is the number of messages sent. Some return a list, with an entry for each
    message, and some nothing (H17). 0 without an error is a backend that fails silently: it may be
    that only the reply was lost.
    """
    count = len(returned) if isinstance(returned, list | tuple) else returned
    return "sent" if isinstance(count, int) and count > 0 else "unknown"


def is_refused_for_all(message: Message, before: Any) -> bool:
    """Whether Anymail says on `message` that the service takes it for no recipient.

    With its "ignore_recipient_status" it counts such a message as sent. `before` is what the
    message had there before it was sent, of another mailer perhaps.
    """
    told = getattr(message, "anymail_status", None)
    statuses = getattr(told, "status", None)
    return told is not before and isinstance(statuses, set) and bool(statuses) and statuses <= NO


def judge(message: Message, error: Exception, *, handed_over: bool | None) -> SendResult:
    """Judge an exception that was raised when `message` was sent.

    `handed_over` says whether the server may have the message; None if that is not known.
    """
    recipients: tuple[RecipientResult, ...] = ()
    if isinstance(error, SMTPRecipientsRefused):
        recipients = refused_recipients(error.recipients)
        if any(is_refusal(recipient.code) for recipient in recipients):
            return SendResult(message, "refused", recipients=recipients, error=error)
    if isinstance(error, SMTPSenderRefused | SMTPDataError) and is_refusal(error.smtp_code):
        text = decode(error.smtp_error)
        return SendResult(message, "refused", error.smtp_code, text, error=error)
    phase: Phase | None = None if handed_over is None else "sending"
    # The two are raised before the content is sent.
    if handed_over and not isinstance(error, SMTPRecipientsRefused | SMTPSenderRefused):
        status: Status = "unknown"
    else:
        status = "failed" if handed_over is False else _status(error)
    return SendResult(message, status, recipients=recipients, error=error, phase=phase)


def _status(error: Exception) -> Status:
    """Return what became of a message by the fault that its `error` shows."""
    # Imported here, as most processes never need it.
    from .faults import fault_of_error
    from .shapes import is_answer

    fault = fault_of_error(error)
    if fault.kind == "unknown":
        return "unknown"
    return "refused" if fault.kind == "message" and is_answer(error) else "failed"


def is_refusal(code: int) -> bool:
    """Whether `code` says no. smtplib raises for all but 250, so for garbage (-1) too."""
    return 400 <= code < 600


def refused_recipients(replies: dict[str, tuple[int, bytes]]) -> tuple[RecipientResult, ...]:
    return tuple(
        RecipientResult(address, code, decode(text)) for address, (code, text) in replies.items()
    )


def decode(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text
