"""Error reports that fail: what is logged, how long it takes, and which queries are made."""

import contextlib
import io
import logging
import logging.config
import threading
import time
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection, connections
from django.test import RequestFactory, SimpleTestCase, TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import log as django_log
from django.utils.functional import SimpleLazyObject
from django.views.debug import ExceptionReporter

from django_mailers.errorreports.writing import no_queries
from django_mailers.log import AdminEmailHandler

from .support.reports import (
    LOGGER,
    LoudBackend,
    RecordingHandler,
    dead_mailers,
    handler,
    listening,
    said,
    smtp_mailers,
    subjects,
)
from .support.servers import STALL, ScriptedServer, SMTPServer, enter, spoilt
from .support.utils import SMTP, ExactErrors


class BrokenReporter(ExceptionReporter):
    def get_traceback_text(self):
        raise RuntimeError("secret")


class WaitingBackend(BaseEmailBackend):
    """Waits, the first time, until it is told to go on."""

    def __init__(self, *, waiting, go_on, sent, **options):
        super().__init__(**options)
        self.waiting, self.go_on, self.sent = waiting, go_on, sent

    def send_messages(self, email_messages):
        if not self.waiting.is_set():
            self.waiting.set()
            self.go_on.wait(10)
        self.sent.append(email_messages[0].subject)
        return 1


class TimeoutBackend(BaseEmailBackend):
    """Keeps the timeout that it has when it sends in its option `log`."""

    def __init__(self, *, log, timeout=None, **options):
        super().__init__(**options)
        self.log, self.timeout = log, timeout

    def send_messages(self, email_messages):
        self.log.append(self.timeout)
        return 1


class NoTimeoutBackend(TimeoutBackend):
    timeout = property(lambda self: None, lambda self, value: self.log.append("set"))

    def __init__(self, *, log, **options):
        BaseEmailBackend.__init__(self, **options)
        self.log = log


class ReadOnlyTimeoutBackend(NoTimeoutBackend):
    timeout = property(lambda self: 5000)


