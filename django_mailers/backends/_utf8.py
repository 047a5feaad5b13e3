"""Messages with addresses that only a server with SMTPUTF8 takes (RFC 6531)."""

from __future__ import annotations

import email.policy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django_mailers.render import localparts, normally, takes_policy

from ..smtp.envelope import Envelope

if TYPE_CHECKING:
    from django_mailers.types import Message

    from .smtp import EmailBackend


def utf8_envelope(
    backend: EmailBackend, message: Message, recipients: Sequence[Any]
) -> Envelope | None:
    """Return the envelope of `message` with headers in UTF-8; None if it does not need them.

    If the server does not offer SMTPUTF8, the message gets the error that it would get without
    the option.
    """
    address = localparts.first_in(message)
    # (H26) A message() written for old Djangos cannot write its headers in another way.
    if address is None or not takes_policy(message):
        return None

    def prepared(mailbox: Any) -> str:
        return backend.prep_address(mailbox, force_ascii=localparts.is_ascii(mailbox))

    return Envelope(
        prepared(message.from_email),
        [prepared(recipient) for recipient in recipients],
        backend.signed(normally(message, email.policy.SMTPUTF8)),
        localparts.refusal(address),
    )
