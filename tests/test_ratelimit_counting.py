"""What a rate limit promises, whatever comes in whatever order: by hypothesis."""

import threading
from unittest import mock

from django.core.cache import caches
from django.test import SimpleTestCase, override_settings, tag
from hypothesis import given, settings
from hypothesis import strategies as st

from django_mailers.backends._ratelimit.costs import domain_of, fitting
from django_mailers.backends._ratelimit.counting import PARTS, Full, Ledger, Place, Rate
from django_mailers.backends._wrapping import clock as real

from .support.clocks import CACHE, Clock, ClockCache
from .support.generated import DETERMINISTIC
from .support.servers import TIMEOUT, enter

RATES = st.lists(
    st.builds(Rate, st.integers(1, 8), st.sampled_from([1, 10, 60, 3600])),
    min_size=1,
    max_size=3,
    unique_by=lambda rate: rate.seconds,
)
COSTS = st.dictionaries(st.sampled_from(["", "b"]), st.integers(1, 3), min_size=1, max_size=2)
# How much time passes before a batch, and the batch.
STEPS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.0, 0.05, 1.0, 3.0, 60.0, 63.0]), st.floats(0, 100)),
        st.lists(COSTS, min_size=1, max_size=6),
    ),
    max_size=20,
)
SEQUENCES = settings(DETERMINISTIC, max_examples=60)


class CountingMixin:
    def setUp(self):
        super().setUp()
        enter(self, override_settings(CACHES={"default": {"BACKEND": CACHE}}))

    def assertKept(self, rates, grants):
        """No period of any rate has more than that, wherever it begins; grants: (when, cost)."""
        for rate in rates:
            for name in ("", "b"):
                for begin, _ in grants:
                    within = sum(
                        cost.get(name, 0)
                        for when, cost in grants
                        if begin <= when < begin + rate.seconds
                    )
                    self.assertLessEqual(within, rate.number, (rate, name, begin))


