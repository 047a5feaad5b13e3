"""`django.core.mail.exceptions`. (Django 6.0: this whole file.)"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class InvalidMailer(ImproperlyConfigured):
    """An entry of MAILERS cannot be used.

    Arguments: `msg`, what is wrong; `alias`, the entry's key, which then leads the message.
    """

    __module__ = "django.core.mail.exceptions"

    def __init__(self, msg: str, *, alias: str | None = None) -> None:
        prefix = "" if alias is None else f"MAILERS[{alias!r}]: "
        super().__init__(prefix + msg)


class MailerDoesNotExist(InvalidMailer, KeyError):
    """MAILERS has no entry of that name. Also a `KeyError`, as for any mapping."""

    __module__ = "django.core.mail.exceptions"

    def __init__(self, *, alias: str) -> None:
        super().__init__(f"The mailer '{alias}' is not configured.")
