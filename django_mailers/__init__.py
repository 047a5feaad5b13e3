"""Django 6.1's MAILERS on Django 5.2 and 6.0, and mailers that production needs on every Django.

Importing this package imports nothing of Django: it can be named at the top of a settings file,
before anything of Django may be touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_mailers.polyfill import install

__version__ = "0.1.0"

__all__ = ["RemovedInDjango2028Warning", "__version__", "install"]


def __getattr__(name: str) -> Any:
    if name == "install":
        from django_mailers.polyfill import install

        return install
    if name == "RemovedInDjango2028Warning":
        from django_mailers.polyfill import removed_in_django_2028_warning

        return removed_in_django_2028_warning()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
