"""Sending a report: to whom, through which mailer, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from django_mailers.mailboxes import quoted

from .texts import encodable, one_line


def open_mailer(using: str | None, timeout: float | None) -> Any:
    """Return the mailer `using`, None for the default, that waits at most `timeout` seconds.

    That is for the connection, and then for each reply; None leaves it to the options of the
    mailer. A mailer with a shorter timeout keeps it. One without an attribute `timeout` is left as
    it is.
    """
    if not hasattr(mail, "mailers"):  # Django 6.0: the app is not loaded
        raise ImproperlyConfigured(
            "Reports by mail need MAILERS: add 'django_mailers' to INSTALLED_APPS."
        )
    default = mail.DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined]
    # Any class of the project's.
    mailer: Any = mail.mailers[default if using is None else using]
    # On the instance, which is made for this use alone (H18, H39). The attribute may be missing, be
    # a property, or not be a number.
    with suppress(AttributeError, TypeError):
        if timeout is not None and (mailer.timeout is None or mailer.timeout > timeout):
            mailer.timeout = timeout
    return mailer


def send(
    setting: str, subject: str, body: str, html: str | None, open_connection: Callable[[], Any]
) -> None:
    """Send a report to the addresses in `setting`, which is "ADMINS" or "MANAGERS".

    Does what `mail_admins()` does, which cannot be given a mailer with a timeout of its own. If
    there are no addresses, `open_connection` is not called. Raises what the mailer raises.
    """
    recipients = addresses(setting)
    if not recipients:
        return
    message = mail.EmailMultiAlternatives(
        one_line(encodable(f"{settings.EMAIL_SUBJECT_PREFIX}{subject}")),
        encodable(body),
        quoted(str(settings.SERVER_EMAIL)),
        recipients,
    )
    if html:
        message.attach_alternative(encodable(html), "text/html")
    connection = open_connection()
    try:
        connection.send_messages([message])
    except Exception:
        # Django's SMTP backend does not close a connection that fails while it is being opened.
        with suppress(Exception):
            connection.close()
        raise


def addresses(setting: str) -> list[str]:
    """Return the addresses in ADMINS or MANAGERS, which may contain (name, address) pairs.

    Django deprecates pairs, and warns elsewhere. A warning from here could become an error, by the
    filters, and the report would be lost.
    """
    entries = getattr(settings, setting)
    if isinstance(entries, list | tuple):
        entries = [
            entry[1] if isinstance(entry, list | tuple) and len(entry) == 2 else entry
            for entry in entries
        ]
        if all(isinstance(entry, str | Promise) for entry in entries):
            return [quoted(str(entry)) for entry in entries]
    raise ImproperlyConfigured(f"The {setting} setting must be a list of email address strings.")
