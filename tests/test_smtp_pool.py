"""The pool: what it keeps and for how long, how threads share it, and what a fork leaves of it."""

from __future__ import annotations

import os
import smtplib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from django.test import SimpleTestCase

from django_mailers.smtp import (
    Envelope,
    Pool,
    PoolOptions,
    PoolTimeout,
    Server,
    close_pools,
    shared_pool,
)

from .processes import run_python
from .servers import DROP, HOST, TIMEOUT, certificates, enter, server_context
from .smtp_sink import Sink

ADA, BOB = "ada@example.com", "bob@example.com"
MESSAGE = ["MAIL", "RCPT", "BDAT"]
STATE = ["idle", "busy", "waiting"]
COUNTS = ["opened", "reused", "replaced", "closed", "broken", "waits", "timeouts", "failures"]
ZERO = dict.fromkeys([*STATE, *COUNTS, "messages"], 0)


def envelope(content=b"Hello\r\n"):
    return Envelope(ADA, [BOB], content)


class PoolTestCase(SimpleTestCase):
    def setUp(self):
        self.sink = enter(self, Sink())

    def pool(self, **options):
        server = Server(self.sink.host, self.sink.port, timeout=TIMEOUT)
        pool = Pool(server, PoolOptions(**options))
        self.addCleanup(pool.close)
        return pool

    def send(self, pool):
        self.assertEqual(pool.send_one(envelope()).status, "sent")

    def assertStats(self, pool, **stats):
        self.assertEqual(pool.stats(), {"size": 4, **ZERO, **stats})


