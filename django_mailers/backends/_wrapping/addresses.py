"""The address in a mailbox, for comparisons: only if every parser finds the same one."""

from __future__ import annotations

from email.headerregistry import AddressHeader
from email.utils import parseaddr
from typing import Any

from django_mailers.mailboxes import quoted
from django_mailers.render import addr_spec


def address_of(mailbox: object) -> str | None:
    """Return the one address in `mailbox`, in lower case; None if there may be another.

    The domain is returned as it is on the wire (RFC 5890). A local part that is not ASCII is
    written in several ways that look the same, so None is returned for that, too.
    """
    # It may be a lazy string.
    text = str(mailbox)
    address = addr_spec(text)
    if address is None:
        address = _parsed(text)
    return None if address is None else normalized(address)


def addresses_of(header: object) -> list[str] | None:
    """Return the addresses in the value of a header; None if there may be others."""
    text = str(header)
    try:
        parsed = AddressHeader.value_parser(text)
        mailboxes = [str(mailbox) for mailbox in parsed.all_mailboxes]
    except Exception:
        # The parser raises all sorts of errors.
        return None
    addresses = [address_of(mailbox) for mailbox in mailboxes]
    if parsed.all_defects or not text.isprintable() or None in addresses:
        return None
    return [address for address in addresses if address is not None]


def normalized(address: str) -> str | None:
    """Return an address, or a pattern of addresses, as `address_of()` does."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return None
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return f"{local}@{domain}".lower()


def _parsed(text: str) -> str | None:
    # A line break, or a character that some parsers drop.
    if not text.isprintable():
        return None
    text = quoted(text)
    try:
        parsed: Any = AddressHeader.value_parser(text)
        ((mailbox,),) = parsed.addresses
        address: str = mailbox.addr_spec
    except Exception:
        # The parser raises all sorts of errors (H21). A group, or a list, is not one address.
        return None
    # Parsers differ about quotes, comments and routes, of which addresses are made that mean one
    # thing to a filter, and another one to the code that sends (H52).
    is_sure = not parsed.all_defects and parseaddr(text)[1] == address
    return address if is_sure else None
