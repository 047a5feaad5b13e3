"""The subtypes that messages could choose before 6.0. (Django 2028: this whole file.)"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import Hidden, warn_about_use
from django_mailers.ownership import MARKER

from .common import class_name, without


def add_attachments(original: Callable[..., None], self: Any, msg: Any) -> None:
    """`EmailMessage._add_attachments()`: into a multipart of the subtype a subclass asks for."""
    if self.attachments and is_bridge_wanted():
        _with_subtype(original, self, "mixed_subtype", msg)
    else:
        original(self, msg)


def add_bodies(original: Callable[..., Any], self: Any, msg: Any) -> Any:
    """`EmailMultiAlternatives._add_bodies()`: likewise for the alternatives."""
    if self.alternatives and is_bridge_wanted():
        return _with_subtype(original, self, "alternative_subtype", msg)
    return original(self, msg)


def _with_subtype(original: Callable[..., Any], message: Any, name: str, msg: Any) -> Any:
    """Call `original` for a `message` that may override the attribute `name`, and use that."""
    subtype = getattr(message, name, None)
    if subtype is None or not _is_overridden(message, name):
        return original(message, msg)
    warn_about_use(f"{class_name(message)}.{name} is an error since Django 6.0.")
    plain = copy.copy(message)
    plain.__class__ = without(type(message), name)
    vars(plain).pop(name, None)
    result = original(plain, msg)
    msg.set_type(f"multipart/{subtype}")
    return result


def _is_overridden(message: Any, name: str) -> bool:
    """Whether the attribute is not Django's own: the value may be the same."""
    if name in vars(message):
        return True
    owner = next((cls for cls in type(message).__mro__ if name in vars(cls)), None)
    return owner not in {None, mail.EmailMessage, mail.EmailMultiAlternatives}


class Subtype(Hidden):
    """`mixed_subtype` or `alternative_subtype` of Django's messages, which Django 6.0 took away.

    For other code to read, which compares with it or copies it; Django itself refuses such a thing.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Messages that have it are still Django's.
        setattr(self, MARKER, True)

    def get_from_outside(self, instance: Any, owner: type) -> str:
        if not is_bridge_wanted():
            raise self.missing(instance, owner)
        if instance is not None:
            warn_about_use(f"{class_name(instance)}.{self.name} does not exist since Django 6.0.")
        return self.name.removesuffix("_subtype")


mixed_subtype = Subtype("mixed_subtype")
alternative_subtype = Subtype("alternative_subtype")
