"""Which of the sent messages meet the criteria, and how the others differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django_mailers.types import Message

from .messages import Attached, as_text, attachments, message_html
from .wanted import Text, are_addresses, as_list, bare_address, is_part, is_text, pair_up

# The longest text that is shown of one value, in characters, and how many messages are listed.
SHOWN = 800
LISTED = 20
# What is asked of a message, by the name of the argument.
Criteria = Mapping[str, Any]


class Mismatch(NamedTuple):
    field: str
    expected: str
    found: str


def mismatches(message: Message, criteria: Criteria) -> list[Mismatch]:
    """Return how `message` differs from what is asked."""
    return [
        mismatch
        for field, wanted in criteria.items()
        for mismatch in _FIELDS[field](message, field, wanted)
    ]


def _using(message: Message, field: str, wanted: Text) -> Iterator[Mismatch]:
    found = getattr(message, "sent_using", None)
    if found is None or not is_text(wanted, found):
        yield Mismatch(field, shown(wanted), shown(found))


def _addresses(message: Message, field: str, wanted: Any) -> Iterator[Mismatch]:
    found = message.recipients() if field == "recipients" else getattr(message, field)
    if not are_addresses(wanted, found):
        yield Mismatch(
            field, shown_addresses(as_list(wanted)), shown([bare_address(one) for one in found])
        )


def _from_email(message: Message, field: str, wanted: Text) -> Iterator[Mismatch]:
    if not are_addresses([wanted], [message.from_email]):
        yield Mismatch(
            field, shown_addresses([wanted])[1:-1], shown(bare_address(message.from_email))
        )


def _subject(message: Message, field: str, wanted: Text) -> Iterator[Mismatch]:
    if not is_text(wanted, message.subject):
        yield Mismatch(field, shown(wanted), shown(str(message.subject)))


def _body(message: Message, field: str, wanted: Text) -> Iterator[Mismatch]:
    found = message_html(message) if field == "html" else as_text(message.body)
    if not is_part(wanted, found):
        yield Mismatch(field, f"with {shown(wanted)} in it", shown(found))


def _headers(message: Message, field: str, wanted: Mapping[str, Any]) -> Iterator[Mismatch]:
    # As they are sent: some are not among `extra_headers`.
    rendered: Any = message.message()
    for name, value in wanted.items():
        found = [str(one) for one in rendered.get_all(name, [])]
        is_right = not found if value is None else any(is_text(value, one) for one in found)
        if not is_right:
            yield Mismatch(
                f"{field}[{name!r}]",
                "no such header" if value is None else shown(value),
                ", ".join(map(shown, found)) or "no such header",
            )


def _attachments(message: Message, field: str, wanted: Any) -> Iterator[Mismatch]:
    # A tuple of texts might be one attachment, or several names: it is one, as attach() takes it.
    asked = [wanted] if isinstance(wanted, tuple) else as_list(wanted)
    found = attachments(message)
    if not pair_up(asked, found, is_attachment):
        yield Mismatch(field, shown(asked), shown([_brief(one) for one in found]))


def _where(message: Message, field: str, wanted: Callable[[Message], object]) -> Iterator[Mismatch]:
    if not wanted(message):
        yield Mismatch(field, f"true for {shown(wanted)}", "false")


_FIELDS: dict[str, Callable[[Message, str, Any], Iterator[Mismatch]]] = {
    "using": _using,
    "to": _addresses,
    "cc": _addresses,
    "bcc": _addresses,
    "recipients": _addresses,
    "from_email": _from_email,
    "subject": _subject,
    "body": _body,
    "html": _body,
    "headers": _headers,
    "attachments": _attachments,
    "where": _where,
}


def is_attachment(wanted: Any, found: Attached) -> bool:
    """Whether `found` has this file name; or this name, content and type, as far as given."""
    given: list[Any] = list(wanted) if isinstance(wanted, tuple) else [wanted]
    name, content, mimetype = [*given, None, None][:3]
    return (
        (name is None or (found.name is not None and is_text(name, found.name)))
        and (content is None or _is_content(content, found.content))
        and (mimetype is None or is_text(mimetype, found.mimetype))
    )


def _is_content(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        found = found.decode(errors="replace") if isinstance(found, bytes) else str(found)
        return wanted.search(found) is not None
    if isinstance(wanted, str) and isinstance(found, bytes):
        return wanted.encode() == found
    if isinstance(wanted, bytes) and isinstance(found, str):
        return wanted == found.encode()
    return bool(wanted == found)


def _brief(attached: Attached) -> tuple[Any, ...]:
    content = attached.content
    size = f"{len(content)} {'bytes' if isinstance(content, bytes) else 'characters'}"
    return (attached.name, size if isinstance(content, bytes | str) else content, attached.mimetype)


# What is printed


def shown(value: Any) -> str:
    """Return `value` as it is printed: a repr(), but not without end."""
    if isinstance(value, re.Pattern):
        text = f"re.compile({value.pattern!r})"
    elif isinstance(value, list):
        text = f"[{', '.join(map(shown, value))}]"
    elif callable(value):
        text = getattr(value, "__qualname__", repr(value))
    else:
        text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def shown_addresses(wanted: Sequence[Any]) -> str:
    return shown([one if isinstance(one, re.Pattern) else bare_address(one) for one in wanted])


def asked(criteria: Criteria) -> str:
    """Return what was asked, a line for each argument."""
    return "".join(f"\n  {name}={shown(value)}" for name, value in criteria.items())


def nearest_miss(messages: Sequence[Message], criteria: Criteria) -> str:
    """Say how the most similar message differs; of several, the last one."""
    differences = [mismatches(message, criteria) for message in messages]
    others = [number for number, found in enumerate(differences) if found]
    if not others:
        return ""
    nearest = min(others, key=lambda number: (len(differences[number]), -number))
    lines = [f"\nThe nearest is message {nearest + 1}, which differs in:"]
    for mismatch in differences[nearest]:
        lines.append(f"  {mismatch.field}")
        lines.append(f"    expected  {mismatch.expected}")
        lines.append(f"    found     {mismatch.found}")
    return "\n".join(lines)


def listed(messages: Sequence[Message]) -> str:
    """Return what was sent, a line for each message."""
    if not messages:
        return "\nNothing was sent."
    lines = ["\nWhat was sent:"]
    for number, message in enumerate(messages[:LISTED], 1):
        parts = [f"using={shown(getattr(message, 'sent_using', None))}"]
        for field in ("to", "cc", "bcc"):
            addresses = [bare_address(one) for one in getattr(message, field)]
            if addresses:
                parts.append(f"{field}={shown(addresses)}")
        lines.append(f"  {number}. {' '.join(parts)} subject={shown(str(message.subject))}")
    if len(messages) > LISTED:
        lines.append(f"  ... and {len(messages) - LISTED} more")
    return "\n".join(lines)
