"""`super()` for methods that are put into a class of Django's. (Django 6.0: this whole file.)"""

from __future__ import annotations

from typing import Any


def parent_of(instance: Any, cls: type) -> Any:
    """Return what `super()` is for `instance` in a method that stands in Django's class `cls`.

    `importlib.reload()` makes another class under the same name, while instances and subclasses of
    the one before live on. So the class is found among those of `instance`, by its name.
    """
    if isinstance(instance, cls):
        return super(cls, instance)
    for base in type(instance).__mro__:
        if (base.__module__, base.__qualname__) == (cls.__module__, cls.__qualname__):
            return super(base, instance)
    raise TypeError(f"{type(instance).__qualname__} is not a {cls.__qualname__}")
