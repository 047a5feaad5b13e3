"""Values of a message's attributes as JSON, with their types.

Text, numbers, None and lists stand for themselves. Everything else is an object with one key, which
says what it is: `{"bytes": "aGk="}`. Only types that are named here can come out of it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from email.charset import Charset
from email.header import Header
from email.headerregistry import Address, Group
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.mail import EmailAlternative, EmailAttachment
from django.utils.functional import Promise

from .copies import unwrapped
from .uris import URIHeader

# The rooms that know other types add themselves: what is to be written, and what can be read.
Writer = Callable[[Any, str], Any]
Reader = Callable[[Any], Any]


def write(value: Any, where: str, others: Writer) -> Any:
    """Return `value` as JSON. `where` names it in errors; `others` writes what is not known here.

    Text that is translated or rendered late is made now, in the current language.

    Raises TypeError if the value is of a type that cannot be stored.
    """
    value = _made(value)
    kind = type(value)
    if value is None or kind in {bool, int, float, str}:
        return value
    if kind is list:
        return _items(value, where, others)
    writer = WRITERS.get(kind)
    if writer is not None:
        tag, write_one = writer
        return {tag: write_one(value, where, others)}
    if isinstance(value, str | int) and _looks_like_its_base(value):
        return str(value) if isinstance(value, str) else int(value)
    return others(value, where)


def read(stored: Any, others: Reader) -> Any:
    """Return the value that `write()` has stored. `others` reads the tags that are not known here.

    Raises ValueError for anything else.
    """
    if isinstance(stored, list):
        return [read(item, others) for item in stored]
    if not isinstance(stored, dict):
        return stored
    if len(stored) != 1:
        raise ValueError("An object of a stored message must have one key.")
    [(tag, content)] = stored.items()
    reader = READERS.get(tag)
    return others(stored) if reader is None else reader(content, others)


def unstorable(value: object, where: str) -> TypeError:
    """Return the error that names what cannot be stored, and shows nothing of it."""
    kind = type(value)
    return TypeError(
        f"{where} of the message is of type {kind.__module__}.{kind.__qualname__}, "
        "which cannot be stored in a queue."
    )


def _made(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    return unwrapped(value)


def _looks_like_its_base(value: Any) -> bool:
    """Whether a str or an int of another class, such as SafeString, is written as a plain one."""
    plain = str.__str__(value) if isinstance(value, str) else int.__repr__(value)
    return str(value) == plain and format(value) == plain


def _items(values: Iterable[Any], where: str, others: Writer) -> list[Any]:
    return [write(value, f"{where}[{n}]", others) for n, value in enumerate(values)]


def _pairs(values: dict[Any, Any], where: str, others: Writer) -> list[Any]:
    return [
        [write(key, f"A key of {where}", others), write(value, f"{where}[{_key(key)}]", others)]
        for key, value in values.items()
    ]


def _key(key: object) -> str:
    """Return what an error may show of a key. It may be an address, as in Anymail's merge_data."""
    return repr(key) if isinstance(key, str) and re.fullmatch(r"[\w-]{1,50}", key) else "..."


def _datetime(value: datetime, where: str, others: Writer) -> Any:
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo) and zone.key:
        return [value.replace(tzinfo=None).isoformat(), zone.key, value.fold]
    return value.isoformat()


def _read_datetime(stored: Any, others: Reader) -> datetime:
    if isinstance(stored, list):
        text, key, fold = stored
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(key), fold=fold)
    value = datetime.fromisoformat(stored)
    is_utc = value.tzinfo is not None and value.utcoffset() == timedelta(0)
    return value.replace(tzinfo=timezone.utc) if is_utc else value


def _time(value: time, where: str, others: Writer) -> str:
    if value.tzinfo is not None:
        raise unstorable(value.tzinfo, f"The zone of {where}")
    return value.isoformat()


def _attributes(value: Any, where: str, others: Writer) -> list[Any]:
    """Write an instance of the email package that is nothing but its attributes."""
    return _pairs(vars(value), where, others)


def _instance(cls: Any) -> Callable[[Any, Reader], Any]:
    def make(stored: Any, others: Reader) -> Any:
        made = cls.__new__(cls)
        made.__dict__.update((read(key, others), read(value, others)) for key, value in stored)
        return made

    return make


def _sequence(cls: Callable[[list[Any]], Any]) -> Callable[[Any, Reader], Any]:
    return lambda stored, others: cls([read(item, others) for item in stored])


def _base64(value: Any, where: str, others: Writer) -> str:
    return base64.b64encode(value).decode("ascii")


def _by(function: Callable[[Any], Any]) -> Any:
    return lambda value, where_or_others, others=None: function(value)


def _delta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _address(value: Address) -> list[str]:
    return [value.display_name, value.username, value.domain]


def _group(value: Group, where: str, others: Writer) -> list[Any]:
    return [value.display_name, [_address(address) for address in value.addresses]]


def _read_group(stored: Any, others: Reader) -> Group:
    name, addresses = stored
    return Group(name, tuple(Address(*address) for address in addresses))


# What is written of a type, under which tag; and what is read of it.
WRITERS: dict[type, tuple[str, Any]] = {
    dict: ("dict", _pairs),
    tuple: ("tuple", _items),
    set: ("set", _items),
    frozenset: ("frozenset", _items),
    EmailAttachment: ("attachment", _items),
    EmailAlternative: ("alternative", _items),
    bytes: ("bytes", _base64),
    bytearray: ("bytearray", _base64),
    memoryview: ("memoryview", _base64),
    datetime: ("datetime", _datetime),
    date: ("date", _by(date.isoformat)),
    time: ("time", _time),
    timedelta: ("timedelta", _by(_delta)),
    Decimal: ("decimal", _by(str)),
    UUID: ("uuid", _by(str)),
    Address: ("address", _by(_address)),
    Group: ("group", _group),
    Charset: ("charset", _attributes),
    Header: ("header", _attributes),
    # As plain text it would be folded and encoded after all (H64).
    URIHeader: ("uris", _by(str)),
}
READERS: dict[str, Callable[[Any, Reader], Any]] = {
    "dict": lambda stored, others: {read(k, others): read(v, others) for k, v in stored},
    "tuple": _sequence(tuple),
    "set": _sequence(set),
    "frozenset": _sequence(frozenset),
    "attachment": _sequence(EmailAttachment._make),
    "alternative": _sequence(EmailAlternative._make),
    "bytes": _by(base64.b64decode),
    "bytearray": _by(lambda stored: bytearray(base64.b64decode(stored))),
    "memoryview": _by(lambda stored: memoryview(base64.b64decode(stored))),
    "datetime": _read_datetime,
    "date": _by(date.fromisoformat),
    "time": _by(time.fromisoformat),
    "timedelta": _by(lambda stored: timedelta(*stored)),
    "decimal": _by(Decimal),
    "uuid": _by(UUID),
    "address": _by(lambda stored: Address(*stored)),
    "group": _read_group,
    "charset": _instance(Charset),
    "header": _instance(Header),
    "uris": _by(URIHeader),
}
