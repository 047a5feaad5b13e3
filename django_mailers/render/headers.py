"""Header lines, as Python's email package folds them under `email.policy.SMTP`.

A value that is plain enough is written directly; any other is folded by the policy itself, alone,
which is slow but leaves the rest of the message fast.

This module uses no regular expressions: compiling them would take longer than rendering a message.
"""

from __future__ import annotations

import email.policy
import string
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from email.headerregistry import AddressHeader
from email.message import MIMEPart
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from . import selftest
from .selftest import NotProved, Rule

SMTP = email.policy.SMTP
# The length of a header line, without its end.
LIMIT = 78

_ALPHANUMERIC = (string.ascii_letters + string.digits).encode("ascii")
# RFC 5322's atoms, less "?": with it, a word may be taken for an encoded one (RFC 2047).
_ATOM = _ALPHANUMERIC + b"!#$%&'*+/=^_`{|}~-"
_DOT_ATOM = _ATOM + b"."
_DOMAIN = _ALPHANUMERIC + b"-."
_NAME = _ALPHANUMERIC + b"-"
_FULL_STOP = ord(".")

# Headers whose values Python never parses, and families of such.
UNSTRUCTURED = {"subject", "auto-submitted", "feedback-id", "importance", "precedence", "priority"}
UNSTRUCTURED_FAMILIES = ("x-", "list-")
DATES = {"date", "orig-date", "resent-date"}


def consists_of(value: str, characters: bytes) -> bool:
    """Whether `value` is not empty, and has no other characters than these of ASCII."""
    return value.isascii() and value != "" and not value.encode("ascii").translate(None, characters)


def is_header_name(name: str) -> bool:
    return consists_of(name, _NAME)


def is_plain_address(value: str) -> bool:
    """Whether `value` is an address that means the same to every parser."""
    if not value.isascii():
        return False
    data = value.encode("ascii")
    local, _, domain = data.partition(b"@")
    return (
        local != b""
        and domain != b""
        and not local.translate(None, _DOT_ATOM)
        and not domain.translate(None, _DOMAIN)
        # Full stops only between other characters.
        and b".." not in data
        and data[0] != _FULL_STOP
        and data[-1] != _FULL_STOP
        and b".@" not in data
        and b"@." not in data
    )


def _is_plain_mailbox(value: str) -> bool:
    """Whether `value` is such an address, or words that are atoms and such an address."""
    if not value.endswith(">"):
        return is_plain_address(value)
    name, _, address = value[:-1].partition(" <")
    return is_plain_address(address) and all(consists_of(word, _ATOM) for word in name.split(" "))


def addr_spec(mailbox: object) -> str | None:
    """Return the address in `mailbox`, if that is so plain that it is beyond doubt."""
    return _addr_spec(mailbox) if type(mailbox) is str else None


# The sender is mostly the same.
@lru_cache(maxsize=16)
def _addr_spec(mailbox: str) -> str | None:
    if not mailbox.endswith(">"):
        return mailbox if is_plain_address(mailbox) else None
    name, _, address = mailbox[:-1].partition(" <")
    # A word may have full stops, which RFC 5322 calls obsolete and everybody writes.
    words = name.split(" ")
    is_plain = is_plain_address(address) and all(
        word[:1] != "." and consists_of(word, _DOT_ATOM) for word in words
    )
    return address if is_plain else None


def _text_line(name: str, value: str) -> bytes | None:
    """Return the line of a header that is text; None if it is not plain, or does not fit.

    Plain are words of printable ASCII with one space in between.
    """
    line = f"{name}: {value}\r\n"
    if (
        len(line) <= LIMIT + 2
        and value.isascii()
        and value.isprintable()
        and "  " not in value
        and value == value.strip(" ") != ""
        and "=?" not in value
    ):
        return line.encode("ascii")
    return None


def _address_line(name: str, value: str) -> bytes | None:
    """Return the line of a header that is a list of plain mailboxes; None if it does not fit."""
    line = f"{name}: {value}\r\n"
    if len(line) <= LIMIT + 2 and all(map(_is_plain_mailbox, value.split(", "))):
        return line.encode("ascii")
    return None


