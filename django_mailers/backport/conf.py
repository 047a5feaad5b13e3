"""`django.conf`: the EMAIL_* settings that MAILERS replaces are not there beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import conf as django_conf
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from .deprecation import effective_caller

DEPRECATED_EMAIL_SETTINGS = {
    f"EMAIL_{name}"
    for name in (
        *("BACKEND", "HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "TIMEOUT", "FILE_PATH"),
        *("USE_TLS", "USE_SSL", "SSL_CERTFILE", "SSL_KEYFILE"),
    )
}

# Its set-up and tear-down on 5.2 and 6.0 save and restore EMAIL_BACKEND. They may be at it already
# when the install happens: the first setting they read loads the settings, which may install.
TEST_ENVIRONMENT = "django.test.utils"


def getattribute(original: Callable[..., Any], self: Any, name: str) -> Any:
    """`LazySettings.__getattr__()`: an EMAIL_* setting is missing once MAILERS is there.

    A value found there belongs to no mailer: it is Django's global default.
    """
    value = original(self, name)
    if name not in DEPRECATED_EMAIL_SETTINGS or not hasattr(self._wrapped, "MAILERS"):
        return value
    forget_cached()
    caller, _ = effective_caller()
    if caller is not None and caller.f_globals.get("__name__") == TEST_ENVIRONMENT:
        return value
    raise AttributeError(f"The {name} setting is not available when MAILERS is defined.")


def setattribute(original: Callable[..., None], self: Any, name: str, value: Any) -> None:
    """`LazySettings.__setattr__()`: values cached before MAILERS was set must not outlive that."""
    original(self, name, value)
    if name == "MAILERS":
        forget_cached()


def configure(original: Callable[..., None], self: Any, *args: Any, **options: Any) -> None:
    """`LazySettings.configure()`, which refuses MAILERS together with an EMAIL_* setting."""
    if not self.configured:
        refuse_conflict(options)
    original(self, *args, **options)


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