class OneProcessTests(CountingMixin, SimpleTestCase):
    def take_all(self, clock, rates, steps):
        """Take what `steps` say; return the grants, each with the time of the clock."""
        ledger, grants = Ledger(caches["default"], "x", rates), []
        for seconds, costs in steps:
            clock.go(seconds)
            outcomes = ledger.take(costs)
            self.assertEqual(len(outcomes), len(costs))
            for cost, outcome in zip(costs, outcomes, strict=True):
                if isinstance(outcome, Place):
                    grants.append((clock.now, cost))
                    self.assertEqual(outcome, Place(cost, clock.now))
        return grants

    @SEQUENCES
    @given(RATES, STEPS)
    def test_no_period_holds_more(self, rates, steps):
        with Clock() as clock:
            self.assertKept(rates, self.take_all(clock, rates, steps))

    @tag("slow")
    @SEQUENCES
    @given(RATES, STEPS, STEPS, st.floats(0, 1))
    def test_the_clock_is_set_back(self, rates, before, after, fraction):
        """By up to the shortest period. What the clock shows is in no period more than allowed."""
        with Clock() as clock:
            grants = self.take_all(clock, rates, before)
            clock.now -= fraction * min(rate.seconds for rate in rates)
            grants += self.take_all(clock, rates, after)
            self.assertKept(rates, grants)

    @SEQUENCES
    @given(RATES, st.lists(st.tuples(st.floats(0, 0.3), COSTS), max_size=20))
    def test_what_is_given_back_leaves_nothing(self, rates, steps):
        with Clock() as clock:
            ledger, places = Ledger(caches["default"], "x", rates), []
            for seconds, cost in steps:
                clock.go(seconds)
                places += [it for it in ledger.take([cost]) if isinstance(it, Place)]
            ledger.give_back(places)
            self.assertEqual({value for value, _ in ClockCache.values.values()} - {0}, set())

    @SEQUENCES
    @given(RATES, st.lists(st.floats(0, 30), max_size=15), COSTS)
    def test_there_is_room_when_it_says_so(self, rates, steps, cost):
        if max(cost.values()) > min(rate.number for rate in rates):
            return
        with Clock() as clock:
            ledger = Ledger(caches["default"], "x", rates)
            for seconds in steps:
                clock.go(seconds)
                [outcome] = ledger.take([cost])
                if isinstance(outcome, Full):
                    clock.go(outcome.seconds + 0.001)
                    [again] = ledger.take([cost])
                    self.assertIsInstance(again, Place)

    def test_what_it_costs(self):
        """In the long run it lets through as much as the rate, less one part of a period."""
        for number, seconds in [(1, 60), (14, 1), (100, 60), (30, 86400)]:
            with self.subTest(number=number, seconds=seconds), Clock() as clock:
                ledger, granted = Ledger(caches["default"], "x", [Rate(number, seconds)]), 0
                for _ in range(5 * PARTS):
                    outcomes = ledger.take([{"": 1}] * number)
                    granted += sum(isinstance(outcome, Place) for outcome in outcomes)
                    clock.go(seconds / PARTS)
                self.assertGreaterEqual(granted, number * 5 * PARTS // (PARTS + 1))
                self.assertLessEqual(granted, number * 5)


class Turns:
    """Threads that stop before each operation of the cache until it is their turn.

    `order` says whose turn it is, by numbers that are taken modulo the number of those who wait.
    """

    def __init__(self, order):
        self._order = iter(order)
        self._condition = threading.Condition()
        self._local = threading.local()
        self._waiting = {}
        self._expected = 0
        self.errors = []

    def run(self, functions):
        self._expected = len(functions)
        threads = [
            threading.Thread(target=self._run, args=(number, function), daemon=True)
            for number, function in enumerate(functions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        if self.errors:
            raise self.errors[0]

    def _run(self, number, function):
        self._local.number = number
        try:
            function()
        except Exception as error:
            self.errors.append(error)
        with self._condition:
            self._expected -= 1
            self._choose()

    def stop(self):
        """Wait for this thread's turn."""
        number = self._local.number
        with self._condition:
            self._waiting[number] = False
            self._choose()
            self._condition.wait_for(lambda: self._waiting[number], TIMEOUT)
            del self._waiting[number]

    def _choose(self):
        if len(self._waiting) == self._expected and not any(self._waiting.values()):
            numbers = sorted(self._waiting)
            if numbers:
                self._waiting[numbers[next(self._order, 0) % len(numbers)]] = True
                self._condition.notify_all()


class ManyProcessesTests(CountingMixin, SimpleTestCase):
    """Each operation of the cache is atomic; what comes between two of them is anything."""

    def take_all(self, order, rates, batches, clocks):
        """Take each of `batches` at the same time, each by a clock of its own; return grants."""
        turns, grants = Turns(order), []
        local = threading.local()

        def take(costs, now):
            local.now = now
            outcomes = Ledger(caches["default"], "x", rates).take(costs)
            grants.extend(
                (now, cost)
                for cost, outcome in zip(costs, outcomes, strict=True)
                if isinstance(outcome, Place)
            )

        def stopping(operation):
            def stop(*args, **kwargs):
                turns.stop()
                return operation(*args, **kwargs)

            return stop

        with (
            Clock(),
            mock.patch.object(real, "time", lambda: local.now),
            mock.patch.object(ClockCache, "incr", stopping(ClockCache.incr)),
            mock.patch.object(ClockCache, "add", stopping(ClockCache.add)),
            mock.patch.object(ClockCache, "get_many", stopping(ClockCache.get_many)),
        ):
            turns.run(
                [
                    lambda costs=costs, now=now: take(costs, now)
                    for costs, now in zip(batches, clocks, strict=True)
                ]
            )
            left = sum(value for value, _ in ClockCache.values.values())
        units = sum(sum(cost.values()) for _, cost in grants)
        # Nothing stays counted that was not let through.
        self.assertEqual(left, units * len(rates))
        return grants

    ORDER = st.lists(st.integers(0, 11), min_size=20, max_size=60)

    @SEQUENCES
    @given(
        ORDER,
        RATES,
        st.lists(
            st.tuples(st.lists(COSTS, min_size=1, max_size=4), st.floats(-3, 3)),
            min_size=2,
            max_size=4,
        ),
    )
    @tag("slow")
    def test_no_period_holds_more(self, order, rates, batches):
        clocks = [1_700_000_000.0 + skew for _, skew in batches]
        grants = self.take_all(order, rates, [costs for costs, _ in batches], clocks)
        self.assertKept(rates, grants)

    @SEQUENCES
    @given(ORDER, st.integers(1, 8), st.lists(st.integers(1, 6), min_size=2, max_size=4))
    def test_no_place_remains_free(self, order, number, sizes):
        """Those who ask for the last places at the same time do not all go without."""
        batches = [[{"": 1}] * size for size in sizes]
        clocks = [1_700_000_000.0] * len(sizes)
        grants = self.take_all(order, [Rate(number, 60)], batches, clocks)
        self.assertEqual(len(grants), min(number, sum(sizes)))


class CostsTests(SimpleTestCase):
    def test_domains(self):
        for address, domain in [
            ("a@example.com", "example.com"),
            ("Ann <a@Example.COM>", "example.com"),
            ('"a@b.example" <a@example.com>', "example.com"),
            ('"a@b"@example.com', "example.com"),
            ("a@example.com.", "example.com"),
            ("a@büro.example", "xn--bro-hoa.example"),
            ("root", ""),
            ("", ""),
            (f"a@{'b' * 64}.example", f"{'b' * 64}.example"),
        ]:
            with self.subTest(address):
                self.assertEqual(domain_of(address), domain)

    def test_those_behind_one_that_stays_behind_stay_as_well(self):
        a, b, ab = {"a": 1}, {"b": 1}, {"a": 1, "b": 1}
        for costs, rooms, numbers in [
            ([a, a, a], {"a": 2}, [0, 1]),
            ([a, a], {"a": -3}, []),
            ([{"a": 2}, {"a": 2}, a], {"a": 3}, [0]),
            ([a, ab, b, a, b], {"a": 1, "b": 9}, [0, 2, 4]),
            ([{}], {}, [0]),
        ]:
            with self.subTest(costs):
                self.assertEqual(fitting(costs, rooms), numbers)
