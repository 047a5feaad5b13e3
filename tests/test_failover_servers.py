"""A failover over real SMTP servers that fail in each phase, and over processes with a Redis."""

import importlib.util
import signal

from django.conf import settings
from django.core.mail import mailers
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_many

from .support.messages import message
from .support.providers import FAILOVER, moved_by_hand, quiet
from .support.redis import Redis
from .support.remotes import Remote
from .support.servers import (
    DROP,
    STALL,
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    certificates,
    enter,
    spoilt,
    trusting_the_ca,
)
from .support.sink import DROP_REPLY, RESET, Sink
from .support.smtp import SHORT_TIMEOUT, subjects, wait_until
from .support.utils import OURS, SMTP

# The first word of a command, what a server does then, and who has the message in the end.
MOVED, REFUSED, UNKNOWN = ("sent", "second"), ("refused", None), ("unknown", "first")
PHASES = [
    ("EHLO", "421 Too busy", MOVED, "rests"),
    ("EHLO", DROP, MOVED, "rests"),
    ("MAIL", "421 Shutting down", MOVED, "rests"),
    ("MAIL", "451 Later", MOVED, "works"),
    ("MAIL", "553 Sender not verified", MOVED, "works"),
    ("MAIL", "552 5.3.4 Too big", REFUSED, "works"),
    ("MAIL", "550 5.4.5 Daily limit exceeded", MOVED, "rests"),
    ("MAIL", DROP, MOVED, "rests"),
    ("MAIL", RESET, MOVED, "rests"),
    ("RCPT", "450 Greylisted", MOVED, "works"),
    ("RCPT", "550 No such user", REFUSED, "works"),
    ("RCPT", DROP, MOVED, "rests"),
    ("DATA", "451 Later", MOVED, "works"),
    ("DATA", "554 Spam", REFUSED, "works"),
    ("DATA", DROP, MOVED, "rests"),
    (".", "451 Later", MOVED, "works"),
    (".", "554 Spam", REFUSED, "works"),
    (".", DROP, UNKNOWN, "rests"),
    (".", DROP_REPLY, UNKNOWN, "rests"),
]


class ServersTestCase(SimpleTestCase):
    def setUp(self):
        super().setUp()
        enter(self, quiet())
        self.second = enter(self, SMTPServer())

    def entry(self, server, backend=OURS, **options):
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT, **options}
        return {"BACKEND": backend, "OPTIONS": options}

    def over(self, first, **options):
        return override_settings(
            MAILERS={
                "it": {
                    "BACKEND": FAILOVER,
                    "OPTIONS": {"mailers": ["first", "second"], **options},
                },
                "first": first,
                "second": self.entry(self.second),
            }
        )

    def outcomes(self, *names):
        report = send_many([message(name) for name in names], using="it")
        return [(result.status, result.via) for result in report]


