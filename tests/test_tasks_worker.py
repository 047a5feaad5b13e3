"""What a worker does with a message: django_mailers.tasks.worker."""

import json
import smtplib
from datetime import timedelta
from unittest import mock

from django.core import mail
from django.core.cache import caches
from django.core.mail import InvalidMailer
from django.test import override_settings
from django.utils import timezone

from django_mailers import send_many
from django_mailers.delivery import RecipientResult, SendResult
from django_mailers.delivery.codec import UnreadableMessage
from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.tasks.worker import NotDelivered

from .support.caches import Lossy, cache
from .support.messages import BOB, EVE, message
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.tasks import BACKEND, IMMEDIATE, IT, QueueTestCase, background, told
from .support.utils import OURS, SMTP
from .support.wrappers import ReportingForeignBackend

LOGGER = "django_mailers.tasks"


class Answering(ReportingForeignBackend):
    """Gives each message the next of `answers`: the fields of a result, or an exception."""

    answers = []
    seen = []

    def send_many(self, messages):
        [message] = messages
        self.seen.append(message.subject)
        answer = self.answers.pop(0) if self.answers else {"status": "sent"}
        if isinstance(answer, BaseException):
            raise answer
        return [SendResult(message, **answer)]


ANSWERING = {"memory": {"BACKEND": f"{__name__}.Answering"}}
BUSY = {"status": "refused", "code": 451, "text": "Try again, bob@example.com"}
REFUSED = {"status": "refused", "code": 550, "text": "No such user"}
LOGIN = {"status": "failed", "error": smtplib.SMTPAuthenticationError(535, b"no")}


class WorkerTestCase(QueueTestCase):
    def setUp(self):
        super().setUp()
        self.seen = Answering.seen
        self.addCleanup(Answering.answers.clear)
        self.addCleanup(self.seen.clear)
        enter(self, override_settings(CACHES=cache("Shared")))

    def queue(self, *answers, **options):
        """Queue a message, whose runs get these answers; return the task."""
        Answering.answers[:] = answers
        enter(self, background(others=ANSWERING, **options))
        message("Hello", to=[BOB, EVE]).send(using=IT)
        return self.queued.pop()

    def assertNotDelivered(self, run, text):
        """The task fails, and says so in a line of the log, without an address."""
        with self.assertRaises(NotDelivered) as caught, self.assertLogs(LOGGER, "ERROR") as logs:
            run()
        self.assertRegex(
            str(caught.exception),
            rf"^Message \w+ from 'background' through 'memory', attempt \d+: {text}\.$",
        )
        self.assertIsNone(caught.exception.__cause__)
        self.assertTrue(caught.exception.__suppress_context__)
        self.assertEqual([record.getMessage() for record in logs.records], [str(caught.exception)])
        self.assertNotIn("example.com", str(caught.exception))

    def assertAgain(self, queued, seconds):
        """Run the task: the message is in the queue again, to be tried after `seconds`."""
        before = timezone.now()
        with told() as heard:
            self.assertEqual(queued.run()["status"], "again")
        self.assertEqual(heard, [])
        following = self.queued.pop()
        self.assertEqual(self.queued, [])
        wait = following.run_after - timedelta(seconds=seconds)
        self.assertTrue(before <= wait <= timezone.now(), following.run_after)
        self.assertEqual(following.ticket["attempt"], queued.ticket["attempt"] + 1)
        return following


