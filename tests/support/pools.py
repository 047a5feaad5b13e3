"""A test case with a pool, and short ways to use one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.test import SimpleTestCase

from django_mailers.smtp import Pool, PoolOptions, Server, deliver

from .servers import TIMEOUT, enter
from .sink import Sink
from .smtp import envelope

STATE = ["idle", "busy", "waiting"]
COUNTS = ["opened", "reused", "replaced", "closed", "broken", "waits", "timeouts", "failures"]
ZERO = dict.fromkeys([*STATE, *COUNTS, "messages", "message_limit"], 0)


def send_one(pool, envelope):
    """Deliver one message over a session of `pool`; return its result."""
    return deliver(pool, [envelope])[0]


@contextmanager
def borrowed(pool):
    """Give a session of `pool` for the block. It is closed if the block raises."""
    session, _ = pool.acquire()
    try:
        yield session
    except BaseException:
        # It may be anywhere in a dialogue.
        session.close()
        raise
    finally:
        pool.release(session)


def refusals(result):
    """Return the replies to the recipients that were refused, by address."""
    return {name: reply for name, reply in result.recipients.items() if reply.code >= 400}


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
