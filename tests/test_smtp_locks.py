"""A lock that an exception of a signal handler cannot leave locked."""

import random
import signal
import threading
import time
import unittest

from django.test import SimpleTestCase

from django_mailers.smtp.locks import locked

from .support.sink import interrupts
from .support.smtp import Limit


class Counter:
    def __init__(self):
        self.lock = threading.RLock()
        self.count = 0

    @locked
    def add(self, number, *, fail=False):
        """Add it."""
        if fail:
            raise ValueError
        self.count += number
        return self.count

    @locked
    def add_twice(self, number):
        self.add(number)
        return self.add(number)

    def is_free(self):
        # From another thread, as this one could take it again.
        found = []

        def try_it():
            found.append(self.lock.acquire(blocking=False))
            if found[0]:
                self.lock.release()

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join(9)
        return found[0]


class LockedTests(SimpleTestCase):
    def test_a_method(self):
        counter = Counter()
        self.assertEqual(counter.add(2), 2)
        self.assertEqual(counter.add_twice(3), 8)
        with self.assertRaises(ValueError):
            counter.add(1, fail=True)
        self.assertIs(counter.is_free(), True)
        self.assertEqual((Counter.add.__name__, Counter.add.__doc__), ("add", "Add it."))

    def test_other_threads_wait(self):
        counter = Counter()
        with counter.lock:
            thread = threading.Thread(target=counter.add, args=[1])
            thread.start()
            thread.join(0.05)
            self.assertEqual((thread.is_alive(), counter.count), (True, 0))
        thread.join(9)
        self.assertEqual(counter.count, 1)

    @unittest.skipUnless(hasattr(signal, "setitimer"), "Windows has no timers that interrupt.")
    def test_interrupts(self):
        """On Python 3.14 `with lock:` lost the lock in four of ten interrupts."""
        counter, armed = Counter(), False

        def handle(*args):
            nonlocal armed
            if armed:
                armed = False
                raise Limit

        before = signal.signal(signal.SIGALRM, handle)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        chance, interrupted = random.Random(1), 0

        # A function: Python 3.13.0 forgets the `except` around the end of a loop.
        def add_until_interrupted():
            # Python 3.10 overlooks a signal now and then, until the next one comes.
            overlooked = time.monotonic() + 0.1
            while armed and time.monotonic() < overlooked:
                counter.add(1)

        while interrupted < 2000:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 1e-4))
                add_until_interrupted()
            except Limit:
                interrupted += 1
            finally:
                armed = False
        self.assertIs(counter.is_free(), True)

    @unittest.skipUnless(hasattr(signal, "setitimer"), "Windows has no timers that interrupt.")
    def test_an_interrupt_while_it_waits(self):
        counter, taken, done = Counter(), threading.Event(), threading.Event()

        def hold():
            with counter.lock:
                taken.set()
                done.wait(9)

        thread = threading.Thread(target=hold)
        thread.start()
        self.addCleanup(thread.join, 9)
        self.addCleanup(done.set)
        self.assertIs(taken.wait(9), True)
        with interrupts(Limit) as interrupt:
            interrupt(0.05)
            with self.assertRaises(Limit):
                counter.add(1)
        self.assertEqual((counter.count, counter.is_free()), (0, False))
