"""Methods that Django 6.1 took away, for code that calls them. (Django 2028: this whole file.)

Older code also overrides them. `sending.py` and `log.py` support that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import Hidden, warn_about_use

from .common import class_name


class Hook(Hidden):
    """A method for other code to call, while the bridge is wanted."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function.__name__)
        self.function = function

    def get_from_outside(self, instance: Any, owner: type) -> Any:
        if not is_bridge_wanted():
            raise self.missing(instance, owner)
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
