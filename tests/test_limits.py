"""How often reports are sent: in one process, and in several that share a cache."""

import logging
import os
import signal
import tempfile
import threading
import time
from unittest.mock import patch

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import SimpleTestCase, ignore_warnings, override_settings

from django_mailers.backends._ratelimit.counting import Ledger
from django_mailers.backends._wrapping import clock as wrapping_clock
from django_mailers.errorreports import limits
from django_mailers.errorreports.describe import digest
from django_mailers.errorreports.limits import Admission, ReportLimiter

from .support.reports import LOCMEM_CACHE, LOGGER, Clock
from .support.servers import enter
from .support.utils import ExactErrors

RATE = "'rate' must be like '10/minute' or '100/hour', or None, not {!r}."


class FailingCache(LocMemCache):
    """A cache that works until somebody says otherwise."""

    works = True
    asked = 0

    def add(self, *args, **kwargs):
        type(self).asked += 1
        if not self.works:
            raise ConnectionResetError(104, "redis://user:secret@cache.example")
        return super().add(*args, **kwargs)


def limiter(window=600, rate=None, **options):
    return ReportLimiter(window=window, rate=rate, clock=Clock(), **options)


class ArgumentsTests(ExactErrors, SimpleTestCase):
    def test_window(self):
        for value in (0, -1, True, "600", float("inf"), float("nan")):
            with (
                self.subTest(value=value),
                self.assertRaisesExactly(
                    ValueError,
                    f"'window' must be a number of seconds greater than 0, or None, not {value!r}.",
                ),
            ):
                ReportLimiter(window=value, rate=None)

    def test_rate(self):
        for value in ("", "10", "0/hour", "10/day", "10 / hour", "-1/minute", "10/hours", 10, ()):
            with (
                self.subTest(value=value),
                self.assertRaisesExactly(ValueError, RATE.format(value)),
            ):
                ReportLimiter(window=None, rate=value)
        for value, expected in (
            (None, (None, 0)),
            ("1/minute", (1, 60)),
            ("100/hour", (100, 3600)),
        ):
            with self.subTest(value=value):
                self.assertEqual(limits.parse_rate(value), expected)

    def test_repr(self):
        self.assertEqual(
            repr(ReportLimiter(window=60, rate="1/hour", cache="x")),
            "<ReportLimiter window=60 rate='1/hour' cache='x'>",
        )

    def test_notes(self):
        for admission, notes in (
            (Admission(), []),
            (Admission(1, 0), ["1 similar error suppressed"]),
            (Admission(2, 0), ["2 similar errors suppressed"]),
            (Admission(0, 1), ["1 further error suppressed"]),
            (Admission(3, 4), ["3 similar errors suppressed", "4 further errors suppressed"]),
            (Admission(0, 0, 1, "OSError"), ["1 report could not be sent: OSError"]),
            (
                Admission(1, 0, 2, "OSError"),
                [
                    "1 similar error suppressed",
                    "2 reports could not be sent, the last: OSError",
                ],
            ),
        ):
            with self.subTest(admission=admission):
                self.assertEqual(admission.notes(), notes)


