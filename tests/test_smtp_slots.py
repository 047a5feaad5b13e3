"""No slot of a pool is lost, whatever interrupts its user, and whoever forgets to give it back."""

import gc
import importlib.util
import smtplib
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from unittest import SkipTest, mock

from django.core.mail import EmailMessage, mailers, send_mail
from django.test import SimpleTestCase, override_settings, tag

from django_mailers.smtp import Pool, PoolOptions, PoolTimeout, Server, close_pools, deliver
from django_mailers.smtp import pool as pool_module
from django_mailers.smtp import slots as slots_module
from django_mailers.smtp import stock as stock_module

from .support.messages import ADA, BOB
from .support.pools import borrowed, send_one
from .support.processes import run_command
from .support.servers import DROP, HOST, STALL, TIMEOUT, enter
from .support.sink import Interrupt, Sink, at, interrupts
from .support.smtp import MESSAGE, Limit, envelope, wait_until


class SlotsTestCase(SimpleTestCase):
    def setUp(self):
        self.sink = enter(self, Sink())

    def pool(self, **options):
        server = Server(self.sink.host, self.sink.port, timeout=TIMEOUT)
        pool = Pool(server, PoolOptions(**options))
        self.addCleanup(pool.close)
        return pool

    def stats(self, pool, *names):
        stats = pool.stats()
        return [stats[name] for name in names]

    @contextmanager
    def held(self, pool):
        """Let another thread hold a session for the block; give a function that returns it."""
        with ThreadPoolExecutor(1) as executor:
            session, _ = executor.submit(pool.acquire).result(TIMEOUT)
            try:
                yield lambda: pool.release(session)
            finally:
                pool.release(session)


class InterruptTests(SlotsTestCase):
    """A signal handler raises, twice as often as there are slots."""

    kinds = (Interrupt, Limit, TimeoutError)

    def interrupted(self, pool, verb):
        """Take sessions, interrupted where the server gets `verb`; check what is left then."""
        self.assertEqual(send_one(pool, envelope()).status, "sent")
        for kind in self.kinds:
            for _ in range(4):
                with self.subTest(kind=kind), interrupts(kind) as interrupt:
                    self.sink.behave = lambda line: (
                        interrupt() or STALL if line.lower().startswith(verb) else None
                    )
                    with self.assertRaises(kind), borrowed(pool) as session:
                        session.noop()
                        # If the verb is one that nobody waits for.
                        time.sleep(TIMEOUT)
                    self.sink.behave = None
                self.assertEqual(self.stats(pool, "busy", "waiting"), [0, 0])
                self.assertEqual(send_one(pool, envelope()).status, "sent")

    def test_noop(self):
        self.interrupted(self.pool(pool_size=2, check_after=0), "noop")

    def test_ehlo(self):
        self.interrupted(self.pool(pool_size=2, max_messages=1), "ehlo")

    def test_quit_of_an_expired_session(self):
        # What comes next is not what it is about; and sockets that Python has begun to make cannot
        # be closed by us.
        connect = Server.connect
        enter(
            self,
            mock.patch.object(Server, "connect", lambda self: time.sleep(0.05) or connect(self)),
        )
        self.interrupted(self.pool(pool_size=2, max_idle=0), "quit")

    def test_quit_of_a_session_that_has_done_enough(self):
        pool = self.pool(pool_size=1, max_messages=1)
        for kind in self.kinds:
            with self.subTest(kind=kind), interrupts(kind) as interrupt:
                self.sink.behave = lambda line: interrupt() or STALL if line == "quit" else None
                with self.assertRaises(kind):
                    send_one(pool, envelope())
                self.sink.behave = None
            self.assertEqual(self.stats(pool, "busy", "waiting"), [0, 0])
            self.assertEqual(send_one(pool, envelope()).status, "sent")

    def test_waiting(self):
        pool = self.pool(pool_size=1)
        for kind in self.kinds:
            with self.subTest(kind=kind), self.held(pool), interrupts(kind) as interrupt:

                def interrupt_it(interrupt=interrupt):
                    wait_until(lambda: pool.stats()["waiting"])
                    interrupt()

                thread = threading.Thread(target=interrupt_it)
                thread.start()
                with self.assertRaises(kind):
                    pool.acquire()
                thread.join(TIMEOUT)
                self.assertEqual(self.stats(pool, "busy", "waiting"), [1, 0])
            self.assertEqual(send_one(pool, envelope()).status, "sent")

    def test_a_thread_that_is_interrupted_after_it_was_woken_wakes_the_next(self):
        # None of them looks for itself.
        enter(self, mock.patch.object(pool_module, "LOOK", TIMEOUT * 9))
        pool = self.pool(pool_size=1, acquire_timeout=TIMEOUT * 9)
        wait = slots_module.Turn.wait
        main = threading.current_thread()

        def interrupted(turn, timeout):
            wait(turn, timeout)
            if threading.current_thread() is main:
                raise Interrupt

        enter(self, mock.patch.object(slots_module.Turn, "wait", interrupted))
        statuses = []

        def wait_behind():
            wait_until(lambda: pool.stats()["waiting"] == 1)
            other = threading.Thread(
                target=lambda: statuses.append(send_one(pool, envelope()).status)
            )
            other.start()
            wait_until(lambda: pool.stats()["waiting"] == 2)
            release()
            other.join(TIMEOUT)

        thread = threading.Thread(target=wait_behind)
        with self.held(pool) as release:
            thread.start()
            with self.assertRaises(Interrupt):
                pool.acquire()
            thread.join(TIMEOUT)
        self.assertEqual(statuses, ["sent"])

    def test_a_thread_that_has_not_left_the_queue(self):
        # Interrupted in the midst of leaving. What it waited for is due to the next.
        enter(self, mock.patch.object(slots_module, "GONE", 0.05))
        enter(self, mock.patch.object(pool_module, "LOOK", 0.02))
        pool = self.pool(pool_size=1)
        with (
            mock.patch.object(slots_module.Queue, "leave", side_effect=Interrupt),
            self.held(pool),
            interrupts() as interrupt,
        ):
            thread = threading.Thread(
                target=lambda: (wait_until(lambda: pool.stats()["waiting"]), interrupt())
            )
            thread.start()
            with self.assertRaises(Interrupt):
                pool.acquire()
            thread.join(TIMEOUT)
            self.assertEqual(self.stats(pool, "waiting"), [1])
        self.assertEqual(send_one(pool, envelope()).status, "sent")
        self.assertEqual(self.stats(pool, "busy", "waiting"), [0, 0])


