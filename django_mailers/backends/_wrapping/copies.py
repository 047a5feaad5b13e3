"""Copies of messages that are sent in the place of the caller's."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.core.mail import EmailMultiAlternatives

from django_mailers.delivery import SendResult
from django_mailers.types import Message

_MISSING = object()
# What nearly all attributes are, and need no closer look.
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


@lru_cache(maxsize=128)
def _slots(cls: Any) -> tuple[str, ...]:
    """Return the names of attributes that are not in the `__dict__` of instances."""
    return tuple(
        name
        for ancestor in cls.__mro__
        for name, value in vars(ancestor).items()
        if type(value).__name__ == "member_descriptor" and not name.startswith("__")
    )


class Originals:
    """The caller's messages, and those that are sent in their place.

    `outgoing` are what is sent. `restore()` has to be called afterwards, once.
    """

    def __init__(self, messages: Sequence[Message], outgoing: Sequence[Message]) -> None:
        self._messages = messages
        self.outgoing = outgoing
        # What copies were before the backend had them; None for the caller's own messages.
        self._before = [
            None if sent is message else dict(vars(sent))
            for message, sent in zip(messages, outgoing, strict=True)
        ]

    def restore(self, results: Iterable[SendResult]) -> list[SendResult]:
        """Return `results` as those of the caller's messages, on which attributes are set."""
        restored = []
        everything = zip(self._messages, self.outgoing, self._before, results, strict=False)
        for message, sent, before, result in everything:
            if before is None:
                restored.append(result)
                continue
            if vars(sent) != before:
                _carry_over(before, sent, message)
            restored.append(result.about(message))
        return restored


def _carry_over(before: Mapping[str, Any], sent: Message, message: Message) -> None:
    """Set on `message` what a backend has added to `sent`; that may be another than last time.

    What it has done to Django's own attributes stays with the copy.
    """
    for name, value in vars(sent).items():
        if before.get(name, _MISSING) is not value and name not in _djangos():
            setattr(message, name, value)


@lru_cache(maxsize=1)
def _djangos() -> frozenset[str]:
    """Return the attributes that every message has."""
    return frozenset[Any](vars(EmailMultiAlternatives())) | {"connection", "_connection"}
