"""Error reports in projects: LOGGING, requests, and a server that is not there."""

import asyncio
import copy
import logging
import logging.config
import tempfile
import time
from pathlib import Path

from django.core import mail
from django.test import Client, SimpleTestCase, override_settings, tag

from django_mailers import RemovedInDjango2028Warning, polyfill
from django_mailers.log import AdminEmailHandler

from .support.processes import run_python
from .support.reports import (
    LOGGER,
    RecordingHandler,
    ShortPage,
    call_asgi,
    call_wsgi,
    dead_mailers,
    handler,
    handler_of_django,
    listening,
    outbox,
    said,
    smtp_mailers,
    subjects,
)
from .support.servers import STALL, ScriptedServer, enter, spoilt
from .support.utils import LOCMEM, SMTP, legacy_settings

HANDLER = "django_mailers.log.AdminEmailHandler"


class HookTests(SimpleTestCase):
    """The method connection(), which subclasses for Django before 6.1 define (H20)."""

    def make(self, **kwargs):
        sent = []

        class Connection:
            def send_messages(self, messages):
                sent.extend(messages)
                return len(messages)

        class Handler(RecordingHandler):
            def connection(self):
                return Connection()

        with self.assertWarns(RemovedInDjango2028Warning) as caught:
            item = handler(Handler, **kwargs)
        self.assertEqual(
            str(caught.warning),
            "HookTests.make.<locals>.Handler.connection() is deprecated: Django 6.1 refuses it in "
            "subclasses of its own AdminEmailHandler. Use 'using' with a MAILERS alias instead.",
        )
        # The line that has to change.
        self.assertEqual(
            (caught.filename, caught.lineno),
            (__file__, Handler.connection.__code__.co_firstlineno),
        )
        return item, sent

    @override_settings(ADMINS=["admin@example.com"])
    def test_it_is_called(self):
        """On every Django, 6.1 included; without a warning for each report."""
        item, sent = self.make(include_html=True, using="bulk")
        with listening(item) as log:
            log.error("boom")
        self.assertEqual(item.errors, [])
        self.assertEqual([message.subject for message in sent], ["[Django] ERROR: boom"])
        self.assertEqual(mail.outbox, [])
        self.assertEqual((item.include_html, item.email_backend), (True, None))
        self.assertIs(item.reporter_class, ShortPage)

    @override_settings(ADMINS=["admin@example.com"])
    def test_without_mailers(self):
        item, sent = self.make()
        with legacy_settings(EMAIL_BACKEND=LOCMEM), listening(item) as log:
            log.error("boom")
        self.assertEqual((item.errors, len(sent)), ([], 1))

    def test_without_python_code(self):
        class Handler(RecordingHandler):
            connection = list

        with self.assertWarnsMessage(
            RemovedInDjango2028Warning, "HookTests.test_without_python_code.<locals>.Handler"
        ):
            handler(Handler)


@override_settings(ADMINS=["admin@example.com"])
class WithoutMailersTests(SimpleTestCase):
    def test_settings_of_old(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM), listening(handler()) as log:
            log.error("boom")
        self.assertEqual(subjects(), ["[Django] ERROR: boom"])

    def test_timeout(self):
        server = enter(self, ScriptedServer(spoilt(None, STALL)))
        item = handler(timeout=0.1)
        with (
            legacy_settings(EMAIL_BACKEND=SMTP, EMAIL_HOST=server.host, EMAIL_PORT=server.port),
            listening(item) as log,
            self.assertLogs(LOGGER),
        ):
            log.error("boom")
        self.assertEqual(item.errors, [("SMTPServerDisconnected", "boom")])

    def test_email_backend(self):
        with legacy_settings(EMAIL_BACKEND="nowhere.EmailBackend"):
            item = handler(email_backend=LOCMEM)
            with listening(item) as log:
                log.error("boom")
        self.assertEqual((subjects(), item.errors), (["[Django] ERROR: boom"], []))

    def test_using(self):
        item = handler(using="bulk")
        with (
            legacy_settings(EMAIL_BACKEND=LOCMEM),
            listening(item) as log,
            self.assertLogs(LOGGER) as logs,
        ):
            log.error("boom")
        self.assertEqual(
            said(logs),
            [("ERROR", "error reports are not sent: there is no mailer 'bulk' in MAILERS.")],
        )


