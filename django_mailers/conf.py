"""The settings of this app that several rooms ask for, with their defaults."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def async_threads() -> int:
    """Return MAILERS_ASYNC_THREADS, the greatest number of threads that send for coroutines."""
    threads = getattr(settings, "MAILERS_ASYNC_THREADS", 8)
    if not isinstance(threads, int) or threads < 1:
        raise ImproperlyConfigured("MAILERS_ASYNC_THREADS must be a positive integer.")
    return threads
