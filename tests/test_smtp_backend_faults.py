"""The pooled SMTP backend when servers and networks fail: what it says is what has happened.

Every fault at every command on a session of its own is in test_smtp_faults.py. Here it is the
whole way from the message to the report.
"""

import random
import smtplib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.core.mail import mailers
from django.test import override_settings, tag

from django_mailers import send_many

from .support.messages import message
from .support.processes import run_python
from .support.servers import DROP, HOST, STALL, TIMEOUT, ScriptedServer, enter, spoilt
from .support.sink import DROP_REPLY, RESET, Sink
from .support.smtp import (
    ALIAS,
    GARBAGE,
    MESSAGE,
    MODES,
    OURS,
    SHORT_TIMEOUT,
    SMTPBackendTestCase,
    entry,
    spoil,
    stages,
    statuses,
    subjects,
)

ACTIONS = ["421 Bye", "451 Later", "550 No", "354 Go", *GARBAGE, DROP, RESET, DROP_REPLY]


class HonestyTests(SMTPBackendTestCase):
    """What a server accepted is what is called sent, and some of what is called unknown."""

    def assertHonest(self, sink, report):
        accepted = subjects(sink)
        self.assertEqual(len(accepted), len(set(accepted)), "Something arrived twice.")
        by_status = {}
        for result in report:
            by_status.setdefault(result.status, set()).add(result.message.subject)
            self.assertIs(result.error is None, result.status == "sent")
        sent = by_status.get("sent", set())
        self.assertLessEqual(sent, set(accepted))
        self.assertLessEqual(set(accepted), sent | by_status.get("unknown", set()))

    def send_many(self, sink, number=3, **options):
        with override_settings(MAILERS={ALIAS: entry(sink, **options)}):
            return send_many([message(str(n)) for n in range(number)], using=ALIAS)

    def second(self, mode, stage):
        """Of the commands for `stage`, which is that of the second message: one is the probe's."""
        return 2 if mode in ("both", "chunking") and stage in ("MAIL", "BDAT") else 1

    def possible(self, mode, stage):
        """What may become of a message whose session ends at `stage` without a reply.

        Before the end of its content the next session sends it. With CHUNKING all may have gone.
        """
        return {"unknown"} if stage in (".", "BDAT") or mode == "both" else {"sent"}

    @tag("slow")
    def test_faults_at_every_command(self):
        """The second message meets it, the third one goes over another session."""
        for action, name in [
            (DROP, "disconnect"),
            (RESET, "reset"),
            (DROP_REPLY, "lost reply"),
            ("421 Shutting down", "421"),
            ("451 4.7.1 Later", "4xx"),
            # It may be about the session: the next one takes it.
            ("451 Later", "doubtful"),
            ("550 Never", "5xx"),
            ("250-OK\r\n550 No", "garbage"),
        ]:
            for mode, options in MODES.items():
                for stage in stages(options):
                    with self.subTest(name, mode=mode, stage=stage), Sink(**options) as sink:
                        sink.behave = spoil(stage, action, self.second(mode, stage))
                        report = self.send_many(sink)
                        self.assertHonest(sink, report)
                        said = statuses(report)
                        if action in ("451 4.7.1 Later", "550 Never") or (
                            action == "451 Later" and stage == "."
                        ):
                            self.assertEqual(said, ["sent", "refused", "sent"])
                        elif action in ("421 Shutting down", "451 Later"):
                            self.assertEqual(said, ["sent"] * 3)
                        else:
                            self.assertEqual(said[0], "sent" if action != RESET else said[0])
                            self.assertIn(said[1], self.possible(mode, stage))

    @tag("slow")
    def test_stall(self):
        for mode in ("both", "dialogue"):
            for stage in stages(MODES[mode]):
                with self.subTest(mode=mode, stage=stage), Sink(**MODES[mode]) as sink:
                    sink.behave = spoil(stage, STALL, self.second(mode, stage))
                    report = self.send_many(sink, timeout=SHORT_TIMEOUT)
                    self.assertHonest(sink, report)
                    self.assertIn(report[1].status, self.possible(mode, stage))

    def test_faults_before_the_first_message(self):
        for script, text in [
            ([(None, "554 Go away")], "(554, b'Go away')"),
            ([(None, DROP)], "Connection unexpectedly closed"),
            (spoilt("EHLO", DROP), "Connection unexpectedly closed"),
            ([(None, b"220 " + b"x" * 9000)], "Line too long."),
        ]:
            with self.subTest(text), ScriptedServer(script) as server:
                report = self.send_many(server)
                self.assertEqual(statuses(report), ["failed"] * 3)
                self.assertIn(text, str(report[0].error))
                # Not one for each message.
                self.assertEqual(len(server.received), 1)

    def test_a_server_that_closes_idle_sessions(self):
        sink = self.serve()
        for number in range(4):
            self.assertEqual(message(str(number)).send(using=ALIAS), 1)
            protocol = sink.protocols[-1]
            if number % 2:
                sink.run(lambda protocol=protocol: protocol.transport.write(b"421 Idle\r\n"))
            sink.run(protocol.transport.close)
            self.assertTrue(sink.connections[-1].ended.wait(TIMEOUT))
            # asyncio says that before it closes the socket, but in one go: now it is closed.
            sink.run(lambda: None)
        self.assertEqual(subjects(sink), ["0", "1", "2", "3"])
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE]] * 4)

    def test_a_server_that_ends_sessions_at_the_next_message(self):
        """It could not be told before; no message is lost by it, and none is sent twice."""
        for verb in ("MAIL", "RCPT", "DATA"):
            with self.subTest(verb), Sink() as sink:
                with override_settings(MAILERS={ALIAS: entry(sink)}):
                    message("1").send(using=ALIAS)
                    sink.behave = spoil(verb, "421 Too late", 0)
                    self.assertEqual(message("2").send(using=ALIAS), 1)
                self.assertEqual(subjects(sink), ["1", "2"])

    def test_a_server_that_forgets_its_features(self):
        """Behind one address there may be several: each session goes by its own EHLO."""
        sink = self.serve(max_messages=1)
        self.assertEqual(message("1").send(using=ALIAS), 1)
        sink.features, sink.pipelining = [], False
        self.assertEqual(statuses(send_many([message("2")], using=ALIAS)), ["sent"])
        self.assertEqual(
            sink.commands,
            [["EHLO", *MESSAGE, "QUIT"], ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]],
        )
        self.assertEqual(subjects(sink), ["1", "2"])

    def test_an_answer_that_comes_too_late(self):
        """The session on which it may come is not used for the next message."""
        sink = self.serve()
        sink.behave = spoil(".", STALL, 0)
        with mailers[ALIAS] as backend:
            # Of this session only: the next one may take its time.
            backend.connection.sock.settimeout(SHORT_TIMEOUT)
            expected = f"{HOST}:{sink.port}: Connection unexpectedly closed: timed out"
            self.assertEqual(
                self.error(backend.send_messages, [message("1")]),
                repr(smtplib.SMTPServerDisconnected(expected)),
            )
            self.assertTrue(sink.connections[0].ended.wait(TIMEOUT))
            self.assertEqual(backend.send_messages([message("2")]), 1)
        self.assertEqual(subjects(sink), ["2"])
        self.assertEqual(sink.commands, [["EHLO", *MESSAGE]] * 2)

    def faults(self, seed, rate):
        """Give a `behave` that does anything, at random. For the one thread of a Sink."""
        chance = random.Random(seed)

        def behave(line):
            if line[:4].upper() in {"EHLO", "HELO", "QUIT"} or chance.random() >= rate:
                return None
            return chance.choice(ACTIONS)

        return behave

    @tag("slow")
    def test_threads(self):
        """16 threads, 200 messages each, one by one and in batches."""
        sink = self.serve(acquire_timeout=None, parallel=2)
        sink.behave = self.faults(1, 0.01)
        results = self.send_from_threads()
        accepted = Counter(subjects(sink))
        self.assertEqual(len(results), 16 * 200)
        self.assertEqual(set(accepted.values()), {1}, "Something arrived twice.")
        by_status = {}
        for subject, said in results.items():
            by_status.setdefault(said, set()).add(subject)
        # Those that raised have an error that says why not.
        self.assertLessEqual(by_status["sent"], accepted.keys())
        self.assertLessEqual(
            accepted.keys(), by_status["sent"] | by_status["unknown"] | by_status["raised"]
        )
        self.assertLessEqual(by_status.keys(), {"sent", "unknown", "raised", "refused", "failed"})
        self.assertGreater(len(by_status["sent"]), 2000)
        stats = mailers[ALIAS].pool.stats()
        self.assertEqual((stats["busy"], stats["waiting"]), (0, 0))

    def send_from_threads(self):
        """Give what was said of each message: a status, or "raised"."""
        results = {}

        def send(thread):
            messages = [message(f"{thread} {number}") for number in range(200)]
            for one in messages[:50]:
                try:
                    results[one.subject] = "sent" if one.send(using=ALIAS) else "nothing"
                except OSError:
                    results[one.subject] = "raised"
            for start in range(50, 200, 50):
                for result in send_many(messages[start : start + 50], using=ALIAS):
                    results[result.message.subject] = result.status

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(send, range(16)))
        return results


