"""Mailboxes as people write them into settings."""

from __future__ import annotations

import re

# A name with a full stop that is not in quotes, and the address. What else would need quotes is
# left alone: a comma, for one, may as well be between two addresses.
_DOTTED = re.compile(r'\s*([^"<>@,;:\\()\[\]]*\.[^"<>@,;:\\()\[\]]*?)\s*<([^<>]*)>\s*')


def quoted(mailbox: str) -> str:
    """Return `mailbox` with quotes around its name if there is a full stop in that.

    RFC 5322 has a full stop in a name only in quotes, or as "obsolete" (4.1); Python's parser calls
    it a defect, and Django 6.1 refuses addresses that have any: "Acme Inc. <shop@example.com>".
    """
    found = _DOTTED.fullmatch(mailbox)
    # In quotes an encoded word (RFC 2047) would not be one any more.
    if found is None or "=?" in found[1]:
        return mailbox
    return f'"{found[1]}" <{found[2]}>'
