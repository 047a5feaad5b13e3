"""The settings of this app that several rooms ask for, with their defaults."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import empty


class _State:
    """State that the installs leave here for rooms that must not import them."""

    is_polyfilled = False
    accepts_leftovers = False


_missing = object()


def needs_polyfill() -> bool:
    """Whether this Django has no MAILERS of its own: below 6.1."""
    from django.core import mail

    return _State.is_polyfilled or not hasattr(mail, "mailers")


def is_polyfilled() -> bool:
    """Whether Django's mail framework is, or will be, that of this package: below Django 6.1."""
    return _State.is_polyfilled


def is_bridge_wanted() -> bool:
    """Whether the setting MAILERS_BRIDGE is on; by default it is where MAILERS is this package's.

    Every message asks this several times. So it is read from the object behind `settings`, which
    caches nothing that is missing, and costs a walk through `__getattr__()` for it.
    """
    holder = settings._wrapped
    if holder is empty:
        return bool(getattr(settings, "MAILERS_BRIDGE", _State.is_polyfilled))
    value: Any = getattr(holder, "MAILERS_BRIDGE", _missing)
    return _State.is_polyfilled if value is _missing else bool(value)


def needs_bridge() -> bool:
    """Whether the bridge has anything to do in this process, when the app is loaded.

    It has if it is on, and if `install(bridge=True)` has accepted EMAIL_* settings that have to be
    looked at again now.
    """
    return _State.accepts_leftovers or is_bridge_wanted()


def note_polyfill(is_polyfilled: bool) -> None:
    """Called by the install of the polyfill."""
    _State.is_polyfilled = is_polyfilled


def note_leftovers() -> None:
    """Called by the bridge when it accepts EMAIL_* settings."""
    _State.accepts_leftovers = True


def async_threads() -> int:
    """Return MAILERS_ASYNC_THREADS, the greatest number of threads that send for coroutines."""
    from .options import COUNT

    threads: int = getattr(settings, "MAILERS_ASYNC_THREADS", 8)
    if not COUNT.allows(threads):
        raise ImproperlyConfigured(f"MAILERS_ASYNC_THREADS must be {COUNT.expected}.")
    return threads