class KeepingTests(PoolTestCase):
    def test_it_is_opened_lazily(self):
        pool = self.pool()
        self.assertEqual(self.sink.connections, [])
        self.assertStats(pool)

    def test_a_session_is_used_again(self):
        pool = self.pool()
        for _ in range(3):
            self.send(pool)
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE * 3]])
        self.assertStats(pool, idle=1, opened=1, reused=2, messages=3)

    def test_repr(self):
        pool = self.pool()
        self.send(pool)
        with pool.session():
            self.assertEqual(
                repr(pool), f"<Pool {HOST}:{self.sink.port} size=4 idle=0 busy=1 waiting=0>"
            )

    def test_close(self):
        pool = self.pool()
        self.send(pool)
        with pool.session() as session:
            pool.close()
            self.assertEqual(session.send_one(envelope()).status, "sent")
        # It was busy when the pool was closed.
        self.assertStats(pool, opened=1, reused=1, closed=1, messages=1)
        self.send(pool)
        pool.close()
        self.assertEqual(
            self.sink.commands, [["EHLO", *MESSAGE * 2, "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )

    def test_max_messages(self):
        pool = self.pool(max_messages=2)
        results = pool.deliver([envelope() for _ in range(5)])
        self.assertEqual([result.status for result in results], ["sent"] * 5)
        self.assertEqual([commands.count("MAIL") for commands in self.sink.commands], [2, 2, 1])
        self.send(pool)
        self.assertEqual([commands.count("MAIL") for commands in self.sink.commands], [2, 2, 2])
        self.assertStats(pool, opened=3, reused=1, closed=3, messages=6)

    def test_max_age(self):
        pool = self.pool(max_age=0)
        self.send(pool)
        self.assertStats(pool, opened=1, closed=1, messages=1)
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "QUIT"]])

    def test_max_idle(self):
        pool = self.pool(max_idle=0)
        self.send(pool)
        self.send(pool)
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "QUIT"], ["EHLO", *MESSAGE]])
        self.assertStats(pool, idle=1, opened=2, closed=1, messages=2)

    def test_check_after(self):
        pool = self.pool(check_after=0)
        self.send(pool)
        self.send(pool)
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "NOOP", *MESSAGE]])

    def test_a_session_that_fails_the_check_is_left(self):
        for answer in ["421 Bye", "500 What?", DROP]:
            with self.subTest(answer=answer):
                del self.sink.connections[:]
                pool = self.pool(check_after=0)
                self.send(pool)
                self.sink.behave = lambda line, answer=answer: answer if line == "noop" else None
                self.send(pool)
                self.assertEqual(
                    [commands[:5] for commands in self.sink.commands],
                    [["EHLO", *MESSAGE, "NOOP"], ["EHLO", *MESSAGE]],
                )

    def test_no_pool(self):
        pool = self.pool(pool_size=0)
        with pool.session() as one, pool.session() as other:
            self.assertIsNot(one, other)
            self.send(pool)
        self.assertEqual(
            self.sink.commands, [["EHLO", "QUIT"], ["EHLO", "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )
        self.assertStats(pool, size=0, opened=3, closed=3, messages=1)

    def test_a_failing_block_ends_its_session(self):
        pool = self.pool()
        with self.assertRaises(KeyError), pool.session() as session:
            session.putcmd("NOOP")
            raise KeyError
        self.assertStats(pool, opened=1, broken=1)

    def test_it_can_be_given_back_twice(self):
        pool = self.pool()
        session = pool.acquire()
        pool.release(session)
        pool.release(session)
        self.assertTrue(session.is_open)
        self.assertStats(pool, idle=1, opened=1)

    def test_wrong_options(self):
        for options, text in [
            ({"pool_size": -1}, "'pool_size' must be 0 or more, not -1"),
            ({"max_messages": 0}, "'max_messages' must be 1 or more, not 0"),
        ]:
            with self.subTest(options=options), self.assertRaisesMessage(ValueError, text):
                PoolOptions(**options)


class ReplacingTests(PoolTestCase):
    """Sessions that turn out to be dead."""

    def end_on(self, verb, answer, times=1):
        """Let the sink do `answer` at the next `times` commands that begin with `verb`."""
        left = iter(range(times))

        def behave(line):
            return answer if line.startswith(verb) and next(left, None) is not None else None

        self.sink.behave = behave

    def test_a_kept_session_that_dies_before_the_message_is_replaced(self):
        pool = self.pool()
        for verb, answer in [("MAIL", "421 Too late"), ("RCPT", "421 Too late")]:
            with self.subTest(verb=verb):
                self.send(pool)
                self.end_on(verb, answer)
                self.send(pool)
        self.assertEqual(pool.stats()["replaced"], 2)
        self.assertEqual(len(self.sink.accepted), 4)

    def test_a_kept_session_that_was_closed_is_not_used(self):
        pool = self.pool()
        with pool.session() as one, pool.session() as other:
            kept = [one, other]
        # What a server does that has waited long enough: it speaks, or it closes.
        protocols = list(self.sink.protocols)
        self.sink.run(lambda: protocols[0].transport.write(b"421 Idle\r\n"))
        self.sink.run(protocols[1].transport.abort)
        for session in kept:
            self.assertEqual(len(session.sock.recv(1, 2)), int(session is one))  # 2: MSG_PEEK
        self.send(pool)
        self.assertStats(pool, idle=1, opened=3, reused=2, broken=2, messages=1)

    def test_it_is_replaced_once(self):
        pool = self.pool()
        self.send(pool)
        self.end_on("MAIL", "421 Go away", times=5)
        results = pool.deliver([envelope(), envelope()])
        self.assertEqual([result.status for result in results], ["failed", "skipped"])
        self.assertEqual(
            repr(results[0].error), repr(smtplib.SMTPSenderRefused(421, b"Go away", ADA))
        )
        self.assertStats(pool, opened=2, reused=1, replaced=1, broken=2, messages=3)

    def test_a_new_session_is_not_replaced(self):
        pool = self.pool()
        self.end_on("MAIL", "421 Go away")
        self.assertEqual(pool.send_one(envelope()).status, "failed")
        self.assertStats(pool, opened=1, broken=1, messages=1)

    def test_what_was_handed_over_is_not_sent_again(self):
        pool = self.pool()
        self.send(pool)
        self.end_on("BDAT", DROP)
        result = pool.send_one(envelope())
        self.assertEqual(result.status, "unknown")
        self.assertIsInstance(result.error, OSError)
        self.assertEqual(len(self.sink.accepted), 1)
        self.assertStats(pool, opened=1, reused=1, broken=1, messages=2)

    def test_the_next_session_goes_on(self):
        self.sink.chunking = False
        self.sink.features.remove("CHUNKING")
        pool = self.pool()
        count = iter(range(5))
        self.sink.behave = lambda line: DROP if line == "." and next(count) == 2 else None
        results = pool.deliver([envelope(b"%d\r\n" % number) for number in range(5)])
        # With the end of the third, the commands of the fourth were written.
        self.assertEqual(
            [result.status for result in results], ["sent", "sent", "unknown", "failed", "sent"]
        )
        self.assertEqual([m.content for m in self.sink.accepted], [b"0\r\n", b"1\r\n", b"4\r\n"])

    def test_a_server_that_cannot_be_reached(self):
        pool = Pool(Server(HOST, self.sink.port, security="starttls"))
        results = pool.deliver([envelope(), envelope()])
        self.assertEqual([result.status for result in results], ["failed", "skipped"])
        self.assertEqual(
            [repr(result.error) for result in results],
            [repr(smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."))]
            * 2,
        )
        self.assertStats(pool, failures=1)


class ThreadTests(PoolTestCase):
    def test_no_more_sessions_than_pool_size(self):
        pool = self.pool(pool_size=2)
        with ThreadPoolExecutor(8) as executor:
            results = list(executor.map(pool.send_one, [envelope() for _ in range(100)]))
        self.assertEqual([result.status for result in results], ["sent"] * 100)
        self.assertEqual(len(self.sink.accepted), 100)
        self.assertLessEqual(len(self.sink.connections), 2)
        stats = pool.stats()
        self.assertEqual((stats["busy"], stats["waiting"], stats["messages"]), (0, 0, 100))

    def test_acquire_timeout(self):
        pool = self.pool(pool_size=1, acquire_timeout=0)
        text = "No SMTP session became free in 0 seconds."
        with pool.session():
            with self.assertRaisesMessage(PoolTimeout, text):
                pool.acquire()
            with self.assertRaisesMessage(PoolTimeout, text):
                pool.deliver([envelope()])
        self.send(pool)
        self.assertStats(pool, size=1, idle=1, opened=1, reused=1, waits=2, timeouts=2, messages=1)

    def test_threads_wait_in_turn(self):
        pool = self.pool(pool_size=1)
        order = []

        def use(number):
            with pool.session():
                order.append(number)

        threads = []
        with pool.session():
            for number in range(5):
                threads.append(threading.Thread(target=use, args=[number]))
                threads[-1].start()
                deadline = time.monotonic() + TIMEOUT
                while pool.stats()["waiting"] <= number and time.monotonic() < deadline:
                    os.sched_yield()
        for thread in threads:
            thread.join(TIMEOUT)
        self.assertEqual(order, [0, 1, 2, 3, 4])

    def test_a_slot_is_free_again_after_a_failure(self):
        pool = self.pool(pool_size=1, acquire_timeout=0)
        self.sink.behave = lambda line: DROP if line.startswith("ehlo") else None
        for _ in range(3):
            with self.assertRaises(smtplib.SMTPServerDisconnected):
                pool.acquire()
        self.sink.behave = None
        self.send(pool)
        self.assertStats(pool, size=1, idle=1, opened=1, failures=3, messages=1)

    def test_connecting_does_not_hold_the_lock(self):
        pool = self.pool()
        seen = []
        # The sink's thread looks while this one waits for its reply.
        self.sink.behave = lambda line: seen.append(pool.stats()["busy"])
        with pool.session():
            pass
        self.assertEqual(seen, [1])


class SharedPoolTests(PoolTestCase):
    def test_one_for_equal_settings(self):
        self.addCleanup(close_pools)
        server = Server(HOST, self.sink.port, username="", timeout=TIMEOUT)
        pool = shared_pool(server)
        same = Server(HOST, self.sink.port, username="", timeout=TIMEOUT)
        self.assertIs(shared_pool(same, PoolOptions()), pool)
        self.assertIsNot(shared_pool(server, PoolOptions(pool_size=2)), pool)
        self.assertIsNot(shared_pool(Server(HOST, self.sink.port, timeout=1)), pool)
        self.send(pool)
        close_pools()
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "QUIT"]])
        self.assertIsNot(shared_pool(server), pool)

    def test_they_are_closed_at_exit(self):
        process = run_python(f"""
            from django_mailers.smtp import *
            pool = shared_pool(Server({HOST!r}, {self.sink.port}))
            print(pool.send_one(Envelope({ADA!r}, [{BOB!r}], b"Hello")).status)
        """)
        self.assertEqual((process.stdout, process.stderr), ("sent\n", ""))
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "QUIT"]])


