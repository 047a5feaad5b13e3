"""Mail in a folder: `"BACKEND": "django_mailers.backends.maildir.EmailBackend"`.

For tests of code in other processes, whose `mail.outbox` the test cannot see. `outbox_from()` of
`django_mailers.testing` reads it, as can any mail program that knows the Maildir format.
"""

from __future__ import annotations

import json
import mailbox
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django_mailers.delivery import SendResult
from django_mailers.options import FLAG, PATH, Option
from django_mailers.render import render
from django_mailers.smtp import is_injected
from django_mailers.smtp.locks import Lockable, after_fork, locked
from django_mailers.types import Message

from .base import ReportingBackend

# The header in the first line of each file: the attributes of the message, as JSON. The others lack
# some of them, such as the alias and `bcc`, and Python's parser takes minutes to read certain names
# that it has written itself.
ATTRIBUTES = "X-Django-Mailers"


class _Writer(Lockable):
    """A lock for mailbox.Maildir, which counts its files without one, and names them by it."""

    @locked
    def add(self, box: mailbox.Maildir, content: bytes) -> None:
        box.add(content)


_writer = _Writer()
# A forked child has no thread that could unlock it.
after_fork(_writer.renew_lock)


class EmailBackend(ReportingBackend):
    """Keeps each message in a file of the Maildir `path`, which is made if it does not exist.

    Several processes may use it at the same time. A file appears when it is complete.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "path": Option(PATH, is_required=True),
        "fail_silently": Option(FLAG, False),
    }

    renders_mime = True

    path: str | os.PathLike[str]

    def send_many(self, messages: Sequence[Message]) -> list[SendResult]:
        try:
            box = self._maildir()
        except OSError as error:
            return [SendResult(message, "failed", error=error) for message in messages]
        return [self._keep(box, message) for message in messages]

    def _maildir(self) -> mailbox.Maildir:
        path = os.fsdecode(self.path)
        # Not mailbox.Maildir: two processes may begin at the same time.
        for folder in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(path, folder), mode=0o700, exist_ok=True)
        return mailbox.Maildir(path, create=False)

    def _keep(self, box: mailbox.Maildir, message: Message) -> SendResult:
        try:
            _writer.add(box, self._content(message))
        except Exception as error:
            if is_injected(error):
                raise
            # The disk may be full, and the message's own code may raise anything.
            return SendResult(message, "failed", error=error)
        return SendResult(message, "sent")

    def _content(self, message: Message) -> bytes:
        # Rendered first, as a project's own message may fill in its attributes then.
        rendered = render(message).replace(b"\r\n", b"\n")
        # JSON escapes everything but ASCII, line breaks included.
        return f"{ATTRIBUTES}: {json.dumps(_attributes(self.alias, message))}\n".encode() + rendered


def _attributes(alias: str | None, message: Any) -> dict[str, Any]:
    """Return the attributes of a message, but for the content of its attachments."""
    attributes: dict[str, Any] = {
        "sent_using": alias,
        "headers": {name: str(value) for name, value in message.extra_headers.items()},
        "content_subtype": message.content_subtype,
        "alternatives": [list(map(_text, pair)) for pair in _alternatives(message)],
        "attachments": len(message.attachments),
    }
    for name in ("subject", "body", "from_email"):
        attributes[name] = _text(getattr(message, name))
    for name in ("to", "cc", "bcc", "reply_to"):
        attributes[name] = [str(address) for address in getattr(message, name) if address]
    return attributes


def _alternatives(message: Any) -> Iterator[tuple[Any, Any]]:
    for item in getattr(message, "alternatives", ()):
        # (H28) A pair of any kind, or an object.
        content, mimetype = (
            (item.content, item.mimetype) if hasattr(item, "mimetype") else tuple(item)
        )
        yield content, mimetype


def _text(value: Any) -> str:
    # The content of an alternative may be bytes.
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
