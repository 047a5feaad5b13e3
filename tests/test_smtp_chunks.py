"""Whether CHUNKING is safe is found out first; and a session that says too much is not used."""

from unittest import mock

from django.test import SimpleTestCase

from django_mailers.smtp import Envelope, OutOfStepError, Pool, PoolOptions, Server, deliver

from .support import sink as sinks
from .support.messages import ADA, BOB, EVE
from .support.pools import borrowed, send_one
from .support.servers import DROP, STALL, TIMEOUT, ScriptedServer, enter
from .support.sink import Last, Sink, at
from .support.smtp import SHORT_TIMEOUT, envelope

PROBE = ["MAIL", "BDAT", "RSET"]
BY_DATA = ["MAIL", "RCPT", "DATA", "."]
BY_BDAT = ["MAIL", "RCPT", "BDAT"]


class ChunksTestCase(SimpleTestCase):
    def serve(self, chunking=True, **options):
        sink = enter(self, Sink(chunking=chunking, **options))
        return sink, self.pool(sink)

    def pool(self, server, timeout=TIMEOUT, **options):
        pool = Pool(Server(server.host, server.port, timeout=timeout), PoolOptions(**options))
        self.addCleanup(pool.close)
        return pool

    def assertSends(self, pool, sink, number=1):
        results = deliver(pool, [envelope(b"%d\r\n" % n) for n in range(number)])
        self.assertEqual([result.status for result in results], ["sent"] * number)


class ProbeTests(ChunksTestCase):
    def test_before_the_second_message(self):
        sink, pool = self.serve()
        self.assertSends(pool, sink)
        self.assertSends(pool, sink)
        self.assertEqual(sink.commands, [["EHLO", *BY_DATA, *PROBE, *BY_BDAT]])
        # In one write.
        self.assertIn(PROBE, sink.connections[0].reads)
        self.assertEqual(len(sink.accepted), 2)

    def test_before_the_first_batch(self):
        sink, pool = self.serve()
        self.assertSends(pool, sink, 2)
        self.assertEqual(sink.commands, [["EHLO", *PROBE, *BY_BDAT, *BY_BDAT]])

    def test_once_per_pool(self):
        sink, pool = self.serve()
        self.assertSends(pool, sink, 2)
        with borrowed(pool):
            self.assertSends(pool, sink)
        self.assertEqual(sink.commands[1], ["EHLO", *BY_BDAT])

    def test_the_other_sessions_of_a_batch_do_not_wait_for_it(self):
        sink, pool = self.serve()
        results = deliver(pool, [envelope() for _ in range(40)], parallel=4)
        self.assertEqual({result.status for result in results}, {"sent"})
        self.assertEqual(len(sink.accepted), 40)
        self.assertTrue(pool.limits.consumes_chunks)

    def test_without_pipelining(self):
        sink, pool = self.serve(pipelining=False)
        self.assertSends(pool, sink, 2)
        self.assertEqual(sink.commands, [["EHLO", *PROBE, *BY_BDAT, *BY_BDAT]])

    def test_a_sender_that_cannot_be_named(self):
        for sender in ["a\r\nb@example.com", "josé@example.com", ""]:
            with self.subTest(sender=sender):
                sink, pool = self.serve()
                deliver(pool, [Envelope(sender, [BOB], b"x"), envelope()])
                self.assertEqual(sink.accepted[-1].content, b"Hello\r\n")
                self.assertTrue(pool.limits.consumes_chunks)

    def test_a_sender_that_is_refused(self):
        sink, pool = self.serve()
        sink.behave = lambda line: "550 5.7.1 No" if line.startswith("MAIL") else None
        results = deliver(pool, [envelope(), envelope()])
        self.assertEqual([result.status for result in results], ["refused"] * 2)
        self.assertTrue(pool.limits.consumes_chunks)


