"""Mailboxes as people write them into settings: "Acme Inc. <shop@example.com>".

RFC 5322 has a full stop in a name only in quotes, or as "obsolete" (4.1). Python's parser calls it
a defect, and Django 6.1 refuses addresses that have any.
"""

from __future__ import annotations

from email.headerregistry import AddressHeader
from typing import NamedTuple

# What the parser says about a full stop in a name; the last two if it is at the end of a word.
_FULL_STOP = "period in 'phrase'"
_FULL_STOPS = {
    _FULL_STOP,
    "comment found without atom",
    "addr-spec local part with no domain",
}


class Mailbox(NamedTuple):
    name: str
    address: str


def quoted(mailbox: str) -> str:
    """Return `mailbox` with quotes around its name if a full stop in that is all that is wrong."""
    found = _with_full_stop(mailbox)
    # In quotes an encoded word (RFC 2047) would not be one any more.
    if found is None or '"' in found.name or "=?" in found.name:
        return mailbox
    return f'"{found.name}" <{found.address}>'


def unnamed(mailbox: object) -> object:
    """Return the address alone if a full stop in the name of `mailbox` is all that is wrong.

    Else return `mailbox`.
    """
    found = _with_full_stop(mailbox) if isinstance(mailbox, str) else None
    return mailbox if found is None else found.address


def _with_full_stop(mailbox: str) -> Mailbox | None:
    """Return the parts of `mailbox` as written if full stops in its name are its only defect."""
    name = mailbox.rpartition("<")[0].strip()
    if "." not in name:
        return None
    try:
        parsed = AddressHeader.value_parser(mailbox)
        defects = {str(defect) for defect in parsed.all_defects}
        (found,) = parsed.all_mailboxes
        address: str = found.addr_spec
    except Exception:
        # The parser raises all sorts of errors, which Django goes on to see.
        return None
    if _FULL_STOP not in defects or not defects <= _FULL_STOPS:
        return None
    return Mailbox(name, address)
