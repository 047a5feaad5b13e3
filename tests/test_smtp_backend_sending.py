"""Batches over the pooled SMTP backend: what goes on, what is raised, and what a report says."""

import asyncio
import errno
import itertools
import os
import smtplib
import threading
from unittest import mock

from django.core.mail import EmailMessage, mailers
from django.test import override_settings

from django_mailers import SendError, asend, asend_many, send_many
from django_mailers.backends import _windows as windows

from .support.messages import message
from .support.servers import DROP, HOST, TIMEOUT, enter
from .support.sink import Sink
from .support.smtp import ALIAS, SMTPBackendTestCase, entry, statuses, subjects

THREE = ["1@example.com", "2@example.com", "3@example.com"]


class Unrenderable(EmailMessage):
    """What a template does that has a bug."""

    def message(self, **kwargs):
        raise ZeroDivisionError("a template")


def refusing(*words, reply="550 No such user"):
    """Give a `behave` that refuses the commands in which one of `words` is."""
    return lambda line: reply if any(word in line for word in words) else None


class BatchTests(SMTPBackendTestCase):
    """Several messages, of which some fail."""

    def setUp(self):
        super().setUp()
        self.sink = self.serve()

    def test_the_others_are_sent_and_the_first_error_is_raised(self):
        """H34"""
        self.sink.behave = refusing("<gone@", "<full@")
        messages = [
            message("1"),
            message("2", to=["gone@example.com"]),
            message("3"),
            message("4", to=["full@example.com"]),
            message("5"),
        ]
        expected = smtplib.SMTPRecipientsRefused({"gone@example.com": (550, b"No such user")})
        self.assertEqual(self.error(mailers[ALIAS].send_messages, messages), repr(expected))
        self.assertEqual(subjects(self.sink), ["1", "3", "5"])
        self.assertEqual(len(self.sink.connections), 1)

    def test_messages_that_cannot_be_rendered(self):
        for bad, kind in [
            (message("two\nlines"), ValueError),
            (message("x", headers={"X-A": "b\nc"}), ValueError),
            (message("x", to=["eve@example.com, bob@example.com"]), ValueError),
            (Unrenderable("x", to=["bob@example.com"]), ZeroDivisionError),
        ]:
            for fail_silently in (False, True):
                with self.subTest(bad=vars(bad), fail_silently=fail_silently):
                    del self.sink.accepted[:]
                    backend = mailers[ALIAS]
                    # What the message is to blame for is not silent with Django's, either.
                    backend.fail_silently = fail_silently
                    with self.assertRaises(kind):
                        backend.send_messages([message("1"), bad, message("2")])
                    self.assertEqual(subjects(self.sink), ["1", "2"])
                    report = send_many([message("3"), bad, message("4")], using=ALIAS)
                    self.assertEqual(statuses(report), ["sent", "failed", "sent"])
                    self.assertIsInstance(report[1].error, kind)

    def test_a_message_is_rendered_once(self):
        """H27"""

        class Counting(EmailMessage):
            count = 0

            def message(self, **kwargs):
                self.count += 1
                return super().message(**kwargs)

        one = Counting("Hello", to=["bob@example.com"])
        one.send(using=ALIAS)
        send_many([one], using=ALIAS)
        self.assertEqual(one.count, 2)

    def test_one_recipient_of_three(self):
        self.sink.behave = refusing("<2@")
        self.assertEqual(mailers[ALIAS].send_messages([message(to=THREE)]), 1)
        [result] = report = send_many([message(to=THREE)], using=ALIAS)
        self.assertEqual(
            (result.status, result.code, result.text, [tuple(one) for one in result.recipients]),
            (
                "sent",
                250,
                "Accepted",
                [
                    ("1@example.com", 250, "Accepted"),
                    ("2@example.com", 550, "No such user"),
                    ("3@example.com", 250, "Accepted"),
                ],
            ),
        )
        self.assertEqual(report.summary(), "1 sent (1 not to all recipients)")
        self.assertEqual([sent.recipients for sent in self.sink.accepted], [THREE[::2]] * 2)

    def test_what_a_report_says(self):
        self.sink.behave = {
            "RCPT TO:<gone@example.com>": "550 No such user",
            "RCPT TO:<busy@example.com>": "451 Later",
        }.get
        messages = [
            message("1"),
            message("nobody", to=[]),
            message("gone", to=["gone@example.com"]),
            message("both", to=["gone@example.com", "busy@example.com"]),
            message("two\nlines"),
            message("2"),
        ]
        report = send_many(messages, using=ALIAS)
        self.assertEqual([result.message for result in report], messages)
        gone, busy = ("gone@example.com", 550, "No such user"), ("busy@example.com", 451, "Later")
        self.assertEqual(
            [
                (result.status, result.code, result.text, [tuple(one) for one in result.recipients])
                for result in report
            ],
            [
                ("sent", 250, "Accepted", [("bob@example.com", 250, "Accepted")]),
                ("skipped", None, "", []),
                ("refused", None, "", [gone]),
                ("refused", None, "", [gone, busy]),
                ("failed", None, "", []),
                ("sent", 250, "Accepted", [("bob@example.com", 250, "Accepted")]),
            ],
        )
        refused = smtplib.SMTPRecipientsRefused({"gone@example.com": (550, b"No such user")})
        self.assertEqual(repr(report[2].error), repr(refused))
        self.assertIsInstance(report[4].error, ValueError)
        with self.assertRaises(SendError) as caught:
            report.raise_for_failures()
        self.assertIs(caught.exception.__cause__, report[2].error)
        self.assertEqual(subjects(self.sink), ["1", "2"])
        # What may go well another time.
        self.assertEqual([one.subject for one in report.retryable], ["both"])
        self.sink.behave = None
        self.assertEqual(statuses(send_many(report.retryable, using=ALIAS)), ["sent"])
        self.assertEqual(subjects(self.sink), ["1", "2", "both"])

    def test_refused_content_and_sender(self):
        for verb, reply, error in [
            ("DATA", "554 Spam", smtplib.SMTPDataError(554, b"Spam")),
            ("MAIL", "550 Not you", smtplib.SMTPSenderRefused(550, b"Not you", "ada@example.com")),
        ]:
            with self.subTest(verb):
                self.sink.behave = refusing(verb, reply=reply)
                self.assertEqual(self.error(message().send, using=ALIAS), repr(error))
                [result] = send_many([message()], using=ALIAS)
                self.assertEqual(
                    (result.status, result.code, result.text, repr(result.error)),
                    ("refused", int(reply[:3]), reply[4:], repr(error)),
                )

    def test_parallel_keeps_the_order_of_results(self):
        enter(self, override_settings(MAILERS={ALIAS: entry(self.sink, parallel=4)}))
        self.sink.behave = refusing("<gone@")
        messages = [
            message(str(number), to=["gone@example.com" if number % 3 else "bob@example.com"])
            for number in range(50)
        ]
        report = send_many(messages, using=ALIAS)
        self.assertEqual(
            [(result.message, result.status) for result in report],
            [(one, "refused" if n % 3 else "sent") for n, one in enumerate(messages)],
        )
        self.assertEqual(
            sorted(subjects(self.sink), key=int), [str(number) for number in range(0, 50, 3)]
        )

    def test_more_than_is_held_in_memory(self):
        with mock.patch.object(windows, "WINDOW_SIZE", 1000):
            self.sink.behave = refusing("<gone@")
            messages = [
                message(str(n), to=["gone@example.com" if n == 5 else "bob@example.com"])
                for n in range(12)
            ]
            messages[7] = message("two\nlines")
            report = send_many(messages, using=ALIAS)
        names = {5: "refused", 7: "failed"}
        self.assertEqual(statuses(report), [names.get(n, "sent") for n in range(12)])
        self.assertEqual(subjects(self.sink), [str(n) for n in range(12) if n not in names])

    def test_more_than_is_held_in_memory_without_a_session(self):
        """Each result is about its own message, also if the server comes back meanwhile."""
        attempts = itertools.count()
        self.sink.behave = lambda line: (
            "421 Full" if line[1:4].upper() in {"HLO", "ELO"} and next(attempts) < 2 else None
        )
        with mock.patch.object(windows, "WINDOW_SIZE", 1):
            report = send_many([message(str(n)) for n in range(4)], using=ALIAS)
        said = [result.message.subject for result in report if result.status == "sent"]
        self.assertEqual(said, subjects(self.sink))
        self.assertEqual(len(report), 4)


