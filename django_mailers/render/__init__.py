"""From a message to the bytes that go over the wire.

`render(message)` gives the bytes of `message.message(policy=email.policy.SMTP).as_bytes()`. It
writes most messages directly (`direct.py`), if Django's own code would render them (`eligible.py`)
and Python's email package does what is taken for granted (`selftest.py`). Any other message is
rendered by its own `message()`.
"""

from __future__ import annotations

import email.message
import email.policy
import re
from email.errors import MessageError
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail import message as django_message

from . import direct
from .eligible import is_rendered_by_django
from .headers import addr_spec
from .selftest import NotProved, Rule

__all__ = ["addr_spec", "normally", "render"]

# What direct rendering raises for a message that is not as it should be. Not any Exception: a job's
# time limit may be one, too.
FAULTS = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    *(MessageError, NotProved),
)
# A line break in the value of a header, unless the header goes on after it.
_LINE_BREAK = r"\r(?!\n|[ \t])|\n(?![ \t])"


def render(message: EmailMessage) -> bytes:
    """Return `message` as it goes over the wire, with CRLF at the end of every line.

    The bytes are those of `message.message(policy=email.policy.SMTP).as_bytes()`, with a `Date`, a
    `Message-ID` and boundaries made in the same way.

    Raises whatever that raises: `ValueError` for a header or an address that cannot be one; also
    for a local part that is not ASCII, where that raises another error (Python 3.15).
    """
    if not Rule.has_failed and is_rendered_by_django(message):
        try:
            return direct.write(message)
        except FAULTS:
            # Whatever is wrong, with the message or here: Django's rendering raises it, or not.
            pass
    try:
        return normally(message)
    except MessageError:
        # Such as a HeaderWriteError.
        from . import localparts

        localparts.refuse_in(message)
        raise


def normally(message: Any) -> bytes:
    """Return `message` as Django's SMTP backend has it rendered."""
    from django_mailers.signatures import takes_policy

    # Django 5.2: a message() written for it takes no policy, and may return one of the classes of
    # that time (H26, H27).
    rendered = message.message(**({"policy": email.policy.SMTP} if takes_policy(message) else {}))
    _refuse_line_breaks(message, rendered)
    legacy = getattr(django_message, "MIMEMixin", ())
    # The backport's are both, on Django 5.2.
    if isinstance(rendered, legacy) and not isinstance(rendered, email.message.EmailMessage):
        data: bytes = rendered.as_bytes(linesep="\r\n")
    elif rendered.policy.linesep == "\r\n":
        data = rendered.as_bytes()
    else:
        data = rendered.as_bytes(policy=rendered.policy.clone(linesep="\r\n"))
    return data


def _refuse_line_breaks(message: Any, rendered: Any) -> None:
    """Raise `ValueError` if a header or its name has a line break, in the words of newer Pythons.

    Older ones let one pass at the end (python/cpython#121650), and write it out: an empty line, so
    that all headers after it become part of the body, the recipients among them.
    """
    found = [header for part in rendered.walk() for header in part.items()]
    for name, _ in found:
        if "\n" in name or "\r" in name:
            raise ValueError(f"Header names may not contain linefeed or carriage return: {name!r}")
    given: list[Any] = []
    if isinstance(message, EmailMessage):
        # Older Pythons drop it from addresses; newer ones refuse it, and so does this package where
        # it makes messages.
        given += [message.from_email, *message.extra_headers.values()]
        for addresses in (message.to, message.cc, message.reply_to):
            given += addresses or ()
    # A folded line is allowed: attachments may have been parsed from such.
    if any(re.search(_LINE_BREAK, str(value)) for _, value in found) or any(
        "\n" in value or "\r" in value for value in map(_decoded, given)
    ):
        raise ValueError("Header values may not contain linefeed or carriage return characters")


def _decoded(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
