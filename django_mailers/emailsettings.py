"""The EMAIL_* settings that MAILERS replaces, and which of them a project has defined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import global_settings

EMAIL_SETTINGS = frozenset(
    f"EMAIL_{name}"
    for name in (
        *("BACKEND", "HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "TIMEOUT", "FILE_PATH"),
        *("USE_TLS", "USE_SSL", "SSL_CERTFILE", "SSL_KEYFILE"),
    )
)


def defined_settings(holder: Any) -> set[str]:
    """Return which of MAILERS and the EMAIL_* settings a project has defined.

    Arguments: `holder`, what a `LazySettings` wraps: reading that warns nobody.
    """
    return defined_among(
        {
            name: getattr(holder, name)
            for name in {*EMAIL_SETTINGS, "MAILERS"}
            # is_overridden() is true for a setting that a test has deleted, too.
            if holder.is_overridden(name) and hasattr(holder, name)
        }
    )


def defined_among(values: Mapping[str, Any]) -> set[str]:
    """Return which of MAILERS and the EMAIL_* settings are defined by `values`, of a project.

    Settings that have all of Django's defaults are a copy of them, as django-configurations makes
    (and `from django.conf.global_settings import *`): only what differs is the project's own word.
    """
    names = {name for name in values if name in EMAIL_SETTINGS or name == "MAILERS"}
    defaults = {
        name: getattr(global_settings, name)
        for name in EMAIL_SETTINGS
        if hasattr(global_settings, name)
    }
    if not defaults.keys() <= names:
        return names
    return {name for name in names if name not in defaults or values[name] != defaults[name]}
