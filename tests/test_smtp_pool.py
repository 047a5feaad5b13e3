"""The pool: what it keeps and for how long, how threads share it, and what a fork leaves of it."""

import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest import mock

from django_mailers.smtp import (
    Pool,
    PoolOptions,
    PoolTimeout,
    Server,
    deliver,
)
from django_mailers.smtp import session as session_module

from .support.messages import ADA, BOB
from .support.pooling import PoolTestCase
from .support.pools import borrowed, send_one
from .support.servers import DROP, HOST, STALL, TIMEOUT, enter
from .support.sink import at
from .support.smtp import MESSAGE, envelope, wait_until


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
        with borrowed(pool):
            self.assertEqual(
                repr(pool), f"<Pool {HOST}:{self.sink.port} size=4 idle=0 busy=1 waiting=0>"
            )

    def test_close(self):
        pool = self.pool()
        self.send(pool)
        with borrowed(pool) as session:
            pool.close()
            self.assertEqual(session.deliver([envelope()])[0].status, "sent")
        # It was busy when the pool was closed.
        self.assertStats(pool, opened=1, reused=1, closed=1, messages=1)
        self.send(pool)
        pool.close()
        self.assertEqual(
            self.sink.commands, [["EHLO", *MESSAGE * 2, "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )

    def test_max_messages(self):
        pool = self.pool(max_messages=2)
        results = deliver(pool, [envelope() for _ in range(5)])
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
                    [commands[:6] for commands in self.sink.commands],
                    [["EHLO", *MESSAGE, "NOOP"], ["EHLO", *MESSAGE]],
                )

    def test_no_pool(self):
        pool = self.pool(pool_size=0)
        with borrowed(pool) as one, borrowed(pool) as other:
            self.assertIsNot(one, other)
            self.send(pool)
        self.assertEqual(
            self.sink.commands, [["EHLO", "QUIT"], ["EHLO", "QUIT"], ["EHLO", *MESSAGE, "QUIT"]]
        )
        self.assertStats(pool, size=0, opened=3, closed=3, messages=1)

    def test_a_failing_block_ends_its_session(self):
        pool = self.pool()
        with self.assertRaises(KeyError), borrowed(pool) as session:
            session.putcmd("NOOP")
            raise KeyError
        self.assertStats(pool, opened=1, broken=1)

    def test_it_can_be_given_back_twice(self):
        pool = self.pool()
        session, is_new = pool.acquire()
        self.assertIs(is_new, True)
        pool.release(session)
        pool.release(session)
        self.assertTrue(session.is_open)
        self.assertStats(pool, idle=1, opened=1)
        self.assertEqual(pool.acquire(), (session, False))
        pool.release(session)

    def test_a_session_in_the_middle_of_a_message_is_not_used_again(self):
        # The next message would get the recipients that were named for this one.
        for number, steps in enumerate(
            [
                lambda session: session.mail(ADA),
                lambda session: (session.mail(ADA), session.rcpt(BOB)),
                lambda session: (session.mail(ADA), session.rcpt(BOB), session.putcmd("data")),
                lambda session: session.docmd("Mail", f"FROM:<{ADA}>"),
                lambda session: session.docmd(f"MAIL FROM:<{ADA}>"),
            ]
        ):
            with self.subTest(number=number):
                pool = self.pool()
                with borrowed(pool) as session:
                    steps(session)
                self.assertFalse(session.is_open)
                self.assertStats(pool, opened=1, closed=1)

    def test_a_session_at_the_end_of_a_message_is_used_again(self):
        pool = self.pool()
        for steps in [
            lambda session: session.sendmail(ADA, [BOB], b"Hello"),
            lambda session: (session.mail(ADA), session.rcpt(BOB), session.data(b"Hello")),
            lambda session: (session.mail(ADA), session.rset()),
            lambda session: session.noop(),
        ]:
            with borrowed(pool) as session:
                steps(session)
        self.assertStats(pool, idle=1, opened=1, reused=3)
        self.assertEqual(len(self.sink.accepted), 2)

    def test_what_is_refused_ends_a_message(self):
        pool = self.pool()
        self.sink.behave = lambda line: "550 No" if line.lower().startswith("rcpt") else None
        with self.assertRaises(smtplib.SMTPRecipientsRefused), borrowed(pool) as session:
            try:
                session.sendmail(ADA, [BOB], b"Hello")
            finally:
                self.assertFalse(session.in_transaction)

    def test_a_stalled_server_fails_the_check(self):
        # With the whole timeout of a session, a message would wait that long for each of them.
        enter(self, mock.patch.object(session_module, "CHECK_TIMEOUT", 0.05))
        pool = self.pool(check_after=0)
        self.send(pool)
        self.sink.behave = lambda line: STALL if line == "noop" else None
        self.send(pool)
        self.assertEqual(self.sink.commands, [["EHLO", *MESSAGE, "NOOP"], ["EHLO", *MESSAGE]])
        self.assertStats(pool, idle=1, opened=2, reused=1, broken=1, messages=2)

    def test_the_check_has_a_timeout_of_its_own(self):
        for timeout, expected in [(0.5, 0.5), (TIMEOUT, 5), (None, 5)]:
            with self.subTest(timeout=timeout):
                session = Server(HOST, self.sink.port, timeout=timeout).connect()
                self.addCleanup(session.close)
                seen = []
                self.sink.behave = lambda line, sock=session.sock, seen=seen: seen.append(
                    sock.gettimeout()
                )
                self.assertIs(session.answers(), True)
                self.assertEqual((seen, session.sock.gettimeout()), ([expected], timeout))
                self.sink.behave = None
        session.close()
        self.assertIs(session.answers(), False)

    def test_wrong_options(self):
        for options, text in [
            ({"pool_size": -1}, "'pool_size' must be an int, 0 or greater, not -1"),
            ({"max_messages": 0}, "'max_messages' must be an int greater than 0, not 0"),
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
        with borrowed(pool) as one, borrowed(pool) as other:
            kept = [one, other]
        # What a server does that has waited long enough: it speaks, or it closes.
        protocols = list(self.sink.protocols)
        self.sink.run(lambda: protocols[0].transport.write(b"421 Idle\r\n"))
        self.sink.run(protocols[1].transport.abort)
        for session in kept:
            self.assertEqual(len(session.sock.recv(1, 2)), int(session is one))  # 2: MSG_PEEK
        self.send(pool)
        self.assertStats(pool, idle=1, opened=3, reused=2, broken=2, messages=1)

    def test_a_server_that_takes_nothing_is_given_up(self):
        pool = self.pool()
        self.send(pool)
        self.end_on("MAIL", "421 Go away", times=99)
        results = deliver(pool, [envelope() for _ in range(20)])
        # The first two are those at which the new sessions ended; the others were not tried.
        self.assertEqual([r.status for r in results], ["failed"] * 3 + ["untried"] * 17)
        refused = smtplib.SMTPSenderRefused(421, b"Go away", ADA)
        self.assertEqual({repr(result.error) for result in results}, {repr(refused)})
        self.assertStats(pool, opened=4, reused=1, replaced=1, broken=4, messages=4)

    def test_a_new_session_is_not_replaced(self):
        pool = self.pool()
        self.end_on("MAIL", "421 Go away")
        self.assertEqual(send_one(pool, envelope()).status, "failed")
        self.assertStats(pool, opened=1, broken=1, messages=1)

    def test_what_was_handed_over_is_not_sent_again(self):
        pool = self.pool()
        self.send(pool)
        self.end_on(".", DROP)
        result = send_one(pool, envelope())
        self.assertEqual(result.status, "unknown")
        self.assertIsInstance(result.error, OSError)
        self.assertEqual(len(self.sink.accepted), 1)
        self.assertStats(pool, opened=1, reused=1, broken=1, messages=2)

    def test_the_next_session_goes_on(self):
        pool = self.pool()
        count = iter(range(5))
        self.sink.behave = lambda line: DROP if line == "." and next(count) == 2 else None
        results = deliver(pool, [envelope(b"%d\r\n" % number) for number in range(5)])
        # With the end of the third, the commands of the fourth were written.
        self.assertEqual(
            [result.status for result in results], ["sent", "sent", "unknown", "sent", "sent"]
        )
        self.assertEqual(
            [m.content for m in self.sink.accepted], [b"0\r\n", b"1\r\n", b"3\r\n", b"4\r\n"]
        )

    def test_a_server_that_cannot_be_reached(self):
        pool = Pool(Server(HOST, self.sink.port, security="starttls"))
        results = deliver(pool, [envelope(), envelope()])
        # Nothing of either has been sent, whichever of them it was that wanted a session.
        self.assertEqual([result.status for result in results], ["untried", "untried"])
        text = at(self.sink, "STARTTLS extension not supported by server.")
        self.assertEqual(
            [repr(result.error) for result in results],
            [repr(smtplib.SMTPNotSupportedError(text))] * 2,
        )
        self.assertStats(pool, failures=1)


class ThreadTests(PoolTestCase):
    def test_no_more_sessions_than_pool_size(self):
        pool = self.pool(pool_size=2)
        with ThreadPoolExecutor(8) as executor:
            results = list(executor.map(partial(send_one, pool), [envelope() for _ in range(100)]))
        self.assertEqual([result.status for result in results], ["sent"] * 100)
        self.assertEqual(len(self.sink.accepted), 100)
        self.assertLessEqual(len(self.sink.connections), 2)
        stats = pool.stats()
        self.assertEqual((stats["busy"], stats["waiting"], stats["messages"]), (0, 0, 100))

    def test_acquire_timeout(self):
        pool = self.pool(pool_size=1, acquire_timeout=0)
        error = PoolTimeout(at(self.sink, "No session became free in 0 seconds."))
        with self.held(pool):
            with self.assertRaises(PoolTimeout) as caught:
                pool.acquire()
            self.assertEqual(repr(caught.exception), repr(error))
            (result,) = deliver(pool, [envelope()])
            self.assertEqual((result.status, repr(result.error)), ("untried", repr(error)))
        self.send(pool)
        self.assertStats(pool, size=1, idle=1, opened=1, reused=1, waits=2, timeouts=2, messages=1)

    def test_threads_wait_in_turn(self):
        pool = self.pool(pool_size=1)
        order = []

        def use(number):
            with borrowed(pool):
                order.append(number)

        threads = []
        with borrowed(pool):
            for number in range(5):
                threads.append(threading.Thread(target=use, args=[number]))
                threads[-1].start()
                wait_until(lambda number=number: pool.stats()["waiting"] > number)
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
        with borrowed(pool):
            pass
        self.assertEqual(seen, [1])
