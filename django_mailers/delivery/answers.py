"""The meaning of an SMTP server's reply: by its enhanced code or its words, then by its code."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterable
from typing import Literal

from .faulttable import ACCOUNT, MESSAGE, NETWORK, SENDER, Fault, busy, limited, worst
from .judging import decode, is_refusal

# The command that a reply answers. "content" is DATA or its end.
Phase = Literal["greeting", "login", "sender", "recipient", "content"]
PHASES: dict[type[smtplib.SMTPResponseException], Phase] = {
    smtplib.SMTPConnectError: "greeting",
    smtplib.SMTPHeloError: "greeting",
    smtplib.SMTPAuthenticationError: "login",
    smtplib.SMTPSenderRefused: "sender",
    smtplib.SMTPDataError: "content",
}

# How much of a text is read.
MAX_TEXT = 2000
# RFC 3463. The class must be that of the code (RFC 2034, 4), or it is something else.
ENHANCED = r"\s*([45])\.(\d{1,3})\.(\d{1,3})(?!\S)"
# By subject and detail, for codes of 5xx; they mean the same to any command.
SUBJECTS = {
    "1.7": SENDER,  # The sender's address is not valid, 1.8: nor its domain.
    "1.8": SENDER,
    "3.4": MESSAGE,  # It is too big.
    "4.5": limited(),  # Gmail's daily limit.
    "7.8": ACCOUNT,  # Wrong credentials, 7.9: a mechanism too weak, 7.11: or without encryption.
    "7.9": ACCOUNT,
    "7.11": ACCOUNT,
    "7.60": SENDER,  # Exchange: no right to send as this sender.
}
# The recipient's mailbox is disabled, or full: the words are about that, not about the account.
MAILBOX = {"2.1", "2.2"}
# Gmail: too much from this network.
TOO_MUCH = "7.28"
# The codes of RFC 4954 for a client that has not logged in, or cannot.
LOGIN_CODES = {530, 534, 535, 538}

LIMIT = re.compile(
    r"""
    \b(?:daily|hourly|monthly|sending|submission|outgoing|outbound)\b.{0,60}\b(?:limit|quota)
    | \b(?:limit|quota|exceeded)\b.{0,60}\bper\s(?:minute|hour|day|month)\b
    | \b(?:sending\srate|credits)\sexceeded\b
    | \bsending\s(?:is\s|was\s|has\sbeen\s)?(?:paused|suspended|disabled)\b
    | \bthrottl(?:ed|ing)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
SENDER_WORDS = re.compile(
    r"""
    \b(?:sender|from|identity|identities|e-?mail|domain)\b.{0,60}\bnot\s(?:been\s)?verified\b
    | \bverified\ssender\b
    | \bsender\s(?:address\srejected|verify\sfailed|signature)\b
    | \bsend\s?as\s?denied
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


def fault_of_reply(code: object, text: object, phase: Phase) -> Fault:
    """Judge a reply that says no, with a code of 4xx or 5xx; the phase says to what."""
    if phase == "greeting" or not isinstance(code, int) or not is_refusal(code):
        # If it is not a refusal, the server is out of step.
        return NETWORK
    words = _words(text)
    enhanced = _enhanced(code, words)
    judge = _final if code >= 500 else _temporary
    return judge(code, enhanced, words, phase)


def fault_of_recipients(replies: Iterable[tuple[object, object]]) -> Fault:
    """Judge the replies to all recipients of a message, not one of which was taken.

    As long as one of them may be taken later, or by another server, the message is not final; and
    nobody gets it twice, as nobody has it.
    """
    faults = [fault_of_reply(code, text, "recipient") for code, text in replies]
    return worst([fault for fault in faults if fault != MESSAGE] or [MESSAGE])


def fault_of_smtp(error: BaseException) -> Fault | None:
    """Judge what smtplib raises for a reply, or for a missing extension; None for anything else."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = error.recipients
        return fault_of_recipients(replies.values() if isinstance(replies, dict) else ())
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return MESSAGE if any("SMTPUTF8" in _words(each) for each in error.args) else ACCOUNT
    for kind, phase in PHASES.items():
        if isinstance(error, kind):
            code: object = error.smtp_code
            is_answer = phase != "content" or (isinstance(code, int) and is_refusal(code))
            return fault_of_reply(code, error.smtp_error, phase) if is_answer else None
    return None


def fault_of_words(text: str, wait: float | None = None) -> Fault | None:
    """Return the fault that the words of a refusal tell, if they tell one.

    `wait` is how many seconds the server asks to wait, if it has said so in another place.
    """
    if LIMIT.search(text):
        return limited(wait_in(text) if wait is None else wait)
    if SENDER_WORDS.search(text):
        return SENDER
    return ACCOUNT if RELAY_WORDS.search(text) else None


def wait_in(text: str) -> float | None:
    """Return how many seconds `text` asks to wait; None if it does not, or in two ways."""
    waits = {float(number) * UNITS[unit[0].lower()] for number, unit in WAIT.findall(text)}
    return waits.pop() if len(waits) == 1 else None


def _final(code: int, enhanced: str, text: str, phase: Phase) -> Fault:
    known = SUBJECTS.get(enhanced)
    if known == limited():
        return limited(wait_in(text))
    told = known or (None if enhanced in MAILBOX else fault_of_words(text))
    if told is not None:
        return told
    if code in LOGIN_CODES or phase == "login":
        return ACCOUNT
    is_about_content = code == 552 or enhanced.startswith("6.")
    return SENDER if phase == "sender" and not is_about_content else MESSAGE


def _temporary(code: int, enhanced: str, text: str, phase: Phase) -> Fault:
    is_limit = enhanced == TOO_MUCH or (enhanced not in MAILBOX and LIMIT.search(text) is not None)
    if code == 421 and not is_limit:
        return NETWORK
    wait = wait_in(text)
    return limited(wait) if is_limit or code == 454 or phase == "login" else busy(wait)


def _words(text: object) -> str:
    """Return the beginning of the text of a reply, of any type, as a str."""
    return decode(text)[:MAX_TEXT] if isinstance(text, bytes | str) else ""


def _enhanced(code: int, text: str) -> str:
    """Return subject and detail of the enhanced code at the beginning of `text`, or ""."""
    found = re.match(ENHANCED, text)
    if found is None or int(found[1]) != code // 100:
        return ""
    return f"{int(found[2])}.{int(found[3])}"
