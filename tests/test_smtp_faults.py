"""Servers and networks that fail, at every command: what the results say is what happened."""

import random
import smtplib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.test import SimpleTestCase, tag

from django_mailers.smtp import Envelope, OutOfStepError, Pool, PoolOptions, Server, deliver

from .support.pools import refusals, send_one
from .support.servers import DROP, POLITE, STALL, TIMEOUT, ScriptedServer, enter, spoilt
from .support.sink import DROP_REPLY, RESET, Interrupt, Sink, at, interrupts
from .support.smtp import GARBAGE, MODES, SHORT_TIMEOUT, envelopes, spoil, stages


class FaultTestCase(SimpleTestCase):
    def connect(self, server, **options):
        options.setdefault("timeout", TIMEOUT)
        session = Server(server.host, server.port, **options).connect()
        # That of these servers is known to be safe.
        session.consumes_chunks = True
        self.addCleanup(session.disconnect)
        return session

    def closed(self, server, text="Connection unexpectedly closed"):
        return smtplib.SMTPServerDisconnected(at(server, text))

    def assertHonest(self, sink, results):
        """What the sink accepted is what is called sent, plus some of what is called unknown."""
        accepted = [int(message.content) for message in sink.accepted]
        self.assertEqual(len(accepted), len(set(accepted)), "Something arrived twice.")
        by_status = {}
        for number, result in enumerate(results):
            by_status.setdefault(result.status, set()).add(number)
            self.assertIs(result.error is None, result.status == "sent")
        sent = by_status.get("sent", set())
        self.assertLessEqual(sent, set(accepted))
        self.assertLessEqual(set(accepted), sent | by_status.get("unknown", set()))


class EveryCommandTests(FaultTestCase):
    """Three messages, of which the second one meets a fault."""

    def deliver(self, action, **connect_options):
        """Yield (mode, stage, statuses, session) for each command of the second message."""
        for mode, options in MODES.items():
            for stage in stages(options):
                with self.subTest(mode=mode, stage=stage), Sink(**options) as sink:
                    session = self.connect(sink, **connect_options)
                    sink.behave = spoil(stage, action, 1)
                    results = session.deliver(envelopes(3))
                    self.assertHonest(sink, results)
                    yield mode, stage, [result.status for result in results], session
                    session.disconnect()

    def assertTable(self, action, expected, **connect_options):
        table = {}
        for mode, stage, statuses, session in self.deliver(action, **connect_options):
            self.assertFalse(session.is_open)
            table[mode, stage] = " ".join(statuses)
        self.assertEqual(table, expected)

    # When the connection breaks without a further reply. With CHUNKING in groups both messages were
    # handed over; with PIPELINING the third was begun together with the end of the second.
    BROKEN = {
        ("both", "MAIL"): "sent unknown unknown",
        ("both", "RCPT"): "sent unknown unknown",
        ("both", "BDAT"): "sent unknown unknown",
        ("pipelining", "MAIL"): "sent failed untried",
        ("pipelining", "RCPT"): "sent failed untried",
        ("pipelining", "DATA"): "sent failed untried",
        ("pipelining", "."): "sent unknown failed",
        ("chunking", "MAIL"): "sent failed untried",
        ("chunking", "RCPT"): "sent failed untried",
        ("chunking", "BDAT"): "sent unknown untried",
        ("dialogue", "MAIL"): "sent failed untried",
        ("dialogue", "RCPT"): "sent failed untried",
        ("dialogue", "DATA"): "sent failed untried",
        ("dialogue", "."): "sent unknown untried",
    }

    def test_disconnect(self):
        self.assertTable(DROP, self.BROKEN)

    @tag("slow")
    def test_stall(self):
        self.assertTable(STALL, self.BROKEN, timeout=SHORT_TIMEOUT)

    def test_reset(self):
        # A reset may destroy replies that were under way: of the first message, in a group with it.
        for mode, stage, statuses, session in self.deliver(RESET):
            self.assertFalse(session.is_open)
            if (mode, stage) != ("pipelining", "MAIL"):
                self.assertEqual(" ".join(statuses[1:]), self.BROKEN[mode, stage][5:])

    def test_lost_reply(self):
        for mode, stage, statuses, session in self.deliver(DROP_REPLY):
            self.assertFalse(session.is_open)
            # The sink has no effect to have at DATA.
            self.assertEqual(" ".join(statuses), self.BROKEN[mode, stage])

    def test_half_a_reply(self):
        script = spoilt(".", b"250 O")
        server = enter(self, ScriptedServer([*script, (None, DROP)]))
        result = self.connect(server).deliver([envelopes(1)[0]])[0]
        self.assertEqual(result.status, "unknown")
        self.assertEqual(repr(result.error), repr(self.closed(server)))

    def test_421(self):
        table = {}
        for mode, stage, statuses, session in self.deliver("421 Shutting down"):
            self.assertFalse(session.is_open)
            table[mode, stage] = statuses[1]
        self.assertEqual(table, dict.fromkeys(self.BROKEN, "failed"))

    def test_refusals(self):
        for reply in ["451 Later", "550 Never"]:
            for _, _, statuses, session in self.deliver(reply):
                self.assertEqual(statuses, ["sent", "refused", "sent"])
                self.assertTrue(session.is_open)

    def test_replies_that_fit_nothing(self):
        for reply in GARBAGE:
            for mode, stage, statuses, session in self.deliver(reply):
                self.assertFalse(session.is_open)
                self.assertEqual(" ".join(statuses), self.BROKEN[mode, stage])

    def test_oversized_replies(self):
        long_line = "250 " + "x" * 10_000
        many_lines = "250-OK\r\n" * 20_000 + "250 OK"
        endless = "250 " + "x" * 1_000_000
        for reply in [long_line, many_lines, endless]:
            for mode, stage, statuses, session in self.deliver(reply):
                self.assertFalse(session.is_open)
                self.assertEqual(" ".join(statuses), self.BROKEN[mode, stage])


