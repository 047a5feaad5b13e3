"""Batches over several sessions: what happens to a helper is nobody else's loss."""

import itertools
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from django.test import SimpleTestCase

from django_mailers.smtp import Lease, Pool, PoolOptions, Server, deliver
from django_mailers.smtp import batches as batches_module

from .support.messages import ADA, BOB
from .support.pools import send_one
from .support.processes import run_python
from .support.servers import HOST, TIMEOUT, enter
from .support.sink import Sink, interrupts
from .support.smtp import Limit, envelopes


class HelperTests(SimpleTestCase):
    def setUp(self):
        self.sink = enter(self, Sink())
        enter(self, mock.patch.object(batches_module, "FULL_LOAD", float("inf")))
        self.pool = Pool(Server(HOST, self.sink.port, timeout=TIMEOUT), PoolOptions())
        self.addCleanup(self.pool.close)

    def arrived(self):
        return sorted(int(message.content) for message in self.sink.accepted)

    def assertAllSent(self, number, parallel=4):
        results = deliver(self.pool, envelopes(number), parallel=parallel)
        self.assertEqual([(r.status, r.error) for r in results], [("sent", None)] * number)
        self.assertEqual(self.arrived(), [*range(number)])
        self.assertEqual(self.pool.stats()["busy"], 0)

    def test_no_thread_can_be_started(self):
        start = threading.Thread.start
        for possible in range(3):
            with self.subTest(possible=possible):
                del self.sink.accepted[:]
                count = itertools.count()

                def start_some(thread, count=count, possible=possible):
                    if thread.name == "django_mailers-smtp" and next(count) >= possible:
                        raise RuntimeError("can't start new thread")
                    start(thread)

                with mock.patch.object(threading.Thread, "start", start_some):
                    self.assertAllSent(50)

    def test_not_even_the_first(self):
        refuse = mock.Mock(side_effect=RuntimeError("can't start new thread"))
        with mock.patch.object(batches_module._thread, "start_new_thread", refuse):
            self.assertAllSent(50)
        self.assertEqual(refuse.call_count, 1)
        self.assertEqual(self.pool.stats()["opened"], 1)

    def test_no_memory_for_a_thread(self):
        # As with a container's limit.
        process = run_python(f"""
            import resource, threading
            from django_mailers.smtp import *
            pool = Pool(Server({HOST!r}, {self.sink.port}), PoolOptions())
            threading.stack_size(2 ** 30)
            limit = 2 ** 30
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            try:
                threading.Thread(target=print).start()
            except RuntimeError as error:
                print(error)
            messages = [Envelope({ADA!r}, [{BOB!r}], b"%d" % n) for n in range(40)]
            print({{result.status for result in deliver(pool, messages, parallel=4)}})
            pool.close()
        """)
        self.assertEqual(process.stderr, "")
        self.assertEqual(process.stdout, "can't start new thread\n{'sent'}\n")
        self.assertEqual(self.arrived(), [*range(40)])

    def test_at_exit(self):
        process = run_python(f"""
            import atexit, threading
            from django_mailers.smtp import *
            pool = Pool(Server({HOST!r}, {self.sink.port}), PoolOptions())

            def send(first):
                messages = [Envelope({ADA!r}, [{BOB!r}], b"%d" % (first + n)) for n in range(20)]
                print({{result.status for result in deliver(pool, messages, parallel=4)}})

            def send_late():
                threading.main_thread().join()
                send(0)

            def send_at_exit():
                send(20)
                pool.close()

            atexit.register(send_at_exit)
            threading.Thread(target=send_late).start()
        """)
        self.assertEqual((process.stdout, process.stderr), ("{'sent'}\n" * 2, ""))
        self.assertEqual(self.arrived(), [*range(40)])

    def test_a_helper_that_fails(self):
        lease_deliver = Lease.deliver
        main = threading.current_thread()
        for kind in [MemoryError, SystemExit]:
            with self.subTest(kind=kind):
                del self.sink.accepted[:]
                calls = itertools.count()

                def deliver_once(lease, messages, calls=calls, kind=kind):
                    # The second call of the one helper.
                    if threading.current_thread() is not main and next(calls) == 1:
                        raise kind
                    return lease_deliver(lease, messages)

                with (
                    mock.patch.object(Lease, "deliver", deliver_once),
                    mock.patch.object(batches_module, "STRETCH", 0),
                ):
                    results = deliver(self.pool, envelopes(60), parallel=2)
                # What it was about to deliver is in doubt; the rest is sent by the other session.
                trial = batches_module.TRIAL
                expected = ["sent"] * 60
                expected[30 + trial : 30 + 2 * trial] = ["unknown"] * trial
                self.assertEqual([result.status for result in results], expected)
                error = results[30 + trial].error
                if kind is MemoryError:
                    self.assertIsInstance(error, MemoryError)
                else:
                    self.assertEqual(str(error), "The thread was ended by SystemExit.")
                self.assertEqual(len(self.sink.accepted), 60 - trial)
                self.assertEqual(self.pool.stats()["busy"], 0)

    def test_an_interrupt_stops_the_helpers(self):
        # A message takes 10 ms, and a stretch a tenth of a second.
        enter(self, mock.patch.object(batches_module, "STRETCH", 0.1))
        self.sink.pipelining = self.sink.chunking = False
        self.sink.features = []
        interrupt = enter(self, interrupts(Limit))

        def behave(line):
            if line == ".":
                time.sleep(0.005)
                if self.sink.count == 40:
                    interrupt(0.001)

        self.sink.behave = behave
        with self.assertRaises(Limit) as caught:
            deliver(self.pool, envelopes(4000), parallel=3)
        count = self.sink.count
        self.assertLess(count, 400)
        stats = self.pool.stats()
        self.assertEqual((stats["busy"], stats["waiting"]), (0, 0))
        self.assertEqual(
            [thread for thread in threading.enumerate() if thread.name == "django_mailers-smtp"], []
        )
        if sys.version_info >= (3, 11):
            (note,) = caught.exception.__notes__
            number, text = note.split(maxsplit=1)
            self.assertEqual(text, "of 4000 messages of this batch were sent.")
            # All that the helpers have sent; the main thread is told by its own delivery.
            self.assertLessEqual(int(number), count)
            self.assertGreater(int(number), 0)
        self.sink.behave = None
        self.assertEqual(send_one(self.pool, envelopes(1)[0]).status, "sent")

    def test_a_helper_that_does_not_stop(self):
        enter(self, mock.patch.object(batches_module, "PATIENCE", 0.05))
        begun, release, lease_deliver = threading.Event(), threading.Event(), Lease.deliver
        self.addCleanup(release.set)
        main = threading.current_thread()

        def deliver_or_wait(lease, messages):
            if threading.current_thread() is main:
                begun.wait(TIMEOUT)
                raise Limit
            begun.set()
            release.wait(TIMEOUT)
            return lease_deliver(lease, messages)

        with mock.patch.object(Lease, "deliver", deliver_or_wait), self.assertRaises(Limit):
            deliver(self.pool, envelopes(60), parallel=2)
        helper = next(t for t in threading.enumerate() if t.name == "django_mailers-smtp")
        release.set()
        helper.join(TIMEOUT)
        # It has sent what it had begun, and given its session back.
        self.assertEqual(self.arrived(), [*range(30, 30 + batches_module.TRIAL)])
        self.assertEqual(self.pool.stats()["busy"], 0)

    def test_many_batches_at_a_time(self):
        with ThreadPoolExecutor(6) as executor:
            batches = list(
                executor.map(lambda _: deliver(self.pool, envelopes(40), parallel=3), range(6))
            )
        self.assertEqual({r.status for results in batches for r in results}, {"sent"})
        self.assertEqual(self.arrived(), sorted([*range(40)] * 6))
