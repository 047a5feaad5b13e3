"""Our settings, with their defaults. Each is read when it is needed, as tests override settings."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def wants_bridge(default: bool) -> bool:
    """Return MAILERS_BRIDGE. The default is True wherever the app brings MAILERS to Django."""
    return bool(getattr(settings, "MAILERS_BRIDGE", default))


def async_threads() -> int:
    """Return MAILERS_ASYNC_THREADS, the greatest number of threads that send for coroutines."""
    threads = getattr(settings, "MAILERS_ASYNC_THREADS", 8)
    if not isinstance(threads, int) or threads < 1:
        raise ImproperlyConfigured("MAILERS_ASYNC_THREADS must be a positive integer.")
    return threads