def _address_list(name: str, value: str) -> bytes | None:
    """Fold plain addresses without names: as many as a line takes.

    The comma after the last one of a line may stick out.
    """
    if not all(map(is_plain_address, value.split(", "))):
        return None
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
                # What Python does to the lines around it depends on more than lengths.
                return None
            lines.append(line)
            line = ""
            room = LIMIT
        line += f" {address},"
        room -= size + 1
    lines.append(line)
    return ("\r\n".join(lines)[:-1] + "\r\n").encode("ascii")


def unstructured(name: str, value: str) -> bytes:
    """Return the lines of a header that is text, such as the subject."""
    line = _text_line(name, value)
    if line is None:
        return folded(name, value)
    if not TEXT_LINE.is_proved:
        TEXT_LINE.prove()
    return line


def addresses(name: str, value: str) -> bytes:
    """Return the lines of a header that is a list of addresses."""
    fits = len(name) + len(value) <= LIMIT - 2
    rule, write = (ADDRESS_LINE, _address_line) if fits else (ADDRESS_LIST, _address_list)
    lines = write(name, value)
    if lines is None:
        return folded(name, value)
    if not rule.is_proved:
        rule.prove()
    return lines


# Cached: From and Reply-To rarely change from one message to the next.
senders = lru_cache(maxsize=64)(addresses)


def date(now: datetime) -> bytes:
    """Return the `Date` header of a time with a zone."""
    if not DATE.is_proved:
        DATE.prove()
    if now.tzinfo is timezone.utc:
        return _utc_date(now.year, now.month, now.day, now.hour, now.minute, now.second)
    return _date(now)


def _date(now: datetime) -> bytes:
    return f"Date: {format_datetime(now)}\r\n".encode("ascii")


@lru_cache(maxsize=1)
def _utc_date(year: int, month: int, day: int, hour: int, minute: int, second: int) -> bytes:
    return _date(datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc))


@lru_cache(maxsize=16)
def given_date(value: str) -> bytes | None:
    """Return the `Date` header of a value that `date()` would write; None for any other value."""
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None or format_datetime(when) != value:
        return None
    if not DATE.is_proved:
        DATE.prove()
    return _date(when)


def message_id(value: str) -> bytes:
    """Return the lines of a `Message-ID` header."""
    address = value[1:-1]
    if f"<{address}>" != value or not is_plain_address(address):
        return folded("Message-ID", value)
    local = address.index("@")
    # Where it is folded depends on its length alone.
    before = _before_message_id(local, len(address) - local - 1)
    return before + value.encode("ascii") + b"\r\n"


@lru_cache(maxsize=256)
def _before_message_id(local: int, domain: int) -> bytes:
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
    # only str.splitlines() takes for one.
    if value and value.splitlines() != [value]:
        raise NotProved
    try:
        header = SMTP.header_store_parse(name, value)[1]
        if isinstance(header, AddressHeader) and not all(
            address.domain.isascii() for address in header.addresses
        ):
            raise NotProved
        lines = SMTP.fold_binary(name, header)
    except Exception as error:
        # Whatever it is, Django's own rendering raises it again.
        raise NotProved from error
    if not lines.endswith(b"\r\n") or not _is_one_header(lines[:-2]):
        raise NotProved
    return lines


def _is_one_header(lines: bytes) -> bool:
    """Whether each line but the first continues the header: newer Pythons refuse to write others.

    `lines` come without the end of the last one.
    """
    first, *others = lines.split(b"\r\n")
    return (
        all(line.startswith((b" ", b"\t")) for line in others)
        and b"\r" not in first
        and b"\n" not in first
        and not any(b"\r" in line or b"\n" in line for line in others)
    )


def of_part(part: MIMEPart) -> bytes:
    """Return all header lines of a part that Python has made, and the empty line after them."""
    lines = b"".join([SMTP.fold_binary(name, value) for name, value in part.raw_items()])
    return lines + b"\r\n"


def _rule(name: str, values: Iterable[str], write: Callable[[str, str], bytes | None]) -> Rule:
    def samples_agree() -> bool:
        return all(write(name, value) == folded(name, value) for value in values)

    return Rule(samples_agree)


TEXT_LINE = _rule("Subject", selftest.SUBJECTS, _text_line)
ADDRESS_LINE = _rule("To", selftest.ADDRESS_LINES, _address_line)
ADDRESS_LIST = _rule("To", selftest.ADDRESS_LISTS, _address_list)
_SAMPLE_DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
DATE = Rule(
    lambda: _date(_SAMPLE_DATE) == folded("Date", format_datetime(_SAMPLE_DATE)),
)
