"""What each server is sent, and what is to become of it."""

from __future__ import annotations

import math
import multiprocessing
import os
import smtplib
import sys
import threading
import time
import unittest
from collections import Counter

from django.core import mail
from django.core.mail import EmailMessage
from django.test import override_settings

from django_mailers import send_many

from ..support.servers import HOST, enter
from ..support.utils import OURS
from .daemons import DOMAIN, Daemon, wait_for
from .greylist import Greylist
from .packages import Unavailable

# The one of each setting that differs from the default, in the service named for it.
SETTINGS = {"idle": 3, "connections": 2, "rate": 30, "size": 1_000_000}
# Three in twenty, 15 %, two of them in a row.
UNKNOWN = (3, 4, 13)
BATCH = 600
RESTARTED = 300
GREYLISTED = 300
# After as many refusals a session has to be another one.
REFUSALS = 8


class ServerCase:
    """A mixin for unittest's TestCase: one server, `daemon`, for all tests of a class."""

    maxDiff = None
    daemon_class: type[Daemon]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        parent = multiprocessing.parent_process()
        if parent is not None:
            # A worker of the runner would go on to the end, if the runner is killed.
            watch = threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True)
            watch.start()
        cls.greylist = greylist = enter(cls, Greylist())
        daemon = cls.daemon_class({**SETTINGS, "greylist": greylist.port})
        try:
            cls.daemon = enter(cls, daemon)
        except Unavailable as error:
            reason = f"{daemon.name} cannot be had here: {error}"
            print(f"\nSKIPPED: {reason}", file=sys.stderr)
            raise unittest.SkipTest(reason) from error

    def setUp(self):
        super().setUp()
        self.daemon.forget()
        self.greylist.forget()
        self.figures = []
        self.addCleanup(self.print_figures)
        self.mailers()

    def mailers(self, **options):
        """Define a mailer for each service of the server, and forget all sessions."""
        entries = {
            service: {"BACKEND": OURS, "OPTIONS": {"host": HOST, "port": port, **options}}
            for service, port in self.daemon.ports.items()
        }
        enter(self, override_settings(MAILERS=entries))

    def print_figures(self):
        name = self.id().rpartition(".")[2]
        print(f"\n{self.daemon.name}: {name}: {'; '.join(self.figures)}", file=sys.stderr)

    def figure(self, what, value):
        self.figures.append(f"{what}: {value}")

    def opened(self):
        """Return how many connections the server has had in this test, by its log."""
        return self.daemon.count_connections()

    def message(self, number, to=(), size=200):
        """Return a message to user `number`, if `to` is not given."""
        return EmailMessage(
            "Checked",
            "x" * 70 + "\n" if size < 70 else ("x" * 70 + "\n") * (size // 71),
            "shop@example.org",
            list(to) or [f"user{number}@{DOMAIN}"],
            headers={"X-Check": str(number)},
        )

    def messages(self, number, unknown=()):
        """Return messages, those to nobody whose numbers, modulo 20, are in `unknown`."""
        unknown = set(unknown)
        return [
            self.message(n, [f"unknown{n}@{DOMAIN}"] if n % 20 in unknown else ())
            for n in range(number)
        ]

    def send_singly(self, messages, using, before=lambda: None):
        """Send each by itself, as send_mail() does; return what each has raised."""
        results = []
        for message in messages:
            before()
            try:
                message.send(using=using)
            except OSError as error:
                results.append(error)
            else:
                results.append(None)
        return results

    def assertArrived(self, sent, *, flush=True):
        """Each of `sent` has come once to each recipient, and nothing else has come."""
        expected = Counter(
            (message.extra_headers["X-Check"], recipient.partition("@")[0])
            for message in sent
            for recipient in message.to
        )
        arrived = self.daemon.arrived(flush=flush)
        self.assertEqual(
            {"lost": expected - arrived, "too many": arrived - expected},
            {"lost": Counter(), "too many": Counter()},
        )

    def assertRefused(
        self,
        messages,
        results,
        unknown=(),
    ):
        """Of `messages`, sent one by one, those to nobody were refused, and the others have come.

        The arguments are those of `messages()`, and what `send_singly()` has returned.
        """
        self.figure("raised", dict(Counter(type(e).__name__ for e in results if e)))
        unknown = set(unknown)
        wrong = {
            n: error
            for n, error in enumerate(results)
            if isinstance(error, smtplib.SMTPRecipientsRefused) != (n % 20 in unknown)
            or (error is None) != (n % 20 not in unknown)
        }
        with self.subTest("arrived"):
            self.assertArrived([m for m, e in zip(messages, results, strict=True) if e is None])
        self.assertEqual(wrong, {})

    def assertReport(self, report, **counts):
        """The report has these counts and no others, and exactly what is "sent" has arrived."""
        self.figure("report", report.summary())
        found = Counter(result.status for result in report)
        arrived = [result.message for result in report if result.status == "sent"]
        with self.subTest("arrived"):
            self.assertArrived(arrived)
        self.assertEqual(found, Counter(counts), set(map(reason, report.failures)))


def reason(result):
    """Say why a message was not sent."""
    return f"{result.status}: {result.code} {result.text} {result.error!r:.200}"


class CommonChecks(ServerCase):
    """What every server can be asked."""

    def test_unknown_recipients_in_a_batch(self):
        report = send_many(self.messages(BATCH, UNKNOWN), using="default")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=BATCH * 17 // 20, refused=BATCH * 3 // 20)

    def test_unknown_recipients_in_a_parallel_batch(self):
        self.mailers(parallel=4)
        report = send_many(self.messages(BATCH, UNKNOWN), using="default")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=BATCH * 17 // 20, refused=BATCH * 3 // 20)

    def test_unknown_recipients_one_by_one(self):
        messages = self.messages(100, UNKNOWN)
        results = self.send_singly(messages, "default")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results, UNKNOWN)

    def test_nobody_known_in_a_batch(self):
        report = send_many(self.messages(100, range(20)), using="default")
        self.figure("connections", self.opened())
        self.assertReport(report, refused=100)

    def test_greylisting_of_a_batch(self):
        report = send_many(self.messages(GREYLISTED), using="greylist")
        self.figure("first", report.summary())
        opened = self.opened()
        self.figure("connections", opened)
        self.assertEqual(report.summary(), f"{GREYLISTED} refused")
        self.assertLessEqual(opened, math.ceil(GREYLISTED / REFUSALS) + 2)
        self.assertArrived([])
        self.assertReport(send_many(report.retryable, using=report.using), sent=GREYLISTED)

    def test_greylisting_of_a_parallel_batch(self):
        self.mailers(parallel=4)
        report = send_many(self.messages(GREYLISTED), using="greylist")
        self.figure("first", report.summary())
        opened = self.opened()
        self.figure("connections", opened)
        self.assertEqual(report.summary(), f"{GREYLISTED} refused")
        # Each of the four may have begun one.
        self.assertLessEqual(opened, math.ceil(GREYLISTED / REFUSALS) + 2 + 3)
        self.assertReport(send_many(report.retryable, using=report.using), sent=GREYLISTED)

    def test_greylisting_one_by_one(self):
        messages = self.messages(GREYLISTED)
        results = Counter(type(e).__name__ for e in self.send_singly(messages, "greylist"))
        opened = self.opened()
        self.figure("first", dict(results))
        self.figure("connections", opened)
        self.assertEqual(results, {"SMTPRecipientsRefused": GREYLISTED})
        self.assertLessEqual(opened, math.ceil(GREYLISTED / REFUSALS) + 2)
        again = Counter(type(e).__name__ for e in self.send_singly(messages, "greylist"))
        self.figure("again", dict(again))
        self.assertArrived(messages)
        self.assertEqual(again, {"NoneType": GREYLISTED})

    def test_noop_before_each_message(self):
        """A server may count commands that bring no mail."""
        self.mailers(check_after=0)
        messages = self.messages(60)
        results = self.send_singly(messages, "default")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results)

    def test_restart_between_single_messages(self):
        messages = self.messages(6)
        results = self.send_singly(messages[:2], "default")
        self.daemon.stop()
        self.daemon.start()
        results += self.send_singly(messages[2:4], "default")
        self.daemon.kill()
        self.daemon.start()
        results += self.send_singly(messages[4:], "default")
        self.assertRefused(messages, results)

    def test_restart_between_batches(self):
        messages = self.messages(60)
        reports = [send_many(messages[:20], using="default")]
        self.daemon.stop()
        self.daemon.start()
        reports.append(send_many(messages[20:40], using="default"))
        self.daemon.kill()
        self.daemon.start()
        reports.append(send_many(messages[40:], using="default"))
        self.assertEqual([report.summary() for report in reports], ["20 sent"] * 3)
        self.assertArrived(messages)

    def test_restart_in_a_batch(self):
        self._restart_in_a_batch(self.daemon.stop)

    def test_kill_in_a_batch(self):
        self._restart_in_a_batch(self.daemon.kill)

    def _restart_in_a_batch(self, stop):
        """Only here messages may be "unknown"; and those that are not sent can be sent again."""
        # Of a size that takes the server some time.
        messages = [self.message(n, size=20_000) for n in range(RESTARTED)]
        reports = []
        thread = threading.Thread(
            target=lambda: reports.append(send_many(messages, using="default"))
        )
        thread.start()
        wait_for(lambda: self.daemon.received() > RESTARTED // 5, "a part of the batch")
        stop()
        self.daemon.start()
        thread.join(60)
        (report,) = reports
        self.figure("report", report.summary())
        again = send_many(report.retryable, using=report.using)
        self.figure("again", again.summary())
        self.assertRestarted([*report, *again])

    def assertRestarted(self, results):
        sent = {key(r.message) for r in results if r.status == "sent"}
        unknown = {key(r.message) for r in results if r.status == "unknown"}
        # A server that is killed while it delivers leaves a part of a file, and delivers again.
        arrived = {one: times for one, times in self.daemon.arrived().items() if one[0]}
        came = {number for number, _ in arrived}
        self.figure("arrived", len(came))
        self.figure("unknown that arrived", len(came & unknown))
        self.assertEqual((sent - came, came - sent - unknown), (set(), set()))
        self.assertEqual([one for one, times in arrived.items() if times > 1], [])
        # What was on its way at once.
        self.assertLessEqual(len(unknown), 50)

    def test_oversize_in_a_batch(self):
        using = "size" if "size" in self.daemon.ports else "default"
        messages = self.messages(30)
        for n in (7, 8, 20):
            messages[n] = self.message(n, size=SETTINGS["size"] + 200_000)
        report = send_many(messages, using=using)
        self.figure("codes", dict(Counter(r.code for r in report.failures)))
        self.assertReport(report, sent=27, refused=3)

    def test_oversize_one_by_one(self):
        using = "size" if "size" in self.daemon.ports else "default"
        messages = self.messages(6)
        messages[2] = self.message(2, size=SETTINGS["size"] + 200_000)
        results = self.send_singly(messages, using)
        self.figure("raised", results[2])
        self.assertEqual([n for n, error in enumerate(results) if error is not None], [2])
        self.assertArrived([m for n, m in enumerate(messages) if n != 2])

    def test_thousand_recipients(self):
        message = self.message(0, [f"user{n}@{DOMAIN}" for n in range(1000)])
        others = self.messages(5)[1:]
        report = send_many([message, *others], using="default")
        self.assertEqual(report[0].refused_recipients, ())
        self.assertReport(report, sent=5)

    def test_threads(self):
        """Eight threads on four sessions, 20 messages each."""
        messages = self.messages(160, UNKNOWN)
        results = self.send_by_threads(messages, "default")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results, UNKNOWN)

    def send_by_threads(self, messages, using):
        results = [[] for _ in range(8)]
        size = len(messages) // 8

        def send(n):
            results[n] = self.send_singly(messages[n * size : (n + 1) * size], using)

        threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return [error for part in results for error in part]


