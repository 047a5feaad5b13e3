"""Handlers, servers and requests for the tests of error reports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import logging.config
import socket
import sys
from unittest.mock import patch
from wsgiref.util import setup_testing_defaults

from django.core import mail
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import log as django_log
from django.views.debug import ExceptionReporter

from django_mailers.log import AdminEmailHandler

from .servers import HOST


class ShortReporter(ExceptionReporter):
    """Reports that a test can compare as a whole."""

    def get_traceback_text(self):
        kind = self.exc_type.__name__ if self.exc_type else "no exception"
        where = self.request.path if self.request else "no request"
        return f"{kind} / {self.exc_value} / {where} / is_email={self.is_email}"

    def get_traceback_html(self):
        return f"<p>{self.get_traceback_text()}</p>"


LOCMEM_CACHE = "django.core.cache.backends.locmem.LocMemCache"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 5000.0

    def __call__(self):
        return self.now


LOGGER = "django_mailers.log"


class ShortPage(ShortReporter):
    """One with a page, in which a report's notes have their place."""

    def get_traceback_html(self):
        return f"<html><body class=a><h1>{self.exc_value}</h1></body></html>"


class LoudBackend(BaseEmailBackend):
    """Fails, and says so to a logger that error reports are made of."""

    attempts: list[str] = []

    def send_messages(self, email_messages):
        self.attempts.append(email_messages[0].subject)
        try:
            raise ConnectionRefusedError(111, "for admin@example.com")
        except ConnectionRefusedError:
            logging.getLogger("tests.loud").exception("It failed %d times.", len(self.attempts))
            raise


class RecordingHandler(AdminEmailHandler):
    """Keeps what logging is told about failures instead of printing it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.errors = []

    def handleError(self, record):
        self.errors.append((sys.exc_info()[0].__name__, record.msg))


def handler(handler_class=RecordingHandler, **kwargs):
    kwargs.setdefault("reporter_class", "tests.support.reports.ShortPage")
    made = handler_class(**kwargs)
    made.setLevel(logging.ERROR)
    made.limiter.clock = Clock()
    return made


def handler_of_django(**kwargs):
    made = django_log.AdminEmailHandler(reporter_class="tests.support.reports.ShortPage", **kwargs)
    made.setLevel(logging.ERROR)
    return made


@contextlib.contextmanager
def listening(*handlers, name="tests.error_reports"):
    """The logger `name` with these handlers instead of the ones it has."""
    logger = logging.getLogger(name)
    with patch.multiple(logger, handlers=list(handlers), propagate=False):
        yield logger
    for item in handlers:
        item.close()


def dead_mailers():
    """MAILERS whose server is not there: its port was free a moment ago."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    return {"default": {"OPTIONS": {"host": HOST, "port": port}}}


def smtp_mailers(server, **options):
    return {"default": {"OPTIONS": {"host": server.host, "port": server.port, **options}}}


def outbox():
    return [(message.subject, message.body, message.sent_using) for message in mail.outbox]


def subjects():
    return [message.subject for message in mail.outbox]


def said(logs):
    """What was logged, each with its level, without where in the standard library it arose."""
    return [
        (record.levelname, record.getMessage().partition(" in /")[0]) for record in logs.records
    ]


def call_wsgi(target, **environ):
    """Return the status with which a WSGI server would answer a request for `target`."""
    environ = {"PATH_INFO": target, "SERVER_NAME": "testserver", **environ}
    setup_testing_defaults(environ)
    environ["HTTP_HOST"] = "testserver"
    statuses = []
    response = WSGIHandler()(environ, lambda status, headers: statuses.append(status))
    b"".join(response)
    response.close()
    return statuses


async def call_asgi(target, *headers):
    """Return the status with which an ASGI server would answer a request for `target`."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
        "client": (HOST, 1),
        "server": ("testserver", 80),
    }
    requests = [{"type": "http.request", "body": b""}]
    sent = []

    async def receive():
        if requests:
            return requests.pop()
        await asyncio.Event().wait()  # the client stays

    async def send(message):
        sent.append(message)

    with contextlib.ExitStack() as files:

        class Handler(ASGIHandler):
            async def read_body(self, receive):
                # Django before 6.1 leaves it open where an exception escapes.
                return files.enter_context(await super().read_body(receive))

        await Handler()(scope, receive, send)
    return sent[0]["status"]
