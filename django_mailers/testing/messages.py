"""The contents of a message: its text, its HTML, its links and its attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from email.message import Message as AnyParsedMessage
from html.parser import HTMLParser
from typing import Any, NamedTuple, TypeAlias, cast

from django_mailers.types import Message

from .server import ReceivedMessage
from .wanted import with_newlines

# A message as a project makes it, as Python's email package has it, or as an SMTPServer has it.
AnyMessage: TypeAlias = "Message | AnyParsedMessage | ReceivedMessage"

URL = re.compile(r"\bhttps?://[^\s<>\"]+", re.IGNORECASE)
# What ends a sentence, or surrounds a URL, is not a part of it.
AFTER_URL = ".,;:!?'*"
BRACKETS = {")": "(", "]": "[", "}": "{"}
LINKING = {"a", "area"}


class Attached(NamedTuple):
    """An attachment in any of the forms that Django allows."""

    name: str | None
    content: Any
    mimetype: str | None


def message_text(message: AnyMessage) -> str:
    """Return the plain text of a message; "" if it has none. Lines end with LF."""
    return with_newlines(_body(message, "plain"))


def message_html(message: AnyMessage) -> str:
    """Return the HTML of a message; "" if it has none. Lines end with LF."""
    return with_newlines(_body(message, "html"))


def links(message: AnyMessage) -> list[str]:
    """Return where the links of a message lead: those of its HTML, then the URLs in its text.

    Each is there once, in order. A link in HTML may be any value of `href` except a place in the
    message itself. Relative ones are included, though they lead nowhere in a mail.
    """
    reader = _Links()
    reader.feed(message_html(message))
    reader.close()
    return list(dict.fromkeys([*reader.found, *_urls(message_text(message))]))


def attachments(message: Message) -> list[Attached]:
    """Return the attachments of a message as a project makes it."""
    return [_attached(item) for item in message.attachments]


def _attached(item: Any) -> Attached:
    if isinstance(item, AnyParsedMessage):
        content: Any = item.get_payload(decode=True)
        return Attached(item.get_filename(), content, item.get_content_type())
    # A pair has no type, as attach() allows it.
    name, content, *rest = item
    return Attached(name, content, rest[0] if rest else None)


def _body(message: AnyMessage, subtype: str) -> str:
    if isinstance(message, ReceivedMessage):
        return _parsed_body(message.parse(), subtype)
    if isinstance(message, AnyParsedMessage):
        return _parsed_body(message, subtype)
    if message.content_subtype == subtype:
        return as_text(message.body)
    for content, mimetype in _alternatives(message):
        if mimetype == f"text/{subtype}":
            return as_text(content)
    return ""


def as_text(content: Any) -> str:
    """Return what a body may be as a str: bytes are allowed, and what is lazy."""
    return content.decode(errors="replace") if isinstance(content, bytes) else str(content)


def _alternatives(message: Any) -> Iterator[tuple[Any, Any]]:
    for item in getattr(message, "alternatives", None) or ():
        # (H28) A pair of any kind, or an object.
        if hasattr(item, "mimetype"):
            yield item.content, item.mimetype
        else:
            content, mimetype = item
            yield content, mimetype


def _parsed_body(message: AnyParsedMessage, subtype: str) -> str:
    if isinstance(message, ParsedMessage):
        parsed: Any = message
    else:
        # One of the older kind, which cannot say what its body is.
        parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    part = parsed.get_body((subtype,))
    return "" if part is None else cast("str", part.get_content())


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = (dict(attrs).get("href") or "").strip()
        if tag in LINKING and href and not href.startswith("#"):
            self.found.append(href)


def _urls(text: str) -> Iterator[str]:
    for match in URL.finditer(text):
        url = match[0]
        while url[-1] in AFTER_URL or (
            # A bracket that was opened before the URL.
            url[-1] in BRACKETS and url.count(url[-1]) > url.count(BRACKETS[url[-1]])
        ):
            url = url[:-1]
        yield url