class SilentTests(SMTPBackendTestCase):
    def test_what_the_server_and_the_network_do(self):
        sink = self.serve(fail_silently=True)
        sink.behave = refusing("<gone@")
        backend = mailers[ALIAS]
        messages = [message("1"), message("2", to=["gone@example.com"]), message("3")]
        self.assertEqual(backend.send_messages(messages), 2)
        sink.behave = lambda line: DROP
        self.assertEqual(backend.send_messages([message()]), 0)
        self.assertEqual(message().send(using=ALIAS), 0)
        # The report does not keep quiet.
        self.assertEqual(statuses(send_many([message()], using=ALIAS)), ["failed"])
        sink.behave = None
        self.assertEqual(subjects(sink), ["1", "3"])

    def test_nobody_listens(self):
        with Sink() as sink:
            settings = {ALIAS: entry(sink, fail_silently=True)}
        with override_settings(MAILERS=settings):
            backend = mailers[ALIAS]
            self.assertIsNone(backend.open())
            self.assertEqual(backend.send_messages([message()]), 0)
            with backend:
                self.assertEqual(backend.send_messages([message()]), 0)
            backend.fail_silently = False
            text = f"{HOST}:{sink.port}: {os.strerror(errno.ECONNREFUSED)}"
            expected = repr(ConnectionRefusedError(errno.ECONNREFUSED, text))
            self.assertEqual(self.error(backend.open), expected)
            self.assertEqual(self.error(backend.send_messages, [message()]), expected)
            report = send_many([message(), message()], using=ALIAS)
            self.assertEqual(
                [(result.status, repr(result.error)) for result in report],
                [("failed", expected)] * 2,
            )