@override_settings(ADMINS=["admin@example.com"])
class FailureTests(ExactErrors, SimpleTestCase):
    """Nothing that goes wrong comes out of the handler, and all of it is said."""

    def assertFails(self, message, error, *, item=None, **settings):
        """One error record, that no more is said about than `message`, and the hook is called."""
        item = item or handler()
        with (
            override_settings(**settings),
            listening(item) as log,
            self.assertLogs(LOGGER) as logs,
        ):
            log.error("boom to %s", "ann@example.com")
        self.assertEqual(said(logs), [("ERROR", message)])
        self.assertEqual(item.errors, [(error, "boom to %s")])
        self.assertEqual([record.exc_info for record in logs.records], [None])
        self.assertEqual(mail.outbox, [])

    def test_dead_server(self):
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': "
            "ConnectionRefusedError ECONNREFUSED",
            "ConnectionRefusedError",
            MAILERS=dead_mailers(),
        )

    def test_server_that_refuses(self):
        reply = "550 5.1.1 <admin@example.com> unknown"
        server = enter(self, SMTPServer(refuse={"RCPT": reply}))
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': "
            "SMTPRecipientsRefused",
            "SMTPRecipientsRefused",
            MAILERS=smtp_mailers(server),
        )
        server.refuse = {"MAIL": "451 4.3.0 root@localhost: try later"}
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': "
            "SMTPSenderRefused 451",
            "SMTPSenderRefused",
            MAILERS=smtp_mailers(server),
        )

    def test_starttls_that_fails_leaves_no_socket(self):
        """Django's backend leaves it to the garbage collector, which the test run would see."""
        server = enter(self, SMTPServer())
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': "
            "SMTPNotSupportedError",
            "SMTPNotSupportedError",
            MAILERS=smtp_mailers(server, use_tls=True),
        )
        self.assertTrue(server.sessions[0].ended.wait(10))
        self.assertEqual(server.sessions[0].commands, ["EHLO", "QUIT"])

    def test_broken_mailer(self):
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': InvalidMailer",
            "InvalidMailer",
            MAILERS={"default": {"BACKEND": SMTP}},
        )
        self.assertFails(
            "One of the error reports was not sent through the mailer 'x': InvalidMailer",
            "InvalidMailer",
            item=handler(using="x"),
            MAILERS={"x": {"BACKEND": "nowhere.EmailBackend"}},
        )

    def test_wrong_admins(self):
        for admins in ("admin@example.com", ["admin@example.com", 1], [["a", "b", "c"]]):
            with self.subTest(admins=admins):
                self.assertFails(
                    "One of the error reports was not sent through the mailer 'default': "
                    "ImproperlyConfigured",
                    "ImproperlyConfigured",
                    ADMINS=admins,
                )

    def test_broken_reporter(self):
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': RuntimeError",
            "RuntimeError",
            item=handler(reporter_class=f"{__name__}.BrokenReporter"),
        )

    def test_broken_formatter(self):
        item = handler()
        item.setFormatter(logging.Formatter("%(missing)s"))
        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': ValueError",
            "ValueError",
            item=item,
        )

    def test_broken_record(self):
        """It is reported all the same."""
        item = handler()
        with listening(item) as log, self.assertNoLogs(LOGGER):
            log.error("%d", "no number")
        self.assertEqual(item.errors, [])
        self.assertEqual(subjects(), ["[Django] ERROR: %d <TypeError, arguments: ('no number',)>"])

    def test_broken_site(self):
        class Handler(RecordingHandler):
            def site(self, record):
                raise LookupError("secret")

        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': LookupError",
            "LookupError",
            item=handler(Handler),
        )

    def test_missing_mailer_is_reported_once(self):
        item = handler(using="nowhere", window=None)
        with listening(item) as log, self.assertLogs(LOGGER) as logs:
            for _ in range(3):
                log.error("boom")
        self.assertEqual(
            said(logs),
            [("ERROR", "error reports are not sent: there is no mailer 'nowhere' in MAILERS.")],
        )
        self.assertEqual(item.errors, [("MailerDoesNotExist", "boom")])

    def test_handle_error_that_raises(self):
        class Handler(RecordingHandler):
            def handleError(self, record):
                super().handleError(record)
                raise OSError("closed")

        self.assertFails(
            "One of the error reports was not sent through the mailer 'default': "
            "ConnectionRefusedError ECONNREFUSED",
            "ConnectionRefusedError",
            item=handler(Handler),
            MAILERS=dead_mailers(),
        )

    def test_logger_that_raises(self):
        """Somebody else's handler, such as Django's own with the same dead server."""

        class Raising(logging.Handler):
            records = []

            def emit(self, record):
                self.records.append(record)
                raise OSError("full")

        item = handler()
        with (
            override_settings(MAILERS=dead_mailers()),
            listening(Raising(), name=LOGGER),
            listening(item) as log,
        ):
            log.error("boom")
        self.assertEqual(len(Raising.records), 1)
        self.assertEqual(item.errors, [("ConnectionRefusedError", "boom")])

    def test_raise_exceptions(self):
        """logging prints what went wrong, unless it has been told not to."""
        for prints in (True, False):
            output = io.StringIO()
            item = handler(AdminEmailHandler)
            with (
                self.subTest(prints=prints),
                override_settings(MAILERS=dead_mailers()),
                patch("logging.raiseExceptions", prints),
                contextlib.redirect_stderr(output),
                listening(item) as log,
                self.assertLogs(LOGGER),
            ):
                log.error("boom")
            lines = output.getvalue().splitlines()
            self.assertEqual(lines[:1], ["--- Logging error ---"] if prints else [])
            self.assertIs("ConnectionRefusedError: [Errno 111] Connection refused" in lines, prints)

    def test_interrupts_come_out(self):
        class Handler(RecordingHandler):
            def send_mail(self, *args, **kwargs):
                raise KeyboardInterrupt

        item = handler(Handler, window=None)
        with listening(item) as log:
            with self.assertRaises(KeyboardInterrupt):
                log.error("boom")
            # And the thread may report again.
            with self.assertRaises(KeyboardInterrupt):
                log.error("boom")

    def test_recursion(self):
        """A mailer that logs its failure where the handler listens."""
        mailers = {"default": {"BACKEND": "tests.support.reports.LoudBackend"}}
        item, other = handler(window=None, rate=None), handler(window=None, rate=None)
        with (
            override_settings(MAILERS=mailers),
            patch.object(LoudBackend, "attempts", []),
            listening(item, other, name="tests.loud") as log,
            self.assertLogs(LOGGER) as logs,
        ):
            # Our own logger's records go there, too.
            with patch.object(logging.getLogger(LOGGER), "parent", log):
                log.error("boom")
            self.assertEqual(LoudBackend.attempts, ["[Django] ERROR: boom"] * 2)
        self.assertEqual(len(said(logs)), 2)
        self.assertEqual([item.errors, other.errors], [[("ConnectionRefusedError", "boom")]] * 2)

    def test_slow_mailer_holds_up_nobody_else(self):
        """logging holds a lock while a handler emits; here it would be held for the timeout."""
        waiting, go_on, sent = threading.Event(), threading.Event(), []
        options = {"waiting": waiting, "go_on": go_on, "sent": sent}
        backend = f"{__name__}.WaitingBackend"
        with (
            override_settings(MAILERS={"default": {"BACKEND": backend, "OPTIONS": options}}),
            listening(handler()) as log,
        ):
            thread = threading.Thread(target=log.error, args=["slow"])
            thread.start()
            self.assertTrue(waiting.wait(10))
            log.error("quick")
            self.assertEqual(sent, ["[Django] ERROR: quick"])
            go_on.set()
            thread.join(10)
        self.assertEqual(sent, ["[Django] ERROR: quick", "[Django] ERROR: slow"])


