"""Error reports through `connection()` or `email_backend`. (Django 2028: this whole file.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import warn_about_use
from django_mailers.legacyapi import EMAIL_BACKEND_ARG_WARNING

from .common import class_name, is_on, without


def handler_init(
    original: Callable[..., None],
    self: Any,
    include_html: bool = False,
    email_backend: str | None = None,
    reporter_class: str | None = None,
    using: str | None = None,
) -> None:
    """`AdminEmailHandler.__init__()`: a `connection()` of a subclass, or `email_backend`, stays."""
    cls = type(self)
    on = is_bridge_wanted()
    if on and hasattr(self, "connection"):
        # No other code has the instance yet.
        self.__class__ = without(cls, "connection")
    accepted = email_backend and not using and (on or not mail.mailers._is_configured)
    if accepted:
        warn_about_use(EMAIL_BACKEND_ARG_WARNING)
    try:
        original(self, include_html, None if accepted else email_backend, reporter_class, using)
    finally:
        self.__class__ = cls
    self.email_backend = email_backend


def handler_send_mail(
    original: Callable[..., None], self: Any, subject: str, message: str, *args: Any, **kwargs: Any
) -> None:
    """`AdminEmailHandler.send_mail()`: through the connection that older code asks for."""
    path = getattr(self, "email_backend", None)
    has_hook = hasattr(self, "connection")
    if not is_bridge_wanted() or not (has_hook or (path and is_on())):
        original(self, subject, message, *args, **kwargs)
        return
    if has_hook:
        warn_about_use(
            f"{class_name(self)}.connection() is no longer called since Django 6.1. Use 'using'."
        )
        connection = self.connection()
    else:
        connection = mail.get_connection(path, fail_silently=True)
    mail.mail_admins(subject, message, *args, connection=connection, **kwargs)
