"""`django_mailers.log.AdminEmailHandler`: error reports that cannot hurt."""

import asyncio
import contextlib
import copy
import io
import logging
import logging.config
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection, connections
from django.test import (
    Client,
    RequestFactory,
    SimpleTestCase,
    TestCase,
    override_settings,
    tag,
)
from django.test.utils import CaptureQueriesContext
from django.utils import log as django_log
from django.utils.functional import SimpleLazyObject
from django.views.debug import ExceptionReporter

from django_mailers import RemovedInDjango2028Warning, polyfill
from django_mailers.errorreports.sending import no_queries, with_notes
from django_mailers.log import AdminEmailHandler

from .support.processes import run_python
from .support.reports import (
    LOCMEM_CACHE,
    LOGGER,
    LoudBackend,
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
from .support.servers import STALL, ScriptedServer, SMTPServer, enter, spoilt
from .support.utils import LOCMEM, SMTP, ExactErrors, legacy_settings

HANDLER = "django_mailers.log.AdminEmailHandler"


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


class ConstructionTests(ExactErrors, SimpleTestCase):
    def test_arguments(self):
        plain = AdminEmailHandler()
        self.assertIsInstance(plain, django_log.AdminEmailHandler)
        self.assertEqual((plain.include_html, plain.using, plain.timeout), (False, None, 10))
        self.assertIs(plain.reporter_class, ExceptionReporter)
        self.assertEqual(
            repr(plain.limiter), "<ReportLimiter window=600 rate='30/hour' cache=None>"
        )
        # In the places where Django has them.
        given = AdminEmailHandler(True, None, "tests.support.reports.ShortPage", "bulk")
        self.assertEqual((given.include_html, given.using), (True, "bulk"))
        self.assertIs(given.reporter_class, ShortPage)
        own = AdminEmailHandler(timeout=2.5, window=60, rate="1/minute", cache="x")
        self.assertEqual(own.timeout, 2.5)
        self.assertEqual(repr(own.limiter), "<ReportLimiter window=60 rate='1/minute' cache='x'>")
        without = AdminEmailHandler(timeout=None, window=None, rate=None)
        self.assertIsNone(without.timeout)
        self.assertEqual(repr(without.limiter), "<ReportLimiter window=None rate=None cache=None>")

    def test_new_arguments_are_keyword_only(self):
        with self.assertRaisesExactly(
            TypeError,
            "AdminEmailHandler.__init__() takes from 1 to 5 positional arguments but 6 were given",
        ):
            AdminEmailHandler(False, None, None, None, 10)

    def test_wrong_timeout(self):
        with self.assertRaisesExactly(
            ValueError, "'timeout' must be a number of seconds above 0, or None, not 0."
        ):
            AdminEmailHandler(timeout=0)


@override_settings(ADMINS=["admin@example.com", "other@example.com"])
class ReportTests(SimpleTestCase):
    """What is sent. No test of this class may touch a database, which SimpleTestCase checks."""

    def test_using(self):
        with listening(handler(), handler(using="bulk")) as log:
            log.error("boom %d", 1)
        body = "boom 1\n\nno exception / boom 1 / no request / is_email=True"
        self.assertEqual(
            outbox(),
            [("[Django] ERROR: boom 1", body, "default"), ("[Django] ERROR: boom 1", body, "bulk")],
        )
        for message in mail.outbox:
            self.assertEqual(message.to, ["admin@example.com", "other@example.com"])
            self.assertEqual(message.from_email, "root@localhost")
            self.assertEqual(message.alternatives, [])

    def test_same_as_django(self):
        """Text, HTML, sender and headers are those of Django's own handler."""
        request = RequestFactory().get("/page/", REMOTE_ADDR="192.0.2.1")
        ours = handler(include_html=True, window=None)
        theirs = handler_of_django(include_html=True)
        for item in (ours, theirs):
            item.setFormatter(logging.Formatter("%(levelname)s\n%(message)s"))
        try:
            raise LookupError("why\nnot")
        except LookupError:
            exc_info = sys.exc_info()
        for options in (
            {},
            {"exc_info": exc_info},
            {"exc_info": exc_info, "extra": {"request": request}},
            {"extra": {"request": "no request"}},
        ):
            with self.subTest(options=options), override_settings(INTERNAL_IPS=["192.0.2.1"]):
                mail.outbox.clear()
                with listening(ours, theirs) as log:
                    log.error("one\r\ntwo %s", options, **options)
                one, two = mail.outbox
                for name in ("subject", "body", "alternatives", "from_email", "to", "sent_using"):
                    self.assertEqual(getattr(one, name), getattr(two, name), name)

    def test_reporter_of_django(self):
        with listening(handler(reporter_class=None, include_html=True)) as log:
            try:
                raise ValueError("why")
            except ValueError:
                log.exception("boom")
        [message] = mail.outbox
        self.assertTrue(message.body.startswith("boom\n\nValueError\nwhy\n\nDjango Version: "))
        [alternative] = message.alternatives
        self.assertTrue(alternative.content.startswith("<!DOCTYPE html>"))

    def test_record_is_not_changed(self):
        """Other handlers get it as well."""
        with listening(handler()):
            try:
                raise ValueError("why")
            except ValueError:
                record = logging.LogRecord("x", 40, "f", 1, "boom %s", ("a",), sys.exc_info())
            before = copy.copy(record.__dict__)
            handler().emit(record)
        self.assertEqual(record.__dict__, before)
        self.assertEqual(len(mail.outbox), 1)

    def test_filters_and_levels(self):
        item = handler(window=None)
        item.addFilter(lambda record: "no" not in record.msg)
        with listening(item) as log:
            log.warning("warning")
            log.error("no")
            log.error("yes")
        self.assertEqual(subjects(), ["[Django] ERROR: yes"])

    def test_filter_that_returns_another_record(self):
        if sys.version_info < (3, 12):
            self.skipTest("New in Python 3.12.")

        def other(record):
            record = copy.copy(record)
            record.msg = "other"
            return record

        item = handler()
        item.addFilter(other)
        with listening(item) as log:
            log.error("one")
        self.assertEqual(subjects(), ["[Django] ERROR: other"])

    def test_no_admins(self):
        item = handler()
        with override_settings(ADMINS=[], MAILERS={}), listening(item) as log:
            log.error("boom")
        # Nothing has been used up by it.
        with listening(item) as log:
            log.error("boom")
        self.assertEqual(len(mail.outbox), 1)
        self.assertEqual(item.errors, [])

    def test_admins_with_names(self):
        with (
            override_settings(ADMINS=[("Ann", "ann@example.com"), ("Bob", "bob@example.com")]),
            listening(handler()) as log,
        ):
            log.error("boom")
        self.assertEqual(mail.outbox[0].to, ["ann@example.com", "bob@example.com"])

    def test_overridden_send_mail(self):
        """Without ADMINS too: the override may know other people."""
        calls = []

        class Handler(RecordingHandler):
            def send_mail(self, *args, **kwargs):
                calls.append((args, kwargs))

        with override_settings(ADMINS=[]), listening(handler(Handler)) as log:
            log.error("boom")
        text = "boom\n\nno exception / boom / no request / is_email=True"
        self.assertEqual(calls, [(("ERROR: boom", text), {"html_message": None})])

    def test_overridden_hooks_that_go_on_to_super(self):
        class Handler(RecordingHandler):
            def send_mail(self, subject, message, *args, **kwargs):
                # As code for Django 5.2 does.
                kwargs["fail_silently"] = True
                super().send_mail(f"<{subject}>", message, *args, **kwargs)

            def format_subject(self, subject):
                return super().format_subject(subject)[:8]

            def emit(self, record):
                record.msg = f"({record.msg})"
                super().emit(record)

        with listening(handler(Handler, using="bulk")) as log:
            log.error("boom")
        self.assertEqual(
            outbox(),
            [
                (
                    "[Django] <ERROR: (>",
                    "(boom)\n\nno exception / (boom) / no request / is_email=True",
                    "bulk",
                )
            ],
        )


@override_settings(ADMINS=["admin@example.com"])
class LimitTests(SimpleTestCase):
    def raise_here(self, error):
        raise error

    def log_exception(self, log, error, message="boom"):
        try:
            self.raise_here(error)
        except type(error):
            log.exception(message)

    def test_suppressed_counts(self):
        item = handler(include_html=True, window=600)
        with listening(item) as log:
            for number in range(4):
                self.log_exception(log, ValueError(number))
            item.limiter.clock.now += 600
            self.log_exception(log, ValueError("last"))
        self.assertEqual(
            [body for _, body, _ in outbox()],
            [
                "boom\n\nValueError / 0 / no request / is_email=True",
                "boom\n\n3 similar errors suppressed\n\n"
                "ValueError / last / no request / is_email=True",
            ],
        )
        self.assertEqual(
            [message.alternatives[0].content for message in mail.outbox],
            [
                "<html><body class=a><h1>0</h1></body></html>",
                "<html><body class=a><p>3 similar errors suppressed</p><h1>last</h1></body></html>",
            ],
        )

    def test_rate(self):
        item = handler(window=None, rate="2/minute")
        with listening(item) as log:
            for number in range(5):
                log.error("boom %d", number)
            item.limiter.clock.now += 60
            log.error("last")
        self.assertEqual(
            subjects(),
            ["[Django] ERROR: boom 0", "[Django] ERROR: boom 1", "[Django] ERROR: last"],
        )
        self.assertEqual(
            mail.outbox[-1].body,
            "last\n\n3 further errors suppressed\n\n"
            "no exception / last / no request / is_email=True",
        )

    def test_sites_of_exceptions(self):
        with listening(handler()) as log:
            self.log_exception(log, ValueError("first"))
            # Neither what is said about it, nor where it is caught, makes another site of it.
            self.log_exception(log, ValueError("second"), "other message")
            try:
                self.raise_here(ValueError("third"))
            except ValueError:
                log.critical("elsewhere", exc_info=True)
            # Its type and its line do.
            self.log_exception(log, TypeError("fourth"))
            try:
                raise ValueError("fifth")
            except ValueError:
                log.exception("boom")
        self.assertEqual(
            [body.split(" / ")[1] for _, body, _ in outbox()], ["first", "fourth", "fifth"]
        )

    def test_sites_in_libraries(self):
        """All errors of a database are raised in one line of Django: who called it counts."""
        with listening(handler()) as log:
            for _ in range(2):
                try:
                    connections["one"]
                except Exception:
                    log.exception("boom")
                try:
                    connections["two"]
                except Exception:
                    log.exception("boom")
        self.assertEqual(
            [body.split(" / ")[1] for _, body, _ in outbox()],
            ["The connection 'one' doesn't exist.", "The connection 'two' doesn't exist."],
        )

    def test_sites_without_exception(self):
        names = ("tests.one", "tests.two")
        item = handler()
        for name in names:
            with listening(item, name=name) as log:
                for number in (1, 2):
                    log.error("boom %d", number)
                log.error("other")
        self.assertEqual(
            subjects(), ["[Django] ERROR: boom 1", "[Django] ERROR: other"] * len(names)
        )

    def test_odd_records(self):
        """A message may be any object, and an exception may never have been raised."""
        item = handler()
        with listening(item) as log:
            log.error({"some": ["object"]})
            log.error("lone \udc80 surrogate")
            log.error("no exception", exc_info=True)
            log.error("never raised", exc_info=ValueError("x"))
            log.error("never raised", exc_info=TypeError("x"))
        self.assertEqual(item.errors, [])
        self.assertEqual(
            subjects(),
            [
                "[Django] ERROR: {'some': ['object']}",
                "[Django] ERROR: lone \\udc80 surrogate",
                "[Django] ERROR: no exception",
                "[Django] ERROR: never raised",
                "[Django] ERROR: never raised",
            ],
        )

    def test_own_sites(self):
        class Handler(RecordingHandler):
            def site(self, record):
                return record.name

        with listening(handler(Handler)) as log:
            log.error("one")
            log.error("two")
        self.assertEqual(subjects(), ["[Django] ERROR: one"])

    def test_what_failed_is_told(self):
        item = handler(window=600)
        with listening(item) as log:
            with override_settings(MAILERS=dead_mailers()), self.assertLogs(LOGGER):
                log.error("boom")
            item.limiter.clock.now += 600
            log.error("boom")
        self.assertEqual(
            [body for _, body, _ in outbox()],
            [
                "boom\n\n1 report could not be sent: ConnectionRefusedError\n\n"
                "no exception / boom / no request / is_email=True"
            ],
        )

    @override_settings(CACHES={"default": {"BACKEND": LOCMEM_CACHE, "LOCATION": __name__}})
    def test_cache(self):
        """Two handlers stand for two processes; another mailer's reports are limited apart."""
        options = {"cache": "default", "window": 600}
        handlers = [handler(**options), handler(**options), handler(**options, using="bulk")]
        for item in handlers:
            with listening(item) as log:
                log.error("boom")
        self.assertEqual([alias for *_, alias in outbox()], ["default", "bulk"])

    def test_threads(self):
        item = handler(window=600)
        barrier = threading.Barrier(8, timeout=10)

        def work():
            barrier.wait(10)
            log.error("boom")

        with listening(item) as log:
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            item.limiter.clock.now += 600
            barrier = threading.Barrier(1)
            work()
        self.assertEqual(
            [body.split("\n\n")[1] for _, body, _ in outbox()],
            ["no exception / boom / no request / is_email=True", "7 similar errors suppressed"],
        )

    def test_notes_in_html(self):
        for page, expected in (
            ("<html><body><h1>", "<html><body><p>a &lt; b</p><p>c</p><h1>"),
            ("<h1>", "<p>a &lt; b</p><p>c</p><h1>"),
        ):
            with self.subTest(page):
                self.assertEqual(with_notes(page, ["a < b", "c"]), expected)
                self.assertEqual(with_notes(page, []), page)


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
