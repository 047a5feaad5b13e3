"""Methods that Django 6.1 took away, for code that calls them. (Django 2028: this whole file.)

Older code also overrides them. `sending.py` and `log.py` support that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import reader, warn_about_use
from django_mailers.ownership import is_internal
from django_mailers.polyfill import trampolines

from .common import class_name


class Hook:
    """A method for other code to call.

    Neither Django nor this package may find it: they would take it for one that a subclass defines.
    """

    # What the polyfill has left of Django's own, for code of Django's that was running then.
    retired: trampolines.Retired | None = None

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: type) -> Any:
        names = reader().f_globals
        if self.retired is not None and names is self.retired.function.__globals__:
            return self.retired.function.__get__(instance, owner)
        if is_internal(str(names.get("__name__"))):
            raise AttributeError(self.function.__name__)
        if not is_bridge_wanted():
            raise AttributeError(trampolines.missing(instance, owner, self.function.__name__))
        return self.function.__get__(instance, owner)


@Hook
def get_connection(self: Any, fail_silently: bool = False) -> Any:
    """`EmailMessage.get_connection()`: what the message was made with, or else the default mailer,
    which the message keeps, as before 6.1: what is opened here is what `send()` uses."""
    warn_about_use(
        f"{class_name(self)}.get_connection() does not exist since Django 6.1. Use mailers[alias]."
    )
    connection = vars(self).get("_connection")
    if not connection:
        connection = mail.get_connection(fail_silently=fail_silently)
        self._connection = connection
    return connection


@Hook
def connection(self: Any) -> Any:
    """`AdminEmailHandler.connection()`: the mailer that the handler sends through."""
    warn_about_use(
        f"{class_name(self)}.connection() does not exist since Django 6.1. Use mail_admins() with "
        "'using'."
    )
    using = getattr(self, "using", None)
    if using is not None:
        return mail.mailers[using]
    return mail.get_connection(getattr(self, "email_backend", None), fail_silently=True)
