"""The app. Importing this module installs the backport: ready() would be too late, as by then every
module has its own references to Django's functions.

On Django 6.1 and later nothing more is imported than what is used.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage

from django_mailers import conf

TAG = "mail"


def install() -> None:
    """Bring MAILERS to a Django without it, and build the bridge if the settings want it."""
    # Django 6.0: this call.
    if conf.needs_polyfill():
        from django_mailers import polyfill

        polyfill.install()
        polyfill.after_settings()
    # Django 2028: this call.
    if conf.needs_bridge():
        from django_mailers import bridge

        bridge.install()


install()


class DjangoMailersConfig(AppConfig):
    """Registers the system checks. All else is done when this module is imported."""

    name = "django_mailers"
    verbose_name = "Mailers"

    def ready(self) -> None:
        checks.register(check_mailers, TAG)
        checks.register(check_deployment, TAG, deploy=True)


def check_mailers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check MAILERS, and the settings that have to do with it."""
    from django_mailers.checks import check_mailers

    return check_mailers(app_configs, **kwargs)


def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that no mailer keeps its mail to itself; part of `check --deploy`."""
    from django_mailers.checks import check_deployment

    return check_deployment(app_configs, **kwargs)
