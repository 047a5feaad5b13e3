"""Sessions that are leased, used in parallel, shared and inherited."""

import os
import smtplib
import threading
import time
from unittest import mock, skipUnless

from django.test import SimpleTestCase, tag

from django_mailers.smtp import (
    Envelope,
    Lease,
    PoolOptions,
    PoolTimeout,
    Server,
    close_pools,
    deliver,
    shared_pool,
)
from django_mailers.smtp import batches as batches_module

from .support.messages import ADA, BOB
from .support.pooling import PoolTestCase
from .support.processes import run_python
from .support.servers import HOST, STALL, TIMEOUT, certificates, enter, server_context
from .support.sink import DROP_REPLY, Interrupt, Sink, interrupts
from .support.smtp import MESSAGE, envelope, wait_until


class LeaseTests(PoolTestCase):
    def statuses(self, lease, number=1):
        return [result.status for result in lease.deliver([envelope()] * number)]

    def test_the_session_is_kept_between_deliveries(self):
        pool = self.pool()
        with Lease(pool) as lease:
            self.assertIsNone(lease.session)
            self.assertStats(pool)
            self.assertEqual(self.statuses(lease, 2), ["sent", "sent"])
            session = lease.session
            self.assertStats(pool, busy=1, opened=1, messages=2)
            # Another message takes another session.
            self.send(pool)
            self.assertEqual(self.statuses(lease), ["sent"])
            self.assertIs(lease.session, session)
            self.assertEqual(
                repr(lease),
                f"<Lease of <Pool {HOST}:{self.sink.port} size=4 idle=1 busy=1 waiting=0>: "
                "<Session open messages=3>>",
            )
        self.assertIsNone(lease.session)
        self.assertTrue(session.is_open)
        self.assertStats(pool, idle=2, opened=2, messages=4)
        self.assertEqual(self.sink.commands[0].count("EHLO"), 1)

    def test_open_says_whether_the_session_is_new(self):
        pool = self.pool()
        with Lease(pool) as lease:
            session, is_new = lease.open()
            self.assertIs(is_new, True)
            self.assertEqual(lease.open(), (session, False))
        with Lease(pool) as lease:
            self.assertEqual(lease.open(), (session, False))
        self.assertStats(pool, idle=1, opened=1, reused=1)

    def test_it_can_be_used_again_after_close(self):
        pool = self.pool()
        lease = Lease(pool)
        for _ in range(2):
            self.assertEqual(self.statuses(lease), ["sent"])
            lease.close()
            lease.close()
        self.assertStats(pool, idle=1, opened=1, reused=1, messages=2)

    def test_a_dead_session_is_replaced(self):
        # What a server does that has waited long enough, whole or in part.
        for last_words in [b"", b"421 Idle\r\n", b"4"]:
            with self.subTest(last_words=last_words):
                pool = self.pool()
                with Lease(pool) as lease:
                    self.assertEqual(self.statuses(lease), ["sent"])
                    session = lease.session
                    transport = self.sink.protocols[-1].transport
                    if last_words:
                        self.sink.run(lambda: transport.write(last_words))  # noqa: B023
                    else:
                        self.sink.run(transport.abort)
                    self.assertEqual(len(session.sock.recv(1, 2)), len(last_words[:1]))  # MSG_PEEK
                    self.assertEqual(self.statuses(lease), ["sent"])
                    self.assertIsNot(lease.session, session)
                    self.assertFalse(session.is_open)
                    self.assertEqual(lease.session.sock.gettimeout(), TIMEOUT)
                self.assertEqual(pool.stats()["opened"], 2)

    def test_a_session_that_dies_before_the_message_is_replaced(self):
        pool = self.pool()
        with Lease(pool) as lease:
            self.assertEqual(self.statuses(lease), ["sent"])
            count = iter([0])
            self.sink.behave = lambda line: (
                "421 Late" if line.startswith("MAIL") and next(count, None) == 0 else None
            )
            self.assertEqual(self.statuses(lease, 3), ["sent"] * 3)
        self.assertStats(pool, idle=1, opened=2, replaced=1, broken=1, messages=4)

    def test_max_messages(self):
        pool = self.pool(max_messages=3)
        with Lease(pool) as lease:
            for _ in range(4):
                self.assertEqual(self.statuses(lease, 2), ["sent", "sent"])
        self.assertEqual([commands.count("MAIL") for commands in self.sink.commands], [3, 3, 2])
        self.assertStats(pool, idle=1, opened=3, closed=2, messages=8)

    def test_a_session_in_the_middle_of_a_message(self):
        # A pinned session can be reached by its owner, who has begun something there.
        for number, steps in enumerate(
            [
                lambda session: session.mail("eve@example.com"),
                lambda session: (session.mail("eve@example.com"), session.rcpt("eve@example.com")),
            ]
        ):
            with self.subTest(number=number), Lease(self.pool()) as lease:
                steps(lease.open()[0])
                self.assertEqual(self.statuses(lease), ["sent"])
                accepted = self.sink.accepted.pop()
                self.assertEqual((accepted.mail_from, accepted.recipients), (ADA, [BOB]))

    def test_an_interrupt_gives_the_session_up(self):
        pool = self.pool()
        with interrupts() as interrupt, Lease(pool) as lease:
            session, _ = lease.open()
            self.sink.behave = lambda line: interrupt() or STALL if "RCPT" in line else None
            with self.assertRaises(Interrupt):
                lease.deliver([envelope()])
            self.assertIsNone(lease.session)
            self.assertFalse(session.is_open)
            self.assertStats(pool, opened=1, broken=1)
            self.sink.behave = None
            self.assertEqual(self.statuses(lease), ["sent"])

    def test_no_session_to_be_had(self):
        pool = self.pool(pool_size=1, acquire_timeout=0)
        with self.held(pool), Lease(pool) as lease:
            self.assertEqual(self.statuses(lease, 2), ["untried", "untried"])
            self.assertIsNone(lease.session)
            with self.assertRaises(PoolTimeout):
                lease.open()
        self.assertStats(pool, size=1, idle=1, opened=1, waits=2, timeouts=2)


