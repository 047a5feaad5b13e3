"""EMAIL_* settings, read from the default mailer of MAILERS. (Django 2028: this whole file.)"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import conf as django_conf
from django.conf import global_settings, settings
from django.core import mail

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import is_called_from_outside, warn_about_use
from django_mailers.emailsettings import (
    EMAIL_SETTINGS,
    OPTIONS,
    SMTP_BACKEND,
    default_port,
    defined_settings,
)
from django_mailers.legacyapi import missing_setting, setting_warning

from .common import Call, is_on, result
from .patches import CONFLICTS


class Building(threading.local):
    """The entry whose backend this thread is making, of MAILERS or not; None outside of that."""

    entry: Mapping[str, Any] | None = None


building = Building()


def read_setting(original: Callable[..., Any], self: Any, name: str) -> Call:
    """`LazySettings.__getattr__()`: an EMAIL_* setting is what MAILERS["default"] says of it."""
    if name not in EMAIL_SETTINGS:
        return original, (self, name), {}
    if not self.configured or not hasattr(self, "MAILERS"):
        if is_called_from_outside():
            warn_about_use(setting_warning(name))
        return original, (self, name), {}
    entry = building.entry
    if entry is None:
        entry = self.MAILERS.get(mail.DEFAULT_MAILER_ALIAS)
    if entry is None or not is_bridge_wanted():
        return original, (self, name), {}
    value = _project(name, entry)
    if is_called_from_outside():
        warn_about_use(
            f"The {name} setting is deprecated. With MAILERS defined it reads as what the default "
            "mailer has."
        )
    return result(value)


def _project(name: str, entry: Mapping[str, Any]) -> Any:
    backend = entry.get("BACKEND", SMTP_BACKEND)
    if name == "EMAIL_BACKEND":
        return backend
    options = entry.get("OPTIONS", {})
    option = OPTIONS[name]
    if option in options:
        return options[option]
    if name == "EMAIL_PORT" and "host" in options:
        # Not Django's global default: these are the ports that the mailer connects to.
        return default_port(use_tls=options.get("use_tls"), use_ssl=options.get("use_ssl"))
    if not hasattr(global_settings, name):
        raise AttributeError(missing_setting(name))
    return getattr(global_settings, name)


def check_conflicts(original: Callable[..., None], explicit_settings: Iterable[str]) -> None:
    """Django 6.1's `_check_email_settings_conflicts()`: EMAIL_* together with MAILERS is an error.

    It is called while the settings are loaded, when they cannot say yet whether the bridge is on;
    `settle_leftovers()` calls it again.
    """
    if settings.configured:
        original(explicit_settings)


def settle_leftovers() -> None:
    """Deal with the EMAIL_* settings that a project still defines together with MAILERS.

    With the bridge on they are warned about. Otherwise Django 6.1 has refused them, or does now.
    """
    explicit = defined_settings(settings._wrapped)
    name = CONFLICTS.partition(":")[2]
    if is_on():
        for setting in sorted(explicit - {"MAILERS"}):
            warn_about_use(
                f"The {setting} setting has no effect when MAILERS is defined. Remove it from the "
                "settings."
            )
    elif hasattr(django_conf, name):
        getattr(django_conf, name)(explicit)
