"""Reports of what can hardly be reported: none is lost for what it is about."""

import logging
import logging.handlers
import queue
import sys

from django.core import mail
from django.core.mail import EmailMessage
from django.test import RequestFactory, SimpleTestCase, override_settings, tag
from django.views.debug import ExceptionReporter

from django_mailers.log import AdminEmailHandler
from django_mailers.mailboxes import quoted
from django_mailers.middleware import BrokenLinkEmailsMiddleware

from .support.reports import LOGGER, Clock, listening, smtp_mailers, subjects
from .support.servers import SMTPServer, enter
from .support.smtp import OURS

# Line ends of str.splitlines() that are none of mail, and all that cannot be seen.
LINE_ENDS = ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
CONTROLS = [*map(chr, [*range(0x20), *range(0x7F, 0xA0)]), *LINE_ENDS]
SERVER_EMAIL = "Acme Inc. <root@example.com>"


class Handler(AdminEmailHandler):
    """Fails the test that has a failure."""

    def handleError(self, record):
        raise AssertionError from sys.exc_info()[1]


class NoText(Exception):
    def __str__(self):
        raise LookupError("no text")

    __repr__ = __str__


class NoTextTwice(Exception):
    """Raises what cannot be printed, either."""

    def __str__(self):
        raise NoText

    __repr__ = __str__


@override_settings(ADMINS=["admin@example.com"], MANAGERS=["Sales Dept. <sales@example.com>"])
class ReportTestCase(SimpleTestCase):
    def report(self, log=None, **options):
        """Return the one report that `log`, given a logger, makes; nothing is said to go wrong."""
        mail.outbox = []
        handler = Handler(**options)
        with listening(handler) as logger, self.assertNoLogs(LOGGER):
            log(logger)
        [report] = mail.outbox
        return report

    def trouble(self, error, **options):
        def log(logger):
            try:
                raise error
            except Exception:
                logger.exception("It failed")

        return self.report(log, **options)


class SubjectTests(ReportTestCase):
    def test_line_ends(self):
        texts = []
        for character in LINE_ENDS:
            report = self.report(lambda log, c=character: log.error("a%sb", c))
            texts.append(report.subject)
            self.assertIn(f"a{character}b", report.body)
        escapes = [r"\x0b", r"\x0c", r"\x1c", r"\x1d", r"\x1e", r"\x85", r"\u2028", r"\u2029"]
        self.assertEqual(texts, [f"[Django] ERROR: a{escape}b" for escape in escapes])

    @tag("slow")
    def test_they_arrive(self):
        """Whichever it is, over SMTP."""
        server = enter(self, SMTPServer())
        [entry] = smtp_mailers(server).values()
        with (
            override_settings(MAILERS={"default": {"BACKEND": OURS, **entry}}),
            listening(Handler(window=None, rate=None)) as logger,
        ):
            for character in CONTROLS:
                logger.error("a%s", character)
        subjects = [
            line
            for message in server.messages
            for line in message.content.split(b"\r\n")
            if line.startswith(b"Subject:")
        ]
        self.assertEqual(len(subjects), len(CONTROLS))
        self.assertEqual(subjects[0], rb"Subject: [Django] ERROR: a\x00")
        self.assertEqual(subjects[-1], rb"Subject: [Django] ERROR: a\u2029")

    def test_in_the_prefix(self):
        with override_settings(EMAIL_SUBJECT_PREFIX="[Acme\u2028] "):
            report = self.report(lambda log: log.error("a"))
        self.assertEqual(report.subject, r"[Acme\u2028] ERROR: a")

    def test_line_breaks_as_django(self):
        report = self.report(lambda log: log.error("a\r\nb"))
        self.assertEqual(report.subject, r"[Django] ERROR: a\r\nb")

    def test_broken_links(self):
        middleware = BrokenLinkEmailsMiddleware(lambda request: None)
        mail.outbox = []
        middleware.send_mail("Broken\x0blink\u2028", "body")
        self.assertEqual(subjects(), [r"[Django] Broken\x0blink\u2028"])