class PhasesTests(ServersTestCase):
    def test_each_phase(self):
        for backend in (OURS, SMTP):
            for command, deed, expected, state in PHASES:
                sink = enter(self, Sink(pipelining=False))
                self.second.messages.clear()
                # Whatever is tried, the deed is done.
                sink.behave = lambda line, c=command, d=deed: (
                    d if line.upper().startswith(c) else None
                )
                with (
                    self.subTest(backend=backend, command=command, deed=deed),
                    self.over(self.entry(sink, backend)),
                    self.assertNoLogs(state, deed),
                ):
                    self.assertEqual(self.outcomes("m"), [expected])
                    taken = subjects(self.second)
                    self.assertEqual(taken, ["m"] if expected == MOVED else [])
                    self.assertEqual(subjects(sink), ["m"] if deed is DROP_REPLY else [])
                    # Whether it rests shows by who gets the next one.
                    sink.behave = None
                    via = "second" if state == "rests" else "first"
                    self.assertEqual(self.outcomes("n"), [("sent", via)])

    def assertNoLogs(self, state, deed):
        """A rest is a warning, a refused sender an error, and nothing else is logged."""
        expected = ["WARNING"] if state == "rests" else []
        if isinstance(deed, str) and deed.startswith("553"):
            expected = ["ERROR"]
        return Levels(self, expected)

    def test_no_connection(self):
        with SMTPServer() as gone:
            pass
        dead = enter(self, ScriptedServer([(None, DROP)]))
        full = enter(self, ScriptedServer([(None, "554 No service")]))
        silent = enter(self, ScriptedServer([(None, STALL)]))
        plain = enter(self, SMTPServer())
        for backend in (OURS, SMTP):
            for first in [
                self.entry(gone, backend),
                self.entry(gone, backend, host="host.invalid"),
                self.entry(dead, backend),
                self.entry(full, backend),
                self.entry(silent, backend, timeout=0.2),
                # It does not offer STARTTLS.
                self.entry(plain, backend, use_tls=True),
                self.entry(plain, backend, use_ssl=True),
                self.entry(plain, backend, username="shop", password="secret"),
            ]:
                self.second.messages.clear()
                with self.subTest(first), self.over(first), Levels(self, ["WARNING"]):
                    self.assertEqual(self.outcomes("a", "b"), [MOVED, MOVED])
                    self.assertEqual(self.outcomes("c"), [MOVED])
                    with mailers["it"] as mailer:
                        self.assertEqual(mailer.send_messages([message("d")]), 1)
                    self.assertEqual(subjects(self.second), [*"abcd"])

    def test_tls_and_logins(self):
        enter(self, trusting_the_ca())
        expired = enter(self, SMTPServer(tls="starttls", certificate=certificates.expired))
        login = enter(self, SMTPServer(tls="starttls", users={"shop": "secret"}))
        options = {"use_tls": True, "username": "shop", "password": "wrong"}
        for backend in (OURS, SMTP):
            for first in [
                self.entry(expired, backend, use_tls=True),
                self.entry(login, backend, **options),
            ]:
                with self.subTest(first), self.over(first), Levels(self, ["WARNING"]):
                    self.assertEqual(self.outcomes("m"), [MOVED])
                    self.assertEqual(self.outcomes("m"), [MOVED])

    @tag("slow")
    def test_it_is_silent_after_the_content(self):
        stalling = enter(self, ScriptedServer(spoilt(".", STALL)))
        for backend in (OURS, SMTP):
            first = self.entry(stalling, backend, timeout=SHORT_TIMEOUT)
            with self.subTest(backend), self.over(first), Levels(self, ["WARNING"]):
                self.assertEqual(self.outcomes("m"), [UNKNOWN])
                self.assertEqual(self.outcomes("n"), [MOVED])

    @tag("slow")
    def test_it_ends_in_the_middle_of_a_batch(self):
        """What it has taken stays there, and the others go on as a batch."""
        for backend in (OURS, SMTP):
            sink = enter(self, Sink(pipelining=False))
            self.second.messages.clear()
            sessions = len(self.second.sessions)

            def behave(line, sink=sink):
                if line.upper().startswith(("MAIL", "EHLO")) and len(sink.accepted) == 2:
                    return "421 Enough"
                return None

            sink.behave = behave
            with self.subTest(backend), self.over(self.entry(sink, backend)):
                self.assertEqual(self.outcomes(*"abcde"), [*[("sent", "first")] * 2, *[MOVED] * 3])
                self.assertEqual((subjects(sink), subjects(self.second)), ([*"ab"], [*"cde"]))
                self.assertLessEqual(len(self.second.sessions) - sessions, 1)

    def test_a_batch_keeps_its_pipeline(self):
        sink = enter(self, Sink())
        with self.over(self.entry(sink)):
            self.outcomes(*"abc")
        # MAIL, RCPT and DATA of a message come together, with the end of the one before.
        self.assertEqual(len(sink.connections), 1)
        self.assertIn(["MAIL", "RCPT", "DATA"], sink.connections[0].reads)

    def test_it_comes_back(self):
        sink = enter(self, Sink())
        sink.behave = lambda line: "421 Too busy"
        with moved_by_hand() as clock, self.over(self.entry(sink)):
            self.assertEqual(self.outcomes("a"), [MOVED])
            clock.advance(60)
            self.assertEqual(self.outcomes(*"bc"), [MOVED, MOVED])
            self.assertEqual(len(sink.connections), 2)
            sink.behave = None
            clock.advance(120)
            self.assertEqual(self.outcomes(*"def"), [("sent", "first")] * 3)
            self.assertEqual(subjects(sink), [*"def"])


class Levels:
    """A context in which the log of failover gets records of these levels, and no other."""

    def __init__(self, test, expected):
        self.test, self.expected = test, expected
        self.context = test.assertLogs("django_mailers.failover", "DEBUG")

    def __enter__(self):
        self.logs = self.context.__enter__()

    def __exit__(self, kind, error, traceback):
        if error is not None:
            self.context.__exit__(kind, error, traceback)
            return
        levels = [record.levelname for record in self.logs.records]
        # assertLogs() wants at least one.
        self.logs.records or self.context.logger.debug("")
        self.context.__exit__(None, None, None)
        self.test.assertEqual(levels, self.expected)


# What a Remote executes first, and then.
SET_UP = """
    import logging, threading
    configure(CACHES={caches}, MAILERS={mailers})
    from django.core.mail import EmailMessage
    from django_mailers import send_many
    from django_mailers.backends._failover import health
    from tests.support.providers import moved_by_hand
    moved = moved_by_hand()
    clock = moved.__enter__()
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append([record.levelname, record.getMessage()])
    logging.getLogger("django_mailers.failover").addHandler(handler)
    logging.getLogger("django_mailers.failover").setLevel("INFO")
    def send(subject="m"):
        email = EmailMessage(subject, "Text", "ada@example.com", ["bob@example.com"])
        [result] = send_many([email], using="it")
        return result.via
    def storm(count):
        taken = []
        threads = [threading.Thread(target=lambda: taken.append(send())) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(map(str, taken))
"""
SEND = "result = send()"
RECORDS = "result = records[:]; records.clear()"


