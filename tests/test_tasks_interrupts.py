"""Nothing that a queue has taken is lost without a word: interrupts, and whatever is wrong."""

import json
import logging
import signal
import smtplib
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import MIMEPart
from io import StringIO
from unittest import mock

from django.core import mail
from django.core.cache import caches
from django.core.cache.backends.filebased import FileBasedCache
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.locmem import EmailBackend as LocmemBackend
from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings
from django.utils.functional import SimpleLazyObject

from django_mailers import send_many
from django_mailers.delivery.codec import UnreadableMessage
from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.tasks import claims, frameworks
from django_mailers.tasks.tickets import WEEK, read_ticket
from django_mailers.tasks.worker import NotDelivered

from .support.caches import Shared, cache
from .support.messages import message
from .support.servers import enter
from .support.tasks import BACKEND, DUMMY, IT, QUEUE, QueueTestCase, background, told

if frameworks.framework() is not None:
    from .support.tasks import QueueBackend

LOGGER = "django_mailers.tasks"
LIMITED = {"memory": {"BACKEND": f"{__name__}.LimitedBackend"}}
UNMADE = {"memory": {"BACKEND": f"{__name__}.UnmadeBackend"}}


class JobTimeout(Exception):
    """What a signal handler raises at the end of a job's time, as in Celery and RQ."""


def time_is_over(number, frame):
    raise JobTimeout


def interrupt(*args, **kwargs):
    signal.raise_signal(signal.SIGTERM)


class UnmadeBackend(LocmemBackend):
    error = None

    def __init__(self, *args, **kwargs):
        raise self.error


class LimitedBackend(LocmemBackend):
    """Fails with `error`, before the message is handed over."""

    error = None

    def send_messages(self, messages):
        raise self.error


class Case(QueueTestCase):
    def setUp(self):
        super().setUp()
        enter(self, override_settings(CACHES=cache("Shared", location="interrupts")))
        self.addCleanup(caches["default"].clear)
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        signal.signal(signal.SIGTERM, time_is_over)

    def queue(self):
        with background():
            message("a").send(using=IT)
        return self.queued.pop()

    def outcome(self, queued, raises, others=None):
        """Run a task that raises this; return what the signal and the log say of the message."""
        with (
            background(others=others),
            told() as heard,
            self.assertLogs(LOGGER, "ERROR") as logs,
            self.assertRaises(raises),
        ):
            queued.run()
        self.assertEqual(len(logs.output), 1)
        [(name, _, alias, result)] = heard
        self.assertEqual((name, alias), ("finished", IT))
        return result.status, result.reason, logs.records[0].getMessage()


