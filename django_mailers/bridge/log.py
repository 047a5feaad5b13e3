"""Error reports through what older code says: a `connection()` hook, or `email_backend`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core import mail

from django_mailers.deprecation import warn_about_use

from .common import class_name, is_on, is_wanted, without


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
    on = is_wanted()
    if on and hasattr(self, "connection"):
        # Nobody else has the instance yet.
        self.__class__ = without(cls, "connection")
    accepted = email_backend and not using and (on or not mail.mailers._is_configured)
    if accepted:
        warn_about_use("The 'email_backend' argument is deprecated. Use 'using' instead.")
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
    if not is_wanted() or not (has_hook or (path and is_on())):
        original(self, subject, message, *args, **kwargs)
        return
    if has_hook:
        warn_about_use(
            f"{class_name(self)}.connection() is not called from Django 6.1 on. Use 'using'."
        )
        connection = self.connection()
    else:
        connection = mail.get_connection(path, fail_silently=True)
    mail.mail_admins(subject, message, *args, connection=connection, **kwargs)
