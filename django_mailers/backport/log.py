"""`django.utils.log`: error reports through a mailer. (Django 6.0: this whole file.)"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils import log as django_log

from django_mailers.deprecation import effective_caller, module_of, warn_about_use
from django_mailers.legacyapi import EMAIL_BACKEND_ARG_WARNING


def init(
    original: Callable[..., None],
    self: Any,
    include_html: bool = False,
    email_backend: str | None = None,
    reporter_class: str | None = None,
    using: str | None = None,
) -> None:
    """`AdminEmailHandler.__init__()`, with `using`, the alias that reports are sent through."""
    if email_backend and using:
        raise ImproperlyConfigured("The 'email_backend' argument is not compatible with 'using'.")
    if email_backend and mail.mailers._is_configured:
        raise ImproperlyConfigured(
            "The 'email_backend' argument is not valid when settings.MAILERS is defined."
        )
    if email_backend:
        warn_about_use(EMAIL_BACKEND_ARG_WARNING)
    if hasattr(self, "connection"):
        raise AttributeError(
            "The undocumented AdminEmailHandler.connection() method is no longer used."
        )
    original(self, include_html, email_backend, reporter_class)
    self.using = using


class AdminEmailHandler:
    """Members for `django.utils.log.AdminEmailHandler`."""

    def emit(self: Any, record: logging.LogRecord) -> None:
        """Send `record`, with the traceback and the request it came from, to ADMINS."""
        sends_itself = type(self).send_mail is not django_log.AdminEmailHandler.send_mail
        if not settings.ADMINS and not sends_itself:
            return
        # The development server's records carry a socket by that name.
        request = getattr(record, "request", None)
        if not hasattr(request, "META"):
            request = None
        subject = f"{record.levelname}{_origin(request)}: {record.getMessage()}"
        # The report ends in a traceback of its own, so the record is formatted without one. A copy,
        # as other handlers get the same record.
        bare_record = copy.copy(record)
        bare_record.exc_info = bare_record.exc_text = None
        exc_info = record.exc_info or (None, record.getMessage(), None)
        reporter = self.reporter_class(request, *exc_info, is_email=True)
        message = f"{self.format(bare_record)}\n\n{reporter.get_traceback_text()}"
        html_message = reporter.get_traceback_html() if self.include_html else None
        self.send_mail(self.format_subject(subject), message, html_message=html_message)

    def send_mail(self: Any, subject: str, message: str, *args: Any, **kwargs: Any) -> None:
        """Send a report to ADMINS; nothing happens if the mailer for it does not exist."""
        caller = effective_caller()
        if caller is not None and module_of(caller) == django_log.__name__:
            # Django's own emit(), which a thread was in when the install happened.
            kwargs.pop("fail_silently", None)
        if not mail.mailers._is_configured:
            connection = mail.get_connection(backend=self.email_backend, fail_silently=True)
            mail.mail_admins(subject, message, *args, connection=connection, **kwargs)
            return
        # A handler that Django made before the install, for DEFAULT_LOGGING, has no `using` (H4).
        using = getattr(self, "using", None)
        with suppress(mail.MailerDoesNotExist):
            mail.mail_admins(subject, message, *args, using=using, **kwargs)


def _origin(request: Any) -> str:
    """Return where `request` came from, as the subject says it."""
    if request is None:
        return ""
    internal = request.META.get("REMOTE_ADDR") in settings.INTERNAL_IPS
    return f" ({'internal' if internal else 'EXTERNAL'} IP)"
