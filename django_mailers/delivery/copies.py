"""Copies of messages that are sent in the place of the caller's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django_mailers.types import Message

_MISSING = object()
# Where messages keep the mailer that they were made with.
# Django 6.0: the second name.
CONNECTIONS = ("_connection", "connection")
# The types of nearly all attributes, which need no closer look.
_CONTAINERS = frozenset({list, dict, set})
_SIMPLE = frozenset({str, bool, int, type(None)})


def shallow_copy(message: Message) -> Message:
    """Return a copy with the same attributes, but lists, dictionaries and sets of its own.

    Neither `__init__()` nor what a class defines for copy and pickle is called: these may leave
    something out, or render a template.
    """
    cls: Any = type(message)
    copied = object.__new__(cls)
    attributes = dict(vars(message))
    for name, value in attributes.items():
        kind = type(value)
        if kind in _CONTAINERS:
            attributes[name] = value.copy()
        elif kind not in _SIMPLE and isinstance(value, list | dict | set):
            attributes[name] = copy.copy(value)
    copied.__dict__ = attributes
    for name in _slots(cls):
        value = getattr(message, name, _MISSING)
        if value is not _MISSING:
            setattr(copied, name, value)
    return copied


def attributes_of(message: Message) -> dict[str, Any]:
    """Return all attributes of `message`, those in slots included."""
    cls: Any = type(message)
    slotted = {name: getattr(message, name, _MISSING) for name in _slots(cls)}
    found = {name: value for name, value in slotted.items() if value is not _MISSING}
    return {**vars(message), **found}


def restored(cls: Any, attributes: Mapping[str, Any]) -> Message:
    """Return a message of the class `cls` with these attributes. No code of the class is called."""
    message: Message = object.__new__(cls)
    slots = _slots(cls)
    for name, value in attributes.items():
        if name in slots:
            setattr(message, name, value)
        else:
            message.__dict__[name] = value
    return message


def without_connection(message: Message) -> Message:
    """Return `message`, or a copy without its mailer if it was made with one.

    send_mass_mail() makes such messages. A mailer has a lock, so a message with one can neither be
    copied deeply nor pickled, as backends for memory and for queues do (H46).
    """
    attributes = getattr(message, "__dict__", {})
    if all(attributes.get(name) is None for name in CONNECTIONS):
        return message
    copied = shallow_copy(message)
    vars(copied).update({name: None for name in CONNECTIONS if name in attributes})
    return copied


@lru_cache(maxsize=128)
def _slots(cls: Any) -> tuple[str, ...]:
    """Return the names of attributes that are not in the `__dict__` of instances."""
    return tuple(
        name
        for ancestor in cls.__mro__
        for name, value in vars(ancestor).items()
        if type(value).__name__ == "member_descriptor" and not name.startswith("__")
    )
