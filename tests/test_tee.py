"""Copies in other places, which are given afterwards and change no result."""

import signal
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.backends import tee
from django_mailers.delivery import SendReport, SendResult

from .support import shapers, wrappers
from .support.messages import message
from .support.servers import SMTPServer, enter
from .support.shapers import IT, entry
from .support.utils import OURS, SMTP, ExactErrors
from .support.wrappers import ForeignBackend, ReportingForeignBackend, ShelfBackend

HERE = "tests.support.wrappers"
REPORTING = {"BACKEND": f"{HERE}.ReportingForeignBackend"}
SHELF = {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": {"shelf": "s", "size": 2}}


class TimeLimit(Exception):
    """As those of Celery and RQ."""


class TeeTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        for log in (ForeignBackend.log, ReportingForeignBackend.batches, ShelfBackend.shelves):
            log.clear()
            self.addCleanup(log.clear)

    def over(self, using, also, **others):
        it = entry("tee", "first", also=["second", *others])
        return shapers.mailers(it, first=using, second=also, **others)

    def logged(self, text):
        """A context in which this is all that is logged."""
        logs = self.assertLogs("django_mailers.backends", "WARNING")
        self.addCleanup(
            lambda: self.assertEqual(
                logs.watcher.output,
                [f"WARNING:django_mailers.backends:MAILERS['it']: Messages were sent. {text}"],
            )
        )
        return logs

    def test_what_was_taken_and_as_a_batch(self):
        with self.over(SHELF, REPORTING):
            messages = [message(name) for name in ("a", "two\nlines", "b", "full")]
            report = send_many(messages, using=IT)
            with self.assertRaises(OSError):
                mailers[IT].send_messages([message("full")])
        self.assertEqual(
            [(one.status, one.via) for one in report],
            [("sent", "first"), ("failed", None), ("sent", "first"), ("refused", None)],
        )
        self.assertEqual(ReportingForeignBackend.batches, [["a", "b"]])

    def test_what_is_queued(self):
        results = [SendResult(None, status) for status in ("queued", "unknown", "skipped")]
        with (
            self.over(SHELF, REPORTING),
            mock.patch.object(ShelfBackend, "send_many", return_value=results),
        ):
            report = send_many([message(name) for name in "abc"], using=IT)
        self.assertEqual([one.status for one in report], ["queued", "unknown", "skipped"])
        self.assertEqual(ReportingForeignBackend.batches, [["a"]])

    def test_afterwards(self):
        order = []

        def send_many_(backend, messages):
            order.append((backend.alias, [one.subject for one in messages]))
            return [SendResult(one, "sent") for one in messages]

        with (
            self.over(REPORTING, REPORTING, third=REPORTING),
            mock.patch.object(ReportingForeignBackend, "send_many", send_many_),
        ):
            send_many([message("a"), message("b")], using=IT)
        self.assertEqual(order, [(alias, ["a", "b"]) for alias in ("first", "second", "third")])

    def test_attributes_are_those_of_using(self):
        email = message()
        changing = {"BACKEND": f"{HERE}.Changing"}
        with (
            mock.patch.object(wrappers, "Changing", Changing, create=True),
            self.over({"BACKEND": f"{HERE}.ForeignBackend"}, changing),
        ):
            self.assertEqual(email.send(using=IT), 1)
        self.assertEqual((email.anymail_status, email.subject), ("status of Hello", "Hello"))
        self.assertFalse(hasattr(email, "seen"))

    def test_the_copies_are_the_same_message(self):
        """With its Message-ID and its Date, so that the one in the archive can be found."""
        servers = [enter(self, SMTPServer()) for _ in range(2)]
        for backend in (SMTP, OURS):
            with self.subTest(backend), self.over(*(shapers.smtp(one, backend) for one in servers)):
                message().send(using=IT)
            contents = [server.messages.pop().content for server in servers]
            self.assertEqual(contents[0], contents[1])

    def test_failures_are_logged(self):  # (H50)
        with SMTPServer() as dead:
            gone = dead
        refusing = enter(self, SMTPServer(refuse={"RCPT": "550 No such user bob@example.com"}))
        for also, text in [
            (shapers.smtp(gone, SMTP), "2 failed (ConnectionRefusedError)"),
            (shapers.smtp(gone, OURS), "2 failed (ConnectionRefusedError)"),
            (shapers.smtp(refusing, OURS), "2 refused (SMTPRecipientsRefused)"),
            (SHELF | {"OPTIONS": {"shelf": "s", "size": 1}}, "1 sent, 1 refused (OSError)"),
            ({"BACKEND": f"{HERE}.RaisingBackend"}, "2 unknown (TimeoutError)"),
            ({"BACKEND": f"{HERE}.SilentBackend"}, "2 unknown"),
        ]:
            ShelfBackend.shelves.clear()
            with (
                self.subTest(also["BACKEND"], text=text),
                self.over(REPORTING, also),
                self.logged(f"Of their copies through 'second': {text}."),
            ):
                report = send_many([message(), message()], using=IT)
                self.assertEqual([(one.status, one.via) for one in report], [("sent", "first")] * 2)

    def test_one_that_fails_does_not_keep_the_next_from_its_copies(self):
        with (
            self.over(REPORTING, {"BACKEND": f"{HERE}.SilentBackend"}, third=SHELF),
            self.logged("Of their copies through 'second': 1 unknown."),
        ):
            self.assertEqual(message("a").send(using=IT), 1)
        self.assertEqual(ShelfBackend.shelves, {"s": ["a"]})

    def test_what_is_raised_is_logged(self):
        for also, name in [
            ({"BACKEND": f"{HERE}.MiscountingBackend"}, "TypeError"),
            ({"BACKEND": f"{HERE}.MisconfiguredBackend"}, "InvalidMailer"),
            ({"BACKEND": OURS}, "InvalidMailer"),
            ({"BACKEND": "nowhere.EmailBackend"}, "InvalidMailer"),
        ]:
            with (
                self.subTest(also),
                self.over(SHELF, also),
                self.logged(f"Sending copies of them through 'second' raised {name}."),
            ):
                ShelfBackend.shelves.clear()
                self.assertEqual(message("a").send(using=IT), 1)
                self.assertEqual(ShelfBackend.shelves, {"s": ["a"]})

    def test_an_unknown_alias(self):
        it = entry("tee", "first", also=["memory", "x"])
        text = "MAILERS['it']: OPTIONS 'also' names 'x', which is not in MAILERS."
        with (
            shapers.mailers(it, first=SHELF),
            self.assertRaisesExactly(InvalidMailer, text),
        ):
            message().send(using=IT)
        self.assertEqual((ShelfBackend.shelves, mail.outbox), ({}, []))

    def test_a_circle_that_the_settings_do_not_show(self):
        """It ends at once, as the copies know the way that they have come."""
        it = entry("tee", "memory", also=["route"])
        route = {"BACKEND": f"{HERE}.RoutingBackend"}
        with (
            shapers.mailers(it, route=route),
            self.logged("Sending copies of them through 'route' raised InvalidMailer."),
        ):
            self.assertEqual(message(IT).send(using=IT), 1)
        self.assertEqual([one.subject for one in mail.outbox], [IT])

    def test_using_turns_out_to_be_misconfigured(self):
        """Those who got the message are in the archive."""
        first = {"BACKEND": f"{HERE}.MisconfiguredBackend"}
        messages = [message("a"), message("b")]
        with self.over(first, SHELF), self.assertRaises(InvalidMailer) as caught:
            send_many(messages, using=IT)
        self.assertEqual([one.status for one in caught.exception.report], ["sent", "failed"])
        self.assertEqual(ShelfBackend.shelves, {"s": ["a"]})

    def test_interrupts(self):
        """They go up at once, and say what was sent before."""

        def interrupt(signum, frame):
            raise error

        before = signal.signal(signal.SIGINT, interrupt)
        self.addCleanup(signal.signal, signal.SIGINT, before)

        def send_many_(backend, messages):
            signal.raise_signal(signal.SIGINT)

        for error in (KeyboardInterrupt(), TimeLimit("30 s"), SystemExit()):
            messages = [message("a"), message("two\nlines"), message("b")]
            ShelfBackend.shelves.clear()
            with (
                self.subTest(type(error)),
                self.over(SHELF, REPORTING),
                mock.patch.object(ReportingForeignBackend, "send_many", send_many_),
                self.assertRaises(type(error)) as caught,
            ):
                send_many(messages, using=IT)
            self.assertIs(caught.exception, error)
            self.assertIsInstance(error.report, SendReport)
            self.assertEqual(
                [(one.message, one.status, one.via) for one in error.report],
                [
                    (messages[0], "sent", "first"),
                    (messages[1], "failed", None),
                    (messages[2], "sent", "first"),
                ],
            )

    def test_options(self):
        for options, text in [
            ({}, "OPTIONS must define 'also'."),
            ({"also": []}, "OPTIONS 'also' must be a list of aliases."),
            ({"also": "archive"}, "OPTIONS 'also' must be a list of aliases."),
            ({"also": ["memory"]}, "OPTIONS 'also' must not name 'memory' again."),
            ({"also": ["a", "b", "a"]}, "OPTIONS 'also' must not name 'a' again."),
        ]:
            with (
                self.subTest(options),
                shapers.mailers(entry("tee", **options)),
                self.assertRaisesExactly(InvalidMailer, f"MAILERS['it']: {text}"),
            ):
                mailers[IT]

    def test_it_closes_all_it_opened(self):
        with self.over(REPORTING, REPORTING), mailers[IT] as mailer:
            mailer.send_messages([message("a")])
        self.assertEqual(ReportingForeignBackend.batches, ["open", ["a"], ["a"], "close", "close"])

    def test_it_is_short(self):
        with open(tee.__file__) as stream:
            self.assertLess(len(stream.readlines()), 150)


class Changing(ForeignBackend):
    def send_messages(self, email_messages):
        for one in email_messages:
            one.anymail_status, one.subject, one.seen = "other", "changed", True
        return len(email_messages)