class ForkTests(SimpleTestCase):
    """gunicorn's pre-fork pattern: the pool is warm in the parent."""

    def test_fork(self):
        # In a process of its own: this one has threads.
        ca_file = enter(self, certificates.ca.cert_pem.tempfile())
        sink = enter(self, Sink(tls_context=server_context()))
        for security in ["starttls", None]:
            with self.subTest(security=security):
                del sink.connections[:], sink.accepted[:]
                process = run_python(f"""
                    import os, sys
                    from django_mailers.smtp import *

                    server = Server({HOST!r}, {sink.port}, security={security!r},
                                    tls=TLSConfig(ca_file={ca_file!r}), timeout={TIMEOUT})
                    pool = shared_pool(server)

                    def send(text):
                        message = Envelope({ADA!r}, [{BOB!r}], text)
                        print(text.decode(), pool.send_one(message).status, flush=True)

                    send(b"parent before")
                    with pool.session() as pinned:
                        child = os.fork()
                        if not child:
                            print(pinned.is_open, pool.stats()["busy"], flush=True)
                            send(b"child 1")
                            send(b"child 2")
                    if not child:
                        print(pool, flush=True)
                        sys.exit()
                    print(os.waitpid(child, 0)[1], pinned.is_open, flush=True)
                    send(b"parent after")
                    print(pool.stats()["opened"], flush=True)
                """)
                self.assertEqual(process.stderr, "")
                self.assertEqual(
                    process.stdout.splitlines(),
                    [
                        "parent before sent",
                        "False 0",
                        "child 1 sent",
                        "child 2 sent",
                        f"<Pool {HOST}:{sink.port} size=4 idle=1 busy=0 waiting=0>",
                        "0 True",
                        "parent after sent",
                        "1",
                    ],
                )
                start = ["EHLO", "STARTTLS", "EHLO"] if security else ["EHLO"]
                self.assertEqual(sink.commands, [[*start, *MESSAGE * 2, "QUIT"]] * 2)
                self.assertEqual(
                    [message.content for message in sink.accepted],
                    [b"parent before\r\n", b"child 1\r\n", b"child 2\r\n", b"parent after\r\n"],
                )