class OutcomeTests(WorkerTestCase):
    def test_sent(self):
        queued = self.queue()
        with self.assertLogs(LOGGER) as logs, told() as heard:
            self.assertEqual(queued.run(), {"status": "sent", "attempt": 1})
        [record] = logs.records
        self.assertEqual(
            record.getMessage(),
            f"Message {queued.ticket['id']} from 'background' through 'memory', attempt 1: sent.",
        )
        self.assertEqual(record.levelname, "INFO")
        [(name, subject, alias, result)] = heard
        self.assertEqual(
            (name, subject, alias, result.status, result.via),
            ("finished", "Hello", IT, "sent", "memory"),
        )

    def test_skipped(self):
        queued = self.queue({"status": "skipped", "reason": "no consent of bob@example.com"})
        with self.assertLogs(LOGGER) as logs:
            self.assertEqual(queued.run()["status"], "skipped")
        self.assertNotIn("bob", logs.output[0])

    def test_refused_for_good(self):
        queued = self.queue(REFUSED)
        with told() as heard:
            self.assertNotDelivered(queued.run, "refused: 550")
        self.assertEqual(heard[0][3].status, "refused")
        self.assertEqual(self.queued, [])

    def test_refused_for_now(self):
        """It is tried again, later each time, as often as the options say."""
        queued = self.queue(*[BUSY] * 5)
        for seconds in (60, 120, 240, 480):
            queued = self.assertAgain(queued, seconds)
        with told() as heard:
            self.assertNotDelivered(queued.run, "refused: 451")
        self.assertEqual([event[0] for event in heard], ["finished"])
        self.assertEqual(len(self.seen), 5)

    def test_it_waits_no_longer_than_max_delay(self):
        queued = self.queue(*[BUSY] * 3, delay=10, max_delay=15)
        for seconds in (10, 15, 15):
            queued = self.assertAgain(queued, seconds)

    def test_it_is_sent_in_the_end(self):
        queued = self.queue(BUSY, {"status": "failed", "error": ConnectionRefusedError()})
        queued = self.assertAgain(queued, 60)
        queued = self.assertAgain(queued, 120)
        self.assertEqual(queued.run(), {"status": "sent", "attempt": 3})

    def test_as_long_as_a_service_asks(self):
        queued = self.queue({"status": "failed", "error": RateLimited("slow down", 7)})
        self.assertAgain(queued, 7)

    def test_a_rate_limit_of_the_project_takes_no_attempt(self):
        limited = {"status": "failed", "error": RateLimited("slow down", 7)}
        both = MailersFailed({"a": RateLimited("x", 1), "b": RateLimited("x", 3)})
        queued = self.queue(*[limited] * 8, {"status": "failed", "error": both}, attempts=2)
        for _ in range(8):
            queued = self.assertAgain(queued, 7)
        queued = self.assertAgain(queued, 3)
        self.assertEqual(queued.run(), {"status": "sent", "attempt": 10})

    def test_an_account(self):
        """A rotated password must not lose the whole queue."""
        queued = self.queue(LOGIN, LOGIN, attempts=2)
        with self.assertLogs(LOGGER, "ERROR") as logs:
            queued = self.assertAgain(queued, 3600)
        self.assertIn(
            "failed: SMTPAuthenticationError. It is tried again in 3600 seconds.", logs.output[0]
        )
        self.assertNotDelivered(queued.run, "failed: SMTPAuthenticationError")

    def test_a_configuration(self):
        error = InvalidMailer("no key", alias="memory")
        queued = self.queue(error)
        queued = self.assertAgain(queued, 3600)
        self.assertEqual(queued.run()["status"], "sent")

    def test_settings_without_the_alias(self):
        """A worker may be older than what has queued the message."""
        queued = self.queue()
        with override_settings(MAILERS={}):
            queued = self.assertAgain(queued, 3600)
        with override_settings(MAILERS={"memory": ANSWERING["memory"]}):
            self.assertEqual(queued.run()["status"], "sent")

    def test_unknown(self):
        queued = self.queue({"status": "unknown", "error": TimeoutError("bob@example.com")})
        self.assertNotDelivered(queued.run, r"unknown \(it may have been sent\): TimeoutError")
        self.assertEqual(self.queued, [])

    def test_recipients_that_were_refused_among_others(self):  # (H47)
        recipients = (RecipientResult(BOB, 250, "OK"), RecipientResult(EVE, 451, "later"))
        queued = self.queue({"status": "sent", "recipients": recipients})
        with self.assertLogs(LOGGER, "ERROR") as logs, told() as heard:
            self.assertEqual(queued.run()["status"], "sent")
        self.assertIn("sent: 1 of 2 recipients refused.", logs.output[0])
        self.assertEqual(len(heard[0][3].refused_recipients), 1)
        self.assertEqual(self.queued, [])

    def test_an_interruption(self):
        """A worker that is told to end, or a job's time limit."""
        for error in (SystemExit(1), KeyboardInterrupt(), TypeError("of a backend")):
            with self.subTest(error=error):
                queued = self.queue(error)
                with told() as heard, self.assertLogs(LOGGER, "ERROR"):
                    with self.assertRaises(type(error)):
                        queued.run()
                    self.assertNotDelivered(
                        queued.run, r"unknown \(it may have been sent\): another run has claimed it"
                    )
                self.assertEqual([event[3].status for event in heard], ["unknown"] * 2)
                self.assertEqual(len(self.seen), 1)
            self.seen.clear()

    def test_an_engine_that_cannot_defer(self):
        queued = self.queue(
            BUSY, BUSY, BUSY, attempts=3, task_backend="tests.support.tasks.UndeferringBackend"
        )
        for _ in range(2):
            self.assertEqual(queued.run()["status"], "again")
            queued = self.queued.pop()
            self.assertIsNone(queued.run_after)
        self.assertNotDelivered(queued.run, "refused: 451")
        # Else it would log in with the wrong password as fast as it can.
        queued = self.queue(LOGIN, task_backend="tests.support.tasks.UndeferringBackend")
        self.assertNotDelivered(queued.run, "failed: SMTPAuthenticationError")
        limited = {"status": "failed", "error": RateLimited("slow down", 7)}
        queued = self.queue(
            limited, limited, attempts=2, task_backend="tests.support.tasks.UndeferringBackend"
        )
        self.assertEqual(queued.run()["status"], "again")
        self.assertNotDelivered(self.queued.pop().run, "failed: RateLimited")

    def test_a_queue_that_takes_nothing_more(self):
        queued = self.queue(BUSY)
        with (
            mock.patch("tests.support.tasks.QueueBackend.broken", OSError("bob@example.com")),
            self.assertLogs(LOGGER, "ERROR") as logs,
            self.assertRaises(NotDelivered),
        ):
            queued.run()
        self.assertIn("could not be queued again: OSError.", logs.output[0])
        self.assertNotIn("bob", "".join(logs.output))

    def test_receivers_that_fail(self):
        from django_mailers.signals import mail_finished

        def receiver(**kwargs):
            raise ValueError("mine")

        mail_finished.connect(receiver)
        self.addCleanup(mail_finished.disconnect, receiver)
        queued = self.queue()
        with self.assertLogs("django.dispatch", "ERROR"):
            self.assertEqual(queued.run()["status"], "sent")


