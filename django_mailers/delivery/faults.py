"""One judgement of what went wrong, for all that has to decide what happens next.

All code that may send a message again (a failover, a retry, a task) asks here whether it may. The
most specific answer wins: the enhanced code or the words of a reply, then the command that it
answers and its code, then the shape of an exception. If none is certain, it is "unknown".
"""

from __future__ import annotations

import smtplib

from django_mailers.errors import MailersFailed

from .answers import Phase, fault_of_recipients, fault_of_reply, fault_of_smtp
from .faulttable import ACCOUNT, CONFIGURATION, MESSAGE, NETWORK, SENT, UNKNOWN, Fault, worst
from .report import SendResult
from .shapes import explanation, fault_of_shape, is_distrust

__all__ = ["Fault", "fault_of", "fault_of_error"]


def fault_of(result: SendResult) -> Fault | None:
    """Return what went wrong with the message of `result`.

    Returns None if nothing did: it was sent to all of its recipients, queued or skipped.
    """
    if result.status == "sent":
        return SENT if result.refused_recipients else None
    if result.status in {"queued", "skipped"}:
        return None
    if result.status == "refused":
        return _of_refusal(result)
    return _of_failure(result) if result.status == "failed" else UNKNOWN


def fault_of_error(error: Exception, *, handed_over: bool | None = None) -> Fault:
    """Judge an exception without a result, that of an `open()` for example.

    `handed_over` says whether the server may have the message: False if it was raised before there
    was a message to send, None if that is not known.
    """
    inner = _errors_of(error)
    if inner is None:
        return _of_one(error, handed_over, is_about_message=handed_over is not False)
    faults = [_of_one(each, handed_over, is_about_message=True) for each in inner]
    # Without any, no mailer was tried.
    return worst(faults or [NETWORK])


def _errors_of(error: Exception) -> list[Exception] | None:
    """Return the errors of MailersFailed, in which there may be others, without these."""
    if not isinstance(error, MailersFailed):
        return None
    found: list[Exception] = []
    seen: set[int] = set()
    left: list[Exception] = [error]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, MailersFailed):
            left += part.errors.values()
        else:
            found.append(part)
    return found


def _of_refusal(result: SendResult) -> Fault:
    """Judge a result that is "refused": no recipient has the message."""
    error = result.error
    if isinstance(error, MailersFailed):
        # Its errors tell more than the one reply that the result has.
        return fault_of_error(error, handed_over=False)
    if result.code is not None:
        phase: Phase = "sender" if isinstance(error, smtplib.SMTPSenderRefused) else "content"
        return fault_of_reply(result.code, result.text, phase)
    if result.recipients:
        return fault_of_recipients([(each.code, each.text) for each in result.recipients])
    fault = UNKNOWN if error is None else fault_of_error(error)
    return MESSAGE if fault == UNKNOWN else fault


def _of_failure(result: SendResult) -> Fault:
    """Judge a result that is "failed": it was not handed over."""
    error, code = result.error, result.code
    if error is None:
        return NETWORK if code is None else fault_of_reply(code, result.text, "content")
    if isinstance(error, MailersFailed):
        return fault_of_error(error, handed_over=False)
    fault = _of_one(error, False, is_about_message=result.phase != "connecting")
    # The message may do anything when it is rendered, and fail at that like a mailer.
    is_own = result.phase == "rendering" and not isinstance(error, smtplib.SMTPException)
    return MESSAGE if is_own and fault != CONFIGURATION else fault


def _of_one(error: Exception, handed_over: bool | None, *, is_about_message: bool) -> Fault:
    """Judge an exception that is not MailersFailed.

    `is_about_message` is false if it was raised before there was a message to send.
    """
    if handed_over is None:
        return fault_of_shape(error)
    answered = fault_of_smtp(error)
    if answered is not None:
        return answered
    if handed_over:
        return UNKNOWN
    told = fault_of_shape(error)
    if told == UNKNOWN:
        told = _of_opening(error) or (MESSAGE if is_about_message else NETWORK)
    # An answer during the login, for example to a token, is about the account.
    return ACCOUNT if told == MESSAGE and not is_about_message else told


def _of_opening(error: Exception) -> Fault | None:
    """Judge an exception of the network or the server that came before the message was sent."""
    if any(map(is_distrust, explanation(error)[0])) or type(error) is smtplib.SMTPException:
        return ACCOUNT  # Without a mechanism to log in with smtplib raises no other exception.
    if isinstance(error, FileNotFoundError | PermissionError):
        return ACCOUNT  # The certificates.
    if isinstance(error, smtplib.SMTPResponseException):
        # The reply to STARTTLS; smtplib's own text is one about a reply that is too long.
        code: object = error.smtp_code
        is_final = isinstance(code, int) and code >= 500 and isinstance(error.smtp_error, bytes)
        return ACCOUNT if is_final else NETWORK
    return NETWORK if isinstance(error, OSError) else None
