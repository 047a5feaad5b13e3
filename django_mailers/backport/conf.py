"""`django.conf`: the EMAIL_* settings that MAILERS replaces are not there beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from django import conf as django_conf
from django.conf import UserSettingsHolder, settings
from django.core.exceptions import ImproperlyConfigured

from .deprecation import effective_caller, module_of, warn_about_external_use, warn_about_use

DEPRECATED_EMAIL_SETTINGS = {
    f"EMAIL_{name}"
    for name in (
        *("BACKEND", "HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "TIMEOUT", "FILE_PATH"),
        *("USE_TLS", "USE_SSL", "SSL_CERTFILE", "SSL_KEYFILE"),
    )
}

# Names that settings.configure() has set, each with its warning if it is deprecated.
_configured: set[str] = set()

SETTING_WARNING = "The {name} setting is deprecated. Migrate to MAILERS before Django 2028."

# The set-up and tear-down of 5.2's and 6.0's test environment save and restore EMAIL_BACKEND. They
# may be at it already when the install happens: the first setting they read loads the settings,
# which may install.
TEST_ENVIRONMENT = ("setup_test_environment", "teardown_test_environment")


def getattribute(original: Callable[..., Any], self: Any, name: str) -> Any:
    """`LazySettings.__getattr__()`: an EMAIL_* setting is deprecated, and missing beside MAILERS.

    A value found beside MAILERS belongs to no mailer: it is Django's global default.
    """
    value = original(self, name)
    if name not in DEPRECATED_EMAIL_SETTINGS:
        return value
    if not hasattr(self._wrapped, "MAILERS"):
        _warn_about_setting(name)
        return value
    forget_cached()
    caller = effective_caller()
    if caller is not None and _is_test_environment(caller):
        return value
    raise AttributeError(f"The {name} setting is not available when MAILERS is defined.")


def setattribute(original: Callable[..., None], self: Any, name: str, value: Any) -> None:
    """`LazySettings.__setattr__()`: values cached before MAILERS was set must not outlive that."""
    # A holder warns itself.
    if name in DEPRECATED_EMAIL_SETTINGS and not isinstance(self._wrapped, UserSettingsHolder):
        _warn_about_setting(name)
    original(self, name, value)
    if name == "MAILERS":
        forget_cached()


def set_on_holder(original: Callable[..., None], self: Any, name: str, value: Any) -> None:
    """`UserSettingsHolder.__setattr__()`, by which `override_settings` and `configure` set."""
    if name in DEPRECATED_EMAIL_SETTINGS:
        _warn_about_setting(name)
    original(self, name, value)


def configure(original: Callable[..., None], self: Any, *args: Any, **options: Any) -> None:
    """`LazySettings.configure()`, which refuses MAILERS together with an EMAIL_* setting.

    Unless that is the bridge's business, which is on where the backport is.
    """
    if not self.configured and not options.get("MAILERS_BRIDGE", True):
        refuse_conflict(options)
    original(self, *args, **options)
    _configured.update(options)


class LazySettings:
    """What goes into `django.conf.LazySettings`."""

    def __dir__(self: Any) -> list[str]:
        # Error reports and the debug page read everything that is listed (H9).
        parent: Any = super(django_conf.LazySettings, self)
        names: list[str] = parent.__dir__()
        if not hasattr(self._wrapped, "MAILERS"):
            return names
        return [
            name
            for name in names
            if name not in DEPRECATED_EMAIL_SETTINGS or self._wrapped.is_overridden(name)
        ]


def _warn_about_setting(name: str) -> None:
    warn_about_external_use(SETTING_WARNING.format(name=name), through=_is_settings_code)


def _is_settings_code(frame: FrameType) -> bool:
    """Tell whether `frame` handles settings on behalf of whoever called it."""
    module, function = module_of(frame), frame.f_code.co_name
    if module == "django.test.utils":
        # disable() reads what it has put back, for the receivers of setting_changed.
        return function != "disable" and not _is_test_environment(frame)
    if module == "django.test.testcases":
        return function in {"settings", "modify_settings"}
    return module in {"django.conf", "django.utils.functional", __name__}


def _is_test_environment(frame: FrameType) -> bool:
    return module_of(frame) == "django.test.utils" and frame.f_code.co_name in TEST_ENVIRONMENT


def forget_cached() -> None:
    """Drop the values of EMAIL_* settings that `settings` has cached."""
    for name in DEPRECATED_EMAIL_SETTINGS:
        vars(settings).pop(name, None)


def refuse_conflict(explicit: Iterable[str]) -> None:
    """Raise `ImproperlyConfigured` if `explicit`, names a project defined, mixes both worlds."""
    names = set(explicit)
    deprecated = DEPRECATED_EMAIL_SETTINGS & names
    if deprecated and "MAILERS" in names:
        raise ImproperlyConfigured(
            "Deprecated email settings are not allowed when MAILERS is defined: "
            f"{', '.join(sorted(deprecated))}."
        )


def explicit_settings() -> set[str]:
    """Return which of MAILERS and the EMAIL_* settings the project has defined."""
    return {
        name
        for name in {*DEPRECATED_EMAIL_SETTINGS, "MAILERS"}
        if hasattr(settings._wrapped, name) and settings.is_overridden(name)
    }


def warn_about_explicit_settings(names: Iterable[str]) -> None:
    """Warn about `names`, EMAIL_* settings of a project that has not come to MAILERS yet."""
    for name in sorted(set(names) - _configured):
        warn_about_use(SETTING_WARNING.format(name=name))
