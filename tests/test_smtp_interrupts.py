"""What a signal handler has raised is told from errors."""

import functools
import signal
import smtplib
import sys
from unittest import SkipTest, mock

from django.test import SimpleTestCase

from django_mailers.smtp.interrupts import injected, is_injected, note_sent

from .support.smtp import Limit


def handle(*args):
    raise Limit


class Job:
    """As RQ's death penalty, whose method is the handler."""

    def handle(self, signum, frame):
        self.expire()

    def expire(self):
        raise Limit

    __call__ = handle


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


class InjectedTests(SimpleTestCase):
    def setUp(self):
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))

    def interrupt(self, handler):
        """Return what `handler` raises, as it is caught."""
        signal.signal(signal.SIGUSR1, handler)
        try:
            signal.raise_signal(signal.SIGUSR1)
        except Limit as error:
            return error
        self.fail("The handler has raised nothing.")

    def test_handlers(self):
        job = Job()
        for handler in [
            handle,
            lambda *args: handle(),
            job.handle,
            job,
            functools.partial(handle, 1),
            functools.partial(functools.partial(job.handle)),
            decorated(handle),
            functools.partial(decorated(job.handle)),
        ]:
            with self.subTest(handler=handler):
                error = self.interrupt(handler)
                self.assertIs(injected(error), error)
                self.assertIs(is_injected(error), True)

    def test_other_errors(self):
        signal.signal(signal.SIGUSR1, handle)
        for function, kind in [
            (Job().expire, Limit),
            (lambda: {}[0], KeyError),
            # SIG_DFL is a member of an Enum, whose class is called by a method in Python.
            (lambda: signal.Handlers(99), ValueError),
        ]:
            with self.subTest(kind=kind):
                with self.assertRaises(kind) as caught:
                    function()
                # assertRaises() takes the traceback away.
                try:
                    raise caught.exception
                except kind as error:
                    self.assertIs(is_injected(error), False)
        self.assertIs(is_injected(KeyError()), False)

    def test_a_handler_that_is_no_longer_installed(self):
        # A message's own time limit for its template, for one, is an error of this message.
        error = self.interrupt(handle)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.assertIs(is_injected(error), False)

    def test_no_handlers(self):
        with mock.patch.object(signal, "getsignal", return_value=signal.SIG_DFL):
            self.assertIs(is_injected(Limit()), False)

    def test_what_is_raised_in_its_place(self):
        signal.signal(signal.SIGUSR1, handle)

        def interrupted():
            try:
                signal.raise_signal(signal.SIGUSR1)
            except Limit:
                raise smtplib.SMTPServerDisconnected("Server not connected")  # noqa: B904

        def further_out(how):
            try:
                interrupted()
            except OSError as error:
                if how == "from":
                    raise RuntimeError from error
                if how == "from None":
                    raise RuntimeError from None
                raise

        for how in ["from", "from None", ""]:
            with self.subTest(how=how):
                try:
                    further_out(how)
                except (OSError, RuntimeError) as error:
                    self.assertIsInstance(injected(error), Limit)
                else:
                    self.fail()

    def test_what_happens_while_a_caller_handles_one(self):
        # "Your report took too long", sent by mail, and the server is down.
        signal.signal(signal.SIGUSR1, handle)

        def send():
            try:
                raise ConnectionRefusedError
            except OSError as error:
                self.assertIsInstance(error.__context__, Limit)
                self.assertIs(is_injected(error), False)
                return "seen"

        try:
            signal.raise_signal(signal.SIGUSR1)
        except Limit:
            self.assertEqual(send(), "seen")

    def test_a_circle(self):
        signal.signal(signal.SIGUSR1, handle)
        one, other = KeyError(), ValueError()
        for error in (one, other):
            try:
                raise error
            except (KeyError, ValueError):
                pass
        one.__cause__, other.__cause__ = other, one
        self.assertIs(is_injected(one), False)


class NoteTests(SimpleTestCase):
    def setUp(self):
        if sys.version_info < (3, 11):
            error = Limit()
            note_sent(error, 1, 2)
            self.assertEqual(vars(error), {})
            raise SkipTest("Exceptions have no notes before Python 3.11.")

    def test_note(self):
        error = Limit()
        error.add_note("By the user.")
        note_sent(error, 3, 10)
        self.assertEqual(
            error.__notes__, ["By the user.", "3 of 10 messages of this batch were sent."]
        )

    def test_what_was_noted_further_in_is_added(self):
        error = Limit()
        note_sent(error, 3, 10)
        note_sent(error, 20, 100)
        self.assertEqual(error.__notes__, ["23 of 100 messages of this batch were sent."])