class RandomInterruptTests(SimpleTestCase):
    """Interrupted between any two steps; see tests/support/interrupting.py."""

    def interrupt(self, kind, count):
        if kind in {"gevent", "eventlet"} and importlib.util.find_spec(kind) is None:
            raise SkipTest(f"{kind} is not installed.")
        sink = enter(self, Sink(keep=False))
        arguments = ("-m", "tests.support.interrupting", kind, str(count), str(sink.port))
        process = run_command(*arguments, timeout=120 if count <= 300 else 1800)
        self.assertEqual((process.stdout, process.returncode), ("0 lost\n", 0), process.stderr)

    def test_signals(self):
        self.interrupt("exception", 300)

    def test_keyboard_interrupts(self):
        self.interrupt("keyboard", 300)

    @tag("slow")
    def test_exceptions_in_threads(self):
        self.interrupt("async", 300)

    def test_gevent(self):
        self.interrupt("gevent", 300)

    def test_eventlet(self):
        self.interrupt("eventlet", 300)

    @tag("slow", "interrupts")
    def test_many_signals(self):
        self.interrupt("exception", 50_000)

    @tag("slow", "interrupts")
    def test_many_keyboard_interrupts(self):
        self.interrupt("keyboard", 50_000)

    @tag("slow", "interrupts")
    def test_many_exceptions_in_threads(self):
        self.interrupt("async", 50_000)

    @tag("slow", "interrupts")
    def test_many_in_gevent(self):
        self.interrupt("gevent", 50_000)

    @tag("slow", "interrupts")
    def test_many_in_eventlet(self):
        self.interrupt("eventlet", 50_000)


class GreenletTests(SimpleTestCase):
    """A thread is what get_ident() says, as gevent and eventlet have it."""

    def run_patched(self, kind, spawn):
        if importlib.util.find_spec(kind) is None:
            raise SkipTest(f"{kind} is not installed.")
        sink = enter(self, Sink())
        program = f"""
            {spawn}
            from django_mailers.smtp import *
            from tests.support.pools import borrowed

            options = PoolOptions(pool_size=1, acquire_timeout=0.1)
            pool = Pool(Server({HOST!r}, {sink.port}, timeout={TIMEOUT}), options)

            def use():
                try:
                    with borrowed(pool) as session:
                        return session.noop()[0]
                except PoolTimeout:
                    return "timeout"

            def pin():
                with borrowed(pool):
                    return use(), run(use)

            print(run(pin), run(use), pool.stats()["busy"])
            pool.close()
        """
        process = run_command("-c", textwrap.dedent(program))
        self.assertEqual(process.stdout, "(250, 'timeout') 250 0\n", process.stderr)

    def test_gevent(self):
        self.run_patched(
            "gevent",
            "from gevent import monkey, spawn; monkey.patch_all(); run = lambda f: spawn(f).get()",
        )

    def test_eventlet(self):
        self.run_patched(
            "eventlet",
            "import eventlet; eventlet.monkey_patch(); run = lambda f: eventlet.spawn(f).wait()",
        )