@override_settings(ADMINS=["admin@example.com"], MIDDLEWARE=[])
class DeadServerTests(SimpleTestCase):
    """A view fails, and the mail server is not there (H35)."""

    def setUp(self):
        enter(self, override_settings(MAILERS=dead_mailers()))

    def test_django_lets_it_escape(self):
        with listening(handler_of_django(), name="django"):
            with self.assertRaises(ConnectionRefusedError):
                call_wsgi("/fail/")
            with self.assertRaises(ConnectionRefusedError):
                asyncio.run(call_asgi("/fail/"))
            with self.assertRaises(ConnectionRefusedError):
                Client(raise_request_exception=False).get("/fail/")

    def test_ours_does_not(self):
        item = handler(window=None)
        with listening(item, name="django"), self.assertLogs(LOGGER) as logs:
            self.assertEqual(call_wsgi("/fail/"), ["500 Internal Server Error"])
            self.assertEqual(asyncio.run(call_asgi("/fail/")), 500)
            client = Client(raise_request_exception=False)
            self.assertEqual(client.get("/fail/").status_code, 500)
        self.assertEqual(item.errors, [("ConnectionRefusedError", "%s: %s")] * 3)
        self.assertEqual(len(said(logs)), 3)

    def test_one_attempt_for_many_visitors(self):
        item = handler()
        with listening(item, name="django"), self.assertLogs(LOGGER) as logs:
            for _ in range(5):
                self.assertEqual(call_wsgi("/fail/"), ["500 Internal Server Error"])
        self.assertEqual(len(said(logs)), 1)

    def test_stalling_server(self):
        server = enter(self, ScriptedServer(spoilt(None, STALL)))
        with (
            override_settings(MAILERS=smtp_mailers(server)),
            listening(handler(timeout=0.1), name="django"),
            self.assertLogs(LOGGER),
        ):
            start = time.monotonic()
            self.assertEqual(call_wsgi("/fail/"), ["500 Internal Server Error"])
            self.assertEqual(asyncio.run(call_asgi("/fail/")), 500)
            self.assertLess(time.monotonic() - start, 5)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"mail_admins": {"class": HANDLER, "level": "ERROR", "using": "b", "timeout": 5}},
    "loggers": {"django": {"handlers": ["mail_admins"]}, "early": {"handlers": ["mail_admins"]}},
}


