"""A test case with a pool, and what its statistics count."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.test import SimpleTestCase

from django_mailers.smtp import Pool, PoolOptions, Server

from .pools import send_one
from .servers import TIMEOUT, enter
from .sink import Sink
from .smtp import envelope

STATE = ["idle", "busy", "waiting"]
COUNTS = ["opened", "reused", "replaced", "closed", "broken", "waits", "timeouts", "failures"]
ZERO = dict.fromkeys([*STATE, *COUNTS, "messages", "message_limit"], 0)


class PoolTestCase(SimpleTestCase):
    def setUp(self):
        self.sink = enter(self, Sink())

    def pool(self, authenticate=None, **options):
        server = Server(self.sink.host, self.sink.port, authenticate=authenticate, timeout=TIMEOUT)
        pool = Pool(server, PoolOptions(**options))
        self.addCleanup(pool.close)
        return pool

    def send(self, pool):
        self.assertEqual(send_one(pool, envelope()).status, "sent")

    def assertStats(self, pool, **stats):
        # What has taken how long is the business of other tests.
        found = {name: value for name, value in pool.stats().items() if not name.endswith("_ms")}
        self.assertEqual(found, {"size": 4, **ZERO, **stats})

    @contextmanager
    def held(self, pool):
        """Let another thread hold a session for the block."""
        with ThreadPoolExecutor(1) as executor:
            session, _ = executor.submit(pool.acquire).result(TIMEOUT)
            try:
                yield session
            finally:
                pool.release(session)
