"""Messages, envelopes and entries of MAILERS for the SMTP servers of the tests."""

import base64
import contextlib
import itertools
import os
import smtplib
import time
from email import message_from_bytes, policy

from django.test import SimpleTestCase, override_settings

from django_mailers.backends.smtp import EmailBackend
from django_mailers.smtp import (
    Envelope,
    Server,
)

from .messages import ADA, BOB
from .servers import (
    POLITE,
    TIMEOUT,
    enter,
)
from .sink import Sink
from .utils import (
    OURS,
    SMTP,
    ExactErrors,
)

MODES = {
    "both": {"chunking": True},
    "pipelining": {"chunking": False},
    "chunking": {"pipelining": False, "chunking": True},
    "dialogue": {"pipelining": False, "chunking": False},
}


def envelope(content=b"Hello\r\n", *recipients, mail_from=ADA):
    return Envelope(mail_from, list(recipients or [BOB]), content)


def server_of(server, **options):
    return Server(server.host, server.port, **{"timeout": TIMEOUT, **options})


ALIAS = "it"
# For a server that falls silent at some stage: what comes before takes less, on a busy machine too.
SHORT_TIMEOUT = 0.5
MESSAGE = ["MAIL", "RCPT", "DATA", "."]


def entry(server, **options):
    """Give the entry of `MAILERS` for `server`; a class as `backend` is a path to it."""
    backend = options.pop("backend", OURS)
    if isinstance(backend, type):
        backend = f"{backend.__module__}.{backend.__qualname__}"
    given = {"host": server.host, "port": server.port, "timeout": TIMEOUT, **options}
    return {"BACKEND": backend, "OPTIONS": given}


def subjects(server):
    """The subjects of what a Sink or an SMTPServer has accepted, in order."""
    sent = server.accepted if isinstance(server, Sink) else server.messages
    return [message_from_bytes(one.content, policy=policy.SMTP)["Subject"] for one in sent]


def statuses(report):
    return [result.status for result in report]


class SMTPBackendTestCase(ExactErrors, SimpleTestCase):
    def serve(self, server=None, **options):
        """Run `server`, a Sink by default, with MAILERS["it"] for it."""
        server = enter(self, server or Sink())
        enter(self, override_settings(MAILERS={ALIAS: entry(server, **options)}))
        return server

    def error(self, function, *args, **kwargs):
        """Give the repr() of what `function` raises."""
        with self.assertRaises(Exception) as caught:
            function(*args, **kwargs)
        return repr(caught.exception)


@contextlib.contextmanager
def serving(server, **options):
    """Run `server`, with MAILERS["relay"] for it: Django's backend, if `backend` is no other."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(server)
        entries = {"relay": entry(server, **{"backend": SMTP, **options})}
        stack.enter_context(override_settings(MAILERS=entries))
        yield server


# A reply cut short, one without a code, one whose lines disagree, and one that is for another.
GARBAGE = ["", "Hello", "2500 OK", "250-OK\r\n550 No", "220 OK", "334 Go", "199 OK"]


def envelopes(number):
    return [Envelope(ADA, [f"{n}@example.com"], b"%d\r\n" % n) for n in range(number)]


def stages(options):
    """The commands of a message, with the options of a Sink."""
    content = ["BDAT"] if options.get("chunking") else ["DATA", "."]
    return ["MAIL", "RCPT", *content]


def spoil(verb, action, turn):
    """Give a `behave` that does `action` when `verb` comes for the `turn`th time, from 0 on."""
    count = itertools.count()
    return lambda line: action if line.startswith(verb) and next(count) == turn else None


TOKENS = ["first token", "second token", "third token"]


def get_token():
    return TOKENS[0]


def greeting(mechanism):
    return [POLITE[0], ("EHLO", f"250-scripted.test\r\n250 AUTH {mechanism}")]


class DjangosSend(EmailBackend):
    """Sends as Django's backend does, over a connection of smtplib's."""

    connection_class = smtplib.SMTP


def wait_until(condition):
    """Wait for what another thread does."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        os.sched_yield()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Limit(Exception):
    """As Celery's SoftTimeLimitExceeded: neither an OSError nor another kind of BaseException."""
