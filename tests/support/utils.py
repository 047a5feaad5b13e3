"""Paths of backends, settings and comparisons that tests of every kind use."""

import sys
from contextlib import contextmanager

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.test import ignore_warnings, override_settings

from django_mailers import RemovedInDjango2028Warning, polyfill

# Django's SMTP backend leaves local parts that are not ASCII to Python's parser, which refuses them
# before Python 3.15; the backport, and the backend of this app, do it themselves.
REFUSES_LOCAL_PARTS = sys.version_info < (3, 15) or bool(polyfill.installed())

# Whether this Django has MAILERS itself.
NATIVE = not polyfill.installed()

BASE = "django.core.mail.backends.base.BaseEmailBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
DUMMY = "django.core.mail.backends.dummy.EmailBackend"
FILEBASED = "django.core.mail.backends.filebased.EmailBackend"
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
OURS = "django_mailers.backends.smtp.EmailBackend"
RECORDING = "tests.support.utils.RecordingBackend"

# The options of Django's SMTP backend.
SMTP_OPTIONS = {
    "host": "192.0.2.9",
    "port": 1025,
    "username": "u",
    "password": "p",
    "use_tls": True,
    "use_ssl": False,
    "timeout": 2.5,
    "ssl_keyfile": "k.pem",
    "ssl_certfile": "c.pem",
    "fail_silently": True,
}


def smtp_options(backend):
    """What an SMTP backend has made of its `SMTP_OPTIONS`."""
    return {name: getattr(backend, name) for name in SMTP_OPTIONS}


def ignore_deprecations():
    """A decorator of tests and classes, and a context manager, for what 6.1 deprecates."""
    return ignore_warnings(category=RemovedInDjango2028Warning)


@contextmanager
def legacy_settings(**email_settings):
    """The settings of a project that has no MAILERS yet, its deprecation warnings ignored.

    Nothing of the test environment applies to it: name EMAIL_BACKEND, or mail goes to SMTP.
    """
    with ignore_deprecations(), override_settings(**email_settings):
        del settings.MAILERS
        yield


class ExactErrors:
    """Compares the whole text of an error, and its very type (Django's own helper searches)."""

    @contextmanager
    def assertRaisesExactly(self, error, text):
        with self.assertRaises(error) as caught:
            yield caught
        self.assertIs(type(caught.exception), error)
        self.assertEqual(caught.exception.args, (text,))


class RecordingBackend(BaseEmailBackend):
    """Delivers nothing: appends itself to its option `log`, and says what it was given."""

    def __init__(self, *, log, alias=None, **options):
        super().__init__(alias=alias)
        # A leading underscore marks what Django says to its own base class only.
        self.options = {name: options[name] for name in options if not name.startswith("_")}
        self.sent = []
        log.append(self)

    def send_messages(self, email_messages):
        self.sent += email_messages
        return len(email_messages)
