"""One judgement of what went wrong, for all that has to decide what happens next.

Whatever sends a message another time (a failover, a retry, a task) asks here whether it may. The
most specific answer wins: the enhanced code or the words of a reply, then the command that it
answers and its code, then the shape of an exception. What is not certain is "unknown".
"""

from __future__ import annotations

import smtplib

from django_mailers.errors import MailersFailed

from .answers import Phase, fault_of_recipients, fault_of_reply, fault_of_smtp
from .faulttable import ACCOUNT, MESSAGE, NETWORK, SENT, UNKNOWN, Fault, worst
from .report import SendResult
from .shapes import chain_of, fault_of_shape, is_distrust

__all__ = ["Fault", "fault_of", "fault_of_error"]


def fault_of(result: SendResult) -> Fault | None:
    """Return what went wrong with the message of `result`.

    Returns None if nothing did: it was sent to all of its recipients, queued or skipped.
    """
    if result.status == "sent":
        return SENT if result.refused_recipients else None
    if result.status in {"queued", "skipped"}:
        return None
    if result.status == "unknown":
        return UNKNOWN
    if result.status == "refused":
        return _of_refusal(result)
    if result.error is None:
        return (
            NETWORK if result.code is None else fault_of_reply(result.code, result.text, "content")
        )
    return _before(result.error, other=MESSAGE)


def fault_of_error(error: Exception, *, handed_over: bool | None = None) -> Fault:
    """Judge an exception without a result, that of an `open()` for example.

    `handed_over` says whether the server may have the message; None if that is not known.
    """
    if isinstance(error, MailersFailed):
        faults = [fault_of_error(one, handed_over=handed_over) for one in error.errors.values()]
        return worst(faults or [NETWORK])
    if handed_over is False:
        return _before(error, other=NETWORK)
    answered = fault_of_smtp(error)
    if answered is not None:
        return answered
    return UNKNOWN if handed_over else fault_of_shape(error)


def _of_refusal(result: SendResult) -> Fault:
    """Judge a result that is "refused": no recipient has the message."""
    error = result.error
    if result.code is not None:
        phase: Phase = "sender" if isinstance(error, smtplib.SMTPSenderRefused) else "content"
        return fault_of_reply(result.code, result.text, phase)
    if result.recipients:
        return fault_of_recipients([(each.code, each.text) for each in result.recipients])
    fault = UNKNOWN if error is None else fault_of_error(error)
    return MESSAGE if fault == UNKNOWN else fault


def _of_failure(result: SendResult) -> Fault:
    """Judge a result that is "failed": it was not handed over."""
    if result.error is not None:
        return _before(result.error, other=MESSAGE)
    return NETWORK if result.code is None else fault_of_reply(result.code, result.text, "content")


def _before(error: Exception, *, other: Fault) -> Fault:
    """Judge an exception that came before the message was handed over.

    `other` is the fault of one that is not of the network, the server or the message.
    """
    if isinstance(error, MailersFailed):
        return fault_of_error(error, handed_over=False)
    told = fault_of_smtp(error) or fault_of_shape(error)
    if told != UNKNOWN:
        return told
    # The certificates, or what they are.
    if isinstance(error, FileNotFoundError | PermissionError) or any(
        is_distrust(part) for part in chain_of(error)
    ):
        return ACCOUNT
    # Not one mechanism to log in with.
    if type(error) is smtplib.SMTPException:
        return ACCOUNT
    return NETWORK if isinstance(error, OSError) else other
