"""Change each message: `"BACKEND": "django_mailers.backends.transform.EmailBackend"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.core.mail import EmailMessage

from django_mailers.delivery import SendResult
from django_mailers.options import ALIAS, CALLABLES, Option, import_callable
from django_mailers.types import Message

from .base import Wrapper


class EmailBackend(Wrapper):
    """Applies the callables in `transforms` to a copy of each message; sends through `using`.

    Each is called with what the previous one has returned, and returns a message: the same one,
    changed, or another. If one returns None, the message is "skipped". If one raises an exception,
    the message is "failed".

    Raises InvalidMailer, before anything is sent, if a path cannot be imported.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "using": Option(ALIAS, is_required=True),
        "transforms": Option(CALLABLES, is_required=True),
    }

    transforms: Sequence[Callable[[Any], Any] | str]

    def outgoing(self, message: Message) -> Message | SendResult:
        """Return what the transforms make of a copy of `message`."""
        changed = self.copy(message)
        for name, transform in self._callables:
            returned = transform(changed)
            if returned is None:
                return SendResult(message, "skipped", reason=f"dropped by {name}")
            # Not every message is one of Django's.
            if not isinstance(returned, EmailMessage | type(message)):
                raise TypeError(
                    f"The transform {name} must return a message or None, not an object of type "
                    f"{type(returned).__name__}."
                )
            changed = returned
        return changed

    @cached_property
    def _callables(self) -> list[tuple[str, Callable[[Any], Any]]]:
        """Each transform with its name."""
        return [
            (_name(transform), import_callable(transform, "transforms", self.alias))
            for transform in self.transforms
        ]


def _name(transform: Any) -> str:
    """Return the path of a transform, but not its repr(), which may contain anything."""
    if isinstance(transform, str):
        return transform
    named = transform if hasattr(transform, "__qualname__") else type(transform)
    return f"{named.__module__}.{named.__qualname__}"
