"""What other processes have sent, by the backend `maildir`."""

from __future__ import annotations

import json
import mailbox
import os
import re
import time
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from typing import Any

from django.core.mail import EmailMultiAlternatives

from django_mailers.backends.maildir import ENVELOPE

from .wanted import bare_address

# What EmailMultiAlternatives makes by itself.
MADE = {"subject", "reply-to", "mime-version", "content-type", "content-transfer-encoding"}
ADDRESSES = {"from": "from_email", "to": "to", "cc": "cc"}
# Seconds between two looks at the folder.
PAUSE = 0.02


def outbox_from(
    path: str | os.PathLike[str], *, count: int | None = None, timeout: float = 10.0
) -> list[EmailMultiAlternatives]:
    """Return the messages that are in the Maildir `path`, in the order in which they were sent.

    They are as those of `mail.outbox`, with the alias in `sent_using`. With `count` it waits until
    there are so many of them, as another process may still be about to send them.

    Raises TimeoutError if there are fewer after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        files = _files(os.fspath(path))
        if count is None or len(files) >= count:
            return [_message(content) for content in files]
        if time.monotonic() > end:
            raise TimeoutError(f"{len(files)} of {count} messages have come.")
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
    return [int(number) for number in re.findall(r"\d+", name.partition("Q")[0])]


def _message(content: bytes) -> EmailMultiAlternatives:
    first, _, rest = content.partition(b"\n")
    prefix = f"{ENVELOPE}: ".encode()
    if not first.startswith(prefix):
        raise ValueError("The Maildir has a message that the backend has not written.")
    envelope: dict[str, Any] = json.loads(first[len(prefix) :])
    parsed: Any = message_from_bytes(rest, policy=policy.default)
    message = EmailMultiAlternatives(
        subject=str(parsed["Subject"] or ""),
        from_email=envelope["from_email"],
        to=envelope["to"],
        cc=envelope["cc"],
        bcc=envelope["bcc"],
        reply_to=_reply_to(parsed),
        headers=_headers(parsed, envelope),
    )
    _set_body(message, parsed, has_last_line_break=envelope["has_last_line_break"])
    for part in parsed.iter_attachments() if parsed.is_multipart() else ():
        _attach(message, part)
    message.sent_using = envelope["sent_using"]  # type: ignore[attr-defined, unused-ignore]
    return message


def _reply_to(parsed: Any) -> list[str] | None:
    header = parsed["Reply-To"]
    return None if header is None else [str(address) for address in header.addresses]


def _headers(parsed: Any, envelope: dict[str, Any]) -> dict[str, str]:
    """Return what the sender has put into `headers`, and what was added, such as Date."""
    headers: dict[str, str] = {}
    for name, value in parsed.items():
        field = ADDRESSES.get(name.lower())
        if field is None:
            if name.lower() not in MADE:
                headers[name] = str(value)
            continue
        given = envelope[field]
        expected = [bare_address(one) for one in ([given] if field == "from_email" else given)]
        if [bare_address(address) for address in value.addresses] != expected:
            # It was among `headers`, and is not what the envelope says.
            headers[name] = str(value)
    return headers


def _set_body(
    message: EmailMultiAlternatives, parsed: ParsedMessage, *, has_last_line_break: bool
) -> None:
    body = parsed.get_body(("plain",)) or parsed.get_body(("html",))
    if body is None:
        return
    text = str(body.get_content())
    message.body = text if has_last_line_break else text.removesuffix("\n")
    message.content_subtype = body.get_content_subtype()
    for part in parsed.walk():
        if part.get_content_type() == "multipart/alternative":
            for alternative in part.iter_parts():
                if alternative is not body and not alternative.is_multipart():
                    message.attach_alternative(
                        alternative.get_content(), alternative.get_content_type()
                    )
            break


def _attach(message: EmailMultiAlternatives, part: Any) -> None:
    mimetype = part.get_content_type()
    if part["Content-ID"] or part.get_content_maintype() in {"message", "multipart"}:
        # More than a name, a content and a type says.
        message.attach(part)
    elif part.get_content_maintype() == "text":
        message.attach(part.get_filename(), part.get_content(), mimetype)
    else:
        message.attach(part.get_filename(), part.get_payload(decode=True), mimetype)