class WorkerTests(Case):
    def test_interrupted_in_the_claim(self):
        queued = self.queue()
        with mock.patch.object(Shared, "add", interrupt):
            status, reason, line = self.outcome(queued, JobTimeout)
        self.assertEqual(
            (status, reason), ("failed", "the run was interrupted before the delivery")
        )
        self.assertTrue(line.endswith(f", attempt 1: failed: {reason}."), line)
        self.assertEqual(mail.outbox, [])

    def test_interrupted_while_it_is_queued_again(self):
        queued = self.queue()
        LimitedBackend.error = ConnectionRefusedError()
        with mock.patch.object(QueueBackend, "enqueue", interrupt):
            status, reason, _ = self.outcome(queued, JobTimeout, LIMITED)
        self.assertEqual(
            (status, reason),
            ("unknown", "the run was interrupted while it queued the message again"),
        )

    def test_interrupted_while_it_is_read(self):
        queued = self.queue()
        with mock.patch("django_mailers.tasks.worker.load", interrupt):
            status, _, line = self.outcome(queued, JobTimeout)
        self.assertEqual(status, "failed")
        self.assertTrue(line.endswith(" from 'background' was not read: JobTimeout"), line)

    def test_a_backend_that_cannot_be_made(self):
        """Nothing was handed over, and somebody may mend it."""
        for error in (ImportError("x"), ValueError("x"), ConnectionRefusedError()):
            with self.subTest(error=error):
                queued = self.queue()
                UnmadeBackend.error = error
                with background(others=UNMADE), self.assertLogs(LOGGER, "WARNING") as logs:
                    self.assertEqual(queued.run()["status"], "again")
                self.assertIn(
                    f"failed: {type(error).__name__}. It is tried again in 3600 seconds.",
                    logs.output[0],
                )
                with background():
                    self.assertEqual(self.queued.pop().run()["status"], "sent")

    def test_a_second_run_that_finds_the_mailer(self):  # (H58)
        """The first one did not, and has queued the message again."""
        queued = self.queue()
        UnmadeBackend.error = ImproperlyConfigured("x")
        with background(others=UNMADE):
            self.assertEqual(queued.run()["status"], "again")
        following = self.queued.pop()
        status, reason, _ = self.outcome(queued, NotDelivered)
        self.assertEqual((status, reason), ("unknown", "another run has claimed it"))
        with background():
            self.assertEqual(following.run()["status"], "sent")
        self.assertEqual(len(mail.outbox), 1)

    def test_it_is_queued_again_where_it_was(self):
        """Some engines find a task by its name alone, which is that of any engine and queue."""
        where = {"task_backend": "mail", "queue_name": "slow", "priority": 7}
        LimitedBackend.error = ConnectionRefusedError()
        tasks = {
            "default": {"BACKEND": DUMMY},
            "mail": {"BACKEND": QUEUE, "QUEUES": ["slow"]},
        }
        mailer = {"BACKEND": BACKEND, "OPTIONS": {"using": "memory", **where}}
        with background(others={**LIMITED, IT: mailer}), override_settings(TASKS=tasks):
            message("a").send(using=IT)
            first = self.queued.pop()
            first.changes.clear()
            self.assertEqual(first.run()["status"], "again")
            following = self.queued.pop()
            self.assertIsNotNone(following.changes.pop("run_after"))
            self.assertEqual(
                following.changes, {"backend": "mail", "queue_name": "slow", "priority": 7}
            )
        # A worker whose settings are others.
        following.changes.clear()
        with (
            background(others=LIMITED),
            self.assertLogs(LOGGER, "ERROR") as logs,
            told() as heard,
            self.assertRaises(NotDelivered),
        ):
            following.run()
        self.assertIn("could not be queued again: CannotQueue.", logs.output[0])
        self.assertEqual([event[3].status for event in heard], ["failed"])
        self.assertEqual(self.queued, [])

    def test_two_runs_at_once_with_claims_in_files(self):  # (H57)
        """Django's cache in files looks for a key, and then adds it."""
        folder = enter(self, tempfile.TemporaryDirectory())
        files = {"BACKEND": f"{FileBasedCache.__module__}.FileBasedCache", "LOCATION": folder}
        ticket = read_ticket(self.queue().ticket)
        both = threading.Barrier(2)
        has_key = FileBasedCache.has_key

        def slow_has_key(*args, **kwargs):
            found = has_key(*args, **kwargs)
            # Unless the other one is not let in.
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            return found

        with (
            override_settings(CACHES={"default": files}),
            mock.patch.object(FileBasedCache, "has_key", slow_has_key),
            ThreadPoolExecutor(2) as pool,
        ):
            outcomes = pool.map(claims.claim, [ticket] * 2, ["a", "b"])
            self.assertEqual(sorted(outcomes), ["mine", "taken"])

    def test_any_time_that_a_service_asks_for(self):
        for asked, seconds in [
            *((7, 7), (0.5, 0), (WEEK + 1, WEEK), (1e300, WEEK), (10**400, WEEK)),
            *((float("inf"), WEEK), (float("nan"), 60), (0, 60), (-1, 60)),
        ]:
            limit = RateLimited("slow down", asked)
            for error in (limit, MailersFailed({"a": limit})):
                queued = self.queue()
                LimitedBackend.error = error
                with background(others=LIMITED), self.assertLogs(LOGGER, "WARNING") as logs:
                    self.assertEqual(queued.run()["status"], "again")
                with self.subTest(asked=repr(asked)[:20], error=type(error)):
                    self.assertTrue(
                        logs.output[0].endswith(f" It is tried again in {seconds} seconds."),
                        logs.output[0],
                    )
        del self.queued[:]

    def test_tickets_of_any_form(self):
        """What is wrong with one is said before the message is handed over."""
        good = self.queue().ticket
        read_ticket(good)
        for ticket, text in [
            (None, "TypeError"),
            ([], "TypeError"),
            ("x", "TypeError"),
            ({}, "KeyError"),
            ({**good, "doubts": [["x", "y"]]}, "ValueError"),
            *(
                ({**good, name: []}, f"'{name}' is of another type")
                for name in good.keys() - {"version", "doubts"}
            ),
            ({**good, "using": None}, "'using' is of another type"),
            ({**good, "attempts": "5"}, "'attempts' is of another type"),
        ]:
            queued = self.queue()
            args, kwargs = json.loads(queued.stored)
            queued.stored = json.dumps([args, {**kwargs, "ticket": ticket}])
            with self.subTest(ticket=ticket), background(), told() as heard:
                with self.assertLogs(LOGGER, "ERROR"), self.assertRaises(UnreadableMessage) as it:
                    queued.run()
                self.assertEqual(str(it.exception), f"The ticket cannot be read ({text}).")
                self.assertEqual([event[0] for event in heard], ["finished"])
        self.assertEqual(mail.outbox, [])