class AsyncTests(SMTPBackendTestCase):
    def test_the_loop_goes_on_while_the_server_takes_its_time(self):
        """50 messages at a time over two sessions; the loop itself lets the server answer."""
        sink = self.serve(pool_size=2)
        asked, answer = threading.Semaphore(0), threading.Event()

        def behave(line):
            if line.startswith("MAIL") and not answer.is_set():
                asked.release()
                # The thread of the server, for which everybody waits.
                answer.wait(TIMEOUT)

        sink.behave = behave

        async def send():
            tasks = [
                asyncio.create_task(asend(message(str(number)), using=ALIAS))
                for number in range(50)
            ]
            while not asked.acquire(blocking=False):
                await asyncio.sleep(0)
            # None is done, and this still runs. A loop that was blocked would never come here.
            ticks = 0
            for _ in range(100):
                await asyncio.sleep(0)
                ticks += not any(task.done() for task in tasks)
            answer.set()
            return ticks, await asyncio.gather(*tasks)

        ticks, counts = asyncio.run(asyncio.wait_for(send(), TIMEOUT))
        self.assertEqual((ticks, counts), (100, [1] * 50))
        self.assertEqual(sorted(subjects(sink), key=int), [str(number) for number in range(50)])
        self.assertLessEqual(len(sink.connections), 2)

    def test_asend_many(self):
        sink = self.serve()
        sink.behave = refusing("<gone@")
        messages = [message("1"), message("2", to=["gone@example.com"]), message("3")]
        report = asyncio.run(asend_many(messages, using=ALIAS))
        self.assertEqual(statuses(report), ["sent", "refused", "sent"])
        self.assertEqual(subjects(sink), ["1", "3"])