@tag("slow")
class ProcessesTests(ServersTestCase):
    """Two processes, and a real Redis."""

    def setUp(self):
        super().setUp()
        self.redis = enter(self, Redis())
        self.first = enter(self, Sink())
        self.first.behave = lambda line: "421 Too busy" if line.lower().startswith("ehlo") else None
        with self.over(self.entry(self.first, timeout=3, pool_size=20), cache="default"):
            self.mailers = settings.MAILERS
        self.one, self.other = (self.remote() for _ in range(2))

    def remote(self, **options):
        remote = enter(self, Remote(**options))
        remote.run(SET_UP.format(caches=self.redis.caches, mailers=self.mailers))
        return remote

    def wait(self, *remotes):
        """Let a minute go by for these processes, though not for Redis."""
        for remote in remotes:
            remote.run("clock.advance(60)")

    @property
    def tries(self):
        """How often anybody has connected to the first server."""
        return len(self.first.connections)

    def test_they_share_what_rests(self):
        self.assertEqual(self.one.run(SEND), "second")
        self.assertEqual(self.other.run(SEND), "second")
        self.assertEqual(self.tries, 1)
        self.first.behave = None
        self.wait(self.one, self.other)
        self.assertEqual(self.other.run(SEND), "first")
        self.assertEqual(self.one.run(SEND), "first")
        self.assertEqual(
            self.one.run(RECORDS),
            [["WARNING", "MAILERS['it']: 'first' rests for 60 s after a fault: network."]],
        )
        self.assertEqual(self.other.run(RECORDS), [["INFO", "MAILERS['it']: 'first' works again."]])

    def storm(self, remotes):
        """Let all threads of these processes send when the mailer is half open."""
        self.assertEqual(remotes[0].run(SEND), "second")
        self.assertEqual(
            [remote.run(SEND) for remote in remotes[1:]], ["second"] * len(remotes[1:])
        )
        self.assertEqual(self.tries, 1)
        self.first.behave = lambda line: STALL if line.lower().startswith("ehlo") else None
        self.wait(*remotes)
        for remote in remotes:
            remote.start("result = storm(20)")
        taken = [remote.finish() for remote in remotes]
        # The one that tries has waited for its timeout, and the others have not waited for it.
        self.assertEqual(taken, [["second"] * 20] * len(remotes))
        self.assertEqual(self.tries, 2)
        records = sorted(record for remote in remotes for record in remote.run(RECORDS))
        self.assertEqual(
            records,
            [
                ["WARNING", "MAILERS['it']: 'first' rests for 120 s after a fault: network."],
                ["WARNING", "MAILERS['it']: 'first' rests for 60 s after a fault: network."],
            ],
        )

    def test_one_of_all_threads_tries(self):
        self.storm([self.one, self.other])

    def test_greenlets(self):
        if importlib.util.find_spec("gevent") is None:
            self.skipTest("gevent is not installed.")
        self.storm([self.remote(with_gevent=True), self.one])

    def test_one_that_is_killed_while_it_tries(self):  # (H43)
        # Only here: with others in the way, the one that tries may take longer than its timeout.
        self.one.run("health.GRACE = 0")
        self.one.run(SEND)
        self.first.behave = lambda line: STALL if line.lower().startswith("ehlo") else None
        self.wait(self.one, self.other)
        self.one.start(SEND)
        wait_until(lambda: self.tries == 2)
        self.one.process.send_signal(signal.SIGKILL)
        self.assertEqual(self.other.run(SEND), "second")
        self.first.behave = None
        # After its timeout, and half a minute that this test does not have, another one tries.
        wait_until(lambda: self.other.run(SEND) == "first")
        self.assertEqual(self.tries, 3)

    def test_redis_goes_away(self):
        self.assertEqual(self.one.run(SEND), "second")
        self.redis.stop()
        try:
            self.assertEqual(self.one.run(SEND), "second")
            # It had not asked before, and finds out by itself.
            self.assertEqual(self.other.run(SEND), "second")
            self.assertEqual(self.other.run(SEND), "second")
        finally:
            self.redis.start()
        self.assertEqual(self.tries, 2)
        failed = [
            "WARNING",
            "The cache 'default' failed (ConnectionError). For the next 60 seconds this process "
            "does not share which mailers rest.",
        ]
        rests = ["WARNING", "MAILERS['it']: 'first' rests for 60 s after a fault: network."]
        self.assertEqual(self.one.run(RECORDS), [rests, failed])
        self.assertEqual(self.other.run(RECORDS), [failed, rests])