class OutOfStepTests(FaultTestCase):
    def result(self, *script, pipelining=True):
        features = b"250-Hi\r\n250 PIPELINING\r\n" if pipelining else b"250 Hi\r\n"
        server = enter(self, ScriptedServer([(None, "220 Hi"), ("EHLO", features), *script]))
        session = self.connect(server)
        result = session.deliver([envelopes(1)[0]])[0]
        self.assertFalse(session.is_open)
        return server, result

    def test_one_reply_too_many(self):
        # The second one would be taken for the reply to RCPT, that to RCPT for the one to DATA.
        for pipelining in (True, False):
            with self.subTest(pipelining=pipelining):
                steps = [("MAIL", b"250 OK\r\n250 OK\r\n")]
                if pipelining:
                    steps += [("RCPT", "250 OK"), ("DATA", "354 Go"), (None, STALL)]
                _, result = self.result(*steps, pipelining=pipelining)
                self.assertEqual(result.status, "failed")
                self.assertIs(type(result.error), OutOfStepError)

    def test_success_to_data(self):
        server, result = self.result(("MAIL", "250 OK"), ("RCPT", "250 OK"), ("DATA", "250 OK"))
        self.assertEqual(result.status, "failed")
        self.assertEqual(
            repr(result.error),
            repr(OutOfStepError(at(server, "The server replied 250 to DATA."))),
        )

    def test_more_after_the_last_reply(self):
        # The message is sent all the same; but the session is not to be trusted with another.
        _, result = self.result(
            ("MAIL", "250 OK"),
            ("RCPT", "250 OK"),
            ("DATA", "354 Go"),
            (".", b"250 OK\r\n250 OK\r\n"),
        )
        self.assertEqual((result.status, result.error), ("sent", None))

    def test_what_came_while_idle_ends_the_session(self):
        with Sink() as sink:
            session = self.connect(sink)
            self.assertEqual(session.deliver([envelopes(1)[0]])[0].status, "sent")
            sink.run(lambda: sink.protocols[0].transport.write(b"250 Surprise\r\n"))
            self.assertEqual(session.sock.recv(1, 2), b"2")  # 2: MSG_PEEK
            result = session.deliver([envelopes(1)[0]])[0]
            self.assertEqual(
                (result.status, repr(result.error)),
                ("untried", repr(self.closed(sink))),
            )
            self.assertEqual(len(sink.accepted), 1)

    def test_a_message_accepted_without_its_sender_is_unknown(self):
        with Sink(chunking=True) as sink:
            session = self.connect(sink)
            replies = {"MAIL": "550 No", "RCPT": "250 OK", "BDAT": "250 OK"}
            sink.behave = lambda line: replies[line[:4]]
            self.assertEqual(session.deliver([envelopes(1)[0]])[0].status, "unknown")
            self.assertFalse(session.is_open)

    def test_a_refused_rset_ends_the_session(self):
        with Sink() as sink:
            session = self.connect(sink)
            sink.behave = lambda line: "550 No" if line[:4] in {"RCPT", "RSET"} else None
            self.assertEqual(session.deliver([envelopes(1)[0]])[0].status, "refused")
            self.assertFalse(session.is_open)