class UnsafeTests(ChunksTestCase):
    def test_a_server_that_does_not_know_the_command(self):
        for chunking in [True, "careless"]:
            for reply in ["500 Unknown command", "502 Not implemented"]:
                with self.subTest(chunking=chunking, reply=reply):
                    sink, pool = self.serve(chunking)
                    sink.behave = lambda line, reply=reply: (
                        reply if line.startswith("BDAT") else None
                    )
                    self.assertSends(pool, sink, 3)
                    self.assertSends(pool, sink)
                    self.assertEqual(len(sink.accepted), 4)
                    self.assertIs(pool.limits.consumes_chunks, False)
                    self.assertEqual(len(sink.connections), 1)

    def test_a_body_is_never_read_as_commands(self):
        body = (
            b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<victim@example.com>\r\n"
            b"DATA\r\nSubject: Pay\r\n\r\nNow\r\n.\r\n"
        )
        for pipelining in (True, False):
            with self.subTest(pipelining=pipelining):
                sink, pool = self.serve("careless", pipelining=pipelining)
                sink.behave = lambda line: (
                    "550 5.1.1 No" if line.startswith(f"RCPT TO:<{EVE}>") else None
                )
                self.assertSends(pool, sink)
                attack = envelope(body, EVE)
                self.assertEqual(send_one(pool, attack).status, "refused")
                results = deliver(pool, [envelope(), attack, envelope(), attack])
                self.assertEqual(
                    [result.status for result in results], ["sent", "refused", "sent", "refused"]
                )
                self.assertEqual({m.mail_from for m in sink.accepted}, {ADA})
                self.assertEqual(len(sink.accepted), 3)

    def test_one_that_takes_a_message_for_nobody(self):
        sink, pool = self.serve()
        first = []
        sink.behave = lambda line: (
            first.append(line) or "250 OK" if line == "BDAT" and not first else None
        )
        self.assertSends(pool, sink, 2)
        self.assertIs(pool.limits.consumes_chunks, False)

    def test_one_that_does_not_answer(self):
        """A new session sends the messages, by DATA."""
        for action in [DROP, STALL, Last("421 Bye"), "354 Go on", "250 OK\r\n250 OK"]:
            with self.subTest(action=action):
                sink = enter(self, Sink(chunking=True))
                sink.behave = lambda line, action=action: action if line == "BDAT" else None
                pool = self.pool(sink, timeout=SHORT_TIMEOUT if action is STALL else TIMEOUT)
                self.assertSends(pool, sink, 3)
                self.assertIs(pool.limits.consumes_chunks, False)
                self.assertEqual(len(sink.accepted), 3)
                self.assertLessEqual(len(sink.connections), 2)


class TooMuchTests(ChunksTestCase):
    """All replies after a line too many would be taken for those of other commands."""

    def script(self, ehlo=b"250 OK\r\n"):
        return [
            (None, "220 Hi"),
            ("EHLO", ehlo),
            ("MAIL", "250 OK"),
            ("RCPT", "250 OK"),
            ("DATA", "354 Go"),
            (".", "250 OK"),
        ]

    def test_after_ehlo(self):
        bad = [(None, "220 Hi"), ("EHLO", b"250 OK\r\n250 hello again\r\n")]
        server = enter(self, ScriptedServer(bad, self.script()))
        self.assertSends(self.pool(server), server)
        self.assertEqual(len(server.received), 2)

    def test_after_each_ehlo(self):
        server = enter(
            self, ScriptedServer([(None, "220 Hi"), ("EHLO", b"250 OK\r\n250 hello again\r\n")])
        )
        result = send_one(self.pool(server), envelope())
        self.assertEqual(result.status, "untried")
        self.assertEqual(
            repr(result.error),
            repr(OutOfStepError(at(server, "The server said more than it was asked."))),
        )

    def test_after_noop(self):
        sink = enter(self, Sink())
        pool = self.pool(sink, check_after=0)
        self.assertSends(pool, sink)
        sink.behave = lambda line: "250 OK\r\n250 hello again" if line == "noop" else None
        self.assertSends(pool, sink)
        self.assertEqual(len(sink.connections), 2)
        self.assertEqual(len(sink.accepted), 2)

    def test_after_rset(self):
        sink = enter(self, Sink())
        pool = self.pool(sink)
        sink.behave = lambda line: "550 No" if line.startswith(f"RCPT TO:<{EVE}>") else None
        reset = sinks._Protocol.do_rset

        def chatter(protocol, line):
            return f"{reset(protocol, line)}\r\n250 hello again"

        with mock.patch.object(sinks._Protocol, "do_rset", chatter):
            for _ in range(2):
                results = deliver(
                    pool, [envelope(b"Hello\r\n", EVE), envelope(), envelope(b"Hello\r\n", EVE)]
                )
                self.assertEqual([r.status for r in results], ["refused", "sent", "refused"])
        self.assertSends(pool, sink)
        self.assertEqual(len(sink.accepted), 3)
