"""The subtypes of multiparts that a message could choose before Django 6.0."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.deprecation import warn_about_use
from django_mailers.ownership import MARKER
from django_mailers.polyfill import trampolines

from .common import class_name, is_wanted, without


def add_attachments(original: Callable[..., None], self: Any, msg: Any) -> None:
    """`EmailMessage._add_attachments()`: into a multipart of the subtype a subclass asks for."""
    if self.attachments and is_wanted():
        _with_subtype(original, self, "mixed_subtype", msg)
    else:
        original(self, msg)


def add_bodies(original: Callable[..., Any], self: Any, msg: Any) -> Any:
    """`EmailMultiAlternatives._add_bodies()`: likewise for the alternatives."""
    if self.alternatives and is_wanted():
        return _with_subtype(original, self, "alternative_subtype", msg)
    return original(self, msg)


def _with_subtype(original: Callable[..., Any], message: Any, name: str, msg: Any) -> Any:
    """Call `original` for a `message` that may override the attribute `name`, and use that."""
    subtype = getattr(message, name, None)
    if subtype is None or not _is_overridden(message, name):
        return original(message, msg)
    warn_about_use(f"{class_name(message)}.{name} is an error from Django 6.0 on.")
    plain = copy.copy(message)
    plain.__class__ = without(type(message), name)
    vars(plain).pop(name, None)
    result = original(plain, msg)
    msg.set_type(f"multipart/{subtype}")
    return result


def _is_overridden(message: Any, name: str) -> bool:
    """Whether the attribute is anybody's but Django's: the value may be the same."""
    if name in vars(message):
        return True
    owner = next((cls for cls in type(message).__mro__ if name in vars(cls)), None)
    return owner not in {None, mail.EmailMessage, mail.EmailMultiAlternatives}


class Subtype:
    """`mixed_subtype` or `alternative_subtype` of Django's messages, which Django 6.0 took away.

    For other code to read, which compares with it or copies it; Django itself refuses such a thing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # Messages that have it are still Django's.
        setattr(self, MARKER, True)

    def __get__(self, instance: Any, owner: type) -> str:
        reader = f"{sys._getframe(1).f_globals.get('__name__')}."
        if not is_wanted() or reader.startswith(("django.", "django_mailers.")):
            what = f"type object {owner.__name__!r}"
            if instance is not None:
                what = f"{owner.__name__!r} object"
            raise AttributeError(f"{what} has no attribute {self.name!r}")
        if instance is not None:
            warn_about_use(f"{class_name(instance)}.{self.name} is not there from Django 6.0 on.")
        return self.name.removesuffix("_subtype")


def provide(target: str) -> None:
    """Let Django's class have the attribute that `target` means, if it has not."""
    owner, name = trampolines.locate(target)
    if not hasattr(owner, name):
        setattr(owner, name, Subtype(name))
