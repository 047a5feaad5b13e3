"""Backends as projects and packages have written them for twenty years.

Of what bare Django has alone: the differential tests use them without the app, too.
"""

from django.core.mail.backends import smtp
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings


class TenArguments(smtp.EmailBackend):
    def __init__(
        self,
        host=None,
        port=None,
        username=None,
        password=None,
        use_tls=None,
        fail_silently=False,
        use_ssl=None,
        timeout=None,
        ssl_keyfile=None,
        ssl_certfile=None,
        **kwargs,
    ):
        super().__init__(
            host,
            port,
            username,
            password,
            use_tls,
            fail_silently,
            use_ssl,
            timeout,
            ssl_keyfile,
            ssl_certfile,
            **kwargs,
        )


class Recorder:
    """What the backends below have in common, none of it Django's."""

    def send_messages(self, email_messages):
        self.messages = list(email_messages)
        return len(self.messages)


class HandsFailSilentlyOn(Recorder, BaseEmailBackend):
    """As Django 6.0 and earlier had it."""

    def __init__(self, fail_silently=False, **kwargs):
        super().__init__(fail_silently=fail_silently, **kwargs)


def mailer(name, **options):
    """Settings with the one alias "it": Django's backend of that name with these options."""
    path = f"django.core.mail.backends.{name}.EmailBackend"
    return override_settings(MAILERS={"it": {"BACKEND": path, "OPTIONS": options}})
