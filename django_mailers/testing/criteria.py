"""What a test asks of messages, checked: a mistake in it must not look like a missing message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from email.message import Message as AnyParsedMessage
from typing import Any, NoReturn

from django.utils.functional import Promise

from django_mailers.types import Message

from .wanted import Text

TEXT = "a str, or a pattern of re for one"
ADDRESSES = "an address, a list of addresses, or a pattern of re for one"
HEADERS = "a dict of names and values"
ATTACHMENTS = "a file name, a tuple of what attach() takes, or a list of these"
WHERE = "a function of a message, or a list of messages"


def checked_count(name: str, count: Any, *, allow_none: bool = False) -> None:
    """Raise TypeError or ValueError if `count` is not a number of messages."""
    if count is None and allow_none:
        return
    if not isinstance(count, int):
        _refuse(name, "a number of messages", count)
    if count < 0:
        raise ValueError(f"{name!r} must not be negative.")


def checked(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return `criteria`, in which each text is a str or a pattern, and several things are a list.

    An iterator would be used up by the first message. Raises TypeError, which names the argument.
    """
    return {name: _KINDS[name](name, wanted) for name, wanted in criteria.items()}


def _refuse(name: str, kind: str, given: Any) -> NoReturn:
    raise TypeError(f"{name!r} must be {kind}, not {given!r:.80}.")


def _as_text(wanted: Any) -> Text | None:
    """Return a str or a pattern; None for anything else."""
    if isinstance(wanted, re.Pattern):
        return wanted if isinstance(wanted.pattern, str) else None
    if isinstance(wanted, Promise):
        return str(wanted)
    return wanted if isinstance(wanted, str) else None


def _text(name: str, wanted: Any) -> Text:
    text = _as_text(wanted)
    return _refuse(name, TEXT, wanted) if text is None else text


def _is_list(wanted: Any) -> bool:
    """Whether `wanted` is several things; not letters, numbers of bytes, or keys."""
    return isinstance(wanted, Iterable) and not isinstance(
        wanted, str | bytes | bytearray | Mapping | AnyParsedMessage
    )


def _addresses(name: str, wanted: Any) -> Text | list[Text]:
    text = _as_text(wanted)
    if text is not None:
        return text
    if not _is_list(wanted):
        _refuse(name, ADDRESSES, wanted)
    return [_text(f"{name}[{number}]", one) for number, one in enumerate(wanted)]


def _headers(name: str, wanted: Any) -> dict[str, Text | None]:
    if not isinstance(wanted, Mapping):
        _refuse(name, HEADERS, wanted)
    return {
        header: None if one is None else _text(f"{name}[{header!r}]", one)
        for header, one in wanted.items()
    }


def _attachments(name: str, wanted: Any) -> Any:
    text = _as_text(wanted)
    if text is not None:
        return text
    # A tuple of texts might be one attachment, or several names: it is one, as attach() takes it.
    if isinstance(wanted, tuple) and wanted and not isinstance(wanted[0], tuple):
        return _attachment(name, wanted)
    if not _is_list(wanted):
        _refuse(name, ATTACHMENTS, wanted)
    return [_attachment(f"{name}[{number}]", one) for number, one in enumerate(wanted)]


def _attachment(name: str, wanted: Any) -> Any:
    if not isinstance(wanted, tuple):
        text = _as_text(wanted)
        return _refuse(name, ATTACHMENTS, wanted) if text is None else text
    if not 1 <= len(wanted) <= 3:
        _refuse(name, "a tuple of name, content and type", wanted)
    file_name, content, mimetype = [*wanted, None, None][:3]
    for one in (file_name, mimetype):
        if one is not None:
            _text(name, one)
    return (file_name, content, mimetype)[: len(wanted)]


def _where(name: str, wanted: Any) -> Callable[[Message], object] | list[Message]:
    if callable(wanted):
        function: Callable[[Message], object] = wanted
        return function
    if not _is_list(wanted):
        _refuse(name, WHERE, wanted)
    messages: list[Message] = list(wanted)
    for number, message in enumerate(messages):
        if not hasattr(message, "recipients"):
            _refuse(f"{name}[{number}]", "a message as those of mail.outbox", message)
    return messages


_KINDS: dict[str, Callable[[str, Any], Any]] = {
    "using": _text,
    "to": _addresses,
    "cc": _addresses,
    "bcc": _addresses,
    "recipients": _addresses,
    "from_email": _text,
    "subject": _text,
    "body": _text,
    "html": _text,
    "headers": _headers,
    "attachments": _attachments,
    "where": _where,
}
