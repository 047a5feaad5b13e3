"""Django's mail API until 6.0, and the texts of its deprecation. (Django 2028: this whole file.)

Positional arguments and texts, for the rooms that stand in for Django and for `migrate/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Positional(NamedTuple):
    """How many arguments may be positional, and the names of the further ones until 6.0."""

    limit: int
    names: tuple[str, ...]


_MESSAGE = ("bcc", "connection", "attachments", "headers")
_SENDING = ("fail_silently", "auth_user", "auth_password", "connection")
_TO_PEOPLE = ("fail_silently", "connection", "html_message")

# By the names in `django.core.mail`.
POSITIONAL: Mapping[str, Positional] = {
    "get_connection": Positional(1, ("fail_silently",)),
    "send_mail": Positional(4, (*_SENDING, "html_message")),
    "send_mass_mail": Positional(1, _SENDING),
    "mail_admins": Positional(2, _TO_PEOPLE),
    "mail_managers": Positional(2, _TO_PEOPLE),
    "EmailMessage": Positional(4, (*_MESSAGE, "cc", "reply_to")),
    "EmailMultiAlternatives": Positional(4, (*_MESSAGE, "alternatives", "cc", "reply_to")),
}

GET_CONNECTION_WARNING = (
    "get_connection() is deprecated. See 'Migrating email to mailers' in Django's documentation "
    "for recommended replacements."
)
FAIL_SILENTLY_ARG_WARNING = (
    "The 'fail_silently' argument is deprecated. See 'Migrating email to mailers' in Django's "
    "documentation for recommended replacements."
)
AUTH_ARGS_WARNING = (
    "The 'auth_user' and 'auth_password' arguments are deprecated. Set 'username' and 'password' "
    "OPTIONS in MAILERS instead."
)
CONNECTION_ARG_WARNING = (
    "The 'connection' argument is deprecated. Switch to the 'using' argument with a MAILERS alias."
)
EMAIL_BACKEND_ARG_WARNING = "The 'email_backend' argument is deprecated. Use 'using' instead."
NO_DEFAULT_MAILER_WARNING = (
    "Django 2028 will not have a default mailer. Configure settings.MAILERS to avoid errors when "
    "sending email."
)


def setting_warning(name: str) -> str:
    """Return the deprecation of the EMAIL_* setting `name` in a project without MAILERS."""
    return f"The {name} setting is deprecated. Migrate to MAILERS before Django 2028."


def missing_setting(name: str) -> str:
    """Return the text of the `AttributeError` for the EMAIL_* setting `name` when MAILERS is
    defined."""
    return f"The {name} setting is not available when MAILERS is defined."


def pairs_warning(setting: str) -> str:
    """Return the deprecation of (name, address) pairs in `setting`, ADMINS or MANAGERS."""
    return (
        f"Using (name, address) pairs in the {setting} setting is deprecated. Replace with a list "
        "of email address strings."
    )


def positional_warning(function: str, names: Iterable[str]) -> str:
    """Return the deprecation of passing the arguments `names` of `function` by position."""
    listed = ", ".join(f"'{name}'" for name in names)
    return (
        f"Passing positional argument(s) {listed} to {function}() is deprecated. Use keyword "
        "arguments instead."
    )


def argument_warnings(
    connection: object = None,
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
) -> list[str]:
    """Return the deprecations of those arguments of the sending functions that are given."""
    texts = []
    if fail_silently:
        texts.append(FAIL_SILENTLY_ARG_WARNING)
    if auth_user is not None or auth_password is not None:
        texts.append(AUTH_ARGS_WARNING)
    if connection is not None:
        texts.append(CONNECTION_ARG_WARNING)
    return texts
