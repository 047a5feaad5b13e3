"""AdminEmailHandler as LOGGING configures it, before any app is loaded."""

import logging

from .handlers import HANDLERS
from .world import case


def by_logger(name):
    def report():
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger(f"shop.{name}").error("Broken %s", "pipe")

    report.__name__ = f"logging_{name}"
    return report


for _name in HANDLERS:
    case("settings", "mailers", group="logging")(by_logger(_name))


@case("settings", "mailers", group="logging")
def logging_of_django():
    """By the handler that Django's own configuration has."""
    import django.utils.log

    logging.getLogger("django").error("Broken")
    return len(django.utils.log.DEFAULT_LOGGING["handlers"])
