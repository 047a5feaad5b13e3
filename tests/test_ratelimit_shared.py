"""A rate limit that processes share, on a real Redis and a real Memcached."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from django.core import mail
from django.core.cache import caches
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_many

from .support.clocks import Clock
from .support.memcached import Memcached
from .support.messages import message
from .support.processes import ProcessTestCase
from .support.redis import Redis
from .support.servers import TIMEOUT, enter
from .support.utils import LOCMEM

RATELIMIT = "django_mailers.backends.ratelimit.EmailBackend"
PROCESSES = 4

# What each process begins with.
PROJECT = """
import json, os, sys, time
mailers = {{
    "default": {{"BACKEND": {backend!r}, "OPTIONS": {options!r}}},
    "target": {{"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}},
}}
configure(MAILERS=mailers, CACHES={caches!r})
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django_mailers import send_many
mail.outbox = []

def send(count=1):
    email = EmailMessage("Hello", "Text", "ada@example.com", ["bob@example.com"])
    return [result.status for result in send_many([email] * count)]

def wait_for_others(count):
    cache.add("ready", 0, None)
    cache.incr("ready")
    while cache.get("ready") < count:
        time.sleep(0.002)
"""


class SharedMixin:
    def setUp(self):
        super().setUp()
        server = enter(self, self.server())
        self.caches = server.caches
        enter(self, override_settings(CACHES=self.caches))
        self.addCleanup(caches["default"].close)

    def run_all(self, source, count=PROCESSES, **options):
        """Run `source` in so many processes; return what each has printed as JSON."""
        options = {"using": "target", **options}
        project = PROJECT.format(backend=RATELIMIT, options=options, caches=self.caches)
        with ThreadPoolExecutor(count) as threads:
            printed = threads.map(self.assertRuns, [project + source] * count)
            return [json.loads(text) for text in printed]


class ProcessesMixin(SharedMixin):
    @tag("slow")
    def test_processes_never_pass_the_limit(self):  # (H55)
        source = f"""
wait_for_others({PROCESSES})
print(json.dumps([status for count in [1, 2, 3, 4] * 5 for status in send(count)]))
"""
        statuses = [*map(tuple, self.run_all(source, rate=["100/h", "1000/d"]))]
        sent = [each.count("sent") for each in statuses]
        self.assertEqual(sum(sent), 100, sent)
        self.assertEqual(sum(map(len, statuses)), 50 * PROCESSES)

    @tag("slow")
    def test_no_second_holds_more(self):  # (H54)
        source = f"""
from django_mailers.backends._ratelimit.counting import Ledger, Place
sent = []
def take(ledger, costs, original=Ledger.take):
    outcomes = original(ledger, costs)
    # The time by which each was counted. It may be a while ago on a busy machine.
    sent.extend(each.time for each in outcomes if isinstance(each, Place))
    return outcomes
Ledger.take = take
cache.add("sent", 0, None)
wait_for_others({PROCESSES})
end = time.monotonic() + 3
# It is not by doing nothing that the limit is kept.
while time.monotonic() < end or cache.get("sent") <= 40:
    count = send(2).count("sent")
    if count:
        cache.incr("sent", count)
print(json.dumps(sent))
"""
        sent = sorted(itertools.chain(*self.run_all(source, rate="20/s")))
        for begin in sent:
            within = [when for when in sent if begin <= when < begin + 1]
            self.assertLessEqual(len(within), 20)
        self.assertGreater(len(sent), 40)

    def test_threads(self):
        entry = {"BACKEND": RATELIMIT, "OPTIONS": {"using": "target", "rate": "30/h"}}
        enter(self, override_settings(MAILERS={"it": entry, "target": {"BACKEND": LOCMEM}}))
        start, statuses = threading.Barrier(8, timeout=TIMEOUT), []

        def send():
            start.wait()
            for count in (1, 2, 3):
                report = send_many([message() for _ in range(count)], using="it")
                statuses.extend(result.status for result in report)
            caches["default"].close()

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT * 2)
        self.assertEqual((statuses.count("sent"), statuses.count("failed")), (30, 18))
        self.assertEqual(len(mail.outbox), 30)

    def test_several_rates_and_domains(self):
        """By the clock of the test, but the counters of the cache."""
        options = {"using": "target", "rate": ["2/s", "3/m"], "per": "domain"}
        entry = {"BACKEND": RATELIMIT, "OPTIONS": options}
        enter(self, override_settings(MAILERS={"it": entry, "target": {"BACKEND": LOCMEM}}))
        with Clock(time.time()) as clock:
            messages = [message(to=[f"a@{name}.example"]) for name in ("one", "one", "one", "two")]
            found = []
            for _ in range(3):
                found.append([result.status for result in send_many(messages, using="it")])
                clock.go(1.1)
            clock.go(60)
            found.append([result.status for result in send_many(messages, using="it")])
        self.assertEqual(
            found,
            [
                ["sent", "sent", "failed", "sent"],
                ["sent", "failed", "failed", "sent"],
                ["failed", "failed", "failed", "sent"],
                ["sent", "sent", "failed", "sent"],
            ],
        )


class RedisTests(ProcessesMixin, ProcessTestCase, SimpleTestCase):
    server = Redis

    @tag("slow")
    def test_a_fork(self):
        source = """
def child():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(send(3)).encode())
        os._exit(0)
    os.close(writing)
    return reading

first = send(2)
pipes = [child(), child()]
others = []
for pipe in pipes:
    with os.fdopen(pipe) as file:
        others += json.load(file)
print(json.dumps([first, sorted(others), send()]))
"""
        [found] = self.run_all(source, count=1, rate="5/h")
        self.assertEqual(found, [["sent"] * 2, ["failed"] * 3 + ["sent"] * 3, ["failed"]])

    def test_the_server_goes_away_and_comes_back(self):
        server = Redis()
        enter(self, server)
        entry = {"BACKEND": RATELIMIT, "OPTIONS": {"using": "target", "rate": "2/h"}}
        settings = {"it": entry, "target": {"BACKEND": LOCMEM}}

        def send(count):
            return [r.status for r in send_many([message() for _ in range(count)], using="it")]

        with override_settings(CACHES=server.caches, MAILERS=settings):
            self.addCleanup(caches["default"].close)
            self.assertEqual(send(3), ["sent", "sent", "failed"])
            server.stop()
            with self.assertLogs("django_mailers", "ERROR") as logs:
                self.assertEqual(send(3) + send(3), ["sent"] * 6)
            self.assertEqual(len(logs.output), 1)
            server.start()
            # It has forgotten everything.
            self.assertEqual(send(3), ["sent", "sent", "failed"])


class MemcachedTests(ProcessesMixin, ProcessTestCase, SimpleTestCase):
    server = Memcached
