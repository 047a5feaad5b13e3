"""Header lines, as Python's email package folds them under `email.policy.SMTP`.

What is plain enough is written directly; any other value is folded by the policy itself, alone,
which is slow but leaves the rest of the message fast.
"""

from __future__ import annotations

import email.policy
import re
from datetime import datetime, timezone
from email.headerregistry import AddressHeader
from email.message import MIMEPart
from email.utils import format_datetime
from functools import lru_cache

SMTP = email.policy.SMTP
# Of a header line, without its end.
LIMIT = 78

# RFC 5322's atoms, less "?": with it, a word may be taken for an encoded one (RFC 2047).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9-]+"
_ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*"
_MAILBOX = rf"(?:{_ADDRESS}|{_ATOM}(?: {_ATOM})* <{_ADDRESS}>)"
ADDRESSES = re.compile(rf"{_ADDRESS}(?:, {_ADDRESS})*")
# A word of a name may have full stops, which RFC 5322 calls obsolete and everybody writes.
_WORD = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-][A-Za-z0-9!#$%&'*+/=^_`{|}~.-]*"
MAILBOX = re.compile(rf"(?:{_WORD}(?: {_WORD})* <(?P<named>{_ADDRESS})>|(?P<bare>{_ADDRESS}))")
MAILBOXES = re.compile(rf"{_MAILBOX}(?:, {_MAILBOX})*")
MESSAGE_ID = re.compile(rf"<({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)>")
# What Python's parser says to a full stop in a name; the second if it is at the end of a word.
FULL_STOP = "period in 'phrase'"
FULL_STOPS = {FULL_STOP, "comment found without atom", "addr-spec local part with no domain"}
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
# A line of a folded header that is not its continuation: newer Pythons refuse to write it.
_BROKEN = re.compile(rb"\r\n[^ \t]|\r(?!\n)|(?<!\r)\n")
_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The same in a value, where a line end may be any.
LINE_BREAK = re.compile(r"\r(?!\n|[ \t])|\n(?![ \t])")

# Headers whose value Python never parses, besides these families.
UNSTRUCTURED = {"subject", "auto-submitted", "feedback-id", "importance", "precedence", "priority"}
UNSTRUCTURED_FAMILIES = ("x-", "list-")
DATES = {"date", "orig-date", "resent-date"}


class NotProved(Exception):
    """What is asked for is left to the normal road."""


def _is_plain(value: str) -> bool:
    """Whether it is words of printable ASCII with one space in between."""
    return (
        value.isascii()
        and value.isprintable()
        and "  " not in value
        and value == value.strip(" ") != ""
    )


def unstructured(name: str, value: str) -> bytes:
    """Return the lines of a header that is text, such as the subject."""
    line = f"{name}: {value}\r\n"
    if len(line) <= LIMIT + 2 and _is_plain(value) and "=?" not in value:
        return line.encode("ascii")
    return folded(name, value)


def addresses(name: str, value: str) -> bytes:
    """Return the lines of a header that is a list of addresses."""
    line = f"{name}: {value}\r\n"
    if len(line) <= LIMIT + 2:
        if MAILBOXES.fullmatch(value):
            return line.encode("ascii")
    elif ADDRESSES.fullmatch(value):
        return _folded_addresses(name, value)
    return folded(name, value)


# Mostly the same in one message after the other.
senders = lru_cache(maxsize=64)(addresses)


def addr_spec(mailbox: object) -> str | None:
    """Return the address in `mailbox`, if that is so plain that it is beyond doubt."""
    found = MAILBOX.fullmatch(mailbox) if type(mailbox) is str else None
    return found and (found["named"] or found["bare"])


def unnamed(mailbox: object) -> object:
    """Return the address alone if what is wrong with `mailbox` are full stops in its name.

    Else return it as it is.
    """
    if not isinstance(mailbox, str) or "." not in mailbox.rpartition("<")[0]:
        return mailbox
    try:
        parsed = AddressHeader.value_parser(mailbox)
        defects = {str(defect) for defect in parsed.all_defects}
        (found,) = parsed.all_mailboxes
        address: str = found.addr_spec
    except Exception:
        # The parser raises all sorts of errors, which Django goes on to see.
        return mailbox
    return address if FULL_STOP in defects and defects <= FULL_STOPS else mailbox


def _folded_addresses(name: str, value: str) -> bytes:
    """Fold bare addresses: as many as a line takes, and the comma behind the last may stick out."""
    if len(value) < LIMIT:
        # Python would rather not tear it.
        return f"{name}:\r\n {value}\r\n".encode("ascii")
    lines = []
    line = f"{name}:"
    room = LIMIT - len(line)
    for address in value.split(", "):
        size = len(address) + 1
        if size > room:
            if size > LIMIT:
                # What Python does to the lines around depends on more than lengths.
                return folded(name, value)
            lines.append(line)
            line = ""
            room = LIMIT
        line += f" {address},"
        room -= size + 1
    lines.append(line)
    return ("\r\n".join(lines)[:-1] + "\r\n").encode("ascii")


def date(now: datetime) -> bytes:
    """Return the `Date` header of a time with a zone."""
    if now.tzinfo is not timezone.utc:
        return f"Date: {format_datetime(now)}\r\n".encode("ascii")
    return _utc_date(now.year, now.month, now.day, now.hour, now.minute, now.second)


@lru_cache(maxsize=1)
def _utc_date(year: int, month: int, day: int, hour: int, minute: int, second: int) -> bytes:
    now = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    return f"Date: {format_datetime(now)}\r\n".encode("ascii")


def message_id(value: str) -> bytes:
    """Return the lines of a `Message-ID` header."""
    match = MESSAGE_ID.fullmatch(value)
    if match is None:
        return folded("Message-ID", value)
    # Where it is folded is a matter of its length.
    return _message_id_before(len(match[1]), len(match[2])) + value.encode("ascii") + b"\r\n"


@lru_cache(maxsize=256)
def _message_id_before(local: int, domain: int) -> bytes:
    value = f"<{'1' * local}@{'d' * domain}>"
    lines = folded("Message-ID", value)
    end = f"{value}\r\n".encode("ascii")
    if not lines.endswith(end):
        raise NotProved
    return lines.removesuffix(end)


def folded(name: str, value: str) -> bytes:
    """Return what Python's policy makes of any one header.

    Raises `NotProved` for a value that it refuses, and for one that Django would go on to change
    (IDNA) or Python not to write.
    """
    # Old Pythons let a line break at the end pass (python/cpython#121650), and all of them what
    # str.splitlines() takes for one.
    if _BREAKS.search(value):
        raise NotProved
    try:
        header = SMTP.header_store_parse(name, value)[1]
        if isinstance(header, AddressHeader) and not all(
            address.domain.isascii() for address in header.addresses
        ):
            raise NotProved
        lines = SMTP.fold_binary(name, header)
    except Exception as error:
        # Whatever it is, the normal road raises it again.
        raise NotProved from error
    if not lines.endswith(b"\r\n") or _BROKEN.search(lines, 0, len(lines) - 2):
        raise NotProved
    return lines


def of_part(part: MIMEPart) -> bytes:
    """Return all header lines of a part that Python has made."""
    lines = b"".join([SMTP.fold_binary(name, value) for name, value in part.raw_items()])
    return lines + b"\r\n"