class GarbageTests(SlotsTestCase):
    """Sessions that nobody gives back, and nobody holds any more."""

    def setUp(self):
        super().setUp()
        self.addCleanup(close_pools)
        options = {"host": HOST, "port": self.sink.port, "pool_size": 2, "acquire_timeout": TIMEOUT}
        backend = "django_mailers.backends.smtp.EmailBackend"
        mailer = {"BACKEND": backend, "OPTIONS": options}
        enter(self, override_settings(MAILERS={"default": mailer}))

    def test_a_mailer_that_was_not_closed(self):
        for _ in range(5):
            mailer = mailers.default
            mailer.open()
            mailer.send_messages([EmailMessage("Hello", "", ADA, [BOB])])
            del mailer
        self.assertEqual(send_mail("Hello", "", ADA, [BOB]), 1)
        self.assertEqual(len(self.sink.accepted), 6)
        for connection in self.sink.connections[:5]:
            self.assertIs(connection.ended.wait(TIMEOUT), True)
        self.assertEqual(self.stats(mailers.default.pool, "idle", "busy", "opened"), [1, 0, 6])

    def test_a_mailer_in_a_circle(self):
        for _ in range(2):
            mailer = mailers.default
            mailer.myself = mailer
            mailer.open()
            del mailer
        gc.collect()
        self.assertEqual(self.stats(mailers.default.pool, "busy"), [0])
        self.assertEqual(send_mail("Hello", "", ADA, [BOB]), 1)

    def test_a_thread_that_waits_finds_it(self):
        pool = self.pool(pool_size=1)
        with ThreadPoolExecutor(1) as other, ThreadPoolExecutor(1) as executor:
            sessions = [other.submit(pool.acquire).result(TIMEOUT)[0]]
            # Nothing of it is left in that thread.
            other.submit(int).result(TIMEOUT)
            result = executor.submit(send_one, pool, envelope())
            wait_until(lambda: pool.stats()["waiting"])
            sessions.clear()
            self.assertEqual(result.result(TIMEOUT).status, "sent")
        self.assertEqual(self.stats(pool, "idle", "busy", "opened"), [1, 0, 2])

    def test_a_session_without_a_connection(self):
        session = Server(HOST, self.sink.port, timeout=TIMEOUT).connect()
        session.close()
        del session
        with self.assertRaises(TypeError):
            # Whose __init__() has not come to its end.
            type(Server(HOST, self.sink.port).connect())(unknown=True)