class ClaimTests(WorkerTestCase):
    def test_a_second_run_sends_nothing(self):  # (H57)
        queued = self.queue()
        queued.run()
        with told() as heard:
            self.assertNotDelivered(
                queued.run, r"unknown \(it may have been sent\): another run has claimed it"
            )
        self.assertEqual([event[3].status for event in heard], ["unknown"])
        self.assertEqual(self.seen, ["Hello"])

    def test_a_second_run_of_what_is_tried_again(self):  # (H58)
        queued = self.queue(BUSY)
        following = self.assertAgain(queued, 60)
        with self.assertRaises(NotDelivered):
            queued.run()
        self.assertEqual(following.run()["status"], "sent")
        with self.assertRaises(NotDelivered):
            following.run()
        self.assertEqual(self.seen, ["Hello"] * 2)

    def test_a_run_that_died_before_it_claimed(self):  # (H58)
        queued = self.queue()
        queued.workers.append("died")
        self.assertEqual(queued.run()["status"], "sent")

    def test_it_is_kept_for_a_week(self):
        queued = self.queue()
        with mock.patch.object(type(caches["default"]), "add", return_value=True) as add:
            queued.run()
        [(key, token, seconds)] = [call.args for call in add.call_args_list]
        self.assertEqual(key, f"django_mailers.claim.{queued.ticket['id']}.1")
        self.assertEqual((len(token), seconds), (16, 7 * 24 * 60 * 60))

    def test_a_cache_that_is_down(self):  # (H56)
        for name in ("Down", "Quiet"):
            with self.subTest(name):
                queued = self.queue()
                with override_settings(CACHES=cache(name)):
                    with self.assertLogs(LOGGER, "ERROR") as logs:
                        following = self.assertAgain(queued, 60)
                    self.assertNotIn("example.com", "".join(logs.output))
                    following = self.assertAgain(following, 120)
                self.assertEqual(self.seen, [])
                self.assertEqual(following.run()["status"], "sent")
                self.seen.clear()

    def test_it_is_down_for_too_long(self):
        queued = self.queue(attempts=2)
        with override_settings(CACHES=cache("Down")):
            queued = self.assertAgain(queued, 60)
            with self.assertRaises(NotDelivered):
                queued.run()
        self.assertEqual(self.seen, [])

    def test_a_cache_that_is_not_in_the_settings(self):
        queued = self.queue(claims="x")
        self.assertAgain(queued, 60)

    def test_a_second_run_that_cannot_see_the_claim_of_the_first(self):
        """The engine has run a task twice, and the cache fails in the second run only."""
        queued = self.queue()
        self.assertEqual(queued.run()["status"], "sent")
        with override_settings(CACHES=cache("Down")):
            following = self.assertAgain(queued, 60)
        self.assertNotDelivered(
            following.run, r"unknown \(it may have been sent\): another run has claimed it"
        )
        self.assertEqual(self.seen, ["Hello"])

    def test_the_first_run_comes_later(self):
        queued = self.queue()
        with override_settings(CACHES=cache("Quiet")):
            following = self.assertAgain(queued, 60)
        self.assertEqual(queued.run()["status"], "sent")
        with self.assertRaises(NotDelivered):
            following.run()
        self.assertEqual(self.seen, ["Hello"])

    def test_a_claim_whose_reply_is_lost(self):
        queued = self.queue()
        with override_settings(CACHES=cache("Lossy", location="lossy")):
            following = self.assertAgain(queued, 60)
            with mock.patch.object(Lossy, "is_broken", False):
                self.assertEqual(following.run()["status"], "sent")
                with self.assertRaises(NotDelivered):
                    following.run()
        self.assertEqual(self.seen, ["Hello"])

    def test_without_claims_the_engine_counts(self):
        queued = self.queue(claims=None)
        queued.workers.append("died")
        self.assertNotDelivered(
            queued.run, r"unknown \(it may have been sent\): a run before this one has died"
        )
        self.assertEqual(self.seen, [])

    def test_with_claims_that_nobody_else_sees_the_engine_counts_as_well(self):
        locmem = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        queued = self.queue()
        queued.workers.append("died")
        with override_settings(CACHES=locmem):
            self.assertNotDelivered(
                queued.run, r"unknown \(it may have been sent\): a run before this one has died"
            )