def key(message):
    return message.extra_headers["X-Check"]


class RecipientChecks(ServerCase):
    """For the servers that take 1,000 recipients of a message."""

    def test_more_recipients_than_allowed(self):
        message = self.message(0, [f"user{n}@{DOMAIN}" for n in range(1010)])
        others = self.messages(5)[1:]
        report = send_many([message, *others], using="default")
        refused = report[0].refused_recipients
        self.figure("refused recipients", len(refused))
        self.figure("report", report.summary())
        message.to = [
            recipient for recipient in message.to if recipient not in {r.address for r in refused}
        ]
        self.assertEqual([result.status for result in report], ["sent"] * 5)
        self.assertArrived([message, *others])
        self.assertLess(len(refused), 11)


class LimitChecks(ServerCase):
    """For the servers that have these limits."""

    def test_idle_between_single_messages(self):
        messages = self.messages(9)
        results = self.send_singly(messages[:3], "idle")
        for part in (messages[3:6], messages[6:]):
            time.sleep(SETTINGS["idle"] + 0.7)
            results += self.send_singly(part, "idle")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results)

    def test_idle_on_an_open_mailer(self):
        """Also where one session is pinned."""
        messages = self.messages(4)
        with mail.mailers["idle"] as mailer:
            sent = mailer.send_messages(messages[:2])
            time.sleep(SETTINGS["idle"] + 0.7)
            sent += mailer.send_messages(messages[2:])
        self.assertEqual(sent, 4)
        self.assertArrived(messages)

    def test_idle_at_the_moment_of_sending(self):
        """The server ends a session while it is about to be used: a race, so it is tried often."""
        messages = self.messages(5)
        results = []
        for n, message in enumerate(messages):
            if n:
                time.sleep(SETTINGS["idle"] - 0.003 + n * 0.001)
            results += self.send_singly([message], "idle")
        self.assertRefused(messages, results)

    def test_idle_between_batches(self):
        messages = self.messages(60)
        reports = [send_many(messages[:20], using="idle")]
        for part in (messages[20:40], messages[40:]):
            time.sleep(SETTINGS["idle"] + 0.7)
            reports.append(send_many(part, using="idle"))
        self.assertEqual([report.summary() for report in reports], ["20 sent"] * 3)
        self.assertArrived(messages)

    def test_connection_limit_in_a_parallel_batch(self):
        self.mailers(parallel=4)
        report = send_many(self.messages(200), using="connections")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=200)

    def test_connection_limit_with_threads(self):
        messages = self.messages(160)
        results = self.send_by_threads(messages, "connections")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results)

    def test_rate_limit_in_a_batch(self):
        """What comes too fast is refused, for now; which message is the first is the server's."""
        report = send_many(self.messages(80), using="rate")
        self.figure("codes", dict(Counter(r.code for r in report.failures)))
        self.figure("connections", self.opened())
        sent = report.counts["sent"]
        self.assertReport(report, sent=sent, refused=80 - sent)
        # The minute that a server counts in may end in between.
        self.assertTrue(SETTINGS["rate"] - 3 <= sent <= 2 * SETTINGS["rate"] + 1, sent)
        self.assertEqual(len(report.retryable), 80 - sent)
