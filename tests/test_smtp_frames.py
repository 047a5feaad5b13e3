"""How a message gets to the socket: by few calls."""

import sys
from contextlib import contextmanager

from django.core.mail import EmailMessage, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers.smtp import close_pools

from .support.servers import TIMEOUT, enter
from .support.sink import Sink

BACKEND = "django_mailers.backends.smtp.EmailBackend"
# From send_messages() on, which counts; those of Django's own backend are 6.
MOST = 11


@contextmanager
def watched_writes():
    """Give a list of the functions that have led to each write to a socket in the block."""
    writes = []

    def profile(frame, event, function):
        # That of TLS is written in Python, and calls others.
        if event == "c_call" and getattr(function, "__qualname__", "") == "socket.sendall":
            names = []
            while frame is not None:
                names.insert(0, frame.f_code.co_name)
                frame = frame.f_back
            writes.append(names)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield writes
    finally:
        sys.setprofile(before)


class FramesTests(SimpleTestCase):
    def ways(self, number, **features):
        """Send `number` messages; return the calls from send_messages() to the writes of them."""
        sink = enter(self, Sink(**features))
        options = {"host": sink.host, "port": sink.port, "timeout": TIMEOUT}
        message = EmailMessage("Hello", "Teapots!", "shop@example.com", ["ann@example.com"])
        with override_settings(MAILERS={"default": {"BACKEND": BACKEND, "OPTIONS": options}}):
            mailer = mailers.default
            with watched_writes() as writes:
                self.assertEqual(mailer.send_messages([message] * number), number)
            close_pools()
        self.assertEqual(len(sink.accepted), number)
        ways = [names[names.index("send_messages") :] for names in writes]
        # Without those of the connection.
        return [names for names in ways if "connect" not in names]

    def test_at_most_eleven(self):
        for features in [
            {"pipelining": False},
            {"pipelining": True},
            {"pipelining": True, "chunking": True},
        ]:
            for number in [1, 3]:
                with self.subTest(features=features, number=number):
                    ways = self.ways(number, **features)
                    self.assertGreaterEqual(len(ways), 2)
                    for way in ways:
                        self.assertLessEqual(len(way), MOST, way)
