"""Django 6.1's MAILERS on Django 5.2 and 6.0, and mailers for production on every Django.

Importing this package does not import Django, so a settings file can import it in its first line.

PYTEST_DONT_REWRITE: pytest has nothing to rewrite here. It knows of the package, as that has a
plugin, and would warn where it is imported first, as by a TEST_RUNNER that calls pytest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_mailers.delivery import SendError, SendReport, SendResult, send_each, send_many
    from django_mailers.delivery.aio import (
        amail_admins,
        amail_managers,
        asend,
        asend_mail,
        asend_many,
        asend_mass_mail,
    )
    from django_mailers.errors import CancelSend, MailersFailed, RateLimited
    from django_mailers.routing import build_mailer, use_mailer

__version__ = "1.0.0rc1"

__all__ = [
    "CancelSend",
    "MailersFailed",
    "RateLimited",
    "RemovedInDjango2028Warning",
    "SendError",
    "SendReport",
    "SendResult",
    "__version__",
    "amail_admins",
    "amail_managers",
    "asend",
    "asend_mail",
    "asend_many",
    "asend_mass_mail",
    "build_mailer",
    "install",
    "send_each",
    "send_many",
    "use_mailer",
]

# The modules of the names that need Django.
_MODULES = {
    "CancelSend": "errors",
    "MailersFailed": "errors",
    "RateLimited": "errors",
    "SendError": "delivery",
    "SendReport": "delivery",
    "SendResult": "delivery",
    "amail_admins": "delivery.aio",
    "amail_managers": "delivery.aio",
    "asend": "delivery.aio",
    "asend_mail": "delivery.aio",
    "asend_many": "delivery.aio",
    "asend_mass_mail": "delivery.aio",
    "build_mailer": "routing",
    "send_each": "delivery",
    "send_many": "delivery",
    "use_mailer": "routing",
}


def install(*, bridge: bool = False) -> None:
    """Bring Django 6.1's mail framework to this Django now, before the app is loaded.

    For the first line of a settings file. On Django 6.1 and later there is nothing to do, except
    with `bridge`: settings that define EMAIL_* settings together with MAILERS are then accepted
    until the app is loaded, when MAILERS_BRIDGE decides. Reads no settings; may be called more
    than once, in any thread.
    """
    from django_mailers import conf

    # Django 6.0: this call.
    if conf.needs_polyfill():
        from django_mailers import polyfill

        polyfill.install()
    if bridge:
        from django_mailers.bridge import accept_leftovers

        accept_leftovers()


def __getattr__(name: str) -> Any:
    if name == "RemovedInDjango2028Warning":
        from django_mailers.deprecation import RemovedInDjango2028Warning

        return RemovedInDjango2028Warning
    if name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        # Not asked for again: see `smtp`.
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
