"""The signals before and after each message."""

import asyncio
import signal
from unittest import mock

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.backends.observe import EmailBackend
from django_mailers.delivery import SendResult
from django_mailers.errors import CancelSend

from .support import shapers
from .support.messages import message
from .support.shapers import IT, entry
from .support.utils import ExactErrors
from .support.wrappers import ForeignBackend, ReportingForeignBackend, ShelfBackend

HERE = "tests.support.wrappers"
SHELF = {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": {"shelf": "s", "size": 2}}


class TimeLimit(Exception):
    """As those of Celery and RQ."""


class ObserveTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        for log in (ForeignBackend.log, ReportingForeignBackend.batches, ShelfBackend.shelves):
            log.clear()
            self.addCleanup(log.clear)
        self.before, self.after = [], []

    def over(self, target=SHELF):
        return shapers.mailers(entry("observe", "target"), target=target)

    def note_before(self, **kwargs):
        kwargs.pop("signal")
        self.before.append(kwargs)

    def note_after(self, **kwargs):
        kwargs.pop("signal")
        self.after.append(kwargs)

    def test_signals(self):
        messages = [message(name) for name in ("a", "two\nlines", "b", "full")]
        receivers = shapers.receivers(self.note_before, self.note_after)
        with self.over(), receivers:
            report = send_many(messages, using=IT)
        self.assertEqual(
            self.before,
            [{"sender": EmailBackend, "message": one, "alias": IT} for one in messages],
        )
        [duration] = {one.pop("duration") for one in self.after}
        self.assertTrue(0 < duration < 60)
        self.assertEqual(
            self.after,
            [
                {"sender": EmailBackend, "message": one, "alias": IT, "result": result}
                for one, result in zip(messages, report, strict=True)
            ],
        )
        self.assertEqual(
            [(one.status, one.via) for one in report],
            [("sent", "target"), ("failed", None), ("sent", "target"), ("refused", None)],
        )

    def test_all_before_the_first_is_sent(self):
        """It stays one batch."""
        seen = []

        def before(message, **kwargs):
            seen.append([*ReportingForeignBackend.batches])

        with self.over({"BACKEND": f"{HERE}.ReportingForeignBackend"}), shapers.receivers(before):
            send_many([message("a"), message("b")], using=IT)
        self.assertEqual(seen, [[], []])
        self.assertEqual(ReportingForeignBackend.batches, [["a", "b"]])

    def test_cancelled(self):
        def cancel(message, **kwargs):
            if message.subject == "no":
                raise CancelSend("has no consent")
            if message.subject == "empty":
                raise CancelSend

        messages = [message("no"), message("a"), message("empty")]
        with self.over(), shapers.receivers(cancel, self.note_after):
            report = send_many(messages, using=IT)
            self.assertEqual(mailers[IT].send_messages([message("no")]), 0)
            self.assertEqual(message("b").send(using=IT), 1)
        self.assertEqual(
            [*report],
            [
                SendResult(messages[0], "skipped", reason="has no consent"),
                SendResult(messages[1], "sent", 250, "On the shelf", via="target"),
                SendResult(messages[2], "skipped", reason="cancelled by a receiver of pre_send"),
            ],
        )
        self.assertEqual(
            [one["result"].status for one in self.after],
            ["skipped", "sent", "skipped", "skipped", "sent"],
        )
        self.assertEqual(ShelfBackend.shelves, {"s": ["a", "b"]})

    def test_another_exception_is_about_the_message(self):
        def fail(message, **kwargs):
            if message.subject == "bad":
                raise LookupError("no such customer")

        messages = [message("a"), message("bad"), message("b")]
        with self.over(), shapers.receivers(fail, self.note_after):
            report = send_many(messages, using=IT)
            with self.assertRaisesExactly(LookupError, "no such customer"):
                message("bad").send(using=IT)
        self.assertEqual([one.status for one in report], ["sent", "failed", "sent"])
        self.assertEqual([one["result"] for one in self.after[:3]], [*report])

    def test_an_error_of_the_configuration_before(self):
        """It is never taken for one of a message. Nothing is sent."""

        def fail(message, **kwargs):
            if message.subject == "b":
                raise ImproperlyConfigured("No table.")

        with (
            self.over(),
            shapers.receivers(fail),
            self.assertRaisesExactly(ImproperlyConfigured, "No table."),
        ):
            send_many([message("a"), message("b")], using=IT)
        self.assertEqual(ShelfBackend.shelves, {})

    def test_an_exception_afterwards_is_logged(self):  # (H50)
        def fail(**kwargs):
            raise LookupError("no such table")

        with (
            self.over(),
            shapers.receivers(after=fail),
            self.assertLogs("django.dispatch", "ERROR") as logs,
        ):
            self.assertEqual(mailers[IT].send_messages([message("a"), message("b")]), 2)
        self.assertEqual(len(logs.output), 2)
        self.assertIn("no such table", logs.output[0])

    def test_an_error_of_the_configuration(self):
        """What was sent before is announced, too."""
        messages = [message("a"), message("b")]
        target = {"BACKEND": f"{HERE}.MisconfiguredBackend"}
        with (
            self.over(target),
            shapers.receivers(after=self.note_after),
            self.assertRaises(InvalidMailer) as caught,
        ):
            send_many(messages, using=IT)
        self.assertEqual([one["result"].status for one in self.after], ["sent", "failed"])
        self.assertEqual([one.status for one in caught.exception.report], ["sent", "failed"])

    def test_interrupts(self):
        """They go up at once, and say what was sent before."""

        def interrupt(signum, frame):
            raise error

        def receive(**kwargs):
            signal.raise_signal(signal.SIGINT)

        before = signal.signal(signal.SIGINT, interrupt)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        for error in (KeyboardInterrupt(), TimeLimit("30 s")):
            messages = [message("a"), message("b")]
            with (
                self.subTest(type(error)),
                self.over({"BACKEND": f"{HERE}.ReportingForeignBackend"}),
                shapers.receivers(after=receive),
                mock.patch("logging.Logger.error"),
                self.assertRaises(type(error)) as caught,
            ):
                send_many(messages, using=IT)
            self.assertIs(caught.exception, error)
            self.assertEqual([one.status for one in error.report], ["sent", "sent"])

    def test_an_interrupt_before(self):
        """Nothing was sent."""

        def interrupt(signum, frame):
            raise TimeLimit("30 s")

        def receive(**kwargs):
            signal.raise_signal(signal.SIGINT)

        before = signal.signal(signal.SIGINT, interrupt)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        with (
            self.over(),
            shapers.receivers(receive, self.note_after),
            self.assertRaisesExactly(TimeLimit, "30 s"),
        ):
            send_many([message("a")], using=IT)
        self.assertEqual((ShelfBackend.shelves, self.after), ({}, []))

    def test_asynchronous_receivers(self):
        async def receive(message, **kwargs):
            await asyncio.sleep(0)
            if message.subject == "no":
                raise CancelSend("no")

        async def note(**kwargs):
            self.after.append(kwargs["result"].status)

        with self.over(), shapers.receivers(receive, note):
            send_many([message("no"), message("a")], using=IT)
        self.assertEqual(self.after, ["skipped", "sent"])

    def test_receivers_of_one_class(self):
        class Mine(EmailBackend):
            pass

        from django_mailers.signals import pre_send

        pre_send.connect(self.note_before, sender=Mine, weak=False)
        self.addCleanup(pre_send.disconnect, self.note_before, sender=Mine)
        mine = {"BACKEND": f"{HERE}.Mine", "OPTIONS": {"using": "memory"}}
        with (
            mock.patch(f"{HERE}.Mine", Mine, create=True),
            shapers.mailers(entry("observe"), mine=mine),
        ):
            message("a").send(using=IT)
            message("b").send(using="mine")
        self.assertEqual([one["message"].subject for one in self.before], ["b"])
        self.assertEqual([one["alias"] for one in self.before], ["mine"])
        self.assertEqual(len(mail.outbox), 2)
