"""Whether the bridge is on, and what its parts share."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

from django.core import mail

from django_mailers import conf

SMTP = "django.core.mail.backends.smtp.EmailBackend"


is_wanted = conf.is_bridge_wanted


def is_on() -> bool:
    return mail.mailers._is_configured and is_wanted()


def is_called_from_outside() -> bool:
    """Return whether neither Django nor this package called the function that the bridge is before.

    To be asked by the function of the bridge itself, which is called by the code in between.
    """
    frame = sys._getframe(3)
    return not f"{frame.f_globals.get('__name__')}.".startswith(("django.", "django_mailers."))


# Calls a function as Django itself would, which keeps Django's deprecations silent. They would name
# the line of ours that makes the call, so the bridge issues them, at the line before it.
as_django = FunctionType(
    (lambda function, *args, **kwargs: function(*args, **kwargs)).__code__,
    {"__name__": "django.core.mail.bridged"},
)


def class_name(instance: object) -> str:
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


def without(cls: type, name: str) -> type:
    """Return a subclass of `cls` whose instances do not have the attribute `name`."""

    def missing(self: Any) -> Any:
        raise AttributeError(name)

    # Of Django's module, as that is how the backport tells Django's own attributes.
    namespace = {"__module__": mail.EmailMessage.__module__, name: property(missing)}
    return type(cls.__name__, (cls,), namespace)
