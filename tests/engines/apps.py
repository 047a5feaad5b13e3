from django.apps import AppConfig


class EnginesConfig(AppConfig):
    """Prepares a worker for crashes."""

    name = "tests.engines"

    def ready(self):
        from . import crashing

        crashing.install()
