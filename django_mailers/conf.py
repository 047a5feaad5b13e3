"""The settings of this app that several rooms ask for, with their defaults."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_mailers.options import COUNT


def async_threads() -> int:
    """Return MAILERS_ASYNC_THREADS, the greatest number of threads that send for coroutines."""
    threads: int = getattr(settings, "MAILERS_ASYNC_THREADS", 8)
    if not COUNT.allows(threads):
        raise ImproperlyConfigured(f"MAILERS_ASYNC_THREADS must be {COUNT.expected}.")
    return threads
