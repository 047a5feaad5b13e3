"""What the reply of an SMTP server means: its enhanced code or its words first, then its code."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterable
from typing import Literal

from .faulttable import ACCOUNT, MESSAGE, NETWORK, SENDER, Fault, busy, limited, worst
from .judging import decode, is_refusal

# What a reply answers. "content" is DATA or its end.
Phase = Literal["greeting", "login", "sender", "recipient", "content"]
PHASES: dict[type[smtplib.SMTPResponseException], Phase] = {
    smtplib.SMTPConnectError: "greeting",
    smtplib.SMTPHeloError: "greeting",
    smtplib.SMTPAuthenticationError: "login",
    smtplib.SMTPSenderRefused: "sender",
    smtplib.SMTPDataError: "content",
}

# RFC 3463. The class must be that of the code (RFC 2034, 4), or it is something else.
ENHANCED = r"\s*([45])\.(\d{1,3})\.(\d{1,3})(?!\S)"
# By subject and detail; they mean the same to any command.
SUBJECTS = {
    "1.7": SENDER,  # The sender's address is not valid, 1.8: nor its domain.
    "1.8": SENDER,
    "2.1": MESSAGE,  # The recipient's mailbox is disabled, 2.2: or full.
    "2.2": MESSAGE,
    "3.4": MESSAGE,  # It is too big.
    "4.5": limited(),  # Gmail's daily limit.
    "7.8": ACCOUNT,  # Wrong credentials, 7.9: a mechanism too weak, 7.11: or without encryption.
    "7.9": ACCOUNT,
    "7.11": ACCOUNT,
    "7.60": SENDER,  # Exchange: no right to send as this sender.
}
# The codes of RFC 4954 for who has not logged in, or cannot.
LOGIN_CODES = {530, 534, 535, 538}

LIMIT = re.compile(
    r"""
    \b(?:daily|hourly|monthly|sending|submission|outgoing|outbound)\b[^.;]{0,60}\b(?:limit|quota)
    | \b(?:limit|quota)s?\b[^.;]{0,60}\bper\s(?:minute|hour|day|month)\b
    | \bexceeded\b[^.;]{0,60}\bper\s(?:minute|hour|day|month)\b
    | \b(?:sending\srate|credits)\sexceeded\b
    | \bsending\s(?:is\s|was\s|has\sbeen\s)?(?:paused|suspended|disabled)\b
    | \bthrottl(?:ed|ing)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
SENDER_WORDS = re.compile(
    r"""
    \b(?:sender|from|identity|identities|e-?mail|domain)\b[^.;]{0,60}\bnot\s(?:been\s)?verified\b
    | \bverified\ssender\b
    | \bsender\s(?:address\srejected|verify\sfailed|not\sverified)
    | \bsendasdenied\b
    | \bsend\sas\sthis\ssender\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
RELAY_WORDS = re.compile(
    r"\brelay(?:ing)?\b(?:\saccess)?\s(?:is\s)?(?:denied|not\spermitted)|\bunable\sto\srelay\b",
    re.IGNORECASE,
)
WAIT = re.compile(
    r"""
    \b(?:(?:try|retry)\b[^.;]{0,30}?\b(?:in|after)|grey-?listed\sfor)\s+
    (\d{1,6})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
UNITS = {"s": 1, "m": 60, "h": 3600}


def fault_of_reply(code: int, text: str, phase: Phase) -> Fault:
    """Judge a reply that says no, with a code of 4xx or 5xx; the phase says to what."""
    if phase == "greeting" or not is_refusal(code):
        # If it is not a refusal, the server is out of step.
        return NETWORK
    return _final(code, text, phase) if code >= 500 else _temporary(code, text, phase)


def fault_of_recipients(replies: Iterable[tuple[int, str]]) -> Fault:
    """Judge the replies to all recipients of a message, not one of which was taken.

    As long as one of them may be taken later, or by another server, the message is not final; and
    nobody gets it twice, as nobody has it.
    """
    faults = [fault_of_reply(code, text, "recipient") for code, text in replies]
    return worst([fault for fault in faults if fault != MESSAGE] or [MESSAGE])


def fault_of_smtp(error: BaseException) -> Fault | None:
    """Judge what smtplib raises for a reply, or for want of an extension; None for all else."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = error.recipients.values()
        return fault_of_recipients((code, decode(text)) for code, text in replies)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return MESSAGE if "SMTPUTF8" in str(error) else ACCOUNT
    for kind, phase in PHASES.items():
        if isinstance(error, kind) and (phase != "content" or is_refusal(error.smtp_code)):
            return fault_of_reply(error.smtp_code, decode(error.smtp_error), phase)
    return None


def wait_in(text: str) -> float | None:
    """Return how many seconds `text` asks to wait; None if it does not, or in two ways."""
    waits = {float(number) * UNITS[unit[0].lower()] for number, unit in WAIT.findall(text)}
    return waits.pop() if len(waits) == 1 else None


def fault_of_words(text: str) -> Fault | None:
    """Return the fault that the words of a refusal tell, if they tell one."""
    if LIMIT.search(text):
        return limited(wait_in(text))
    if SENDER_WORDS.search(text):
        return SENDER
    if RELAY_WORDS.search(text):
        return ACCOUNT
    return None


def _final(code: int, text: str, phase: Phase) -> Fault:
    enhanced = _enhanced(code, text)
    known = SUBJECTS.get(enhanced)
    if known is not None:
        return limited(wait_in(text)) if known == limited() else known
    told = fault_of_words(text)
    if told is not None:
        return told
    if code in LOGIN_CODES or phase == "login":
        return ACCOUNT
    if code == 552 or enhanced.startswith("6."):
        return MESSAGE
    return SENDER if phase == "sender" else MESSAGE


def _temporary(code: int, text: str, phase: Phase) -> Fault:
    enhanced, wait = _enhanced(code, text), wait_in(text)
    if code == 421:
        return limited(wait) if LIMIT.search(text) else NETWORK
    # X.2.2: the recipient's mailbox has a quota, too.
    is_limit = enhanced != "2.2" and LIMIT.search(text) is not None
    if code == 454 or phase == "login" or is_limit or enhanced == "7.28":
        return limited(wait)
    return busy(wait)


def _enhanced(code: int, text: str) -> str:
    """Return subject and detail of the enhanced code at the beginning of `text`, or ""."""
    found = re.match(ENHANCED, text)
    if found is None or int(found[1]) != code // 100:
        return ""
    return f"{int(found[2])}.{int(found[3])}"
