"""Mail in a folder: `"BACKEND": "django_mailers.backends.maildir.EmailBackend"`.

For tests of code in other processes, whose `mail.outbox` nobody sees: `outbox_from()` of
django_mailers.testing reads it. Any mail program that knows the format Maildir can, too.
"""

from __future__ import annotations

import json
import mailbox
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django_mailers.delivery import SendResult
from django_mailers.options import FLAG, PATH, Option
from django_mailers.render import render
from django_mailers.smtp import is_injected
from django_mailers.smtp.locks import Lockable, locked
from django_mailers.types import Message

from .base import ReportingBackend

# The first line of each file: what a message does not say of itself, such as the alias and the
# recipients of `bcc`, as JSON.
ENVELOPE = "X-Django-Mailers"


class _Writer(Lockable):
    """mailbox.Maildir counts its files without a lock, and the count is in their names."""

    @locked
    def add(self, box: mailbox.Maildir, content: bytes) -> None:
        box.add(content)


_writer = _Writer()
# A child has no thread that could unlock it.
if hasattr(os, "register_at_fork"):  # Not on Windows.
    os.register_at_fork(after_in_child=_writer.renew_lock)


class EmailBackend(ReportingBackend):
    """Keeps each message in a file of the Maildir `path`, which is made if it is not there.

    Several processes may use it at the same time. A file appears when it is complete.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "path": Option(PATH, is_required=True),
        "fail_silently": Option(FLAG, False),
    }

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
        rendered = render(message).replace(b"\r\n", b"\n")
        envelope: dict[str, Any] = {
            "sent_using": self.alias,
            "from_email": str(message.from_email),
            # Rendered, a body ends with a line break in any case.
            "has_last_line_break": str(message.body).endswith("\n"),
        }
        for name in ("to", "cc", "bcc"):
            envelope[name] = [str(address) for address in getattr(message, name)]
        # JSON escapes everything but ASCII, line breaks included.
        return f"{ENVELOPE}: {json.dumps(envelope)}\n".encode() + rendered
