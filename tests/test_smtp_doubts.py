"""Servers that take so many messages in a session, and refuse the next one with any code."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest import mock

from django.core.mail import mailers
from django.test import SimpleTestCase, tag

from django_mailers import send_many
from django_mailers.smtp import Envelope, Pool, PoolOptions, Reply, Server, deliver
from django_mailers.smtp import doubts as doubts_module
from django_mailers.smtp.doubts import Doubt, Limits, Probe, doubt_about

from .support.messages import message
from .support.pools import send_one
from .support.servers import DROP, TIMEOUT, enter
from .support.sink import FEATURES, Last, Sink, interrupts
from .support.smtp import ALIAS, MODES, SMTPBackendTestCase, envelopes, subjects


def limited(number, verb, reply):
    """Give a `behave` that takes `number` messages a session, and refuses the next by `reply`."""

    def behave(line):
        if not line.startswith(verb):
            return None
        # Those that were begun, with this one.
        begun = behave.sink.current.commands.count("MAIL")
        return reply if begun > number else None

    return behave


class LimitTestCase(SimpleTestCase):
    def serve(self, behave=None, **options):
        sink = enter(self, Sink(behave=behave, **options))
        if behave is not None:
            behave.sink = sink
        return sink

    def pool(self, sink, **options):
        pool = Pool(Server(sink.host, sink.port, timeout=TIMEOUT), PoolOptions(**options))
        self.addCleanup(pool.close)
        pool.limits.consumes_chunks = bool(sink.chunking)
        return pool

    def sizes(self, sink):
        """How many messages each session has begun."""
        return [connection.commands.count("MAIL") for connection in sink.connections]


class LearningTests(LimitTestCase):
    def test_single_messages(self):
        for code in ["452", "450", "451", "503 5.5.1", "530", "554"]:
            for verb in ["MAIL", "RCPT", "DATA"]:
                if verb == "RCPT" and code > "5":
                    continue  # That is about the recipient.
                with self.subTest(code=code, verb=verb):
                    sink = self.serve(limited(10, verb, f"{code} No more"))
                    pool = self.pool(sink)
                    statuses = [send_one(pool, message).status for message in envelopes(50)]
                    self.assertEqual(statuses, ["sent"] * 50)
                    self.assertEqual(len(sink.accepted), 50)
                    # Seen twice, it is believed.
                    self.assertEqual(self.sizes(sink), [11, 11, 10, 10, 10])
                    self.assertEqual(pool.stats()["message_limit"], 10)

    def test_a_batch(self):
        for mode, options in MODES.items():
            with self.subTest(mode=mode):
                verb = "BDAT" if sink_chunks(options) else "MAIL"
                sink = self.serve(limited(10, verb, "452 4.5.3 Slow down"), **options)
                pool = self.pool(sink)
                results = deliver(pool, envelopes(100))
                self.assertEqual([result.status for result in results], ["sent"] * 100)
                self.assertEqual(sorted(int(m.content) for m in sink.accepted), [*range(100)])
                self.assertLessEqual(len(sink.connections), 11)

    def test_a_batch_over_several_sessions(self):
        sink = self.serve(limited(10, "MAIL", "452 4.5.3 Slow down"))
        results = deliver(self.pool(sink), envelopes(100), parallel=4)
        self.assertEqual([result.status for result in results], ["sent"] * 100)
        self.assertEqual(sorted(int(m.content) for m in sink.accepted), [*range(100)])

    def test_a_limit_that_is_named_is_believed_at_once(self):
        sink = self.serve(limited(3, "MAIL", "452 4.5.3 Too many messages in this session"))
        pool = self.pool(sink)
        self.assertEqual({send_one(pool, m).status for m in envelopes(9)}, {"sent"})
        self.assertEqual(self.sizes(sink), [4, 3, 3])
        self.assertEqual(pool.stats()["message_limit"], 3)

    def test_threads(self):
        sink = self.serve(limited(10, "MAIL", "452 4.5.3 Slow down"))
        pool = self.pool(sink)
        with ThreadPoolExecutor(8) as executor:
            results = list(executor.map(partial(send_one, pool), envelopes(400)))
        self.assertEqual([result.status for result in results], ["sent"] * 400)
        self.assertEqual(sorted(int(m.content) for m in sink.accepted), [*range(400)])

    def test_it_is_forgotten(self):
        limits = Limits()
        doubt = Doubt(452, 10, names_limit=True, is_timeout=False)
        limits.end(limits.begin(452, 0), doubt, sent())
        self.assertEqual(limits.messages, 10)
        later = time.monotonic() + doubts_module.LEARNED_FOR + 1
        with mock.patch.object(doubts_module.time, "monotonic", return_value=later):
            self.assertIsNone(limits.messages)

    def test_what_the_server_says(self):
        for features, greeting, expected in [
            (["LIMITS MAILMAX=4"], "sink.test ESMTP", [4, 4, 4]),
            (["LIMITS RCPTMAX=9 MAILMAX=5"], "sink.test ESMTP", [5, 5, 2]),
            ([], "sink.test ESMTP Exim 4.96 Thu, 26 Nov 2026", [10, 2]),
            ([], "mail.example.org Stalwart ESMTP at your service", [10, 2]),
            (["LIMITS MAILMAX=4"], "sink.test ESMTP Exim 4.98", [4, 4, 4]),
            (["LIMITS MAILMAX=50"], "sink.test ESMTP Exim 4.98", [10, 2]),
            ([], "exim.example.org ESMTP Postfix", [12]),
        ]:
            with self.subTest(features=features, greeting=greeting):
                sink = self.serve(features=[*FEATURES, *features], greeting=greeting)
                deliver(self.pool(sink), envelopes(12))
                self.assertEqual(self.sizes(sink), expected)
                # A number in the options counts more.
                del sink.connections[:]
                deliver(self.pool(sink, max_messages=6), envelopes(12))
                self.assertEqual(self.sizes(sink), [6, 6])

    def test_the_options_are_never_exceeded(self):
        sink = self.serve(limited(10, "MAIL", "452 4.5.3 Slow down"))
        pool = self.pool(sink, max_messages=4)
        self.assertEqual({r.status for r in deliver(pool, envelopes(12))}, {"sent"})
        self.assertEqual(self.sizes(sink), [4, 4, 4])


def sink_chunks(options):
    return options.get("chunking", False)


def sent():
    return mock.Mock(status="sent", code=250)


class DoubtfulTests(SimpleTestCase):
    def doubt(self, kind, *replies, has_taken=True):
        replies = [Reply(int(reply[:3]), reply[4:].encode()) for reply in replies]
        return doubt_about(kind, replies, 3, has_taken=has_taken)

    def test_what_is_doubted(self):
        for kind, reply in [
            ("MAIL", "450 Try later"),
            ("MAIL", "451 4.3.0 Error"),
            ("DATA", "452 4.5.3 Too many"),
            ("BDAT", "452 4.5.3 Too many"),
            ("MAIL", "503 5.5.1 Bad sequence"),
            ("DATA", "554 5.5.1 Error"),
            ("MAIL", "530 5.5.1 Error"),
            ("RCPT", "452 4.5.3 Too many recipients"),
        ]:
            with self.subTest(kind=kind, reply=reply):
                expected = Doubt(int(reply[:3]), 3, names_limit=False, is_timeout=False)
                self.assertEqual(self.doubt(kind, reply), expected)
                self.assertIsNone(self.doubt(kind, reply, has_taken=False))

    def test_what_is_believed(self):
        for kind, *replies in [
            ("MAIL", "421 Bye"),
            ("MAIL", "432 4.7.12 A password transition is needed"),
            ("MAIL", "454 4.7.0 TLS not available"),
            ("MAIL", "451 4.7.1 Greylisted"),
            ("RCPT", "450 4.2.0 Greylisted"),
            ("DATA", "554 5.1.0 Sender"),
            ("DATA", "554 5.2.2 Mailbox full"),
            ("BDAT", "554 5.6.0 Content"),
            ("BDAT", "554 5.7.1 Spam"),
            ("MAIL", "550 No"),
            ("MAIL", "552 Too large"),
            ("RCPT", "503 Bad sequence"),
            ("RCPT", "450 Later", "550 No such user"),
            ("RCPT", "450 Later", "450 4.2.1 Later"),
        ]:
            with self.subTest(kind=kind, replies=replies):
                self.assertIsNone(self.doubt(kind, *replies))

    def test_a_session_that_was_idle_for_too_long(self):
        reply = "451 4.4.2 Timeout waiting for data from client"
        expected = Doubt(451, 3, names_limit=False, is_timeout=True)
        self.assertEqual(self.doubt("MAIL", reply, has_taken=False), expected)

    def test_it_is_sent_by_the_next_one(self):
        for end in (Last, str):
            with self.subTest(end=end.__name__), Sink() as sink:
                pool = Pool(Server(sink.host, sink.port, timeout=TIMEOUT))
                self.addCleanup(pool.close)
                self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
                first = sink.connections[0]
                reply = end("451 4.4.2 Timeout waiting for data from client")
                sink.behave = lambda line, reply=reply, first=first, sink=sink: (
                    reply if sink.current is first and line.startswith("MAIL") else None
                )
                self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
                self.assertEqual(pool.stats()["message_limit"], 0)

    def test_large_content(self):
        """Its refusal is believed: to send it twice costs too much."""
        sink = enter(self, Sink(chunking=True))
        pool = Pool(Server(sink.host, sink.port, timeout=TIMEOUT))
        self.addCleanup(pool.close)
        pool.limits.consumes_chunks = True
        self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
        sink.behave = lambda line: "452 Full" if line == "BDAT" else None
        big = Envelope("ada@example.com", ["bob@example.com"], b"x" * 70_000)
        self.assertEqual(send_one(pool, big).status, "refused")
        self.assertEqual(len(sink.connections), 1)


class ProbeTests(LimitTestCase):
    """A refusal that the new session repeats stands."""

    def greylisting(self, line):
        return "451 Greylisted" if line.startswith("RCPT") else None

    @tag("slow")
    def test_greylisting_of_all(self):
        for mode, options in MODES.items():
            for one_by_one in (True, False):
                with self.subTest(mode=mode, one_by_one=one_by_one):
                    sink = self.serve(**options)
                    pool = self.pool(sink, max_messages=1000)
                    # The session has taken one, so that there is a doubt.
                    self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
                    sink.behave = self.greylisting
                    messages = envelopes(300)
                    if one_by_one:
                        results = [send_one(pool, message) for message in messages]
                    else:
                        results = deliver(pool, messages)
                    self.assertEqual({result.status for result in results}, {"refused"})
                    self.assertLessEqual(len(sink.connections), 300 // 8 + 2)

    def test_for_five_minutes(self):
        sink = self.serve()
        pool = self.pool(sink)
        self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
        sink.behave = self.greylisting
        for _ in range(3):
            result = send_one(pool, envelopes(1)[0])
            self.assertEqual((result.status, result.code), ("refused", 451))
        # The first session, which is still used, and the one that was tried.
        self.assertEqual(self.sizes(sink), [4, 1])
        later = time.monotonic() + doubts_module.STANDS_FOR + 1
        with mock.patch.object(doubts_module.time, "monotonic", return_value=later):
            send_one(pool, envelopes(1)[0])
        self.assertEqual(len(sink.connections), 3)

    def test_another_judgement_of_the_new_session_counts(self):
        sink = self.serve()
        pool = self.pool(sink)
        self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
        first = sink.connections[0]
        sink.behave = lambda line: (
            ("452 Enough" if sink.current is first else "550 5.1.1 Unknown")
            if line.startswith("RCPT")
            else None
        )
        result = send_one(pool, envelopes(1)[0])
        self.assertEqual((result.status, result.code), ("refused", 550))
        # The session that was of no use is not used again.
        self.assertEqual(send_one(pool, envelopes(1)[0]).code, 550)
        self.assertEqual(self.sizes(sink), [2, 2])

    def test_no_new_session(self):
        """The refusal stands. The server may have a session for one that ends."""
        sink = self.serve(max_sessions=1)
        pool = self.pool(sink)
        self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
        first = sink.connections[0]
        sink.behave = lambda line: (
            "452 Enough" if line.startswith("MAIL") and sink.current is first else None
        )
        self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
        sink.behave = lambda line: "452 Enough" if line.startswith("MAIL") else None
        sink.max_sessions = 0
        result = send_one(pool, envelopes(1)[0])
        self.assertEqual((result.status, result.code), ("refused", 452))
        self.assertEqual(pool.stats()["busy"], 0)

    def test_one_at_a_time(self):
        """The others with that code wait for the outcome, and follow it."""
        limits, doubt = Limits(), Doubt(452, 10, names_limit=False, is_timeout=False)
        for result, expected in [(sent(), True), (mock.Mock(status="refused", code=452), False)]:
            probe = limits.begin(452, TIMEOUT)
            self.assertIsInstance(probe, Probe)
            with ThreadPoolExecutor(3) as executor:
                others = [executor.submit(limits.begin, 452, TIMEOUT) for _ in range(3)]
                limits.end(probe, doubt, result)
                self.assertEqual([bool(other.result(TIMEOUT)) for other in others], [expected] * 3)

    def test_nobody_waits_for_one_that_was_interrupted(self):
        limits = Limits()
        probe = limits.begin(452, TIMEOUT)
        with mock.patch.object(doubts_module, "LOOK", 0.01), ThreadPoolExecutor(1) as executor:
            other = executor.submit(limits.begin, 452, TIMEOUT)
            del probe
            self.assertIsInstance(other.result(TIMEOUT), Probe)

    def test_an_interrupt_during_it(self):
        with interrupts() as interrupt:
            sink = self.serve()
            pool = self.pool(sink)
            self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
            first = sink.connections[0]
            sink.behave = lambda line: (
                None
                if not line.startswith("MAIL")
                else "452 Enough"
                if sink.current is first
                else interrupt() or DROP
            )
            with self.assertRaises(BaseException) as caught:
                send_one(pool, envelopes(1)[0])
            self.assertEqual(type(caught.exception).__name__, "Interrupt")
            sink.behave = None
            self.assertEqual(send_one(pool, envelopes(1)[0]).status, "sent")
            self.assertEqual(pool.stats()["busy"], 0)
            self.assertIsInstance(pool.limits.begin(452, 0), Probe)


class BackendTests(SMTPBackendTestCase):
    """What a user sees of a server that takes ten messages in a session."""

    def setUp(self):
        super().setUp()
        self.behave = limited(10, "DATA", "452 4.5.3 No more")
        self.behave.sink = self.sink = self.serve(Sink(behave=self.behave))

    def test_one_by_one(self):
        self.assertEqual([message(str(n)).send(using=ALIAS) for n in range(30)], [1] * 30)
        self.assertEqual(subjects(self.sink), [str(n) for n in range(30)])

    def test_a_batch(self):
        report = send_many([message(str(n)) for n in range(30)], using=ALIAS)
        self.assertEqual(report.counts["sent"], 30)
        self.assertEqual(report.retryable, [])
        self.assertEqual(sorted(map(int, subjects(self.sink))), [*range(30)])

    def test_an_open_mailer(self):
        with mailers[ALIAS] as mailer:
            self.assertEqual([mailer.send_messages([message(str(n))]) for n in range(30)], [1] * 30)
            self.assertIs(mailer.connection, mailer._lease.session)
        self.assertEqual(mailers[ALIAS].pool.stats()["busy"], 0)
