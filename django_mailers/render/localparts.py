"""Local parts that are not ASCII: only for SMTPUTF8 there is a way to write them.

Before Python 3.15 its parser reports them as a defect, of which Django makes a `ValueError`. From
3.15 on it lets them pass (python/cpython#81074): then it is the generator that raises, a
`HeaderWriteError`, or for a Bcc, which is in no header, smtplib, which cannot encode the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.errors import MessageError
from email.headerregistry import AddressHeader
from typing import Any

from django.utils.encoding import force_str

# How the generator's error begins: with "local-part" or "addr-spec" behind it (Python 3.15).
_UNWRITABLE = "Non-ASCII "
# The parser's words, with its parenthesis.
DEFECT = "local-part contains non-ASCII characters)"
_OTHER_HEADERS = ("sender", "resent-from", "resent-sender", "resent-to", "resent-cc")


def refusal(address: object) -> ValueError:
    """Return the error for an address with such a local part, in the words of Django."""
    return ValueError(f"Invalid address {force_str(address)!r}: {DEFECT}")


def refuse_in(message: Any, error: MessageError) -> None:
    """Raise `ValueError` if `error` says that a header of `message` has such an address."""
    if not str(error).startswith(_UNWRITABLE):
        return
    for address in _addresses(message):
        if not _is_ascii(force_str(address)):
            raise refusal(address)


def first_in(message: Any) -> object | None:
    """Return the first recipient, or address in a header, with such a local part; None if none has.

    It is what needs SMTPUTF8 (RFC 6531).
    """
    for address in (*message.recipients(), *_addresses(message)):
        text = force_str(address)
        if not text.isascii() and not _is_ascii(text):
            return address
    return None


def is_ascii(address: object) -> bool:
    """Whether the local part of `address` is ASCII."""
    return _is_ascii(force_str(address))


def _is_ascii(address: str) -> bool:
    mailboxes = AddressHeader.value_parser(address).all_mailboxes
    return all((mailbox.local_part or "").isascii() for mailbox in mailboxes)


def _addresses(message: Any) -> Iterator[object]:
    given = {name.lower(): value for name, value in message.extra_headers.items()}
    yield given.get("from", message.from_email)
    fields = {"to": message.to, "cc": message.cc, "reply-to": message.reply_to}
    for name, addresses in fields.items():
        yield from [given[name]] if name in given else addresses
    yield from (given[name] for name in _OTHER_HEADERS if name in given)
