"""`django.core.mail`: the functions that send. (Django 6.0: this whole file.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from django_mailers.deprecation import warn_about_external_use
from django_mailers.legacyapi import (
    GET_CONNECTION_WARNING,
    POSITIONAL,
    argument_warnings,
    pairs_warning,
)

from .deprecation import (
    deprecate_posargs,
    report_connection_incompatibility,
    report_using_incompatibility,
    warn_about_default_mailers_if_needed,
)
from .handler import DEFAULT_MAILER_ALIAS, MailersHandler

mailers = MailersHandler()

# Put into Django's module, which has the names that are missing here.
__all__ = [  # noqa: F822
    "DEFAULT_ATTACHMENT_MIME_TYPE",
    "DNS_NAME",
    "BadHeaderError",
    "CachedDnsName",
    "EmailAlternative",
    "EmailAttachment",
    "EmailMessage",
    "EmailMultiAlternatives",
    "InvalidMailer",
    "MailerDoesNotExist",
    "SafeMIMEMultipart",
    "SafeMIMEText",
    "forbid_multi_line_headers",
    "get_connection",
    "mail_admins",
    "mail_managers",
    "mailers",
    "make_msgid",
    "send_mail",
    "send_mass_mail",
]


@deprecate_posargs(POSITIONAL["get_connection"].names)
def get_connection(backend: str | None = None, *, fail_silently: bool = False, **kwds: Any) -> Any:
    """Return a backend: with MAILERS its default entry, otherwise the one that EMAIL_BACKEND names.

    Arguments: `backend`, a dotted path, refused with `RuntimeError` once MAILERS is defined;
    `fail_silently` and any other keyword, options laid over the configured ones.
    """
    warn_about_external_use(GET_CONNECTION_WARNING)
    if fail_silently:
        kwds["fail_silently"] = fail_silently
    if not mail.mailers._is_configured:
        warn_about_default_mailers_if_needed()
        return import_string(backend or settings.EMAIL_BACKEND)(**kwds)
    if backend is not None:
        raise RuntimeError("get_connection(backend, ...) is not supported with MAILERS.")
    # None never meant "no credentials" before MAILERS, and released code passes it: it must not
    # erase the configured ones, as Django 6.1.3 lets it do (H12).
    for name in ("username", "password"):
        if name in kwds and kwds[name] is None:
            del kwds[name]
    return mail.mailers.create_connection(DEFAULT_MAILER_ALIAS, _deprecated_kwargs=kwds)


def _connection_for(
    using: str | None,
    connection: Any,
    fail_silently: bool,
    auth_user: str | None = None,
    auth_password: str | None = None,
) -> Any:
    """Return the backend that a sending function's arguments ask for, or None if `using` does.

    Warns about the deprecated arguments and refuses those that contradict each other.
    """
    is_plain = not fail_silently and auth_user is None and auth_password is None
    if is_plain and connection is None:
        return mail.get_connection(fail_silently=False) if using is None else None
    for text in argument_warnings(connection, fail_silently, auth_user, auth_password):
        warn_about_external_use(text)
    if using is not None:
        report_using_incompatibility(connection, fail_silently, auth_user, auth_password)
        return None
    if connection is not None:
        report_connection_incompatibility(fail_silently, auth_user, auth_password)
        return connection
    options: dict[str, Any] = {"fail_silently": fail_silently}
    if auth_user is not None:
        options["username"] = auth_user
    if auth_password is not None:
        options["password"] = auth_password
    return mail.get_connection(**options)


@deprecate_posargs(POSITIONAL["send_mail"].names)
def send_mail(
    subject: str,
    message: str,
    from_email: str | None,
    recipient_list: Sequence[str],
    *,
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
    connection: Any = None,
    html_message: str | None = None,
    using: str | None = None,
) -> int:
    """Send one message to everyone in `recipient_list`, through the mailer that `using` names.

    Arguments: `from_email` None means DEFAULT_FROM_EMAIL; `html_message` becomes an alternative to
    the plain `message`; `using` is an alias of MAILERS, which excludes the deprecated
    `fail_silently`, `auth_user`, `auth_password` and `connection` (`TypeError`).

    Returns how many messages were sent: 0 or 1. Raises what the backend raises.
    """
    connection = _connection_for(using, connection, fail_silently, auth_user, auth_password)
    email = mail.EmailMultiAlternatives(
        subject, message, from_email, recipient_list, connection=connection
    )
    if html_message:
        email.attach_alternative(html_message, "text/html")
    return email.send(using=using)


@deprecate_posargs(POSITIONAL["send_mass_mail"].names)
def send_mass_mail(
    datatuple: Iterable[tuple[str, str, str | None, Sequence[str]]],
    *,
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
    connection: Any = None,
    using: str | None = None,
) -> int:
    """Send a message per (subject, message, from_email, recipient_list), all over one connection.

    The other arguments are those of `send_mail()`. Returns how many messages were sent.
    """
    connection = _connection_for(using, connection, fail_silently, auth_user, auth_password)
    if using is not None:
        connection = mail.mailers[using]
    messages = [
        mail.EmailMessage(subject, body, sender, recipients, connection=connection)
        for subject, body, sender, recipients in datatuple
    ]
    return connection.send_messages(messages)


def _send_to(
    setting: str,
    subject: str,
    message: str,
    *,
    fail_silently: bool,
    connection: Any,
    html_message: str | None,
    using: str | None,
) -> None:
    """Send to the people that `setting` (ADMINS or MANAGERS) lists, from SERVER_EMAIL."""
    for text in argument_warnings(connection, fail_silently):
        warn_about_external_use(text)
    if using is not None:
        report_using_incompatibility(connection, fail_silently)
    elif connection is not None:
        report_connection_incompatibility(fail_silently)
        # If Django's own code has passed both, send() must not refuse what was let pass here.
        fail_silently = False

    recipients = getattr(settings, setting)
    if not recipients:
        return
    if all(isinstance(entry, list | tuple) and len(entry) == 2 for entry in recipients):
        warn_about_external_use(pairs_warning(setting))
        recipients = [address for _, address in recipients]
    if not isinstance(recipients, list | tuple) or not all(
        isinstance(entry, str | Promise) for entry in recipients
    ):
        raise ImproperlyConfigured(
            f"The {setting} setting must be a list of email address strings."
        )

    email = mail.EmailMultiAlternatives(
        f"{settings.EMAIL_SUBJECT_PREFIX}{subject}",
        message,
        settings.SERVER_EMAIL,
        recipients,
        connection=connection,
    )
    if html_message:
        email.attach_alternative(html_message, "text/html")
    email.send(fail_silently=fail_silently, using=using)


@deprecate_posargs(POSITIONAL["mail_admins"].names)
def mail_admins(
    subject: str,
    message: str,
    *,
    fail_silently: bool = False,
    connection: Any = None,
    html_message: str | None = None,
    using: str | None = None,
) -> None:
    """Send a message to ADMINS, the subject led by EMAIL_SUBJECT_PREFIX; see `send_mail()`."""
    _send_to(
        "ADMINS",
        subject,
        message,
        fail_silently=fail_silently,
        connection=connection,
        html_message=html_message,
        using=using,
    )


@deprecate_posargs(POSITIONAL["mail_managers"].names)
def mail_managers(
    subject: str,
    message: str,
    *,
    fail_silently: bool = False,
    connection: Any = None,
    html_message: str | None = None,
    using: str | None = None,
) -> None:
    """Send a message to MANAGERS; otherwise like `mail_admins()`."""
    _send_to(
        "MANAGERS",
        subject,
        message,
        fail_silently=fail_silently,
        connection=connection,
        html_message=html_message,
        using=using,
    )
