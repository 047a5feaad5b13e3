"""The EMAIL_* settings that MAILERS replaces, and which of them a project has defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import global_settings

EMAIL_SETTINGS = frozenset(
    f"EMAIL_{name}"
    for name in (
        *("BACKEND", "HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "TIMEOUT", "FILE_PATH"),
        *("USE_TLS", "USE_SSL", "SSL_CERTFILE", "SSL_KEYFILE"),
    )
)


_missing = object()


def defined_settings(holder: Any) -> set[str]:
    """Return which of MAILERS and the EMAIL_* settings a project has defined.

    Arguments: `holder`, what a `LazySettings` wraps: reading that warns nobody.
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
    """Return the names in `values` that are the project's own word.

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
