"""The app. Importing this module installs the backport: ready() would be too late, as by then every
module has its own references to Django's functions."""

from django.apps import AppConfig

from django_mailers import conf, polyfill

polyfill.install()
polyfill.after_settings()

if conf.needs_bridge():
    from django_mailers import bridge

    bridge.install()


class DjangoMailersConfig(AppConfig):
    """Registers the system checks. All else is done when this module is imported."""

    name = "django_mailers"
    verbose_name = "Mailers"

    def ready(self) -> None:
        from django_mailers import checks

        checks.register()
