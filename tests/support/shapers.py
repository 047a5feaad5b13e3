"""Transforms, and settings for the mailers redirect, defaults, transform, tee and observe."""

from contextlib import contextmanager

from django.test import override_settings

from django_mailers.signals import post_send, pre_send

from .servers import TIMEOUT
from .utils import LOCMEM

HERE = "tests.support.shapers"
IT = "it"


def path_of(name):
    return f"django_mailers.backends.{name}.EmailBackend"


def entry(name, using="memory", **options):
    """An entry of MAILERS with one of our backends."""
    return {"BACKEND": path_of(name), "OPTIONS": {"using": using, **options}}


def smtp(server, backend):
    """An entry of MAILERS with an SMTP backend."""
    return {
        "BACKEND": backend,
        "OPTIONS": {"host": server.host, "port": server.port, "timeout": TIMEOUT},
    }


def mailers(it, **others):
    """Settings with the mailer "it", "memory", and `others` by alias."""
    return override_settings(MAILERS={IT: it, "memory": {"BACKEND": LOCMEM}, **others})


@contextmanager
def receivers(before=None, after=None):
    """Connect functions to `pre_send` and `post_send`."""
    connected = [(pre_send, before), (post_send, after)]
    for signal, receiver in connected:
        if receiver is not None:
            signal.connect(receiver, weak=False)
    try:
        yield
    finally:
        for signal, receiver in connected:
            if receiver is not None:
                signal.disconnect(receiver)


# Transforms


def shout(message):
    message.subject = str(message.subject).upper()
    return message


def mark(message):
    message.extra_headers["X-Marked"] = "yes"
    message.to.append("archive@example.com")
    return message


def same(message):
    return message


def drop_secrets(message):
    return None if message.subject == "secret" else message


def forget_to_return(message):
    message.subject = "changed"
    return 1


class Suffix:
    """A callable that is not a function."""

    def __init__(self, suffix):
        self.suffix = suffix

    def __call__(self, message):
        message.subject = f"{message.subject}{self.suffix}"
        return message


suffix = Suffix(" (copy)")
not_callable = "text"