class AddressTests(ReportTestCase):
    def test_a_full_stop_in_a_name(self):
        with override_settings(SERVER_EMAIL=SERVER_EMAIL, ADMINS=["J. R. Doe <jr@example.com>"]):
            report = self.report(lambda log: log.error("a"))
        self.assertEqual(report.from_email, '"Acme Inc." <root@example.com>')
        self.assertEqual(report.to, ['"J. R. Doe" <jr@example.com>'])
        self.assertIn(b'From: "Acme Inc." <root@example.com>', report.message().as_bytes())

    def test_over_smtp(self):
        server = enter(self, SMTPServer())
        with override_settings(MAILERS=smtp_mailers(server), SERVER_EMAIL=SERVER_EMAIL):
            with listening(Handler()) as logger, self.assertNoLogs(LOGGER):
                logger.error("a")
            BrokenLinkEmailsMiddleware(lambda request: None).send_mail("a", "b")
        self.assertEqual(
            [(message.mail_from, message.rcpt_tos) for message in server.messages],
            [
                ("root@example.com", ["admin@example.com"]),
                ("root@example.com", ["sales@example.com"]),
            ],
        )

    def test_quoted(self):
        for mailbox, expected in [
            ("Acme Inc. <a@example.com>", '"Acme Inc." <a@example.com>'),
            ("  St. Ålesund  <a@example.com> ", '"St. Ålesund" <a@example.com>'),
            ("a.b@example.com <a.b@example.com>", "a.b@example.com <a.b@example.com>"),
            ("Acme <a@example.com>", "Acme <a@example.com>"),
            ('"Acme Inc." <a@example.com>', '"Acme Inc." <a@example.com>'),
            ('Acme "Inc." <a@example.com>', 'Acme "Inc." <a@example.com>'),
            ("Acme, Inc. <a@example.com>", "Acme, Inc. <a@example.com>"),
            ("Acme (Inc.) <a@example.com>", "Acme (Inc.) <a@example.com>"),
            ("=?utf-8?q?Acme?= Inc. <a@example.com>", "=?utf-8?q?Acme?= Inc. <a@example.com>"),
            ("a.b@example.com", "a.b@example.com"),
            ("<a.b@example.com>", "<a.b@example.com>"),
            ("Inc. <a@example.com", "Inc. <a@example.com"),
            ("", ""),
        ]:
            with self.subTest(mailbox):
                self.assertEqual(quoted(mailbox), expected)

    def test_what_is_quoted_is_the_same_mailbox(self):
        message = EmailMessage(
            "s", "b", quoted("Büro St. Gallen <a@example.com>"), ["b@example.com"]
        )
        [mailbox] = message.message()["From"].addresses
        self.assertEqual(
            (mailbox.display_name, mailbox.addr_spec), ("Büro St. Gallen", "a@example.com")
        )


