"""From a message to the bytes that go over the wire.

`render(message)` gives the bytes of `message.message(policy=email.policy.SMTP).as_bytes()`. It
writes most messages directly (`direct.py`), if Django's own code would render them (`eligible.py`)
and Python's email package does what is taken for granted (`selftest.py`). Any other message is
rendered by its own `message()`; so is the one of a process that sends a single small message, which
would wait for longer until these modules are loaded, and their rules tried.
"""

from __future__ import annotations

import email.message
import email.policy
import re
from email.errors import MessageError
from email.policy import Policy
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail import message as django_message

from .addresses import addr_spec

__all__ = ["addr_spec", "normally", "render"]

# Up to so many characters and addresses a message is a small one: Django's rendering of it takes no
# longer than to load and to try ours.
SMALL_BODY = 4096
FEW_ADDRESSES = 3
# A line break in the value of a header, unless the header goes on after it.
_LINE_BREAK = r"\r(?!\n|[ \t])|\n(?![ \t])"


class _Process:
    """What this process has done."""

    has_rendered = False


def render(message: EmailMessage, *, is_alone: bool = False) -> bytes:
    """Return `message` as it goes over the wire, with CRLF at the end of every line.

    The bytes are those of `message.message(policy=email.policy.SMTP).as_bytes()`, with a `Date`, a
    `Message-ID` and boundaries made in the same way. `is_alone` says that no other message is about
    to follow, so that the first one of a process may take Django's way.

    Raises whatever that raises: `ValueError` for a header or an address that cannot be one; also
    for a local part that is not ASCII, where that raises another error (Python 3.15).
    """
    is_first, _Process.has_rendered = not _Process.has_rendered, True
    if not (is_first and is_alone and _is_small(message)):
        # Not before: see above.
        from .direct import written

        data = written(message)
        if data is not None:
            return data
    try:
        return normally(message)
    except MessageError as error:
        # Such as a HeaderWriteError.
        from . import localparts

        localparts.refuse_in(message, error)
        raise


def _is_small(message: EmailMessage) -> bool:
    try:
        return (
            len(message.body) <= SMALL_BODY
            and len(message.to) + len(message.cc) <= FEW_ADDRESSES
            and not message.attachments
            and not getattr(message, "alternatives", ())
        )
    except (AttributeError, TypeError):
        # It is not as it should be: that is for the rest to say.
        return False


def normally(message: Any, policy: Policy = email.policy.SMTP) -> bytes:
    """Return `message` as Django's SMTP backend has it rendered, under `policy` if possible."""
    # Django 5.2: a message() written for it takes no policy, and may return one of the classes of
    # that time (H26, H27).
    rendered = message.message(**({"policy": policy} if takes_policy(message) else {}))
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


def takes_policy(message: Any) -> bool:
    """Whether the `message()` of `message` takes a policy, as Django's does."""
    code = getattr(message.message, "__code__", None)
    if code is not None:
        number = code.co_argcount + code.co_kwonlyargcount
        if "policy" in code.co_varnames[:number]:
            return True
    # Not before: Django's own says it by itself, from 6.0 on.
    from django_mailers import signatures

    return signatures.takes_policy(message)


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
    broken = [value for value in (str(value) for _, value in found) if _has_line_end(value)]
    if any(re.search(_LINE_BREAK, value) for value in broken) or any(
        _has_line_end(_decoded(value)) for value in given
    ):
        raise ValueError("Header values may not contain linefeed or carriage return characters")


def _has_line_end(text: str) -> bool:
    return "\n" in text or "\r" in text


def _decoded(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
