"""Servers that end a session, by a reply or without one: what goes on with the next one."""

import smtplib

from django.test import SimpleTestCase

from django_mailers.smtp import Envelope, Pool, PoolOptions, Server, deliver

from .support.pools import send_one
from .support.servers import DROP, STALL, TIMEOUT, enter
from .support.sink import Last, Sink
from .support.smtp import MODES, SHORT_TIMEOUT, envelopes


def nth(verb, turn, action):
    """Give a `behave` that does `action` at the `turn`th command that begins with `verb`."""
    count = 0

    def behave(line):
        nonlocal count
        count += line.startswith(verb)
        return action if line.startswith(verb) and count == turn else None

    return behave


def to(address, action):
    """Give a `behave` that does `action` when the recipient `address` is named."""
    return lambda line: action if line.startswith(f"RCPT TO:<{address}>") else None


class ClosingTestCase(SimpleTestCase):
    def pool(self, sink, **options):
        timeout = options.pop("timeout", TIMEOUT)
        pool = Pool(Server(sink.host, sink.port, timeout=timeout), PoolOptions(**options))
        self.addCleanup(pool.close)
        # It was found out before.
        pool.limits.consumes_chunks = bool(sink.chunking)
        return pool

    def send(self, behave, number=60, *, mode="both", **options):
        """Send some messages; return the sink and the status of each."""
        sink = enter(self, Sink(**MODES[mode], behave=behave))
        results = deliver(self.pool(sink, **options), envelopes(number))
        accepted = [int(message.content) for message in sink.accepted]
        self.assertEqual(len(accepted), len(set(accepted)), "Something arrived twice.")
        sent = {n for n, result in enumerate(results) if result.status == "sent"}
        unknown = {n for n, result in enumerate(results) if result.status == "unknown"}
        self.assertLessEqual(sent, set(accepted))
        self.assertLessEqual(set(accepted), sent | unknown)
        return sink, [result.status for result in results]


class ClosingReplyTests(ClosingTestCase):
    def test_421_and_the_end(self):
        for mode, options in MODES.items():
            for verb in ["MAIL", "RCPT", "BDAT" if options.get("chunking") else "DATA"]:
                with self.subTest(mode=mode, verb=verb):
                    behave = nth(verb, 5, Last("421 4.3.2 Too busy"))
                    sink, statuses = self.send(behave, mode=mode)
                    self.assertEqual(statuses, ["sent"] * 60)
                    self.assertEqual(len(sink.connections), 2)

    def test_a_refused_rset_and_the_end(self):
        behave = nth("RSET", 12, Last("554 Too many nonmail commands"))
        sink, statuses = self.send(behave)
        self.assertEqual(statuses, ["sent"] * 60)
        self.assertEqual(len(sink.connections), 2)

    def test_421_and_more_replies(self):
        """Each counts for its own command, and nothing else is sent on that session."""
        sink, statuses = self.send(nth("MAIL", 5, "421 4.3.2 Soon"))
        self.assertEqual(statuses, ["sent"] * 60)
        self.assertEqual(len(sink.connections), 2)

    def test_421_and_silence(self):
        behave = nth("MAIL", 5, "421 4.3.2 Soon")
        stall = nth("RCPT", 5, STALL)
        _, statuses = self.send(lambda line: behave(line) or stall(line), timeout=SHORT_TIMEOUT)
        # Refused by a 421, the fifth was sent by the next session; of the others in its group
        # nobody knows. What was not begun was sent.
        self.assertEqual(statuses[:5], ["sent"] * 5)
        self.assertEqual(statuses[5:], sorted(statuses[5:], reverse=True))
        self.assertEqual(set(statuses[5:]), {"unknown", "sent"})

    def test_the_end_behind_an_ordinary_refusal(self):
        """It tells nothing about what was handed over behind it."""
        _, statuses = self.send(nth("RCPT", 5, Last("550 5.1.1 Unknown")))
        self.assertEqual(statuses[:5], ["sent"] * 4 + ["refused"])
        self.assertEqual(statuses[5:], sorted(statuses[5:], reverse=True))
        self.assertEqual(statuses[5], "unknown")

    def test_it_is_failed_if_there_is_no_next_session(self):
        sink = enter(self, Sink(chunking=True, behave=nth("MAIL", 5, Last("421 Too busy"))))
        pool = self.pool(sink)

        def no_more():
            pool.server = pool.server.__class__(sink.host, 1, timeout=TIMEOUT)

        original = sink.behave

        def behave(line):
            action = original(line)
            if action is not None:
                no_more()
            return action

        sink.behave = behave
        results = deliver(pool, envelopes(60))
        self.assertEqual(
            [result.status for result in results], ["sent"] * 4 + ["failed"] + ["untried"] * 55
        )
        self.assertIsInstance(results[4].error, smtplib.SMTPSenderRefused)
        self.assertIsInstance(results[5].error, ConnectionRefusedError)


