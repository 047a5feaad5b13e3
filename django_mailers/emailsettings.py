"""The EMAIL_* settings that MAILERS replaces: the options they are, and which a project defines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import global_settings

# The backend of an entry without BACKEND, and of a project without EMAIL_BACKEND.
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

# The option of an entry of MAILERS that each setting becomes. EMAIL_BACKEND becomes its BACKEND.
OPTIONS: Mapping[str, str] = {
    "EMAIL_HOST": "host",
    "EMAIL_PORT": "port",
    "EMAIL_HOST_USER": "username",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_USE_TLS": "use_tls",
    "EMAIL_USE_SSL": "use_ssl",
    "EMAIL_TIMEOUT": "timeout",
    "EMAIL_SSL_KEYFILE": "ssl_keyfile",
    "EMAIL_SSL_CERTFILE": "ssl_certfile",
    "EMAIL_FILE_PATH": "file_path",
}
# As in Django, which will not have them any more once EMAIL_* is gone.
DEFAULTS: Mapping[str, Any] = {
    "EMAIL_BACKEND": SMTP_BACKEND,
    "EMAIL_HOST": "localhost",
    "EMAIL_PORT": 25,
    "EMAIL_HOST_USER": "",
    "EMAIL_HOST_PASSWORD": "",
    "EMAIL_USE_TLS": False,
    "EMAIL_USE_SSL": False,
    "EMAIL_TIMEOUT": None,
    "EMAIL_SSL_KEYFILE": None,
    "EMAIL_SSL_CERTFILE": None,
    "EMAIL_FILE_PATH": None,
}
EMAIL_SETTINGS = frozenset(DEFAULTS)

_missing = object()


def default_port(*, use_tls: object = False, use_ssl: object = False) -> int:
    """Return the port that SMTP connects to without 'port', by the other two options.

    EMAIL_PORT has the same default for all of them.
    """
    if use_ssl:
        return 465
    return 587 if use_tls else 25


def defined_settings(holder: Any) -> set[str]:
    """Return which of MAILERS and the EMAIL_* settings a project has defined.

    Arguments: `holder`, what a `LazySettings` wraps: reading that issues no warnings.
    """
    values = {
        name: getattr(holder, name)
        for name in {*EMAIL_SETTINGS, "MAILERS"}
        # is_overridden() is true for a setting that a test has deleted, too.
        if holder.is_overridden(name) and hasattr(holder, name)
    }
    return _without_copies(values, holder.is_overridden)


def defined_among(values: Mapping[str, Any]) -> set[str]:
    """Return which of MAILERS and the EMAIL_* settings `values`, all of a project, define."""
    own = {name: values[name] for name in values if name in {*EMAIL_SETTINGS, "MAILERS"}}
    return _without_copies(own, values.__contains__)


def _without_copies(values: Mapping[str, Any], is_set: Callable[[str], bool]) -> set[str]:
    """Return the names in `values` that the project itself has given a value.

    A project that sets most of Django's global settings has a copy of them, as
    django-configurations makes (and `from django.conf.global_settings import *`): only what differs
    is its own.
    """
    differing = {
        name for name in values if values[name] != getattr(global_settings, name, _missing)
    }
    if len(differing) < len(values):
        names = [name for name in dir(global_settings) if name.isupper()]
        if 2 * sum(map(is_set, names)) > len(names):
            return differing
    return set(values)
