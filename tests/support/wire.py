"""A test case with sessions over a socket."""

from django.test import SimpleTestCase

from .servers import enter
from .sink import Sink
from .smtp import server_of


class WireTestCase(SimpleTestCase):
    def connect(self, server, **options):
        """Connect to `server`, which has been entered."""
        session = server_of(server, **options).connect()
        # That of these servers is known to be safe.
        session.consumes_chunks = True
        self.addCleanup(session.disconnect)
        return session

    def sink(self, **options):
        sink = enter(self, Sink(**{"chunking": True, **options}))
        return sink, self.connect(sink)

    def assertResult(self, result, status, recipients, error=None):
        self.assertEqual((result.status, result.recipients), (status, recipients))
        self.assertEqual(repr(result.error), repr(error))
