"""The EMAIL_* settings, as what the default mailer of MAILERS says of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from django import conf as django_conf
from django.conf import global_settings, settings
from django.core import mail

from django_mailers.deprecation import warn_about_use
from django_mailers.emailsettings import EMAIL_SETTINGS, defined_settings

from .common import SMTP, as_django, is_called_from_outside, is_on, is_wanted

# Where the default mailer of MAILERS has what an EMAIL_* setting said.
PROJECTIONS = {
    "EMAIL_FILE_PATH": "file_path",
    "EMAIL_HOST": "host",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_HOST_USER": "username",
    "EMAIL_PORT": "port",
    "EMAIL_SSL_CERTFILE": "ssl_certfile",
    "EMAIL_SSL_KEYFILE": "ssl_keyfile",
    "EMAIL_TIMEOUT": "timeout",
    "EMAIL_USE_SSL": "use_ssl",
    "EMAIL_USE_TLS": "use_tls",
}

# A function of `django.conf`, from Django 6.1 on and until it has no EMAIL_* settings any more.
CONFLICTS = "_check_email_settings_conflicts"

SETTING_WARNING = "The {name} setting is deprecated. Migrate to MAILERS before Django 2028."


class Building(threading.local):
    """The alias whose backend this thread is making; None outside of that."""

    alias: str | None = None


building = Building()


def read_setting(original: Callable[..., Any], self: Any, name: str) -> Any:
    """`LazySettings.__getattr__()`: an EMAIL_* setting is what MAILERS["default"] says of it."""
    if name not in EMAIL_SETTINGS:
        return original(self, name)
    if not self.configured or not hasattr(self, "MAILERS"):
        value = as_django(original, self, name)
        if is_called_from_outside():
            warn_about_use(SETTING_WARNING.format(name=name))
        return value
    entry = self.MAILERS.get(building.alias or mail.DEFAULT_MAILER_ALIAS)
    if entry is None or not is_wanted():
        return original(self, name)
    value = _project(name, entry)
    if is_called_from_outside():
        warn_about_use(
            f"The {name} setting is deprecated. With MAILERS defined it reads as what the default "
            "mailer has."
        )
    return value


def _project(name: str, entry: dict[str, Any]) -> Any:
    backend = entry.get("BACKEND", SMTP)
    if name == "EMAIL_BACKEND":
        return backend
    options = entry.get("OPTIONS", {})
    option = PROJECTIONS[name]
    if option in options:
        return options[option]
    if name == "EMAIL_PORT" and "host" in options:
        # Not Django's global default: these are the ports that the mailer connects to.
        return 465 if options.get("use_ssl") else 587 if options.get("use_tls") else 25
    if not hasattr(global_settings, name):
        raise AttributeError(f"The {name} setting is not available when MAILERS is defined.")
    return getattr(global_settings, name)


def check_conflicts(original: Callable[..., None], explicit_settings: Iterable[str]) -> None:
    """Django 6.1's `_check_email_settings_conflicts()`, which refuses EMAIL_* beside MAILERS.

    It is called while the settings are loaded, when they cannot say yet whether the bridge is on;
    settle_leftovers() calls it again.
    """
    if settings.configured:
        original(explicit_settings)


def settle_leftovers() -> None:
    """Deal with the EMAIL_* settings that a project still defines beside MAILERS.

    With the bridge on they are warned about. Else Django 6.1 has refused them, or does now.
    """
    explicit = defined_settings(settings._wrapped)
    if is_on():
        for name in sorted(explicit - {"MAILERS"}):
            warn_about_use(
                f"The {name} setting has no effect beside MAILERS. Remove it from the settings."
            )
    elif hasattr(django_conf, CONFLICTS):
        getattr(django_conf, CONFLICTS)(explicit)
