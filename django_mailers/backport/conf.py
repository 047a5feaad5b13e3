"""`django.conf`: MAILERS in place of EMAIL_* settings. (Django 6.0: this whole file.)"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from django import conf as django_conf
from django.conf import UserSettingsHolder, settings
from django.core.exceptions import ImproperlyConfigured

from django_mailers.conf import is_polyfilled
from django_mailers.deprecation import (
    effective_caller,
    warn_about_external_use,
    warn_about_use,
)
from django_mailers.emailsettings import EMAIL_SETTINGS, defined_among, defined_settings
from django_mailers.legacyapi import missing_setting, setting_warning
from django_mailers.ownership import (
    is_sender_of_django,
    is_settings_code_of_django,
    is_test_environment_of_django,
)

from .parents import parent_of

# Names that settings.configure() has set, each with its warning if it is deprecated.
_configured: set[str] = set()


def getattribute(original: Callable[..., Any], self: Any, name: str) -> Any:
    """`LazySettings.__getattr__()`: an EMAIL_* setting is deprecated, and missing when MAILERS is
    defined.

    A value found then does not belong to any mailer: it is Django's global default.
    """
    value = original(self, name)
    if name not in EMAIL_SETTINGS:
        return value
    if not hasattr(self._wrapped, "MAILERS"):
        _warn_about_setting(name)
        return value
    forget_cached(self)
    caller = effective_caller()
    if caller is not None and (
        is_test_environment_of_django(caller) or is_sender_of_django(caller)
    ):
        return value
    raise AttributeError(missing_setting(name))


def setattribute(original: Callable[..., None], self: Any, name: str, value: Any) -> None:
    """`LazySettings.__setattr__()`: values cached before MAILERS was set must not outlive that."""
    # A holder warns itself.
    if name in EMAIL_SETTINGS and not isinstance(self._wrapped, UserSettingsHolder):
        _warn_about_setting(name)
    original(self, name, value)
    if name == "MAILERS":
        forget_cached(self)


def set_on_holder(original: Callable[..., None], self: Any, name: str, value: Any) -> None:
    """`UserSettingsHolder.__setattr__()`, by which `override_settings` and `configure` set."""
    if name in EMAIL_SETTINGS:
        _warn_about_setting(name)
    original(self, name, value)


def configure(original: Callable[..., None], self: Any, *args: Any, **options: Any) -> None:
    """`LazySettings.configure()`, which refuses MAILERS together with an EMAIL_* setting.

    Unless that is the bridge's business, which is on where the backport is.
    """
    if not self.configured and not options.get("MAILERS_BRIDGE", is_polyfilled()):
        refuse_conflict(options)
    original(self, *args, **options)
    if self is settings:
        _configured.update(options)


class Loading(threading.local):
    """Whether this thread is about to load the settings of the project itself."""

    is_projects = False


_loading = Loading()
# Settings of a module that have been looked at when they were made.
_seen: weakref.WeakSet[Any] = weakref.WeakSet()


def set_up(original: Callable[..., None], self: Any, name: str | None = None) -> None:
    """`LazySettings._setup()`: the project's settings are looked at when the app is loaded.

    The install may happen while they are, and whether the bridge is on is not known before.
    """
    _loading.is_projects = self is settings
    try:
        original(self, name)
    finally:
        _loading.is_projects = False


def init(original: Callable[..., None], self: Any, settings_module: str) -> None:
    """`Settings.__init__()`, of any module but the project's: as `configure()` does."""
    is_projects, _loading.is_projects = _loading.is_projects, False
    original(self, settings_module)
    if is_projects:
        return
    values = vars(self)
    if not values.get("MAILERS_BRIDGE", is_polyfilled()):
        refuse_conflict({name: values[name] for name in values if self.is_overridden(name)})
    _seen.add(self)
    _warn_about_settings(defined_settings(self) - {"MAILERS"})


class LazySettings:
    """Members for `django.conf.LazySettings`."""

    def __dir__(self: Any) -> list[str]:
        # Error reports and the debug page read everything that is listed (H9).
        names: list[str] = parent_of(self, django_conf.LazySettings).__dir__()
        if not hasattr(self._wrapped, "MAILERS"):
            return names
        return [
            name
            for name in names
            if name not in EMAIL_SETTINGS or self._wrapped.is_overridden(name)
        ]


def _warn_about_setting(name: str) -> None:
    warn_about_external_use(setting_warning(name), through=_is_settings_code)


def _is_settings_code(frame: FrameType) -> bool:
    return frame.f_globals is globals() or is_settings_code_of_django(frame)


def forget_cached(lazy: Any) -> None:
    """Drop the values of EMAIL_* settings that `lazy`, a `LazySettings`, has cached."""
    for name in EMAIL_SETTINGS:
        vars(lazy).pop(name, None)


def refuse_conflict(values: Mapping[str, Any]) -> None:
    """Raise `ImproperlyConfigured` if `values`, which a project defined, mix both worlds."""
    names = defined_among(values)
    deprecated = names - {"MAILERS"}
    if deprecated and "MAILERS" in names:
        raise ImproperlyConfigured(
            "Deprecated email settings are not allowed when MAILERS is defined: "
            f"{', '.join(sorted(deprecated))}."
        )


def check_explicit_settings(*, refuse: bool) -> None:
    """Look at the settings that the project has defined; called when the app is loaded.

    Arguments: `refuse`, whether MAILERS together with EMAIL_* settings is an error. Without MAILERS
    those are warned about, unless that has happened.
    """
    holder = settings._wrapped
    names = defined_settings(holder)
    if refuse:
        refuse_conflict({name: getattr(holder, name) for name in names})
    if "MAILERS" not in names and holder not in _seen:
        _warn_about_settings(names - _configured)


def _warn_about_settings(names: set[str]) -> None:
    for name in sorted(names):
        warn_about_use(setting_warning(name))
