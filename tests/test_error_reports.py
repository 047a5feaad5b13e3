"""`django_mailers.log.AdminEmailHandler`: error reports that cannot hurt."""

import copy
import logging
import logging.config
import sys
import threading

from django.core import mail
from django.db import connections
from django.test import (
    RequestFactory,
    SimpleTestCase,
    override_settings,
)
from django.utils import log as django_log
from django.views.debug import ExceptionReporter

from django_mailers.errorreports.writing import with_notes
from django_mailers.log import AdminEmailHandler

from .support.reports import (
    LOCMEM_CACHE,
    LOGGER,
    RecordingHandler,
    ShortPage,
    dead_mailers,
    handler,
    handler_of_django,
    listening,
    outbox,
    subjects,
)
from .support.utils import ExactErrors


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
            ValueError, "'timeout' must be a number of seconds greater than 0, or None, not 0."
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
