"""Addresses that are so plain that they mean the same to every parser.

No regular expressions here either: see `headers`.
"""

from __future__ import annotations

import string
from functools import lru_cache

ALPHANUMERIC = (string.ascii_letters + string.digits).encode("ascii")
# RFC 5322's atoms, less "?": with it, a word may be taken for an encoded one (RFC 2047).
ATOM = ALPHANUMERIC + b"!#$%&'*+/=^_`{|}~-"
_DOT_ATOM = ATOM + b"."
_DOMAIN = ALPHANUMERIC + b"-."
_FULL_STOP = ord(".")


def consists_of(value: str, characters: bytes) -> bool:
    """Whether `value` is not empty, and has no other characters than these of ASCII."""
    return value.isascii() and value != "" and not value.encode("ascii").translate(None, characters)


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
