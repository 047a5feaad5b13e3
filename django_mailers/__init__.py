"""Django 6.1's MAILERS on Django 5.2 and 6.0, and mailers that production needs on every Django.

Importing this package imports nothing of Django: it can be named at the top of a settings file,
before anything of Django may be touched.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

__all__ = ["RemovedInDjango2028Warning", "__version__", "install"]


def install(*, bridge: bool = False) -> None:
    """Bring Django 6.1's mail framework to this Django now, before the app is loaded.

    For the first line of a settings file. On Django 6.1 and later there is nothing to do, except
    with `bridge`: settings that define EMAIL_* settings beside MAILERS are then let pass, for
    MAILERS_BRIDGE to decide. Reads no settings; may be called more than once, in any thread.
    """
    from django_mailers import polyfill

    polyfill.install()
    if bridge:
        from django_mailers.bridge import accept_leftovers

        accept_leftovers()


def __getattr__(name: str) -> Any:
    if name == "RemovedInDjango2028Warning":
        from django_mailers.polyfill import removed_in_django_2028_warning

        return removed_in_django_2028_warning()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