class PlaceholderTests(ReportTestCase):
    def test_bad_arguments(self):
        for message, arguments, expected in [
            ("%d", ("x",), "%d <TypeError, arguments: ('x',)>"),
            ("%s %s", (1,), "%s %s <TypeError, arguments: (1,)>"),
            ("a", (1, 2), "a <TypeError, arguments: (1, 2)>"),
            ("%(a)s", ({"b": 1},), "%(a)s <KeyError, arguments: {'b': 1}>"),
            ("%s", (NoText(),), "%s <LookupError, arguments: <unprintable tuple object>>"),
            (NoText(), (), "<unprintable NoText object> <LookupError, arguments: ()>"),
        ]:
            with self.subTest(str(expected)):
                report = self.report(lambda log, m=message, a=arguments: log.error(m, *a))
                self.assertEqual(report.subject, f"[Django] ERROR: {expected}")
                self.assertTrue(report.body.startswith(f"{expected}\n\n"), report.body[:200])

    def test_an_exception_without_text(self):
        for error in (NoText(), NoTextTwice()):
            for include_html in (False, True):
                with self.subTest(error=type(error), include_html=include_html):
                    report = self.trouble(error, include_html=include_html)
                    name = type(error).__name__
                    self.assertEqual(report.subject, "[Django] ERROR: It failed")
                    self.assertIn("<exception str() failed>", report.body)
                    self.assertIn(name, report.body)
                    # The place is there, as in any report.
                    self.assertIn("raise error", report.body)
                    for page in report.alternatives:
                        self.assertIn(name, page[0])
                        self.assertIn("&lt;exception str() failed&gt;", page[0])

    def test_in_the_chain(self):
        def log(logger):
            try:
                try:
                    raise NoText
                except NoText:
                    raise ValueError("after") from None
            except ValueError as error:
                error.__cause__ = NoText()
                logger.exception("It failed")

        report = self.report(log, include_html=True)
        self.assertIn("Exception Type: ValueError", report.body)
        self.assertIn("Exception Value: after", report.body)
        self.assertIn("<exception str() failed>", report.body)

    def test_a_chain_that_can_be_printed_is_the_original(self):
        seen = []

        class Reporter(ExceptionReporter):
            def get_traceback_text(self):
                seen.append(self.exc_value)
                return ""

        handler = Handler()
        handler.reporter_class = Reporter
        error = ValueError("a")
        with listening(handler) as logger:
            logger.error("a", exc_info=error)
        self.assertEqual(len(seen), 1)
        self.assertIs(seen[0], error)

    def test_variables(self):
        """Of a function, and of a request."""

        class Variable:
            def __repr__(self):
                raise NoText

        def fail(value):
            raise ValueError("bad")

        def log(logger):
            try:
                fail(Variable())
            except ValueError:
                request = RequestFactory().get("/shop/")
                request.COOKIES = {"a": Variable()}
                request.META["b"] = Variable()
                logger.exception("It failed", extra={"request": request})

        for include_html in (False, True):
            with self.subTest(include_html=include_html):
                report = self.report(log, include_html=include_html)
                self.assertIn("ValueError", report.body)
                self.assertIn("raise ValueError", report.body)

    def test_notes(self):
        """add_note() takes str only, but the attribute takes all."""
        error = ValueError("bad")
        error.__notes__ = [1]
        report = self.trouble(error)
        self.assertIn("ValueError: bad", report.body)


class QueueTests(ReportTestCase):
    """Behind a queue, as Python's documentation advises for slow handlers."""

    def reports(self, log):
        mail.outbox = []
        waiting = queue.SimpleQueue()
        handler = Handler(window=600, rate="30/hour")
        handler.limiter.clock = Clock()
        listener = logging.handlers.QueueListener(waiting, handler)
        with listening(logging.handlers.QueueHandler(waiting)) as logger:
            log(logger)
        listener.start()
        listener.stop()
        return subjects()

    def test_messages(self):
        def log(logger):
            for number in range(100):
                logger.error("Order %d failed", number)

        self.assertEqual(self.reports(log), ["[Django] ERROR: Order 0 failed"])

    def test_lines_and_levels(self):
        def log(logger):
            for level in (logging.ERROR, logging.CRITICAL):
                for number in range(3):
                    logger.log(level, "one %d", number)
            logger.error("two")

        self.assertEqual(
            self.reports(log),
            ["[Django] ERROR: one 0", "[Django] CRITICAL: one 0", "[Django] ERROR: two"],
        )

    def raise_here(self, error):
        raise error

    def test_tracebacks(self):
        """All views log theirs in one line: the text of the traceback tells them apart."""

        def log(logger):
            for number in range(50):
                for error in (ValueError(number), NoColon(), KeyError("a\nb: c")):
                    try:
                        self.raise_here(error)
                    except Exception:
                        logger.exception("Error %d", number)

        self.assertEqual(
            [s.partition("\\n")[0] for s in self.reports(log)], ["[Django] ERROR: Error 0"] * 3
        )


class NoColon(Exception):
    """Without a text, of which a traceback has the name only."""