class PoisonTests(ClosingTestCase):
    """A message at which the server ends the session."""

    def test_before_it_is_handed_over(self):
        for mode in ["dialogue", "pipelining"]:
            for poison in [0, 100, 249]:
                for action in [DROP, Last("421 4.7.0 Go away")]:
                    with self.subTest(mode=mode, poison=poison, action=action):
                        behave = to(f"{poison}@example.com", action)
                        sink, statuses = self.send(behave, 250, mode=mode, max_messages=1000)
                        expected = ["sent"] * 250
                        expected[poison] = "failed"
                        self.assertEqual(statuses, expected)
                        self.assertLessEqual(len(sink.connections), 3)

    def test_when_it_is_handed_over(self):
        for poison in [0, 100]:
            with self.subTest(poison=poison):
                sink, statuses = self.send(
                    nth(".", poison + 1, DROP), 250, mode="dialogue", max_messages=1000
                )
                expected = ["sent"] * 250
                expected[poison] = "unknown"
                self.assertEqual(statuses, expected)
                self.assertEqual(len(sink.connections), 2)

    def test_the_order_is_kept(self):
        sink, _ = self.send(nth("MAIL", 3, DROP), 6, mode="dialogue")
        self.assertEqual([int(m.content) for m in sink.accepted], [0, 1, 2, 3, 4, 5])

    def test_at_the_first_message_it_comes_last(self):
        sink, statuses = self.send(nth("MAIL", 1, DROP), 6, mode="dialogue")
        self.assertEqual(statuses, ["sent"] * 6)
        self.assertEqual([int(m.content) for m in sink.accepted], [1, 2, 3, 4, 5, 0])

    def test_a_server_that_takes_nothing(self):
        sink, statuses = self.send(
            lambda line: DROP if line.startswith("MAIL") else None, mode="dialogue"
        )
        self.assertEqual(statuses, ["failed"] * 3 + ["untried"] * 57)
        self.assertEqual(len(sink.connections), 3)

    def test_a_single_message_is_tried_once(self):
        sink, statuses = self.send(nth("MAIL", 1, DROP), 1, mode="dialogue")
        self.assertEqual((statuses, len(sink.connections)), (["failed"], 1))

    def test_before_the_last_byte_is_written(self):
        """It cannot have been taken: the next session sends it."""
        sink = enter(self, Sink(behave=nth("DATA", 2, DROP)))
        pool = self.pool(sink)
        big = Envelope("ada@example.com", ["bob@example.com"], b"x" * 78 + b"\r\n")
        big.content = big.content * 100_000
        results = deliver(pool, [*envelopes(1), big, *envelopes(1)])
        self.assertEqual([result.status for result in results], ["sent"] * 3)
        self.assertEqual([len(m.content) for m in sink.accepted], [3, 8_000_000, 3])


class RefusalsInARowTests(ClosingTestCase):
    def refusing_all(self, line):
        return "550 5.1.1 Unknown" if line.startswith("RCPT") else None

    def test_a_session_is_left_after_eight(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                sink, statuses = self.send(self.refusing_all, 20, mode=mode)
                self.assertEqual(statuses, ["refused"] * 20)
                refused = [c.commands.count("RCPT") for c in sink.connections]
                self.assertEqual(refused, [8, 8, 4])

    def test_single_messages_too(self):
        sink = enter(self, Sink(behave=self.refusing_all))
        pool = self.pool(sink)
        for message in envelopes(20):
            self.assertEqual(send_one(pool, message).status, "refused")
        self.assertEqual([c.commands.count("RCPT") for c in sink.connections], [8, 8, 4])

    def test_all_replies_are_read_after_four(self):
        """A server that ends a session after six errors does not meet a seventh."""
        sink, statuses = self.send(self.refusing_all, 8)
        reads = [[read.count("MAIL") for read in c.reads] for c in sink.connections]
        self.assertEqual(statuses, ["refused"] * 8)
        self.assertLessEqual(max(map(max, reads)), 4)

    def test_what_is_taken_in_between_counts(self):
        count = 0

        def behave(line):
            nonlocal count
            count += line.startswith("RCPT")
            return "550 5.1.1 No" if line.startswith("RCPT") and count % 8 else None

        sink, statuses = self.send(behave, 64)
        self.assertEqual(statuses.count("sent"), 8)
        self.assertEqual(len(sink.connections), 1)
