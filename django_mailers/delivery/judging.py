"""What an exception, or a count, says about a message."""

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

from .report import RecipientResult, SendResult, Status

# What is raised before a server can have been handed anything, whatever the backend.
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
# ValueErrors that are no fault of the message: an answer came, and could not be read.
LATE_ERRORS = (JSONDecodeError, UnicodeDecodeError)


def judge_return(returned: Any) -> Status:
    """Judge what send_messages() returned for one message, where nothing else is known.

    The contract is the number of messages sent. Some return a list, with an entry for each
    message, and some nothing (H17). 0 without an error is a backend that fails silently: it may be
    that only the reply was lost.
    """
    count = len(returned) if isinstance(returned, list | tuple) else returned
    return "sent" if isinstance(count, int) and count > 0 else "unknown"


def judge(message: Any, error: Exception, *, handed_over: bool | None) -> SendResult:
    """Judge an exception; `handed_over` says if the body was being sent, None that nobody knows."""
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
    """Whether `code` says no. smtplib raises for whatever is not 250, so for garbage (-1) too."""
    return 400 <= code < 600


def refused_recipients(replies: dict[str, tuple[int, bytes]]) -> tuple[RecipientResult, ...]:
    return tuple(
        RecipientResult(address, code, decode(text)) for address, (code, text) in replies.items()
    )


def decode(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text