class OneBeyondTests(SlotsTestCase):
    """A thread that holds a session needs another."""

    def test_a_thread_does_not_wait_for_itself(self):
        pool = self.pool(pool_size=1)
        with borrowed(pool) as pinned:
            for _ in range(2):
                self.assertEqual(send_one(pool, envelope()).status, "sent")
            self.assertEqual(self.stats(pool, "size", "idle", "busy"), [1, 0, 1])
        self.assertIs(pinned.is_open, True)
        self.assertEqual(
            self.sink.commands, [["EHLO"], ["EHLO", *MESSAGE, "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )
        self.assertEqual(self.stats(pool, "idle", "opened", "waits"), [1, 3, 0])

    def test_it_is_one(self):
        pool = self.pool(pool_size=1, acquire_timeout=0)
        with borrowed(pool), borrowed(pool):
            self.assertEqual(self.stats(pool, "busy"), [2])
            with self.assertRaises(PoolTimeout):
                pool.acquire()
        self.assertEqual(self.stats(pool, "idle", "busy", "timeouts"), [1, 0, 1])

    def test_it_is_none_while_there_are_others(self):
        pool = self.pool(pool_size=3)
        with borrowed(pool), borrowed(pool), borrowed(pool):
            self.assertEqual(self.stats(pool, "busy"), [3])
        self.assertEqual(self.stats(pool, "idle"), [3])

    def test_whichever_is_given_back_first(self):
        pool = self.pool(pool_size=1)
        pinned, _ = pool.acquire()
        extra, _ = pool.acquire()
        self.assertIs(pool.release(pinned), True)
        self.assertIs(pool.release(extra), False)
        self.assertEqual(self.stats(pool, "idle", "busy", "closed"), [1, 0, 1])

    def test_another_thread_waits(self):
        pool = self.pool(pool_size=1, acquire_timeout=0)
        with self.held(pool), self.assertRaises(PoolTimeout):
            pool.acquire()

    def test_the_server_refuses_it(self):
        self.sink.max_sessions = 1
        for size in (1, 4):
            pool = self.pool(pool_size=size)
            with self.subTest(size=size), borrowed(pool):
                result = send_one(pool, envelope())
                error = smtplib.SMTPConnectError(421, b"Too many sessions")
                self.assertEqual((result.status, repr(result.error)), ("untried", repr(error)))
                self.assertEqual(self.stats(pool, "waits", "failures"), [0, 1])
            self.assertEqual(send_one(pool, envelope()).status, "sent")
            pool.close()

    @override_settings()
    def test_send_mail_with_an_open_mailer(self):
        self.addCleanup(close_pools)
        options = {"host": HOST, "port": self.sink.port, "pool_size": 1, "timeout": TIMEOUT}
        backend = "django_mailers.backends.smtp.EmailBackend"
        with (
            override_settings(MAILERS={"default": {"BACKEND": backend, "OPTIONS": options}}),
            mailers.default,
        ):
            self.assertEqual(send_mail("Hello", "", ADA, [BOB]), 1)


class FewerSessionsTests(SlotsTestCase):
    """A server that allows fewer sessions than the pool would have."""

    def setUp(self):
        super().setUp()
        # The server is a thread of this process, which may be late on a busy machine.
        enter(self, mock.patch.object(stock_module, "LINGER", TIMEOUT))

    def send_in_threads(self, pool, threads=8, number=80):
        with ThreadPoolExecutor(threads) as executor:
            results = list(
                executor.map(partial(send_one, pool), [envelope() for _ in range(number)])
            )
        self.assertEqual({repr(result.error) for result in results}, {"None"})
        self.assertEqual(len(self.sink.accepted), number)

    def test_threads_wait_for_the_sessions_there_are(self):
        for limit, too_many in [(2, "421 Too many"), (1, "450 Wait"), (3, "421 4.7.0 Later")]:
            with self.subTest(limit=limit, too_many=too_many):
                self.sink.max_sessions, self.sink.too_many = limit, too_many
                del self.sink.accepted[:]
                pool = self.pool(pool_size=4)
                self.send_in_threads(pool)
                opened, failures = self.stats(pool, "opened", "failures")
                # The pool remembers how many were open when it was refused another one.
                self.assertIn(opened, range(1, limit + 1))
                # Of 80 messages: while the first sessions are being opened, any thread may try.
                self.assertLessEqual(failures, 20)
                pool.close()
                wait_until(lambda: all(protocol.ended for protocol in self.sink.protocols))

    def test_refused_at_ehlo(self):
        count = iter(range(1000))
        self.sink.behave = lambda line: (
            "421 Too many" if line.startswith("ehlo") and next(count) >= 2 else None
        )
        pool = self.pool(pool_size=4)
        self.send_in_threads(pool)
        self.assertEqual(self.stats(pool, "opened"), [2])
        self.assertIn(["EHLO"], self.sink.commands)

    def test_sessions_that_end(self):
        # Those that are told QUIT count with the server, until it has read that.
        self.sink.max_sessions = 1
        for options in [{"max_messages": 1}, {"max_messages": 3}, {"max_idle": 0}, {"max_age": 0}]:
            with self.subTest(options=options):
                del self.sink.accepted[:]
                pool = self.pool(pool_size=4, **options)
                self.send_in_threads(pool, threads=4, number=30)
                results = deliver(pool, [envelope() for _ in range(10)])
                self.assertEqual([result.status for result in results], ["sent"] * 10)
                pool.close()
                wait_until(lambda: all(protocol.ended for protocol in self.sink.protocols))

    def test_the_lower_size_is_forgotten(self):
        self.sink.max_sessions = 1
        pool = self.pool(pool_size=2, acquire_timeout=0)
        with self.held(pool):
            for _ in range(2):
                with self.assertRaises(PoolTimeout) as caught:
                    pool.acquire()
            # The second did not ask the server.
            self.assertEqual(self.stats(pool, "failures", "timeouts"), [1, 2])
            self.sink.max_sessions = 2
            now = time.monotonic()
            with mock.patch.object(time, "monotonic", lambda: now + stock_module.REMEMBER):
                self.assertEqual(send_one(pool, envelope()).status, "sent")
        self.assertIsNone(caught.exception.__cause__)

    def test_the_refusal_is_the_cause_of_a_timeout(self):
        self.sink.max_sessions = 1
        pool = self.pool(pool_size=2, acquire_timeout=0)
        with self.held(pool), self.assertRaises(PoolTimeout) as caught:
            pool.acquire()
        self.assertEqual(
            (str(caught.exception), repr(caught.exception.__cause__)),
            (
                at(self.sink, "No session became free in 0 seconds."),
                repr(smtplib.SMTPConnectError(421, b"Too many sessions")),
            ),
        )

    def test_no_other_session(self):
        self.sink.max_sessions = 0
        pool = self.pool(pool_size=4)
        with ThreadPoolExecutor(8) as executor:
            results = list(executor.map(partial(send_one, pool), [envelope() for _ in range(20)]))
        error = smtplib.SMTPConnectError(421, b"Too many sessions")
        self.assertEqual({(r.status, repr(r.error)) for r in results}, {("untried", repr(error))})
        self.assertEqual(self.stats(pool, "busy", "waiting", "timeouts"), [0, 0, 0])

    def test_other_errors_are_not_waited_for(self):
        pool = self.pool(pool_size=2)
        with self.held(pool):
            for answer, kind in [
                ("554 Go away", smtplib.SMTPConnectError),
                ("nonsense", smtplib.SMTPConnectError),
            ]:
                with self.subTest(answer=answer):
                    self.sink.max_sessions, self.sink.too_many = 1, answer
                    with self.assertRaises(kind):
                        pool.acquire()
            self.sink.max_sessions = None
            self.sink.behave = lambda line: DROP if line.startswith("ehlo") else None
            with self.assertRaises(smtplib.SMTPServerDisconnected):
                pool.acquire()

    def test_a_session_that_ended_makes_room(self):
        self.sink.max_sessions = 1
        pool = self.pool(pool_size=2)
        with ThreadPoolExecutor(1) as other, ThreadPoolExecutor(1) as executor:
            session, _ = other.submit(pool.acquire).result(TIMEOUT)
            result = executor.submit(send_one, pool, envelope())
            wait_until(lambda: pool.stats()["waiting"])
            session.close()
            pool.release(session)
            self.assertEqual(result.result(TIMEOUT).status, "sent")
        self.assertEqual(self.stats(pool, "opened", "failures", "idle"), [2, 1, 1])


class TurnTests(SlotsTestCase):
    def test_one_release_wakes_one_thread(self):
        enter(self, mock.patch.object(pool_module, "LOOK", TIMEOUT))
        pool = self.pool(pool_size=1)
        looked = []
        take = stock_module.Stock.take_in_turn

        def look(self, claim, turn, refusal):
            looked.append(turn)
            return take(self, claim, turn, refusal)

        enter(self, mock.patch.object(stock_module.Stock, "take_in_turn", look))
        with self.held(pool):
            threads = []
            for number in range(6):
                threads.append(threading.Thread(target=send_one, args=[pool, envelope()]))
                threads[-1].start()
                wait_until(lambda number=number: pool.stats()["waiting"] > number)
            wait_until(lambda: len(looked) == 6)
            in_order = looked[:]
        for thread in threads:
            thread.join(TIMEOUT)
        # Each has looked once before it waited, and once when it was woken, in turn.
        self.assertEqual(looked, in_order * 2)

    def test_how_long_threads_have_waited(self):
        pool = self.pool(pool_size=1, acquire_timeout=0.05)
        with self.held(pool), self.assertRaises(PoolTimeout):
            pool.acquire()
        self.assertEqual(self.stats(pool, "waits", "timeouts"), [1, 1])
        self.assertTrue(40 <= pool.stats()["wait_ms"] <= 1000 * TIMEOUT, pool.stats())

    def test_how_long_connecting_took(self):
        self.sink.behave = lambda line: time.sleep(0.05) if line.startswith("ehlo") else None
        pool = self.pool()
        self.assertEqual(pool.stats()["connect_ms"], 0)
        self.assertEqual(send_one(pool, envelope()).status, "sent")
        self.assertTrue(50 <= pool.stats()["connect_ms"] <= 1000 * TIMEOUT, pool.stats())