class ParallelTests(PoolTestCase):
    def meet(self, number):
        """Give an `authenticate` that needs `number` sessions to be opened at the same time."""
        barrier = threading.Barrier(number, timeout=TIMEOUT)
        return lambda session: barrier.wait(TIMEOUT)

    def deliver(self, pool, number, parallel):
        """Deliver messages, the fourth of which is refused; check the results."""
        self.sink.behave = lambda line: "550 No" if line == "RCPT TO:<3@example.com>" else None
        results = deliver(
            pool,
            [Envelope(ADA, [f"{n}@example.com"], b"%d" % n) for n in range(number)],
            parallel=parallel,
        )
        expected = [("sent", [f"{n}@example.com"]) for n in range(number)]
        expected[3] = ("refused", ["3@example.com"])
        self.assertEqual([(result.status, [*result.recipients]) for result in results], expected)
        arrived = sorted(int(message.content) for message in self.sink.accepted)
        self.assertEqual(arrived, [n for n in range(number) if n != 3])

    def load(self, full):
        """Let the load of this process, which is that of the tests, be full or not."""
        limit = 0 if full else float("inf")
        enter(self, mock.patch.object(batches_module, "FULL_LOAD", limit))

    def test_helpers_stop_when_they_are_of_no_help(self):
        self.load(full=True)
        pool = self.pool(self.meet(3), max_messages=1000)
        self.deliver(pool, 90, parallel=3)
        self.assertEqual(
            sorted(commands.count("MAIL") for commands in self.sink.commands),
            [batches_module.TRIAL, batches_module.TRIAL, 90 - 2 * batches_module.TRIAL],
        )
        self.assertStats(pool, idle=3, opened=3, messages=90)

    def test_helpers_that_stop_without_a_session_for_the_others(self):
        self.load(full=True)
        self.sink.max_sessions = 0
        results = deliver(self.pool(), [envelope()] * 40, parallel=2)
        error = smtplib.SMTPConnectError(421, b"Too many sessions")
        self.assertEqual({(r.status, repr(r.error)) for r in results}, {("untried", repr(error))})

    def test_load(self):
        for wall, cpu, expected in [(1, 0.9, True), (1, 0.5, False), (0.01, 0.009, True)]:
            with (
                self.subTest(wall=wall, cpu=cpu),
                mock.patch.object(time, "perf_counter", side_effect=[5, 5 + wall]),
                mock.patch.object(time, "process_time", side_effect=[3, 3 + cpu]),
                mock.patch.object(batches_module, "cores", return_value=2),
            ):
                self.assertIs(batches_module.Load().is_cpu_bound(), expected)

    def test_load_on_one_core(self):
        # Each wait for the server is used by another thread there, however short it is.
        with mock.patch.object(batches_module, "cores", return_value=1):
            self.assertIs(batches_module.Load().is_cpu_bound(), False)

    @skipUnless(hasattr(os, "sched_setaffinity"), "Only Linux binds processes to cores.")
    def test_cores(self):
        process = run_python("""
            import os
            from django_mailers.smtp.batches import cores

            print(cores() == len(os.sched_getaffinity(0)))
            os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
            print(cores())
        """)
        self.assertEqual((process.stdout, process.stderr), ("True\n1\n", ""))

    def test_as_many_sessions_as_asked_for(self):
        self.load(full=False)
        pool = self.pool(self.meet(3), max_messages=1000)
        self.deliver(pool, 50, parallel=3)
        # The longer shares come first.
        self.assertEqual(
            sorted(commands.count("MAIL") for commands in self.sink.commands), [16, 17, 17]
        )
        self.assertStats(pool, idle=3, opened=3, messages=50)

    def test_no_more_than_pool_size(self):
        pool = self.pool(self.meet(2), pool_size=2)
        self.deliver(pool, 20, parallel=8)
        self.assertStats(pool, size=2, idle=2, opened=2, messages=20)

    def test_no_more_than_messages(self):
        pool = self.pool(self.meet(4), pool_size=8)
        self.deliver(pool, 4, parallel=8)
        self.assertStats(pool, size=8, idle=4, opened=4, messages=4)

    def test_without_a_pool(self):
        pool = self.pool(self.meet(5), pool_size=0)
        self.deliver(pool, 20, parallel=5)
        self.assertStats(pool, size=0, opened=5, closed=5, messages=20)

    def test_nothing(self):
        pool = self.pool()
        self.assertEqual(deliver(pool, [], parallel=4), [])
        self.assertStats(pool)

    def test_sessions_that_others_use(self):
        self.load(full=False)
        pool = self.pool(pool_size=2, acquire_timeout=None)
        with self.held(pool):
            # One of two gets the session that is left. The helper would wait for another for ever.
            self.deliver(pool, 20, parallel=2)
            stats = pool.stats()
            self.assertEqual((stats["opened"], stats["idle"], stats["busy"]), (2, 1, 1))

    def test_a_server_that_takes_fewer_sessions(self):
        self.sink.max_sessions = 2
        # The two that are let in wait until the others were not.
        pool = self.pool(lambda session: wait_until(lambda: pool.stats()["failures"] >= 2))
        self.deliver(pool, 40, parallel=4)
        stats = pool.stats()
        self.assertEqual((stats["opened"], stats["failures"], stats["messages"]), (2, 2, 40))

    def test_a_server_that_takes_none(self):
        self.sink.max_sessions = 0
        pool = self.pool()
        results = deliver(pool, [envelope()] * 8, parallel=4)
        error = smtplib.SMTPConnectError(421, b"Too many sessions")
        self.assertEqual(
            [(result.status, repr(result.error)) for result in results],
            [("untried", repr(error))] * 8,
        )
        self.assertStats(pool, failures=4, waits=pool.stats()["waits"])

    def test_what_was_begun_is_not_sent_again(self):
        self.sink.behave = lambda line: DROP_REPLY if line == "." else None
        pool = self.pool(self.meet(4))
        results = deliver(pool, [envelope(b"%d" % n) for n in range(4)], parallel=4)
        self.assertEqual([result.status for result in results], ["unknown"] * 4)
        self.assertEqual(
            sorted(message.content for message in self.sink.accepted),
            [b"0\r\n", b"1\r\n", b"2\r\n", b"3\r\n"],
        )


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
            from tests.support.pools import send_one

            pool = shared_pool(Server({HOST!r}, {self.sink.port}))
            print(send_one(pool, Envelope({ADA!r}, [{BOB!r}], b"Hello")).status)
        """)
        self.assertEqual((process.stdout, process.stderr), ("sent\n", ""))
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "QUIT"]])


@tag("slow")
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
                    from tests.support.pools import borrowed, send_one

                    server = Server({HOST!r}, {sink.port}, security={security!r},
                                    tls=TLSConfig(ca_file={ca_file!r}), timeout={TIMEOUT})
                    pool = shared_pool(server)

                    def send(text):
                        message = Envelope({ADA!r}, [{BOB!r}], text)
                        print(text.decode(), send_one(pool, message).status, flush=True)

                    send(b"parent before")
                    with borrowed(pool) as pinned:
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

    def test_fork_with_a_lease(self):
        sink = enter(self, Sink())
        process = run_python(f"""
            import os, sys
            from django_mailers.smtp import *

            pool = shared_pool(Server({HOST!r}, {sink.port}, timeout={TIMEOUT}))
            lease = Lease(pool)

            def send(text):
                (result,) = lease.deliver([Envelope({ADA!r}, [{BOB!r}], text)])
                print(text.decode(), result.status, flush=True)

            send(b"parent before")
            child = os.fork()
            if not child:
                print(lease.session, pool.stats()["busy"], flush=True)
                send(b"child")
                lease.close()
                print(pool, flush=True)
                sys.exit()
            print(os.waitpid(child, 0)[1], flush=True)
            send(b"parent after")
            lease.close()
        """)
        self.assertEqual(process.stderr, "")
        self.assertEqual(
            process.stdout.splitlines(),
            [
                "parent before sent",
                "<Session closed messages=1> 0",
                "child sent",
                f"<Pool {HOST}:{sink.port} size=4 idle=1 busy=0 waiting=0>",
                "0",
                "parent after sent",
            ],
        )
        self.assertEqual(
            sink.commands, [["EHLO", *MESSAGE * 2, "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )
