"""A message as a server would get it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from typing import Any

from django_mailers.render import render
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from .mailers import make_mailer

__unittest = True

# Octets, without CRLF (RFC 5321, 4.5.3.1.6).
LONGEST_LINE = 998
SMTP = {"BACKEND": "django_mailers.backends.smtp.EmailBackend", "OPTIONS": {"host": "localhost"}}


def received(message: Message) -> ParsedMessage:
    """Return `message` as a server gets it; raise AssertionError if it cannot."""
    __tracebackhide__ = True
    _check_envelope(message)
    content = _rendered(message)
    for number, line in enumerate(content.split(b"\r\n"), 1):
        if len(line) > LONGEST_LINE:
            raise AssertionError(
                f"Line {number} of the message has {len(line)} octets; SMTP allows {LONGEST_LINE}."
            )
    parsed = message_from_bytes(content.replace(b"\r\n", b"\n"), policy=policy.default)
    defects = [type(defect).__name__ for part in parsed.walk() for defect in part.defects]
    if defects:
        raise AssertionError(f"The message is not well formed: {', '.join(defects)}.")
    if "Bcc" in parsed:
        raise AssertionError("The message has a header 'Bcc', which all recipients see.")
    return parsed


def _check_envelope(message: Message) -> None:
    __tracebackhide__ = True
    recipients = message.recipients()
    if not recipients:
        raise AssertionError("The message has no recipients: it would not be sent.")
    # It knows the rules for addresses in the envelope, and does not connect.
    backend: Any = make_mailer("assertMailRenders", SMTP)
    for address in (message.from_email, *recipients):
        try:
            backend.prep_address(address)
        except ValueError as error:
            raise AssertionError(f"SMTP does not take the address {address!r}: {error}") from error


def _rendered(message: Message) -> bytes:
    __tracebackhide__ = True
    try:
        return render(message)
    except Exception as error:
        if is_injected(error):
            raise
        # The message's own code may raise anything: it may render a template.
        raise AssertionError(
            f"The message cannot be rendered: {type(error).__name__}: {error}"
        ) from error