class LocalTests(SimpleTestCase):
    def test_window(self):
        reports = limiter(window=600)
        self.assertEqual(reports.admit("a"), Admission())
        reports.clock.now += 599
        self.assertIsNone(reports.admit("a"))
        self.assertEqual(reports.admit("b"), Admission())
        self.assertIsNone(reports.admit("a"))
        reports.clock.now += 1
        self.assertEqual(reports.admit("a"), Admission(similar=2))
        # And the next window has begun, its count from zero.
        self.assertIsNone(reports.admit("a"))
        reports.clock.now += 600
        self.assertEqual(reports.admit("a"), Admission(similar=1))

    def test_no_limits(self):
        reports = limiter(window=None)
        self.assertEqual([reports.admit("a") for _ in range(50)], [Admission()] * 50)

    def test_rate(self):
        for rate, period in (("2/minute", 60), ("2/hour", 3600)):
            with self.subTest(rate=rate):
                reports = limiter(window=None, rate=rate)
                self.assertEqual(reports.admit("a"), Admission())
                reports.clock.now += period - 1
                self.assertEqual(reports.admit("b"), Admission())
                self.assertIsNone(reports.admit("c"))
                self.assertIsNone(reports.admit("a"))
                # The first is a period ago, the second is not.
                reports.clock.now += 1
                self.assertEqual(reports.admit("c"), Admission(others=2))
                self.assertIsNone(reports.admit("d"))

    def test_what_the_rate_suppresses_has_no_window(self):
        reports = limiter(window=600, rate="1/minute")
        self.assertEqual(reports.admit("a"), Admission())
        self.assertIsNone(reports.admit("b"))
        reports.clock.now += 60
        self.assertEqual(reports.admit("b"), Admission(others=1))

    def test_what_the_window_suppresses_does_not_use_the_rate_up(self):
        reports = limiter(window=600, rate="2/minute")
        self.assertEqual(reports.admit("a"), Admission())
        for _ in range(5):
            self.assertIsNone(reports.admit("a"))
        self.assertEqual(reports.admit("b"), Admission())

    def test_a_site_over_the_rate_keeps_its_count(self):
        reports = limiter(window=30, rate="1/minute")
        reports.admit("a")
        self.assertIsNone(reports.admit("a"))
        reports.clock.now += 30
        self.assertIsNone(reports.admit("a"))
        reports.clock.now += 30
        self.assertEqual(reports.admit("a"), Admission(similar=1, others=1))

    def test_failed(self):
        """What could not be sent is told later, with what it would have told."""
        reports = limiter(window=600, rate="2/hour")
        reports.admit("a")
        self.assertIsNone(reports.admit("a"))
        reports.admit("b")
        self.assertIsNone(reports.admit("c"))
        reports.clock.now += 3600
        admission = reports.admit("a")
        self.assertEqual(admission, Admission(similar=1, others=1))
        self.assertIsNone(reports.admit("a"))
        reports.failed("a", admission, TimeoutError())
        # A dead server is not tried again within the window.
        self.assertIsNone(reports.admit("a"))
        # Whichever report is the next tells that one was lost, and why.
        admission = reports.admit("b")
        self.assertEqual(admission, Admission(0, 1, 1, "TimeoutError"))
        reports.failed("b", admission, ConnectionResetError())
        reports.clock.now += 3600
        self.assertEqual(reports.admit("a"), Admission(3, 1, 2, "ConnectionResetError"))
        self.assertEqual(reports.admit("b"), Admission())

    def test_memory_is_bounded(self):
        reports = limiter(window=600)
        reports.admit("first")
        for _ in range(3):
            self.assertIsNone(reports.admit("first"))
        for number in range(limits.MAX_SITES - 1):
            self.assertEqual(reports.admit(str(number)), Admission())
        # Now the first one is forgotten, what was counted there is not.
        self.assertEqual(reports.admit("last"), Admission(others=3))
        self.assertEqual(reports.admit("first"), Admission())
        self.assertEqual(len(reports._local.sites), limits.MAX_SITES)
        # The rate remembers no more reports than it allows.
        reports = limiter(window=None, rate="3/hour")
        for _ in range(50):
            reports.admit("a")
        self.assertEqual(len(reports._local.sent), 3)

    def test_failed_after_the_site_was_forgotten(self):
        reports = limiter(window=600)
        admission = reports.admit("first")
        with patch.object(limits, "MAX_SITES", 2):
            for site in "abc":
                reports.admit(site)
            reports.failed("first", admission, OSError())
            self.assertEqual(list(reports._local.sites), [digest("c"), digest("first")])
        reports.clock.now += 600
        self.assertEqual(reports.admit("first"), Admission(0, 0, 1, "OSError"))

    def test_threads(self):
        reports = limiter(window=600, rate="8/minute")
        barrier = threading.Barrier(8, timeout=10)
        admitted = []

        def work(number):
            barrier.wait(10)
            for turn in range(200):
                # One site in common, and one of each thread's own.
                for site in ("common", f"own {number}", f"new {number} {turn}"):
                    admitted.append((site, reports.admit(site)))

        threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        given = [(site, admission) for site, admission in admitted if admission is not None]
        self.assertEqual(len(given), 8)
        self.assertLessEqual(len([site for site, _ in given if site == "common"]), 1)
        # Every single one was counted.
        suppressed = reports._local.others + sum(
            count for _, count in reports._local.sites.values()
        )
        told = sum(admission.similar + admission.others for _, admission in given)
        self.assertEqual(suppressed + told, 8 * 200 * 3 - 8)

    def test_fork(self):
        """A child may be made while a thread of its parent holds the lock."""
        if not hasattr(os, "fork"):
            self.skipTest("This system has no fork().")
        reports = limiter(window=600, rate="1/hour")
        reports.admit("a")
        self.assertIsNone(reports.admit("a"))
        reports._local.lock.acquire()
        # Python 3.12 warns if other threads run; that is the point here.
        with ignore_warnings(category=DeprecationWarning):
            child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(10)
                # The parent tells what was counted until here; the child has limits of its own.
                status = 0 if reports.admit("a") == Admission() else 2
            finally:
                os._exit(status)
        reports._local.lock.release()
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        reports.clock.now += 3600
        self.assertEqual(reports.admit("a"), Admission(similar=1))