class QueueingTests(Case):
    def test_an_engine_that_has_the_task_whatever_it_raises(self):  # (H59)
        """A client may try again by itself: what it raises is about its last try."""
        for error in (
            *(ConnectionRefusedError(), ValueError("x"), TypeError("x"), RuntimeError("x")),
            *(ImproperlyConfigured("x"), RateLimited("x", 1)),
        ):
            QueueBackend.broken, QueueBackend.is_too_late = error, True
            with self.subTest(error=error), background():
                [result] = send_many([message("a")], using=IT)
                self.assertEqual(result.status, "failed")
                QueueBackend.broken = None
                with self.assertRaisesMessage(Exception, "it was reported as not queued"):
                    self.queued.pop().run()
        self.assertEqual(mail.outbox, [])

    def test_a_cache_that_is_down_as_well(self):
        with background(), override_settings(CACHES=cache("Down")):
            for error, status in [
                (ConnectionRefusedError(), "failed"),
                (TimeoutError(), "unknown"),
            ]:
                QueueBackend.broken = error
                [result] = send_many([message("a")], using=IT)
                self.assertEqual(result.status, status)

    def test_attachments_that_cannot_be_written(self):
        """They are made, and fail when they are written."""
        part = MIMEPart()
        part.set_payload(5)
        with background(), self.assertRaises(AttributeError):
            message("a", attachments=[part]).send(using=IT)
        self.assertEqual(self.queued, [])

    def test_addresses_for_smtputf8(self):
        """A server, or a service, may take them."""
        with background():
            message("a", to=["jörg@example.com"]).send(using=IT)
        self.assertEqual(len(self.queued), 1)

    def test_lazy_messages(self):
        with background():
            for headers in ({}, {"Date": "Mon, 02 Nov 2026 10:00:00 +0000", "Message-ID": "<a@b>"}):
                email = message("lazy", headers=headers)
                lazy = SimpleLazyObject(lambda email=email: email)
                [result] = send_many([lazy], using=IT)
                self.assertEqual(result.status, "queued")
                self.assertIs(result.message, lazy)
            self.assertEqual(self.subjects(), ["lazy"] * 2)


class Mailing(logging.Handler):
    """Mails each line through the background mailer, and raises what that raises."""

    def emit(self, record):
        message(f"report: {record.levelname}").send(using=IT)