@tag("slow")
class ForkTests(SMTPBackendTestCase):
    """gunicorn's pre-fork pattern: the pool is warm in the parent."""

    def test_fork(self):
        # In a process of its own: this one has threads.
        sink = enter(self, Sink())
        process = run_python(f"""
            import os
            mailer = {{"BACKEND": {OURS!r},
                      "OPTIONS": {{"host": {HOST!r}, "port": {sink.port}, "timeout": {TIMEOUT}}}}}
            configure(MAILERS={{"default": mailer}})
            from django.core.mail import EmailMessage, mailers

            def send(subject, backend=None):
                message = EmailMessage(subject, "Text", "ada@example.com", ["bob@example.com"])
                return backend.send_messages([message]) if backend else message.send()

            assert send("parent 1") == 1
            with mailers.default as pinned:
                assert send("parent pinned 1", pinned) == 1
                children = []
                for number in range(3):
                    child = os.fork()
                    if not child:
                        assert send(f"child {{number}} 1") == 1
                        assert send(f"child {{number}} pinned", pinned) == 1
                        pinned.close()
                        assert send(f"child {{number}} 2") == 1
                        raise SystemExit
                    children.append(child)
                print(*[os.waitpid(child, 0)[1] for child in children])
                assert send("parent pinned 2", pinned) == 1
            assert send("parent 2") == 1
        """)
        self.assertEqual((process.stdout, process.stderr), ("0 0 0\n", ""))
        arrived = subjects(sink)
        self.assertEqual(
            sorted(arrived),
            sorted(
                [
                    *(f"child {number} {what}" for number in range(3) for what in ("1", "2")),
                    *(f"child {number} pinned" for number in range(3)),
                    *("parent 1", "parent pinned 1", "parent pinned 2", "parent 2"),
                ]
            ),
        )
        # The parent's go on as if nothing had been: nobody else said anything over them.
        parents, *childrens = sink.commands
        self.assertEqual(parents, ["EHLO", *MESSAGE * 4, "QUIT"])
        for commands in childrens:
            self.assertEqual(commands[0], "EHLO")
            self.assertEqual(commands[-1], "QUIT")