class ConnectionFaultTests(FaultTestCase):
    """Before there is a message: the error is raised, and no socket stays open."""

    def assertError(self, expected, *script):
        """Compare the error with `expected`, one or what is to be told of the server by one."""
        # The same with a password, which is looked for in what the server said.
        for login in [{}, {"username": "ada", "password": "correct-horse"}]:
            server = enter(self, ScriptedServer(script))
            # It is for a whole reply: a long one takes its time on a busy machine.
            timeout = SHORT_TIMEOUT if "timed out" in str(expected) else TIMEOUT
            with self.assertRaises(Exception) as caught:
                self.connect(server, timeout=timeout, **login)
            error = self.closed(server, expected) if isinstance(expected, str) else expected
            self.assertEqual(repr(caught.exception), repr(error))

    @tag("slow")
    def test_greeting(self):
        closed = "Connection unexpectedly closed"
        too_long = smtplib.SMTPResponseException
        for greeting, expected in [
            ("554 Go away", smtplib.SMTPConnectError(554, b"Go away")),
            ("Hello", smtplib.SMTPConnectError(-1, b"o")),
            (b"220 Hel", f"{closed}: timed out"),
            (DROP, closed),
            (STALL, f"{closed}: timed out"),
            (b"220 " + b"x" * 9000, too_long(500, "Line too long.")),
            (b"220-x\r\n" * 10_000, too_long(500, "Reply too long.")),
        ]:
            with self.subTest(greeting=repr(greeting)[:20]):
                is_over = greeting in (DROP, STALL, "554 Go away")
                steps = [] if is_over else [(None, STALL)]
                self.assertError(expected, (None, greeting), *steps)

    def test_ehlo(self):
        self.assertError("Connection unexpectedly closed", POLITE[0], ("EHLO", DROP))

    def test_a_closed_session(self):
        with Sink() as sink:
            session = self.connect(sink)
            session.disconnect()
            session.disconnect()
            result = session.deliver([envelopes(1)[0]])[0]
            self.assertEqual(
                (result.status, repr(result.error)),
                ("untried", repr(self.closed(sink, "please run connect() first"))),
            )
            with self.assertRaises(smtplib.SMTPServerDisconnected):
                session.noop()

    def test_an_interrupt_ends_the_session(self):
        with interrupts() as interrupt, Sink() as sink:
            session = self.connect(sink)
            sink.behave = lambda line: interrupt() or STALL if line.startswith("RCPT") else None
            with self.assertRaises(Interrupt):
                session.deliver([envelopes(1)[0]])[0]
            self.assertFalse(session.is_open)


