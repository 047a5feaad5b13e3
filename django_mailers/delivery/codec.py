"""Messages as JSON, for queues: any message whose attributes can be named, and nothing executed.

    {"version": 1, "written_by": "django_mailers.delivery.codec, Django 6.1.3",
     "class": "django.core.mail.EmailMessage", "attributes": {"subject": ...}}

Pickle, which other queues use, runs whatever is in the queue (H60). `load()` imports the class
that is named, which has to be a subclass of `EmailMessage`, and nothing else. Neither `__init__()`
nor what a class defines for copies is called: a message has the attributes that it had. What
`dump()` writes on one Django can be read on another.
"""

from __future__ import annotations

import email.message
import json
from typing import Any

import django
from django.core import mail
from django.core.mail import EmailMessage
from django.utils.module_loading import import_string

from django_mailers.types import Message

from .copies import CONNECTIONS, attributes_of, restored
from .mimeparts import read_part, write_part
from .values import read, unstorable, write

__all__ = ["VERSION", "UnreadableMessage", "dump", "load"]

VERSION = 1
# Names of Django's classes, wherever it defines them.
_DJANGOS = ("EmailMessage", "EmailMultiAlternatives")
# Attributes of one sending, and not of the message: the connection of an old `connection=`, and
# the status that Anymail set the last time.
_NOT_STORED = frozenset({*CONNECTIONS, "anymail_status"})


class UnreadableMessage(ValueError):
    """The queue does not contain a message that this version of the project can read."""


def dump(message: Message) -> str:
    """Return `message` as JSON, in ASCII.

    Lazy text is made now, in the current language. Raises TypeError for what cannot be stored,
    which it names.
    """
    if not isinstance(message, EmailMessage):
        raise unstorable(message, "The class")
    try:
        # Engines log the beginning of an argument, which must not contain an address.
        beginning = {"version": VERSION, "written_by": f"{__name__}, Django {django.__version__}"}
        return json.dumps({**beginning, **_write_message(message, "")})
    except RecursionError:
        raise TypeError("The message contains itself. It cannot be stored in a queue.") from None


def load(text: str) -> Message:
    """Return the message that `dump()` has written.

    Raises UnreadableMessage if the version is unknown, the class cannot be imported or is not one
    of messages, or the text is not what `dump()` writes.
    """
    try:
        stored = json.loads(text)
        version = stored["version"]
        if version != VERSION:
            raise UnreadableMessage(
                f"The message was stored by another version of django_mailers: its format is "
                f"{version!r}, and this version reads {VERSION}."
            )
        return _read_message(stored)
    except UnreadableMessage:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Not the text, in which there are addresses, nor a cause that shows it.
        raise UnreadableMessage(
            f"The stored message cannot be read ({type(error).__name__})."
        ) from None


def _write_message(message: Message, prefix: str) -> dict[str, Any]:
    return {
        "class": _name_of(type(message), prefix),
        "attributes": {
            name: write(value, f"{prefix}{name!r}", _write_other)
            for name, value in attributes_of(message).items()
            if name not in _NOT_STORED
        },
    }


def _read_message(stored: Any) -> Message:
    cls = _class_of(stored["class"])
    attributes = {name: read(value, _read_other) for name, value in stored["attributes"].items()}
    # Django 6.0: the name depends on the version.
    connection = vars(EmailMessage()).keys() & {*CONNECTIONS}
    return restored(cls, {**attributes, **dict.fromkeys(connection)})


def _write_other(value: Any, where: str) -> Any:
    if isinstance(value, EmailMessage):
        return {"message": _write_message(value, f"{where}: ")}
    if isinstance(value, email.message.Message):
        return write_part(value, where, _write_other)
    raise unstorable(value, where)


def _read_other(stored: Any) -> Any:
    if "message" in stored:
        return _read_message(stored["message"])
    if "part" in stored:
        return read_part(stored["part"], _read_other)
    raise UnreadableMessage(f"The stored message has an unknown part: {[*stored]}.")


def _name_of(cls: type, prefix: str) -> str:
    for name in _DJANGOS:
        if getattr(mail, name) is cls:
            return f"{mail.__name__}.{name}"
    path = f"{cls.__module__}.{cls.__qualname__}"
    # The main module of a worker is another one.
    if cls.__module__ != "__main__":
        try:
            if import_string(path) is cls:
                return path
        except ImportError:
            pass
    raise TypeError(
        f"{prefix}The class {path} of the message cannot be imported by this name, so the message "
        "cannot be stored in a queue."
    )


def _class_of(path: str) -> type[Message]:
    try:
        cls: Any = import_string(path)
    except ImportError as error:
        raise UnreadableMessage(
            f"The class of the stored message, {path!r}, cannot be imported."
        ) from error
    if not isinstance(cls, type) or not issubclass(cls, EmailMessage):
        raise UnreadableMessage(
            f"The class of the stored message, {path!r}, is not a subclass of EmailMessage."
        )
    return cls
