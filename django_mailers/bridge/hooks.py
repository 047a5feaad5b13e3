"""Methods that Django does not have from 6.1 on, for code that still calls them.

Older code overrides them, too: what becomes of that is in `sending.py` and `log.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.deprecation import warn_about_use
from django_mailers.polyfill import trampolines

from .common import class_name, is_wanted


class Hook:
    """A method for other code to call.

    Neither Django nor this package may find it: they would take it for one that a subclass defines.

    Arguments: `function`, the method; `retired`, what the install has left of Django's own, for
    code of Django's that was running then.
    """

    def __init__(self, function: Callable[..., Any], retired: trampolines.Retired | None) -> None:
        self.function = function
        self.retired = retired

    def __get__(self, instance: Any, owner: type) -> Any:
        reader = sys._getframe(1).f_globals
        if self.retired is not None and reader is self.retired.function.__globals__:
            return self.retired.function.__get__(instance, owner)
        is_ours = f"{reader.get('__name__')}.".startswith(("django.", "django_mailers."))
        if is_ours or not is_wanted():
            what = f"{owner.__name__!r} object"
            if instance is None:
                what = f"type object {owner.__name__!r}"
            raise AttributeError(f"{what} has no attribute {self.function.__name__!r}")
        return self.function.__get__(instance, owner)


def get_connection(self: Any, fail_silently: bool = False) -> Any:
    """`EmailMessage.get_connection()`: what the message was made with, or else the default mailer,
    which the message keeps, as before 6.1: what is opened here is what `send()` uses."""
    warn_about_use(
        f"{class_name(self)}.get_connection() does not exist from Django 6.1 on. Use "
        "mailers[alias]."
    )
    connection = vars(self).get("_connection")
    if not connection:
        connection = mail.get_connection(fail_silently=fail_silently)
        self._connection = connection
    return connection


def connection(self: Any) -> Any:
    """`AdminEmailHandler.connection()`: the mailer that the handler sends through."""
    warn_about_use(
        f"{class_name(self)}.connection() does not exist from Django 6.1 on. Use mail_admins() "
        "with 'using'."
    )
    using = getattr(self, "using", None)
    if using is not None:
        return mail.mailers[using]
    return mail.get_connection(getattr(self, "email_backend", None), fail_silently=True)


HOOKS: dict[str, Callable[..., Any]] = {
    "django.core.mail.message:EmailMessage.get_connection": get_connection,
    "django.utils.log:AdminEmailHandler.connection": connection,
}


def provide(target: str) -> None:
    """Give Django's class the method that `target` means, unless somebody else has."""
    owner, name = trampolines.locate(target)
    current = vars(owner).get(name)
    if current is None or isinstance(current, trampolines.Retired):
        setattr(owner, name, Hook(HOOKS[target], current))