@override_settings(ADMINS=["admin@example.com"])
class TimeoutTests(SimpleTestCase):
    def test_stalling_server(self):
        for stage in (None, "EHLO", "MAIL", "RCPT", "DATA", "."):
            server = ScriptedServer(spoilt(stage, STALL))
            item = handler(timeout=0.1)
            with (
                self.subTest(stage=stage),
                server,
                override_settings(MAILERS=smtp_mailers(server)),
                listening(item) as log,
                self.assertLogs(LOGGER) as logs,
            ):
                start = time.monotonic()
                log.error("boom")
                self.assertLess(time.monotonic() - start, 5)
                self.assertEqual(item.errors, [("SMTPServerDisconnected", "boom")])
                self.assertEqual(
                    said(logs),
                    [
                        (
                            "ERROR",
                            "One of the error reports was not sent through the mailer 'default': "
                            "SMTPServerDisconnected",
                        )
                    ],
                )

    def test_timeout(self):
        for timeout, own, expected in (
            (10, None, 10),
            (10, 3, 3),
            (2.5, 3, 2.5),
            (None, 3, 3),
            (None, None, None),
            # requests has pairs of them.
            (10, (3, 30), (3, 30)),
        ):
            log_of_timeouts = []
            options = {"log": log_of_timeouts, "timeout": own}
            entry = {"BACKEND": f"{__name__}.TimeoutBackend", "OPTIONS": options}
            item = handler(timeout=timeout)
            with (
                self.subTest(timeout=timeout, own=own),
                override_settings(MAILERS={"default": entry}),
                listening(item) as log,
            ):
                log.error("boom")
            self.assertEqual((log_of_timeouts, item.errors), ([expected], []))
            # MAILERS is as it was.
            self.assertEqual(options, {"log": log_of_timeouts, "timeout": own})

    def test_mailer_without_one_that_can_be_set(self):
        for backend, expected in (
            ("NoTimeoutBackend", ["set", None]),
            ("ReadOnlyTimeoutBackend", [5000]),
        ):
            log_of_timeouts = []
            entry = {"BACKEND": f"{__name__}.{backend}", "OPTIONS": {"log": log_of_timeouts}}
            item = handler()
            with (
                self.subTest(backend),
                override_settings(MAILERS={"default": entry}),
                listening(item) as log,
            ):
                log.error("boom")
            self.assertEqual((log_of_timeouts, item.errors), (expected, []))


@override_settings(ADMINS=["admin@example.com"])
class DatabaseTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        User.objects.create(username="ann")

    def log_error(self, item):
        request = RequestFactory().get("/")
        request.user = SimpleLazyObject(lambda: User.objects.get(username="ann"))
        with listening(item) as log:
            try:
                users = User.objects.all()
                raise ValueError("why")
            except ValueError:
                log.exception("boom", extra={"request": request})
        del users
        [message] = mail.outbox
        mail.outbox.clear()
        return message.body, message.alternatives[0].content

    def test_no_queries(self):
        options = {"reporter_class": None, "include_html": True}
        with self.assertNumQueries(0):
            text, html = self.log_error(handler(**options))
        self.assertIn("\nUSER: [unable to retrieve the current user]\n", text)
        self.assertIn("Error in formatting: DatabaseError: Reports by mail ask no database.", html)
        # Nothing is left behind, and Django's handler would have asked.
        with CaptureQueriesContext(connection) as queries:
            text, html = self.log_error(django_log.AdminEmailHandler(include_html=True))
        self.assertIn("\nUSER: ann\n", text)
        self.assertGreater(len(queries), 1)

    def test_user_that_is_known_is_shown(self):
        request = RequestFactory().get("/")
        request.user = User.objects.get(username="ann")
        with self.assertNumQueries(0), listening(handler(reporter_class=None)) as log:
            log.error("boom", extra={"request": request})
        self.assertIn("\nUSER: ann\n", mail.outbox[0].body)

    def test_other_threads_may_ask(self):
        """A live server's thread has its connection in common with the test."""
        found = []
        shared = connections["default"]

        def ask():
            connections["default"] = shared
            found.append(User.objects.count())

        shared.inc_thread_sharing()
        self.addCleanup(shared.dec_thread_sharing)
        with no_queries():
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join(10)
            with self.assertRaisesMessage(DatabaseError, "Reports by mail ask no database."):
                User.objects.count()
        self.assertEqual(found, [1])
        self.assertIs(connections["default"], shared)

    def test_no_connection_is_made(self):
        """Under ASGI a report is made in a thread that has none yet, and would leave it open."""
        connected = []

        def report():
            with no_queries(), contextlib.suppress(DatabaseError):
                User.objects.count()
            connected.extend(item.connection for item in connections.all(initialized_only=True))

        thread = threading.Thread(target=report)
        thread.start()
        thread.join(10)
        self.assertEqual(connected, [None])

    def test_broken_databases(self):
        """The settings may be what the report is about."""
        broken = {**connections.settings, "broken": {"ENGINE": "nowhere"}}
        with patch.object(connections, "settings", broken), listening(handler()) as log:
            log.error("boom")
        self.assertEqual(subjects(), ["[Django] ERROR: boom"])