@tag("slow")
class RandomFaultTests(FaultTestCase):
    """Any faults, in any order: no message is lost without a word, none arrives twice."""

    # Not "250 OK" for a message that the sink did not take: nobody can see through that lie.
    ENDS = [DROP, RESET, DROP_REPLY]
    ACTIONS = ["421 Bye", "451 Later", "550 No", "354 Go", *GARBAGE, *ENDS]

    def action(self, chance, line):
        # Nor a RSET without effect, which has to be obeyed: with CHUNKING, the next message is on
        # its way by then, and would get what is left of the one before.
        return chance.choice(self.ENDS if line == "RSET" else self.ACTIONS)

    def messages(self, number):
        """Make messages of one, two or three recipients, none with an address in common."""
        return [
            Envelope(
                f"from{n}@example.com",
                [f"to{n}.{m}@example.com" for m in range(1 + n % 3)],
                b"%d\r\n" % n,
            )
            for n in range(number)
        ]

    def assertNothingMixed(self, sink, messages, results):
        """What arrived has its own sender, and those of its recipients that were not refused."""
        self.assertHonest(sink, results)
        for accepted in sink.accepted:
            number = int(accepted.content)
            message, result = messages[number], results[number]
            self.assertEqual(accepted.mail_from, message.mail_from)
            if result.status == "sent":
                self.assertEqual([*result.recipients], message.recipients)
                taken = [name for name in message.recipients if name not in refusals(result)]
                self.assertEqual(accepted.recipients, taken)
            self.assertLessEqual(set(accepted.recipients), set(message.recipients))

    def test_scripts(self):
        """Up to four faults, each (a command, which of them, what happens), over any mode."""
        number = 12
        for seed in range(150):
            chance = random.Random(seed)
            mode = chance.choice([*MODES])
            stages_of_mode = [*stages(MODES[mode]), "RSET"]
            verbs = [chance.choice(stages_of_mode) for _ in range(chance.randint(1, 4))]
            script = [(verb, self.action(chance, verb), chance.randrange(8)) for verb in verbs]
            faults = [spoil(*fault) for fault in script]
            parallel = chance.choice([1, 1, 3])
            options = PoolOptions(max_messages=chance.choice([1, 5, 100]))

            def behave(line, faults=faults):
                # All of them are asked: each has to count.
                actions = [action for fault in faults if (action := fault(line)) is not None]
                return actions[0] if actions else None

            with (
                self.subTest(seed=seed, mode=mode, parallel=parallel, script=script),
                Sink(**MODES[mode], behave=behave) as sink,
            ):
                pool = Pool(Server(sink.host, sink.port, timeout=TIMEOUT), options)
                messages = self.messages(number)
                try:
                    results = deliver(pool, messages, parallel=parallel)
                finally:
                    pool.close()
                self.assertEqual(len(results), number)
                self.assertNothingMixed(sink, messages, results)

    def test_threads(self):
        """One pool, and a server that offers something else each time."""
        threads, number = 16, 200
        chance = random.Random(6)
        offers = [
            "250 sink.test",
            "250-sink.test\r\n250 PIPELINING",
            "250-sink.test\r\n250 CHUNKING",
            "250-sink.test\r\n250-PIPELINING\r\n250 CHUNKING",
        ]

        def behave(line):
            if line.startswith("ehlo"):
                return chance.choice(offers)
            # Not QUIT: it has no effect that could be reported, and waiting for it costs time.
            if line == "QUIT" or chance.random() >= 0.01:
                return None
            return self.action(chance, line)

        messages = self.messages(threads * number)
        with Sink(behave=behave) as sink:
            server = Server(sink.host, sink.port, timeout=TIMEOUT)
            pool = Pool(server, PoolOptions(acquire_timeout=None, max_messages=37))

            def send(share):
                return [send_one(pool, message) for message in share]

            try:
                with ThreadPoolExecutor(threads) as executor:
                    shares = list(
                        executor.map(send, [messages[n::threads] for n in range(threads)])
                    )
            finally:
                pool.close()
            results = [result for row in zip(*shares, strict=True) for result in row]
            self.assertNothingMixed(sink, messages, results)
            stats = pool.stats()
            self.assertEqual((stats["idle"], stats["busy"], stats["waiting"]), (0, 0, 0))
            counts = Counter(result.status for result in results)
            # What "failed" does so at the first command of a new session, which is rare.
            self.assertLessEqual({"sent", "refused", "unknown"}, counts.keys())
            self.assertGreater(counts["sent"], 2000)
