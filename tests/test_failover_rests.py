"""When a mailer of a failover rests, who tries it afterwards, and what others learn of it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from django_mailers import send_many
from django_mailers.backends._failover import health, keys
from django_mailers.backends._failover.rests import Rests, rests
from django_mailers.backends.failover import EmailBackend
from django_mailers.errors import MailersFailed
from django_mailers.signals import mailer_recovered, mailer_rested

from .support.messages import message
from .support.processes import in_child
from .support.providers import PROVIDER, ProvidersTestCase, providers
from .support.servers import TIMEOUT, enter

LOGGER = "django_mailers.failover"
LOCMEM_CACHE = "django.core.cache.backends.locmem.LocMemCache"


class RestsTestCase(ProvidersTestCase):
    def setUp(self):
        super().setUp()
        self.signals = []
        for name, signal in [("rested", mailer_rested), ("recovered", mailer_recovered)]:

            def note(name=name, sender=None, signal=None, **kwargs):
                self.signals.append((name, *kwargs.values()))

            signal.connect(note, weak=False)
            self.addCleanup(signal.disconnect, note)

    def send(self, subjects="m", using="it"):
        """Send messages; return who has taken each of them, or "-"."""
        report = send_many([message(subject) for subject in subjects], using=using)
        return "".join(result.via or "-" for result in report)

    def down(self, name, times=1000):
        providers[name].script = ["be unreachable"] * times

    def up(self, name):
        providers[name].script = []

    def counts(self):
        """How often each provider was asked."""
        return [len(batches) for batches in self.batches()]


class StatesTests(RestsTestCase):
    def setUp(self):
        super().setUp()
        enter(self, self.failover())

    def test_working_resting_half_open_working(self):
        self.down("a")
        self.assertEqual(self.send(), "b")
        self.clock.advance(59.9)
        self.assertEqual(self.send(), "b")
        self.assertEqual(self.counts(), [1, 2, 0])
        self.up("a")
        self.clock.advance(0.1)
        # Half open; it returns to the first when that is well.
        self.assertEqual(self.send(), "a")
        self.assertEqual(self.send(), "a")
        self.assertEqual(
            self.signals,
            [("rested", "a", "it", "network", 60), ("recovered", "a", "it")],
        )

    def test_each_failure_doubles_the_rest(self):
        self.down("a")
        seconds = []
        for _ in range(6):
            self.send()
            seconds.append(self.signals[-1][4])
            # Not before it has ended.
            self.clock.advance(seconds[-1] - 0.1)
            self.send()
            self.clock.advance(0.2)
        self.assertEqual(seconds, [60, 120, 240, 480, 900, 900])
        self.assertEqual(self.counts(), [6, 12, 0])
        # Success ends that as well.
        self.up("a")
        self.assertEqual(self.send(), "a")
        self.down("a")
        self.send()
        self.assertEqual(self.signals[-1], ("rested", "a", "it", "network", 60))

    def test_what_the_server_asks_for(self):
        """It is taken as it is, up to max_rest, and does not count as a failure before."""
        providers["a"].script = ["limit", "be unreachable", "limit", "be unreachable"]
        for expected in (120, 60, 120, 120):
            self.send()
            self.assertEqual(self.signals[-1][4], expected)
            self.clock.advance(expected)
        with self.failover(max_rest=90):
            providers["a"].script = ["limit"]
            self.send()
            self.assertEqual(self.signals[-1], ("rested", "a", "it", "account", 90))

    def test_what_is_no_reason_to_rest(self):
        for deed in ("refuse", "refuse for now", "refuse the sender", "be full", "fail to render"):
            providers["a"].script = [deed]
            self.send()
            self.assertEqual(self.send(), "a")
        self.assertEqual(self.signals, [])

    def test_what_is_unknown_lets_it_rest(self):
        providers["a"].script = ["lose the reply"]
        self.assertEqual(self.send("ab"), "aa")
        # The second message has shown that it works.
        self.assertEqual(self.signals, [])
        providers["a"].script = ["lose the reply"]
        self.assertEqual(self.send(), "a")
        self.assertEqual(self.send(), "b")
        self.assertEqual(self.signals, [("rested", "a", "it", "unknown", 60)])

    def test_one_warning_and_one_signal_for_each_rest(self):
        with self.assertLogs(LOGGER, "INFO") as logs:
            self.down("a")
            for _ in range(5):
                self.send("abc")
            self.up("a")
            self.clock.advance(60)
            for _ in range(5):
                self.send("abc")
        self.assertEqual(
            [(record.levelname, record.getMessage()) for record in logs.records],
            [
                ("WARNING", "MAILERS['it']: 'a' rests for 60 s after a fault: network."),
                ("INFO", "MAILERS['it']: 'a' works again."),
            ],
        )
        self.assertEqual([name for name, *_ in self.signals], ["rested", "recovered"])

    def test_a_receiver_that_fails(self):
        def fail(**kwargs):
            self.assertIs(kwargs["sender"], EmailBackend)
            raise KeyError("receiver")

        for signal in (mailer_rested, mailer_recovered):
            signal.connect(fail)
            self.addCleanup(signal.disconnect, fail)
        self.down("a")
        with self.assertLogs("django.dispatch", "ERROR"):
            self.assertEqual(self.send(), "b")
        self.up("a")
        self.clock.advance(60)
        with self.assertLogs("django.dispatch", "ERROR"):
            self.assertEqual(self.send(), "a")

    def test_all_rest(self):
        """The one whose rest ends first is tried."""
        for name in "abc":
            self.down(name)
        self.assertEqual(self.send(), "-")
        self.clock.advance(1)
        self.assertEqual(self.counts(), [1, 1, 1])
        # One for each message, and it rests longer then.
        for _ in range(3):
            with self.assertRaises(MailersFailed):
                message().send(using="it")
        self.assertEqual(self.counts(), [2, 2, 2])
        self.up("c")
        self.assertEqual(self.send(), "-")
        self.assertEqual(self.send(), "-")
        self.assertEqual(self.send(), "c")
        self.assertEqual(self.send(), "c")
        self.assertEqual(self.signals[-1], ("recovered", "c", "it"))

    def test_the_last_hope_rests(self):
        self.down("b")
        self.down("a")
        self.down("c")
        self.send()
        self.up("a")
        self.clock.advance(60)
        self.assertEqual(self.send(), "a")
        self.down("a")
        self.up("b")
        # "b" would be half open; the message does not wait for anything.
        self.assertEqual(self.send(), "b")

    def test_two_failovers_share_what_they_know(self):
        other = {
            "BACKEND": "django_mailers.backends.failover.EmailBackend",
            "OPTIONS": {"mailers": ["a", "c"]},
        }
        with self.failover(other=other):
            self.down("a")
            self.assertEqual(self.send(), "b")
            self.assertEqual(self.send(using="other"), "c")
        self.assertEqual(self.counts(), [1, 1, 1])

    def test_other_settings_of_the_same_alias(self):  # (H44)
        self.down("a")
        self.send()
        with self.failover(a={"BACKEND": PROVIDER, "OPTIONS": {"name": "c"}}):
            self.assertEqual(self.send(), "a")

    def test_it_holds_no_attempts(self):
        self.down("a", 1)
        self.send()
        self.clock.advance(60)
        self.send("abc")
        self.assertEqual((rests._rests, rests._probes), ({}, {}))


class ProbeTests(RestsTestCase):
    """Exactly one message tries a mailer that is half open."""

    def setUp(self):
        super().setUp()
        enter(self, self.failover())
        self.down("a", 1)
        self.send()
        self.clock.advance(60)

    def test_a_batch_begins_with_one(self):
        self.assertEqual(self.send("abc"), "aaa")
        self.assertEqual(providers["a"].batches[1:], [["a"], ["b", "c"]])

    def test_a_batch_whose_first_message_fails(self):
        self.down("a", 1)
        self.assertEqual(self.send("abc"), "bbb")
        self.assertEqual(providers["a"].batches[1:], [["a"]])
        self.assertEqual(providers["b"].batches[1:], [["a", "b", "c"]])

    def test_a_batch_whose_first_message_is_unknown(self):
        providers["a"].script = ["lose the reply"]
        self.assertEqual(self.send("abc"), "abb")
        self.assertEqual(providers["b"].batches[1:], [["b", "c"]])

    def test_a_batch_whose_first_message_is_unknown_and_moves_on(self):
        """The others of the batch have not been given to the mailer, and are not unknown."""
        providers["a"].script = ["lose the reply"]
        providers["b"].script = ["refuse", "refuse", "take"]
        with self.failover(unknown="next"):
            # That is another MAILERS.
            providers["a"].script.insert(0, "be unreachable")
            providers["b"].script.insert(0, "take")
            self.send()
            self.clock.advance(60)
            report = send_many([message(subject) for subject in "abc"], using="it")
        self.assertEqual(
            [(result.status, result.code, result.via) for result in report],
            [("unknown", None, "a"), ("refused", 550, None), ("sent", 250, "b")],
        )
        self.assertIsInstance(report[0].error, MailersFailed)
        self.assertNotIsInstance(report[1].error, MailersFailed)

    def test_a_message_that_is_refused_shows_that_it_works(self):
        providers["a"].script = ["refuse"]
        self.assertEqual(self.send("abc"), "-aa")
        self.assertEqual(providers["a"].batches[1:], [["a"], ["b", "c"]])

    def test_a_message_that_shows_nothing(self):
        """The next one tries."""
        providers["a"].script = ["fail to render", "fail to render"]
        self.assertEqual(self.send("abcd"), "--aa")
        self.assertEqual(providers["a"].batches[1:], [["a"], ["b"], ["c"], ["d"]])

    def test_one_that_is_busy(self):
        """Nothing is known of it, and the batch does not try it message by message."""
        providers["a"].script = ["be full"]
        self.assertEqual(self.send("abcd"), "bbbb")
        self.assertEqual(self.send("abcd"), "aaaa")

    def test_an_interrupt_does_not_block_it(self):
        wrong = mock.patch.object(health.Health, "succeeded", side_effect=KeyboardInterrupt)
        with wrong, self.assertRaises(KeyboardInterrupt):
            self.send()
        self.assertEqual(self.send(), "a")

    def test_a_storm_of_threads(self):
        """One of them is at it, and the others go on to the next mailer."""
        started, go = threading.Event(), threading.Event()

        def wait(one):
            started.set()
            go.wait(TIMEOUT)

        providers["a"].on_message = wait
        with ThreadPoolExecutor(20) as threads:
            first = threads.submit(self.send)
            started.wait(TIMEOUT)
            others = [threads.submit(self.send) for _ in range(50)]
            self.assertEqual({other.result(TIMEOUT) for other in others}, {"b"})
            go.set()
            self.assertEqual(first.result(TIMEOUT), "a")
        self.assertEqual(len(providers["a"].batches), 2)
        self.assertEqual(self.send(), "a")

    def test_a_storm_of_threads_that_begin_at_once(self):  # (H43)
        for _ in range(20):
            self.assertEqual(self.storm(10), ["a", *"bbbbbbbbb"])
            self.down("a", 1)
            self.send()
            self.clock.advance(900)

    def storm(self, count):
        """Send from so many threads at once; return who has taken the messages."""
        start, chosen = (threading.Barrier(count, timeout=TIMEOUT) for _ in range(2))

        def send():
            start.wait()
            return self.send()

        # Nobody gets to know how it went before all have chosen.
        for provider in providers.values():
            provider.on_message = lambda one: chosen.wait()
        with ThreadPoolExecutor(count) as threads:
            taken = [threads.submit(send) for _ in range(count)]
            taken = sorted(each.result(TIMEOUT) for each in taken)
        for provider in providers.values():
            provider.on_message = lambda one: None
        return taken

    def test_one_that_never_comes_back(self):  # (H43)
        """After the timeout of the mailer and half a minute another one tries."""
        go = threading.Event()
        providers["a"].on_message = lambda one: go.wait(TIMEOUT)
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(self.send)
            while not providers["a"].batches[1:]:
                go.wait(0.01)
            providers["a"].on_message = lambda one: None
            self.clock.advance(keys.DEFAULT_TIMEOUT + 29)
            self.assertEqual(self.send(), "b")
            self.clock.advance(1)
            self.assertEqual(self.send(), "a")
            go.set()
            self.assertEqual(first.result(TIMEOUT), "a")

    def test_an_attempt_from_before_does_not_count(self):
        """It has failed at last, but the mailer has come back since it began."""
        go, started = threading.Event(), threading.Event()
        self.assertEqual(self.send(), "a")

        def hang(one):
            started.set()
            go.wait(TIMEOUT)

        providers["a"].on_message = hang
        self.down("a", 2)
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(self.send)
            started.wait(TIMEOUT)
            providers["a"].on_message = lambda one: None
            self.send()
            self.clock.advance(900)
            self.assertEqual(self.send(), "a")
            self.signals.clear()
            go.set()
            slow.result(TIMEOUT)
        self.assertEqual(self.signals, [])
        self.assertEqual(self.send(), "a")

    def test_many_that_fail_at_once_count_once(self):
        self.assertEqual(self.send(), "a")
        self.signals.clear()
        barrier = threading.Barrier(8, timeout=TIMEOUT)
        providers["a"].on_message = lambda one: barrier.wait(TIMEOUT)
        self.down("a")
        with ThreadPoolExecutor(8) as threads:
            self.assertEqual({*threads.map(lambda _: self.send(), range(8))}, {"b"})
        self.assertEqual(self.signals, [("rested", "a", "it", "network", 60)])


class ForkTests(RestsTestCase):
    def test_a_child_knows_what_rests(self):
        with self.failover():
            self.down("a", 1)
            self.send()
            self.assertEqual(in_child(self.send), "b")
            self.clock.advance(60)
            self.assertEqual(in_child(self.send), "a")

    def test_a_child_does_not_wait_for_a_thread_of_its_parent(self):
        """Neither for the lock, nor for the one that tries a mailer."""
        with self.failover():
            self.down("a", 1)
            self.send()
            self.clock.advance(60)
            go, started = threading.Event(), threading.Event()

            def hang(one):
                started.set()
                go.wait(TIMEOUT)

            providers["a"].on_message = hang
            with ThreadPoolExecutor(2) as threads:
                first = threads.submit(self.send)
                started.wait(TIMEOUT)
                providers["a"].on_message = lambda one: None
                lock = rests.lock
                threads.submit(lock.acquire).result(TIMEOUT)
                taken = in_child(self.send)
                rests.renew_lock()
                go.set()
                self.assertEqual(first.result(TIMEOUT), "a")
        self.assertEqual(taken, "a")


class CacheTests(RestsTestCase):
    """Processes that share a cache; each has a `Rests` of its own here."""

    def setUp(self):
        super().setUp()
        cache = {"BACKEND": LOCMEM_CACHE, "LOCATION": self.id()}
        enter(self, override_settings(CACHES={"default": cache}))
        enter(self, self.failover(cache="default"))
        self.addCleanup(lambda cache=caches["default"]: cache.clear())
        self.processes = {"x": Rests(), "y": Rests(), "z": Rests()}

    @contextmanager
    def process(self, name):
        with mock.patch.object(health, "rests", self.processes[name]):
            yield

    def send_in(self, name, subjects="m"):
        with self.process(name):
            return self.send(subjects)

    def test_the_others_know_what_rests(self):
        self.down("a", 1)
        self.assertEqual(self.send_in("x"), "b")
        self.assertEqual(self.send_in("y"), "b")
        self.assertEqual(self.counts(), [1, 2, 0])
        self.clock.advance(60)
        self.assertEqual(self.send_in("y"), "a")
        self.assertEqual(self.send_in("x"), "a")
        self.assertEqual(
            self.signals, [("rested", "a", "it", "network", 60), ("recovered", "a", "it")]
        )
        self.assertEqual([*caches["default"]._cache], [])

    def test_one_of_all_processes_tries(self):
        self.down("a", 1)
        self.send_in("x")
        self.send_in("y")
        self.clock.advance(60)
        taken = []
        providers["a"].on_message = lambda one: taken.append(
            self.send_in("y") + self.send_in("z") + self.send_in("x")
        )
        self.assertEqual(self.send_in("x"), "a")
        self.assertEqual(taken, ["bbb"])

    def test_a_failure_doubles_the_rest_for_all(self):
        self.down("a")
        for name, seconds in [("x", 60), ("y", 120), ("z", 240), ("x", 480)]:
            self.send_in(name)
            self.assertEqual(self.signals[-1][4], seconds)
            for other in "xyz":
                self.send_in(other)
            self.clock.advance(seconds)
        self.assertEqual(len(self.signals), 4)

    def test_two_that_fail_at_the_same_time(self):
        """One rest, one warning."""
        self.down("a")
        asked = []

        def meanwhile(one):
            if not asked:
                asked.append(True)
                self.send_in("y")

        providers["a"].on_message = meanwhile
        self.send_in("x")
        self.assertEqual(self.counts(), [2, 2, 0])
        self.assertEqual(self.signals, [("rested", "a", "it", "network", 60)])

    def test_another_process_was_faster(self):
        """It had tried the mailer between our look at the cache and our claim."""
        self.down("a", 1)
        self.send_in("x")
        self.clock.advance(60)
        claim = health.SharedRests.claim

        def meanwhile(shared, attempt, key, seconds):
            with mock.patch.object(health.SharedRests, "claim", claim):
                self.send_in("y")
            return claim(shared, attempt, key, seconds)

        with mock.patch.object(health.SharedRests, "claim", meanwhile):
            self.assertEqual(self.send_in("x"), "a")
        self.assertEqual([name for name, *_ in self.signals], ["rested", "recovered"])
        # And if that has failed:
        self.down("a", 1)
        self.send_in("x")
        self.clock.advance(60)
        self.down("a", 1)
        with mock.patch.object(health.SharedRests, "claim", meanwhile):
            self.assertEqual(self.send_in("x"), "b")
        self.assertEqual(self.send_in("x"), "b")
        self.clock.advance(120)
        self.assertEqual(self.send_in("x"), "a")

    def test_a_prober_that_was_killed(self):
        self.down("a", 1)
        self.send_in("x")
        self.clock.advance(60)
        # What it leaves behind is the claim, which the cache forgets.
        added = {}

        def add(cache, key, value, timeout=None, version=None):
            added[key] = timeout
            return False

        with mock.patch.object(LocMemCache, "add", add):
            self.assertEqual(self.send_in("x"), "b")
        self.assertEqual([*added.values()], [keys.DEFAULT_TIMEOUT + 30])
        self.assertEqual(self.send_in("x"), "a")

    def test_the_keys(self):
        self.down("a", 1)
        self.send_in("x")
        [key] = [key.removeprefix(":1:") for key in caches["default"]._cache]
        self.assertRegex(key, r"^django_mailers:failover:a:[0-9a-f]{16}$")
        entry = caches["default"].get(key)
        self.assertEqual(
            {**entry, "id": ""},
            {"id": "", "until": self.clock.wall + 60, "seconds": 60.0, "step": 60},
        )
        json.dumps(entry)

    # Clocks

    def test_the_wall_clock_goes_back(self):  # (H44)
        """Here, or on another machine: a rest never lasts longer than it was meant to."""
        self.down("a", 1)
        self.send_in("x")
        self.clock.wall -= 3600
        self.assertEqual(self.send_in("x"), "b")
        self.assertEqual(self.send_in("y"), "b")
        self.clock.advance(30)
        self.assertEqual(self.send_in("y"), "b")
        self.clock.advance(30)
        # It has looked at the entry twice, and has not begun the rest again.
        self.assertEqual(self.send_in("y"), "a")

    def test_an_entry_of_the_future(self):
        with self.process("y"):
            key = keys.key_of("a")
            entry = {"id": "1", "until": self.clock.wall + 1e6, "seconds": 1e6, "step": 1e6}
            caches["default"].set(key, entry)
            self.assertEqual(self.send(), "b")
            self.clock.advance(900)
            self.assertEqual(self.send(), "a")

    def test_the_wall_clock_goes_forward(self):
        self.down("a", 1)
        self.send_in("x")
        self.clock.wall += 3600
        self.assertEqual(self.send_in("x"), "b")
        self.assertEqual(self.send_in("z"), "a")

    def test_without_a_cache_the_wall_clock_does_not_matter(self):
        with self.failover():
            self.down("a", 1)
            self.send()
            self.clock.wall -= 1e6
            self.assertEqual(self.send(), "b")
            self.clock.advance(60)
            self.assertEqual(self.send(), "a")

    # Caches that fail

    @contextmanager
    def broken(self, error=ConnectionError):
        def fail(*args, **kwargs):
            raise error("redis://:secret@cache.example.com")

        names = ("get", "get_many", "set", "add", "delete")
        with mock.patch.multiple(LocMemCache, **dict.fromkeys(names, fail)):
            yield

    def test_a_broken_cache(self):  # (H56)
        with self.broken(), self.assertLogs(LOGGER, "WARNING") as logs:
            self.down("a", 1)
            for _ in range(3):
                self.assertEqual(self.send_in("x"), "b")
            self.clock.advance(30)
            self.assertEqual(self.send_in("x"), "b")
            self.clock.advance(29)
            self.assertEqual(self.send_in("x"), "b")
            self.clock.advance(2)
            self.assertEqual(self.send_in("x"), "a")
        failed = (
            "The cache 'default' failed (ConnectionError). For the next 60 seconds this process "
            "does not share which mailers rest."
        )
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            [failed, "MAILERS['it']: 'a' rests for 60 s after a fault: network.", failed],
        )

    def test_a_cache_that_recovers(self):
        """What this process knows does not get lost because the cache has not heard of it."""
        with self.failover(cache="default", rest=200):
            self.down("a")
            with self.broken():
                self.send_in("x")
            self.clock.advance(61)
            self.assertEqual(self.send_in("x"), "b")
            self.assertEqual(self.counts(), [1, 2, 0])
            self.clock.advance(200)
            self.send_in("x")
            # Now the others hear of it.
            self.assertEqual(self.send_in("y"), "b")
            self.assertEqual(self.counts()[0], 2)

    def test_what_the_cache_does_not_have_yet(self):
        """It was read before another thread stored a rest there."""
        self.down("a", 1)
        read = health.SharedRests.read

        def meanwhile(shared, keys, max_rest):
            found = read(shared, keys, max_rest)
            with mock.patch.object(health.SharedRests, "read", read):
                self.send("other")
            return found

        with self.process("x"), mock.patch.object(health.SharedRests, "read", meanwhile):
            self.assertEqual(self.send(), "b")

    def test_a_cache_that_forgets(self):
        self.down("a", 1)
        self.send_in("x")
        caches["default"].clear()
        self.assertEqual(self.send_in("x"), "a")

    def test_entries_of_others(self):
        for entry in ("text", 7, {}, {"id": "1", "until": "soon", "seconds": 1, "step": 1}):
            with self.subTest(entry):
                caches["default"].set(keys.key_of("a"), entry)
                self.assertEqual(self.send_in("x"), "a")

    def test_a_cache_that_is_not_defined(self):
        with self.failover(cache="missing"), self.assertLogs(LOGGER, "WARNING") as logs:
            self.assertEqual(self.send_in("x"), "a")
        self.assertIn("InvalidCacheBackendError", logs.output[0])

    def test_an_interrupt_is_not_a_fault_of_the_cache(self):
        with self.broken(KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            self.send_in("x")