class ReportTests(Case):  # (H63)
    """A handler that mails through the queue, about the queue."""

    def setUp(self):
        super().setUp()
        logger, handler = logging.getLogger(LOGGER), Mailing()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)

    def test_an_engine_that_fails(self):
        QueueBackend.broken = TimeoutError()
        with background(), mock.patch.object(claims, "claim", return_value="broken"):
            [result] = send_many([message("a")], using=IT)
        self.assertEqual(result.status, "unknown")
        self.assertEqual([sent.subject for sent in mail.outbox], ["report: WARNING"])
        self.assertEqual(self.queued, [])

    def test_a_message_that_fails(self):
        """Its report is not a message that fails, and so on."""
        queued = self.queue()
        LimitedBackend.error = smtplib.SMTPRecipientsRefused({"bob@example.com": (550, b"no")})
        with (
            background(others=LIMITED),
            told() as heard,
            mock.patch("sys.stderr", StringIO()) as stderr,
            self.assertRaises(NotDelivered) as caught,
        ):
            queued.run()
        self.assertEqual([event[3].status for event in heard], ["refused"])
        self.assertEqual(stderr.getvalue(), f"{caught.exception}\n")
        self.assertEqual((self.queued, mail.outbox), ([], []))

    def test_mailers_that_end_in_it(self):
        """What the report goes through is another background mailer."""
        other = {"memory": {"BACKEND": BACKEND, "OPTIONS": {"using": "default"}}}
        QueueBackend.broken = ConnectionRefusedError()
        with background(others=other), mock.patch("sys.stderr", StringIO()) as stderr:
            [result] = send_many([message("a")], using=IT)
        self.assertEqual(result.status, "failed")
        self.assertRegex(
            stderr.getvalue(),
            r"^Message \w+ from 'background' was not queued: ConnectionRefusedError\.\n$",
        )
        self.assertEqual((self.queued, mail.outbox), ([], []))


class TransactionTests(Case, TransactionTestCase):
    def test_interrupted_on_commit(self):
        """The log says how many are lost, and the project's own callbacks run."""
        called = []
        original = QueueBackend.enqueue

        def enqueue(backend, task, args, kwargs):
            if '"b"' in kwargs["message"]:
                interrupt()
            return original(backend, task, args, kwargs)

        with (
            background(),
            mock.patch.object(QueueBackend, "enqueue", enqueue),
            self.assertLogs(LOGGER, "ERROR") as logs,
            self.assertLogs("django", "ERROR"),
            transaction.atomic(),
        ):
            send_many([message(name) for name in "abc"], using=IT)
            transaction.on_commit(lambda: called.append(1))
        self.assertEqual(called, [1])
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            ["MAILERS['background']: 2 of 3 messages were not queued: JobTimeout."],
        )
        self.assertEqual(len(self.queued), 1)

    def test_a_claim_that_would_be_rolled_back(self):
        """With claims in the same database, what keeps a worker from sending goes as well."""
        databased = {
            "default": {
                "BACKEND": "django.core.cache.backends.db.DatabaseCache",
                "LOCATION": "claims_of_tests",
            }
        }
        with override_settings(CACHES=databased), background(on_commit=False):
            with connection.cursor() as cursor:
                cursor.execute(
                    "CREATE TABLE claims_of_tests "
                    "(cache_key varchar(255) PRIMARY KEY, value text, expires timestamp)"
                )
            QueueBackend.broken, QueueBackend.is_too_late = TimeoutError(), True
            with transaction.atomic():
                [inside] = send_many([message("a")], using=IT)
            [outside] = send_many([message("a")], using=IT)
            self.assertEqual((inside.status, outside.status), ("unknown", "failed"))
            QueueBackend.broken = None
            self.assertEqual(self.queued[0].run()["status"], "sent")
            with self.assertRaisesMessage(Exception, "it was reported as not queued"):
                self.queued[1].run()
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE claims_of_tests")
