"""The app. Importing this module installs the backport: ready() would be too late, as by then every
module has its own references to Django's functions."""

from django.apps import AppConfig

from django_mailers import polyfill

polyfill.install()

from django_mailers import bridge  # noqa: E402  (it names what the install has brought)

bridge.install()
polyfill.settle(refuse_conflict=not bridge.is_wanted())
bridge.settle()


class DjangoMailersConfig(AppConfig):
    """Registers the system checks. All else is done when this module is imported."""

    name = "django_mailers"
    verbose_name = "Mailers"

    def ready(self) -> None:
        from django_mailers import checks

        checks.register()
