"""Sessions of Django's SMTP backend with a server, and what they look like."""

import contextlib
import gc
import warnings

from django.test import SimpleTestCase

from .messages import message
from .servers import POLITE, TIMEOUT, enter
from .smtp import serving

PASSWORD = "correct-horse-battery"
LOGIN = {"username": "ada", "password": PASSWORD}
ONE_MESSAGE = ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
STAGES = [command for command, _ in POLITE]


def send(email=None):
    return (email or message()).send(using="relay")


def reached(stage):
    """Give the commands of a polite script up to `stage`."""
    return STAGES[1 : STAGES.index(stage) + 1]


@contextlib.contextmanager
def leaving_its_socket_open():
    """Let the block lose an open socket, which is an error everywhere else in this suite.

    When open() fails after it has connected (STARTTLS, AUTH), send_messages() of Django 6.1.3
    leaves the connection to the next open() or close(), and send_mail() never calls either.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


class SessionTestCase(SimpleTestCase):
    def serve(self, server, **options):
        return enter(self, serving(server, **options))

    def error(self, function, *args, **kwargs):
        """Call `function`, which must raise; give the exception."""
        with self.assertRaises(Exception) as caught:
            function(*args, **kwargs)
        return caught.exception

    def assertFails(self, expected, function, *args, **kwargs):
        self.assertEqual(repr(self.error(function, *args, **kwargs)), expected)

    def assertInvalid(self, expected, function, *args, **kwargs):
        # On 5.2 what is wrong with a header is a BadHeaderError, which is a ValueError.
        error = self.error(function, *args, **kwargs)
        self.assertIsInstance(error, ValueError)
        self.assertEqual(str(error), expected)

    def assertCommands(self, server, *expected):
        """Each session of `server` has come to its end, by these commands."""
        self.assertEqual([session.commands for session in server.sessions], list(expected))
        for session in server.sessions:
            self.assertTrue(session.ended.wait(TIMEOUT))