@override_settings(CACHES={"default": {"BACKEND": LOCMEM_CACHE, "LOCATION": "tests.test_limits"}})
class SharedTests(SimpleTestCase):
    def setUp(self):
        caches["default"].clear()
        self.addCleanup(caches["default"].clear)
        # The clocks stand still in between, or else the next part of a period might begin.
        self.start = time.time()
        self.pass_seconds(0)
        # Of two processes.
        self.one, self.two = (self.shared(), self.shared())

    def shared(self, **options):
        return limiter(**{"window": 600, "cache": "default", "scope": "tests"} | options)

    def pass_seconds(self, seconds):
        """Let the cache's own clock go on, and that of the counters, from the time at the start."""
        now = self.start + seconds
        for module in ("django.core.cache.backends.base", "django.core.cache.backends.locmem"):
            clock = enter(self, patch(f"{module}.time"))
            clock.time.return_value = now
        enter(self, patch.object(wrapping_clock, "time", lambda: now))

    def test_window(self):
        self.assertEqual(self.one.admit("a"), Admission())
        self.assertIsNone(self.two.admit("a"))
        self.assertIsNone(self.one.admit("a"))
        self.assertEqual(self.two.admit("b"), Admission())
        self.pass_seconds(599)
        self.assertIsNone(self.two.admit("a"))
        self.pass_seconds(601)
        self.assertEqual(self.two.admit("a"), Admission(similar=3))
        self.assertIsNone(self.one.admit("a"))

    def test_rate(self):
        one, two = (self.shared(window=None, rate="2/minute") for _ in range(2))
        self.assertEqual(one.admit("a"), Admission())
        self.pass_seconds(40)
        self.assertEqual(two.admit("a"), Admission())
        self.assertEqual([one.admit("a"), two.admit("b")], [None, None])
        # The first is more than a minute ago, the second is not.
        self.pass_seconds(63)
        self.assertEqual(two.admit("c"), Admission(others=2))
        self.assertIsNone(one.admit("d"))

    def test_rate_in_a_cache_that_forgets_when_numbers_expire(self):
        """In files, a number that is added to gets the default timeout, here: none at all."""
        folder = enter(self, tempfile.TemporaryDirectory())
        backend = "django.core.cache.backends.filebased.FileBasedCache"
        entry = {"BACKEND": backend, "LOCATION": folder, "TIMEOUT": 0}
        with override_settings(CACHES={"default": entry}), self.assertNoLogs(LOGGER):
            reports = self.shared(window=None, rate="2/hour")
            self.assertEqual(
                [reports.admit(site) is None for site in "abcd"], [False, False, True, True]
            )

    def test_any_string_is_a_site(self):
        for site in ("x" * 5000, "two\nlines", "lone \udc80 surrogate", ""):
            with self.subTest(site=site), self.assertNoLogs(LOGGER):
                self.assertEqual(self.one.admit(site), Admission())
                self.assertIsNone(self.two.admit(site))

    def test_what_the_rate_suppresses_has_no_window(self):
        reports = self.shared(rate="1/minute")
        self.assertEqual(reports.admit("a"), Admission())
        self.assertIsNone(reports.admit("b"))
        self.pass_seconds(63)
        self.assertEqual(reports.admit("b"), Admission(others=1))

    def test_failed(self):
        one, two = (self.shared(rate="1/minute") for _ in range(2))
        admission = one.admit("a")
        self.assertIsNone(two.admit("b"))
        self.assertIsNone(two.admit("a"))
        one.failed("a", admission, TimeoutError())
        self.pass_seconds(601)
        admission = two.admit("a")
        self.assertEqual(admission, Admission(1, 1, 1, "TimeoutError"))
        two.failed("a", admission, ConnectionResetError())
        self.pass_seconds(1202)
        self.assertEqual(one.admit("b"), Admission(0, 1, 2, "ConnectionResetError"))
        self.pass_seconds(1265)
        self.assertEqual(one.admit("a"), Admission(similar=1))

    def test_a_high_rate_costs_no_more(self):
        """Neither keys nor questions."""
        asked = []
        for name in ("get", "add", "incr", "set", "get_many"):
            original = getattr(LocMemCache, name)

            def ask(self, *args, original=original, **kwargs):
                asked.append(args[0])
                return original(self, *args, **kwargs)

            enter(self, patch.object(LocMemCache, name, ask))
        reports = self.shared(window=None, rate="1000000/hour")
        number = set()
        for _ in range(3):
            asked.clear()
            self.assertEqual(reports.admit("a"), Admission())
            number.add(len(asked))
            # This backend asks for each of many keys by itself.
            self.assertLess(len([keys for keys in asked if not isinstance(keys, str)]), 3)
        self.assertLess(max(number), 100)
        self.assertEqual(len(caches["default"]._cache), 1)

    def test_rate_of_threads_that_share_a_cache(self):
        limiters = [self.shared(window=None, rate="20/hour") for _ in range(8)]
        barrier = threading.Barrier(8, timeout=10)
        admitted = []

        def work(reports):
            barrier.wait(10)
            admitted.extend([reports.admit("a") for _ in range(50)])

        threads = [threading.Thread(target=work, args=[reports]) for reports in limiters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual((len(admitted), sum(a is not None for a in admitted)), (400, 20))

    def test_counts_that_another_process_takes(self):
        """At any moment: it is no failure of the cache."""
        reports = self.shared(window=None, rate="1/hour")
        self.assertEqual(reports.admit("a"), Admission())
        for name in ("add", "incr"):
            original, taken = getattr(LocMemCache, name), []

            def take(cache, key, *args, original=original, taken=taken, **kwargs):
                if key.endswith(":others") and len(taken) < 3:
                    taken.append(cache.get(key))
                    cache.delete(key)
                return original(cache, key, *args, **kwargs)

            with self.subTest(name), patch.object(LocMemCache, name, take):
                with self.assertNoLogs(LOGGER):
                    self.assertEqual([reports.admit("b") for _ in range(5)], [None] * 5)
                self.assertGreater(len(taken), 0)

    def test_a_process_that_dies_between_two_operations(self):
        """It uses up one report at most. The others have the rest of the rate."""
        for name in ("add", "incr", "set", "get", "get_many"):
            for when in (1, 2, 3):
                with self.subTest(name, when=when):
                    caches["default"].clear()
                    sent = self.killed_in(name, when)
                    reports = self.shared(window=None, rate="5/hour")
                    sent += sum(reports.admit("a") is not None for _ in range(20))
                    self.assertIn(sent, (4, 5))

    def killed_in(self, name, when):
        """Admit two reports, as far as a process comes that dies after it has asked the cache."""
        original, calls = getattr(LocMemCache, name), []

        def ask(self, *args, **kwargs):
            value = original(self, *args, **kwargs)
            calls.append(args)
            if len(calls) == when:
                raise SystemExit("killed")
            if len(calls) > when:
                raise AssertionError("The dead ask for nothing.")
            return value

        reports, sent = self.shared(window=None, rate="5/hour"), 0
        # What it would take back, the dead do not.
        with patch.object(LocMemCache, name, ask), patch.object(Ledger, "_uncount"):
            try:
                for _ in range(2):
                    sent += reports.admit("a") is not None
            except SystemExit:
                pass
        return sent

    def test_room_comes_back(self):
        reports = self.shared(window=None, rate="3/minute")
        # A twentieth of the period late, at most.
        for second in (0, 20, 40, 63, 83, 103, 126):
            self.pass_seconds(second)
            with self.subTest(second):
                self.assertIsNotNone(reports.admit("a"))
        self.assertIsNone(reports.admit("a"))

    def test_scope(self):
        other = self.shared(scope="another handler")
        self.assertEqual(self.one.admit("a"), Admission())
        self.assertEqual(other.admit("a"), Admission())

    def test_fractions_of_a_second(self):
        reports = self.shared(window=0.5)
        self.assertEqual(reports.admit("a"), Admission())
        self.assertIsNone(reports.admit("a"))

    def test_cache_that_fails(self):
        """This process's own limits hold; the cache has a rest; no secret is logged."""
        caches_setting = {"default": {"BACKEND": f"{__name__}.FailingCache"}}
        with (
            override_settings(CACHES=caches_setting),
            patch.multiple(FailingCache, works=False, asked=0),
        ):
            with self.assertLogs(LOGGER, logging.WARNING) as logs:
                self.assertEqual(self.one.admit("a"), Admission())
            [record] = logs.records
            place = f"{__file__}:{FailingCache.add.__code__.co_firstlineno + 3}"
            self.assertEqual(
                record.getMessage(),
                "The cache 'default' failed to keep the limits of reports "
                f"(ConnectionResetError ECONNRESET in {place}); "
                "this process keeps its own for the next 60 seconds.",
            )
            with self.assertNoLogs(LOGGER):
                self.assertIsNone(self.one.admit("a"))
                self.one.clock.now += 59
                self.assertIsNone(self.one.admit("a"))
            self.assertEqual(FailingCache.asked, 1)
            self.one.clock.now += 1
            FailingCache.works = True
            with self.assertNoLogs(LOGGER):
                self.assertEqual(self.one.admit("a"), Admission())
            self.assertGreater(FailingCache.asked, 1)

    def test_cache_that_cannot_be_used(self):
        database = "django.core.cache.backends.db.DatabaseCache"
        for name, setting, error in (
            ("missing", {}, "InvalidCacheBackendError"),
            ("no backend", {"BACKEND": "nowhere.Cache"}, "InvalidCacheBackendError"),
            ("database", {"BACKEND": database, "LOCATION": "x"}, "ImproperlyConfigured"),
            (
                "dummy",
                {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
                "ImproperlyConfigured",
            ),
        ):
            with self.subTest(name):
                cache = {"x": setting} if setting else {}
                with (
                    override_settings(CACHES={"default": {"BACKEND": LOCMEM_CACHE}} | cache),
                    self.assertLogs(LOGGER, logging.WARNING) as logs,
                ):
                    reports = self.shared(cache="x")
                    self.assertEqual(reports.admit("a"), Admission())
                    self.assertIsNone(reports.admit("a"))
                [record] = logs.records
                self.assertEqual(record.args[1].partition(" in ")[0], error)
