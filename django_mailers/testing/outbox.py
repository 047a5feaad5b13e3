"""The messages that other processes have sent by the backend `maildir`."""

from __future__ import annotations

import json
import mailbox
import os
import re
import time
from email import message_from_bytes, policy
from typing import Any, cast

from django.core.mail import EmailMultiAlternatives

from django_mailers.backends.maildir import ATTRIBUTES

ARGUMENTS = ("subject", "body", "from_email", "to", "cc", "bcc", "reply_to")
ADDED = ("Date", "Message-ID")
# Seconds between two looks at the folder.
PAUSE = 0.02


def outbox_from(
    path: str | os.PathLike[str], *, count: int | None = None, timeout: float = 10.0
) -> list[EmailMultiAlternatives]:
    """Return the messages that are in the Maildir `path`, in the order in which they were sent.

    They are like those of `mail.outbox`, with the alias in `sent_using`. With `count` it waits for
    that many, as another process may still be about to send them.

    Raises TimeoutError if there are fewer after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        files = _files(os.fspath(path))
        if count is None or len(files) >= count:
            return [_message(content) for content in files]
        if time.monotonic() > end:
            raise TimeoutError(f"{len(files)} of {count} messages have arrived.")
        time.sleep(PAUSE)


def _files(path: str) -> list[bytes]:
    """Return the contents of the files; no files if there is no folder yet."""
    if not os.path.isdir(os.path.join(path, "new")):
        return []
    box = mailbox.Maildir(path, create=False)
    return [box.get_bytes(key) for key in sorted(box.keys(), key=_order)]


def _order(name: str) -> list[int]:
    """Return the numbers in a name of mailbox.Maildir: seconds, microseconds, process, count.

    The microseconds are not filled up with zeros, so that names are not in the order of time.
    """
    return [int(number) for number in re.findall(r"\d+", name)[:4]]


def _message(content: bytes) -> EmailMultiAlternatives:
    first, _, rest = content.partition(b"\n")
    prefix = f"{ATTRIBUTES}: ".encode()
    if not first.startswith(prefix):
        raise ValueError("The Maildir has a message that the backend has not written.")
    given: dict[str, Any] = json.loads(first[len(prefix) :])
    parsed: Any = message_from_bytes(rest, policy=policy.default)
    # What was added when it was sent.
    added = {name: str(parsed[name]) for name in ADDED if name in parsed}
    message: Any = EmailMultiAlternatives(
        **{name: given[name] for name in ARGUMENTS}, headers={**added, **given["headers"]}
    )
    message.content_subtype = given["content_subtype"]
    message.sent_using = given["sent_using"]
    for alternative, mimetype in given["alternatives"]:
        message.attach_alternative(alternative, mimetype)
    count = given["attachments"]
    # They come last.
    for part in list(parsed.iter_parts())[-count:] if count else ():
        _attach(message, part)
    return cast("EmailMultiAlternatives", message)


def _attach(message: EmailMultiAlternatives, part: Any) -> None:
    mimetype = part.get_content_type()
    if part["Content-ID"] or part.get_content_maintype() in {"message", "multipart"}:
        # More than a name, a content and a type says.
        message.attach(part)
    elif part.get_content_maintype() == "text":
        message.attach(part.get_filename(), part.get_content(), mimetype)
    else:
        message.attach(part.get_filename(), part.get_payload(decode=True), mimetype)