class UnreadableTests(WorkerTestCase):
    def assertUnreadable(self, queued, text):
        with (
            told() as heard,
            self.assertLogs(LOGGER, "ERROR") as logs,
            self.assertRaises(UnreadableMessage) as caught,
        ):
            queued.run()
        self.assertEqual(str(caught.exception), text)
        self.assertIn(text, logs.output[0])
        [(name, subject, alias, result)] = heard
        self.assertEqual((name, subject, alias, result.status), ("finished", None, IT, "failed"))
        self.assertIs(result.error, caught.exception)
        self.assertEqual((self.queued, self.seen), ([], []))

    def changed(self, **changes):
        queued = self.queue()
        args, kwargs = json.loads(queued.stored)
        for name, change in changes.items():
            if name == "ticket":
                kwargs[name].update(change)
            else:
                kwargs[name] = json.dumps({**json.loads(kwargs[name]), **change})
        queued.stored = json.dumps([args, kwargs])
        return queued

    def test_versions(self):
        self.assertUnreadable(
            self.changed(message={"version": 2}),
            "The message was stored by another version of django_mailers: its format is 2, "
            "and this version reads 1.",
        )
        self.assertUnreadable(
            self.changed(ticket={"version": 2}),
            "The message was queued by another version of django_mailers: its ticket is of "
            "version 2, and this version reads 1.",
        )
        self.assertUnreadable(
            self.changed(ticket={"doubts": 1}), "The ticket cannot be read (TypeError)."
        )

    def test_classes(self):
        self.assertUnreadable(
            self.changed(message={"class": "os.system"}),
            "The class of the stored message, 'os.system', is not a subclass of EmailMessage.",
        )


class ComposedTests(WorkerTestCase):
    """With real servers."""

    def test_over_smtp(self):
        for backend in (SMTP, OURS):
            server = enter(self, SMTPServer())
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            memory = {"BACKEND": backend, "OPTIONS": options}
            with self.subTest(backend), background(others={"memory": memory}):
                image = message("image", attachments=[("a.png", b"\x89PNG", "image/png")])
                send_many([image, message("b")], using=IT)
                self.assertEqual(self.subjects(), [])
                self.assertEqual(len(server.messages), 2)
                self.assertIn(b"image/png", server.messages[0].content)

    def test_greylisting(self):
        server = enter(self, SMTPServer(refuse={"RCPT": "451 4.7.1 Greylisted"}))
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        memory = {"BACKEND": OURS, "OPTIONS": options}
        with background(others={"memory": memory}):
            message("a").send(using=IT)
            queued = self.assertAgain(self.queued.pop(), 60)
            server.refuse.clear()
            self.assertEqual(queued.run()["status"], "sent")
        self.assertEqual(len(server.messages), 1)

    def test_failover_and_another_queue(self):
        others = {
            "memory": {
                "BACKEND": "tests.support.wrappers.FailoverBackend",
                "OPTIONS": {"mailers": ["down", "second"]},
            },
            "down": {"BACKEND": SMTP, "OPTIONS": {"host": "localhost", "port": 9, "timeout": 1}},
            "second": {"BACKEND": BACKEND, "OPTIONS": {"using": "default"}},
        }
        with background(others=others):
            message("a").send(using=IT)
            self.assertEqual(self.queued.pop().run()["status"], "queued")
            self.assertEqual(self.subjects(), ["a"])

    def test_an_engine_that_runs_at_once(self):
        """Attempts follow each other at once."""
        answers = [BUSY, BUSY]
        with background(task_backend=IMMEDIATE, others=ANSWERING), told() as heard:
            Answering.answers[:] = answers
            self.assertEqual(message("a").send(using=IT), 1)
        self.assertEqual(len(self.seen), 3)
        self.assertEqual([event[0] for event in heard], ["finished", "queued"])
        self.assertEqual(mail.outbox, [])
