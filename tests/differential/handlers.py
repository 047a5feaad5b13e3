"""LOGGING of a project, with handlers of every kind; each has a logger of its name."""

PATH = "django.core.mail.backends.smtp.EmailBackend"
ADMIN = "django.utils.log.AdminEmailHandler"
CASES = "tests.differential.cases_logging"

HANDLERS = {
    "plain": {"class": ADMIN},
    "html": {"class": ADMIN, "include_html": True},
    "backend": {"class": ADMIN, "email_backend": PATH},
    "own_backend": {"class": ADMIN, "email_backend": "tests.differential.backends.Keeping"},
    "connection": {"class": "tests.differential.log.Connection"},
    "send_mail": {"class": "tests.differential.log.SendMail"},
    "positional": {"class": "tests.differential.log.Positional"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {name: {"level": "ERROR", **values} for name, values in HANDLERS.items()},
    "loggers": {
        f"shop.{name}": {"handlers": [name], "level": "ERROR", "propagate": False}
        for name in HANDLERS
    },
}
