"""Batches of any length: send_each(), and send_messages() with an iterator."""

import gc
import tracemalloc

from django.core import mail
from django.core.mail import EmailMessage, InvalidMailer, MailerDoesNotExist, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_each, send_many
from django_mailers.delivery import windows

from .support.messages import message
from .support.sink import Sink
from .support.smtp import ALIAS, OURS, SMTPBackendTestCase, subjects
from .support.utils import LOCMEM

SMALL = 10


def count_lines(records):
    return [record.getMessage() for record in records]


class Failure(Exception):
    pass


def numbered(number, *, failing_at=None, made=None):
    """Yield messages; raise before one of them. `made` gets the number of each."""
    for n in range(number):
        if n == failing_at:
            raise Failure
        if made is not None:
            made.append(n)
        yield message(str(n))


class SendEachTests(SMTPBackendTestCase):
    def setUp(self):
        super().setUp()
        self.sink = self.serve()
        original = windows.WINDOW
        windows.WINDOW = SMALL
        self.addCleanup(setattr, windows, "WINDOW", original)

    def test_results(self):
        self.sink.behave = lambda line: "550 No" if line.startswith("RCPT TO:<gone@") else None
        messages = [
            message(str(n), to=["gone@example.com" if n % 7 == 3 else "bob@example.com"])
            for n in range(25)
        ]
        messages[4] = message("nobody", to=[])
        results = list(send_each(iter(messages), using=ALIAS))
        self.assertEqual([result.message for result in results], messages)
        expected = ["refused" if n % 7 == 3 else "sent" for n in range(25)]
        expected[4] = "skipped"
        self.assertEqual([result.status for result in results], expected)
        self.assertEqual(len(self.sink.connections), 1)

    def test_nothing_is_sent_before_a_result_is_asked_for(self):
        made = []
        results = send_each(numbered(25, made=made), using=ALIAS)
        self.assertEqual((made, self.sink.connections), ([], []))
        self.assertEqual(next(results).status, "sent")
        # All of these, and the session was given back.
        self.assertEqual(made, list(range(SMALL)))
        self.assertEqual(subjects(self.sink), [str(n) for n in range(SMALL)])
        self.assertEqual(mailers[ALIAS].pool.stats()["busy"], 0)
        self.assertEqual(len([*results]), 24)
        self.assertEqual(subjects(self.sink), [str(n) for n in range(25)])

    def test_results_that_nobody_took(self):
        expected = ["send_each() was left before 7 results were taken: 7 sent."]
        for leave in ["close", "break", "collect"]:
            with self.subTest(leave), self.assertLogs("django_mailers", "WARNING") as logs:
                results = send_each(numbered(25), using=ALIAS)
                for number, _ in enumerate(results, 1):
                    if number == 3:
                        break
                if leave == "close":
                    results.close()
                else:
                    del results
                    gc.collect()
                self.assertEqual(count_lines(logs.records), expected)
        self.assertEqual(len(self.sink.accepted), 3 * SMALL)

    def test_all_results_were_taken(self):
        with self.assertNoLogs("django_mailers", "WARNING"):
            results = send_each(numbered(25), using=ALIAS)
            for _ in range(SMALL):
                next(results)
            results.close()
            self.assertEqual(len(list(send_each(numbered(SMALL), using=ALIAS))), SMALL)

    def test_messages_that_cannot_be_had(self):
        results = send_each(numbered(25, failing_at=13), using=ALIAS)
        sent = []
        with self.assertRaises(Failure):
            sent.extend(result.message.subject for result in results)
        self.assertEqual(sent, [str(n) for n in range(13)])
        self.assertEqual(subjects(self.sink), sent)

    def test_a_server_that_comes_back(self):
        seen = []
        self.sink.behave = lambda line: "421 Full" if line[1:4].upper() in ("HLO", "ELO") else None
        for result in send_each(numbered(25), using=ALIAS):
            seen.append(result.status)
            if len(seen) == SMALL:
                self.sink.behave = None
        self.assertEqual(seen, ["failed"] * SMALL + ["sent"] * 15)

    def test_configuration(self):
        with self.assertRaises(MailerDoesNotExist):
            next(send_each(numbered(2), using="missing"))
        with (
            override_settings(MAILERS={"default": {"BACKEND": OURS, "OPTIONS": {}}}),
            self.assertRaises(InvalidMailer),
        ):
            next(send_each(numbered(2)))

    def test_memory(self):
        """It does not grow with the number of messages."""
        self.sink.keep = False

        def peak(number):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            for _ in send_each(numbered(number), using=ALIAS):
                pass
            return tracemalloc.get_traced_memory()[1] - before

        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        peak(100)
        self.assertLess(peak(600), 3 * peak(100) + 100_000)


class OverAnyBackendTests(SimpleTestCase):
    def test_locmem(self):
        with override_settings(MAILERS={"default": {"BACKEND": LOCMEM}}):
            results = list(send_each(numbered(30)))
        self.assertEqual({result.status for result in results}, {"sent"})
        self.assertEqual([m.subject for m in mail.outbox], [str(n) for n in range(30)])

    def test_the_same_as_send_many(self):
        entry = {"BACKEND": f"{__name__}.OddBackend"}
        with override_settings(MAILERS={"default": entry}):
            messages = [message(str(n)) for n in range(20)]
            self.assertEqual(
                [(r.message, r.status) for r in send_each(messages)],
                [(r.message, r.status) for r in send_many(messages)],
            )


class OddBackend(BaseEmailBackend):
    def send_messages(self, messages):
        (one,) = messages
        if int(one.subject) % 3 == 0:
            raise ValueError(one.subject)
        return int(one.subject) % 2


class IteratorTests(SMTPBackendTestCase):
    """send_messages() with what is not a list."""

    def test_generator(self):
        sink = self.serve()
        self.assertEqual(mailers[ALIAS].send_messages(numbered(25)), 25)
        self.assertEqual(subjects(sink), [str(n) for n in range(25)])

    def test_what_comes_before_an_error_is_sent(self):
        sink = self.serve()
        with self.assertRaises(Failure):
            mailers[ALIAS].send_messages(numbered(25, failing_at=13))
        self.assertEqual(subjects(sink), [str(n) for n in range(13)])

    def test_no_session(self):
        """What is left is not asked for."""
        with Sink() as sink:
            pass
        made = []
        enter = override_settings(
            MAILERS={ALIAS: {"BACKEND": OURS, "OPTIONS": {"host": sink.host, "port": sink.port}}}
        )
        with enter, self.assertRaises(ConnectionRefusedError):
            mailers[ALIAS].send_messages(numbered(5000, made=made))
        self.assertLess(len(made), 1100)

    @tag("slow")
    def test_memory(self):
        sink = self.serve()
        sink.keep = False
        body = "x" * 20_000

        def messages(number):
            for n in range(number):
                yield EmailMessage(str(n), body, "ada@example.com", ["bob@example.com"])

        mailers[ALIAS].send_messages(messages(2))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(mailers[ALIAS].send_messages(messages(600)), 600)
        # The messages are 12 MB.
        self.assertLess(tracemalloc.get_traced_memory()[1], 11_000_000)
