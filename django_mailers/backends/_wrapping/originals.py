"""The caller's messages, of which copies are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.core.mail import EmailMultiAlternatives

from django_mailers.delivery import SendResult
from django_mailers.delivery.copies import CONNECTIONS
from django_mailers.types import Message

_MISSING = object()


class Originals:
    """The caller's messages, and those that are sent in their place.

    `outgoing` are the messages to send. `restore()` has to be called once afterwards.
    """

    def __init__(self, messages: Sequence[Message], outgoing: Sequence[Message]) -> None:
        self._messages = messages
        self.outgoing = outgoing
        # The attributes of copies before the backend had them; None for the caller's own messages.
        self._before = [
            None if sent is message else dict(vars(sent))
            for message, sent in zip(messages, outgoing, strict=True)
        ]

    def restore(self, results: Iterable[SendResult]) -> list[SendResult]:
        """Return `results` with the caller's messages; set on these what was added to copies."""
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
    """Set on `message` the attributes that a backend has added to `sent`, or changed.

    Changes of Django's own attributes stay with the copy.
    """
    for name, value in vars(sent).items():
        if before.get(name, _MISSING) is not value and name not in _djangos():
            setattr(message, name, value)


@lru_cache(maxsize=1)
def _djangos() -> frozenset[str]:
    """Return the attributes that every message has."""
    return frozenset[Any](vars(EmailMultiAlternatives())).union(CONNECTIONS)
