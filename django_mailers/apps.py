"""The app. Importing this module installs the backport: ready() would be too late, as by then every
module has its own references to Django's functions."""

from django.apps import AppConfig

from django_mailers import polyfill

polyfill.install()
polyfill.settle()


class DjangoMailersConfig(AppConfig):
    """Nothing to do once the apps are loaded: the work is done when this module is imported."""

    name = "django_mailers"
    verbose_name = "Mailers"
