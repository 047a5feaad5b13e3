"""Backends that were written before `alias`, named in MAILERS. (Django 2028: this whole file.)"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from django.core import mail
from django.utils.module_loading import import_string

from django_mailers.conf import is_bridge_wanted
from django_mailers.deprecation import warn_about_use
from django_mailers.emailsettings import SMTP_BACKEND
from django_mailers.signatures import signature_of

from .settings import building


def create_connection(
    original: Callable[..., Any],
    self: Any,
    alias: str,
    /,
    *,
    _deprecated_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """`MailersHandler.create_connection()`, for backends that were written before `alias`.

    `_deprecated_kwargs`, what `get_connection()` was given, may be for any alias here.
    """
    entry = self.settings.get(alias)
    if entry is None or not is_bridge_wanted():
        return original(self, alias, _deprecated_kwargs=_deprecated_kwargs)
    given = _deprecated_kwargs or {}
    backend_class: Any = None
    with suppress(ImportError):  # which Django reports
        backend_class = import_string(entry.get("BACKEND", SMTP_BACKEND))
    outer = building.entry
    # Such a backend reads EMAIL_* settings of this entry, not of the default account (H14).
    building.entry = entry
    try:
        if backend_class is not None and not signature_of(backend_class).takes_alias:
            backend = _create_legacy(backend_class, entry, given)
        else:
            backend = _create(original, self, alias, entry, given, backend_class)
        if getattr(backend, "alias", None) is None:
            backend.alias = alias
    finally:
        building.entry = outer
    return backend


def _create(
    original: Callable[..., Any],
    mailers: Any,
    alias: str,
    entry: Mapping[str, Any],
    given: Mapping[str, Any],
    backend_class: Any,
) -> Any:
    """Return what Django creates, also for a class that passes arguments of its own to its base."""
    configured = entry.get("OPTIONS", {})
    options = {**configured, **given}

    def create_without(ignored: list[str]) -> Any:
        if "alias" in configured or backend_class is None:
            return original(mailers, alias)
        # A list, unlike Django's set, a queue can hand on as JSON.
        return backend_class(alias=alias, _ignore_unknown_kwargs=ignored, **options)

    # The arguments of get_connection() may be anything (H16).
    ignored = list(given)
    try:
        return create_without(ignored) if ignored else original(mailers, alias)
    except mail.InvalidMailer as error:
        surplus = _unknown_options(error, alias)
        # Before MAILERS the base class took anything, but the entry itself must be right.
        if not surplus or any(name in options for name in surplus):
            raise
    path = entry.get("BACKEND", SMTP_BACKEND)
    cure = "It must set the attribute itself." if surplus == ["fail_silently"] else "It must not."
    warn_about_use(f"{path} passes {', '.join(surplus)} to BaseEmailBackend. {cure}")
    return create_without([*ignored, *surplus])


def _unknown_options(error: mail.InvalidMailer, alias: str) -> list[str]:
    """Return the names that BaseEmailBackend has refused with `error`; [] for another error."""
    prefix = f"MAILERS[{alias!r}]: Unknown options "
    text = str(error)
    return re.findall(r"'(\w+)'", text.removeprefix(prefix)) if text.startswith(prefix) else []


def _create_legacy(backend_class: Any, entry: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Return a backend whose class does not take `alias`."""
    warn_about_use(
        f"{entry['BACKEND']}.__init__() must accept 'alias', or **kwargs for its base class."
    )
    options = {**entry.get("OPTIONS", {}), **given}
    if "fail_silently" in signature_of(backend_class).required:
        # Before MAILERS every backend was told.
        options.setdefault("fail_silently", False)
    return backend_class(**options)