@tag("slow")
class ProjectTests(SimpleTestCase):
    """LOGGING, which is read before the apps are loaded, in processes of their own."""

    def run_project(self, source, *, modules=None, **settings):
        folder = Path(enter(self, tempfile.TemporaryDirectory()))
        for name, text in (modules or {}).items():
            (folder / f"{name}.py").write_text(text)
        settings = {"LOGGING": LOGGING, "ADMINS": ["admin@example.com"]} | settings
        configure = f"configure(**{settings!r})\n"
        process = run_python(configure + source, folder=folder)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process

    def test_using(self):
        """Without an install in the settings."""
        process = self.run_project(
            "import logging\n"
            "from django.core import mail\n"
            "mail.outbox = []\n"
            "logging.getLogger('django.request').error('boom')\n"
            "print([(m.subject, m.sent_using) for m in mail.outbox])\n"
        )
        self.assertEqual(process.stdout, "[('[Django] ERROR: boom', 'b')]\n")
        self.assertEqual(process.stderr, "")

    def test_before_the_apps_are_loaded(self):
        """Django cannot write a report yet: its own handler ends the start of the project there."""
        process = self.run_project(
            "print('started')",
            modules={"early": "import logging\nlogging.getLogger('early').error('too early')\n"},
            INSTALLED_APPS=["early", "django_mailers"],
        )
        self.assertEqual(process.stdout, "started\n")
        lines = process.stderr.splitlines()
        self.assertEqual(
            [line.partition(" in /")[0] for line in lines if line.startswith("One of")],
            ["One of the error reports was not sent through the mailer 'b': AppRegistryNotReady"],
        )
        self.assertEqual(lines[1], "--- Logging error ---")

    def test_without_the_app(self):
        """On Django 6.1 the handler does not need it; before that it says so, and that is all."""
        process = self.run_project(
            "import logging\n"
            "from django.core import mail\n"
            "mail.outbox = []\n"
            "logging.getLogger('django').error('boom')\n"
            "print([m.subject for m in mail.outbox])\n",
            INSTALLED_APPS=[],
        )
        is_native = not polyfill.installed()
        said = "Reports by mail need MAILERS: add 'django_mailers' to INSTALLED_APPS."
        lines = process.stderr.splitlines()
        self.assertEqual(process.stdout, "['[Django] ERROR: boom']\n" if is_native else "[]\n")
        self.assertIs(
            f"django.core.exceptions.ImproperlyConfigured: {said}" in lines, not is_native
        )

    def test_wrong_argument(self):
        """It is found when the project starts."""
        wrong = copy.deepcopy(LOGGING)
        wrong["handlers"]["mail_admins"]["rate"] = "often"
        folder = enter(self, tempfile.TemporaryDirectory())
        process = run_python(f"configure(LOGGING={wrong!r})", folder=folder)
        self.assertEqual(
            [line for line in process.stderr.splitlines() if line.startswith("ValueError")],
            [
                "ValueError: 'rate' must be like '10/minute' or '100/hour', or None, not 'often'.",
                "ValueError: Unable to configure handler 'mail_admins'",
            ],
        )

    def test_dead_server(self):
        """Django's handler and ours, in the same project, behind a WSGI server."""
        source = (
            "import logging\n"
            "from wsgiref.util import setup_testing_defaults\n"
            "from django.core.wsgi import get_wsgi_application\n"
            "logging.raiseExceptions = False\n"
            "environ = {'PATH_INFO': '/fail/'}\n"
            "setup_testing_defaults(environ)\n"
            "try:\n"
            "    list(get_wsgi_application()(environ, lambda status, headers: print(status)))\n"
            "except OSError as error:\n"
            "    print(type(error).__name__)\n"
        )
        modules = {
            "urls": "from django.urls import path\n"
            "def fail(request):\n"
            "    raise ValueError\n"
            "urlpatterns = [path('fail/', fail)]\n"
        }
        for handler_class, expected in (
            ("django.utils.log.AdminEmailHandler", "ConnectionRefusedError\n"),
            (HANDLER, "500 Internal Server Error\n"),
        ):
            with self.subTest(handler_class):
                settings = copy.deepcopy(LOGGING)
                settings["handlers"]["mail_admins"] = {"class": handler_class}
                process = self.run_project(
                    source,
                    modules=modules,
                    LOGGING=settings,
                    ROOT_URLCONF="urls",
                    ALLOWED_HOSTS=["*"],
                    MAILERS=dead_mailers(),
                )
                self.assertEqual(process.stdout, expected)


class LiveLoggingTests(SimpleTestCase):
    @override_settings(ADMINS=["admin@example.com"])
    def test_dict_config(self):
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "reports": {
                    "class": HANDLER,
                    "level": "ERROR",
                    "include_html": True,
                    "using": "bulk",
                    "timeout": 5,
                    "window": 60,
                    "rate": "10/minute",
                    "cache": None,
                }
            },
            "loggers": {"tests.dict_config": {"handlers": ["reports"], "propagate": False}},
        }
        logging.config.dictConfig(config)
        log = logging.getLogger("tests.dict_config")
        [made] = log.handlers
        self.addCleanup(log.removeHandler, made)
        self.assertEqual(
            (type(made), made.include_html, made.using, made.timeout),
            (AdminEmailHandler, True, "bulk", 5),
        )
        self.assertEqual(
            repr(made.limiter), "<ReportLimiter window=60 rate='10/minute' cache=None>"
        )
        log.warning("boom")
        log.error("boom")
        self.assertEqual(
            [(subject, alias) for subject, _, alias in outbox()],
            [("[Django] ERROR: boom", "bulk")],
        )
