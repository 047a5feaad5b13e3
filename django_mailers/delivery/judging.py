"""Judge what became of a message by an exception, or by a count."""

from __future__ import annotations

import socket
from json import JSONDecodeError
from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
)
from typing import Any

from django_mailers.types import Message

from .report import RecipientResult, SendResult, Status

# Raised before a server can have been handed anything, by any backend.
EARLY_ERRORS = (
    ConnectionRefusedError,
    socket.gaierror,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    ValueError,
)
# ValueErrors that are not about the message: an answer came, and could not be read.
LATE_ERRORS = (JSONDecodeError, UnicodeDecodeError)


def judge_return(returned: Any) -> Status:
    """Judge what send_messages() has returned for one message, if nothing else is known.

    The contract is the number of messages sent. Some return a list, with an entry for each
    message, and some nothing (H17). 0 without an error is a backend that fails silently: it may be
    that only the reply was lost.
    """
    count = len(returned) if isinstance(returned, list | tuple) else returned
    return "sent" if isinstance(count, int) and count > 0 else "unknown"


def judge(message: Message, error: Exception, *, handed_over: bool | None) -> SendResult:
    """Judge an exception.

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
    if handed_over is None or isinstance(error, SMTPRecipientsRefused | SMTPSenderRefused):
        handed_over = not isinstance(error, EARLY_ERRORS) or isinstance(error, LATE_ERRORS)
    status: Status = "unknown" if handed_over else "failed"
    return SendResult(message, status, recipients=recipients, error=error)


def is_refusal(code: int) -> bool:
    """Whether `code` says no. smtplib raises for all but 250, so for garbage (-1) too."""
    return 400 <= code < 600


def refused_recipients(replies: dict[str, tuple[int, bytes]]) -> tuple[RecipientResult, ...]:
    return tuple(
        RecipientResult(address, code, decode(text)) for address, (code, text) in replies.items()
    )


def decode(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text
