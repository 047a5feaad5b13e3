"""Things that the parts of the bridge share. (Django 2028: this whole file.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.core import mail

from django_mailers.conf import is_bridge_wanted
from django_mailers.ownership import MARKER

T = TypeVar("T")

# The result of a function that decides: see `trampolines.redirect()`.
Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def is_on() -> bool:
    """Whether MAILERS is defined and the bridge wanted."""
    return mail.mailers._is_configured and is_bridge_wanted()


def result(value: Any) -> Call:
    """Decide that the call returns `value`."""
    return _same, (value,), {}


def _same(value: T) -> T:
    return value


def class_name(instance: object) -> str:
    """Return the dotted name of the class of `instance`."""
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


def without(cls: type, name: str) -> type:
    """Return a subclass of `cls` whose instances do not have the attribute `name`."""

    def missing(self: Any) -> Any:
        raise AttributeError(name)

    namespace = {"__module__": cls.__module__, name: property(missing), MARKER: True}
    return type(cls.__name__, (cls,), namespace)
