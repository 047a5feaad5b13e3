"""Django's own backends as mailers. Real SMTP sessions: see test_smtp.py."""

import email.policy
import io
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from email import message_from_bytes, message_from_string
from pathlib import Path
from unittest.mock import patch

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer, mailers
from django.core.mail.backends import base, console, dummy, filebased, locmem
from django.test import SimpleTestCase

from .backend_contract import BackendContract
from .support.backends import mailer
from .support.messages import message
from .support.servers import enter
from .support.utils import (
    ExactErrors,
    ignore_deprecations,
    legacy_settings,
)

RULER = b"-" * 79 + b"\n"


def subjects(written):
    """The subjects of bytes as the console and file backends write them."""
    *parts, rest = written.split(RULER)
    assert rest == b"", rest
    return [message_from_bytes(part, policy=email.policy.default)["Subject"] for part in parts]


class StreamOfThreads:
    """Keeps apart what threads write: mailers that share a stream do not wait for each other."""

    def __init__(self):
        self.written = {}

    def write(self, text):
        thread = threading.get_ident()
        self.written[thread] = self.written.get(thread, "") + text

    def flush(self):
        pass


class ConsoleContractTests(BackendContract, SimpleTestCase):
    backend = "django.core.mail.backends.console.EmailBackend"
    nothing = None
    opens = False
    keeps_without_recipients = True

    def options(self):
        self.stream = StreamOfThreads()
        return {"stream": self.stream}

    def arrived(self):
        return subjects("".join(self.stream.written.values()).encode())


class FileContractTests(BackendContract, SimpleTestCase):
    backend = "django.core.mail.backends.filebased.EmailBackend"
    nothing = None
    keeps_without_recipients = True

    def options(self):
        self.folder = enter(self, tempfile.TemporaryDirectory())
        return {"file_path": self.folder}

    def arrived(self):
        paths = Path(self.folder).iterdir()
        return [subject for path in paths for subject in subjects(path.read_bytes())]


class LocmemContractTests(BackendContract, SimpleTestCase):
    backend = "django.core.mail.backends.locmem.EmailBackend"
    takes_fail_silently = False
    opens = False
    keeps_without_recipients = True

    def arrived(self):
        return [str(message.message()["Subject"]) for message in mail.outbox]


class DummyContractTests(BackendContract, SimpleTestCase):
    backend = "django.core.mail.backends.dummy.EmailBackend"
    takes_fail_silently = False
    delivers = False
    opens = False
    keeps_without_recipients = True

    def arrived(self):
        return mail.outbox


class BaseTests(ExactErrors, SimpleTestCase):
    def test_send_messages_must_be_overridden(self):
        with self.assertRaisesExactly(
            NotImplementedError,
            "subclasses of BaseEmailBackend must override send_messages() method",
        ):
            base.BaseEmailBackend().send_messages([])

    def test_failed_open_closes(self):
        events = []

        class Backend(base.BaseEmailBackend):
            def open(self):
                events.append("open")
                raise OSError("no route")

            def close(self):
                events.append("close")

        with self.assertRaisesExactly(OSError, "no route"), Backend():
            events.append("entered")
        self.assertEqual(events, ["open", "close"])

    def test_unknown_keywords_with_an_alias(self):
        with self.assertRaisesExactly(
            InvalidMailer, "MAILERS['x']: Unknown options 'host', 'port'."
        ):
            base.BaseEmailBackend(alias="x", host="127.0.0.1", port=25)
        for fail_silently in (True, False):
            with self.assertRaisesExactly(
                InvalidMailer, "MAILERS['x']: Unknown options 'fail_silently'."
            ):
                base.BaseEmailBackend(fail_silently, alias="x")

    @ignore_deprecations()
    def test_unknown_keywords_without_an_alias(self):
        backend = base.BaseEmailBackend(host="127.0.0.1")
        self.assertIsNone(backend.alias)
        self.assertFalse(hasattr(backend, "host"))

    @ignore_deprecations()
    def test_fail_silently_without_an_alias(self):
        self.assertIs(base.BaseEmailBackend().fail_silently, False)
        self.assertIs(base.BaseEmailBackend(True).fail_silently, True)
        self.assertIs(base.BaseEmailBackend(fail_silently=True).fail_silently, True)

    @ignore_deprecations()
    def test_fail_silently_can_be_read_and_set_on_a_mailer(self):
        backend = mailers["bulk"]
        self.assertIs(backend.fail_silently, False)
        backend.fail_silently = True
        self.assertIs(backend.fail_silently, True)


class ConsoleTests(SimpleTestCase):
    def split(self, text):
        """The messages in what the backend wrote."""
        *written, rest = text.split(RULER.decode())
        self.assertEqual(rest, "")
        return [message_from_string(part, policy=email.policy.default) for part in written]

    def test_stream(self):
        stream = io.StringIO()
        with mailer("console", stream=stream):
            self.assertEqual(mailers["it"].send_messages([message("one"), message("två")]), 2)
            mail.send_mail("three", "body", None, ["to@example.com"], using="it")
        self.assertEqual(
            [part["Subject"] for part in self.split(stream.getvalue())],
            ["one", "två", "three"],
        )
        self.assertFalse(stream.closed)

    def test_standard_output_of_the_moment_is_the_default(self):
        with mailer("console"), redirect_stdout(io.StringIO()) as stdout:
            self.assertIs(mailers["it"].stream, sys.stdout)
            mailers["it"].send_messages([message()])
        (part,) = self.split(stdout.getvalue())
        self.assertEqual(part["To"], "bob@example.com")

    def test_each_message_is_flushed(self):
        class Stream(io.StringIO):
            flushed = 0

            def flush(self):
                self.flushed += 1

        with mailer("console", stream=Stream()):
            backend = mailers["it"]
            backend.send_messages([message(), message()])
        self.assertEqual(backend.stream.flushed, 2)

    def test_fail_silently(self):
        stream = io.StringIO()
        bad = message("two\nlines")
        with mailer("console", stream=stream, fail_silently=True):
            self.assertEqual(mailers["it"].send_messages([message("one"), bad, message("x")]), 1)
        with mailer("console", stream=stream), self.assertRaises(ValueError):
            mailers["it"].send_messages([bad])
        self.assertEqual([part["Subject"] for part in self.split(stream.getvalue())], ["one"])

    def test_only_one_thread_writes_at_a_time(self):
        class Stream(io.StringIO):
            others_may_write = []

            def write(self, text):
                with ThreadPoolExecutor(1) as other_thread:
                    acquired = other_thread.submit(backend._lock.acquire, blocking=False)
                    self.others_may_write.append(acquired.result())
                return super().write(text)

        with mailer("console", stream=Stream()):
            backend = mailers["it"]
            backend.send_messages([message()])
        self.assertEqual(set(backend.stream.others_may_write), {False})
        self.assertEqual(len(self.split(backend.stream.getvalue())), 1)

    @ignore_deprecations()
    def test_direct_construction(self):
        stream = io.StringIO()
        backend = console.EmailBackend(True, stream=stream)
        self.assertEqual((backend.alias, backend.fail_silently), (None, True))
        self.assertIs(console.EmailBackend().fail_silently, False)
        backend.send_messages([message()])
        self.assertEqual(len(self.split(stream.getvalue())), 1)
        self.assertIs(type(console.EmailBackend(username="ignored")), console.EmailBackend)


class FileTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def written(self, folder=None):
        """The subjects in each file of the folder."""
        return sorted(
            [message_from_bytes(part)["Subject"] for part in path.read_bytes().split(RULER)[:-1]]
            for path in (folder or self.folder).iterdir()
        )

    def test_one_file_for_one_instance(self):
        with mailer("filebased", file_path=str(self.folder)):
            with mailers["it"] as backend:
                backend.send_messages([message("a1"), message("a2")])
                backend.send_messages([message("a3")])
            mail.send_mail("b1", "body", None, ["to@example.com"], using="it")
        self.assertEqual(self.written(), [["a1", "a2", "a3"], ["b1"]])

    def test_nothing_is_opened_before_the_first_message(self):
        with mailer("filebased", file_path=str(self.folder)):
            backend = mailers["it"]
            self.assertIsNone(backend.stream)
        self.assertEqual(self.written(), [])

    def test_open_and_close(self):
        with mailer("filebased", file_path=self.folder):
            backend = mailers["it"]
            self.assertIs(backend.open(), True)
            stream = backend.stream
            self.assertIs(backend.open(), False)
            backend.send_messages([message("one")])
            self.assertFalse(stream.closed)
            backend.close()
            self.assertTrue(stream.closed)
            backend.close()
            backend.send_messages([message("two")])
            self.assertIsNone(backend.stream)
        self.assertEqual(self.written(), [["one", "two"]])

    def test_file_path(self):
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        for file_path, absolute in (
            (str(self.folder), self.folder),
            (self.folder, self.folder),
            (self.folder / "new" / "deeper", self.folder / "new" / "deeper"),
            ("relative", self.folder / "relative"),
            (self.folder / "x" / ".." / "y", self.folder / "y"),
        ):
            with self.subTest(file_path=file_path), mailer("filebased", file_path=file_path):
                self.assertEqual(mailers["it"].file_path, str(absolute))
                self.assertTrue(absolute.is_dir())

    def test_file_path_missing(self):
        for options in ({}, {"file_path": None}, {"fail_silently": True}):
            with (
                self.subTest(**options),
                mailer("filebased", **options),
                self.assertRaisesExactly(
                    InvalidMailer, "MAILERS['it']: OPTIONS must define 'file_path'."
                ),
            ):
                mailers["it"]

    def test_file_path_is_a_file(self):
        path = self.folder / "file"
        path.touch()
        with (
            mailer("filebased", file_path=path),
            self.assertRaisesExactly(
                InvalidMailer, f"MAILERS['it']: 'file_path' is not a directory: {path}"
            ),
        ):
            mailers["it"]

    def test_file_path_cannot_be_made(self):
        (self.folder / "file").touch()
        path = self.folder / "file" / "below"
        with (
            mailer("filebased", file_path=path, fail_silently=True),
            self.assertRaisesExactly(
                InvalidMailer,
                f"MAILERS['it']: Could not create 'file_path': {path} "
                f"([Errno 20] Not a directory: '{path}')",
            ),
        ):
            mailers["it"]

    def test_file_path_is_not_writable(self):
        with (
            mailer("filebased", file_path=self.folder),
            # Not chmod(): the tests may run as root, to whom everything is writable.
            patch("os.access", return_value=False) as access,
            self.assertRaisesExactly(
                InvalidMailer, f"MAILERS['it']: 'file_path' is not writable: {self.folder}"
            ),
        ):
            mailers["it"]
        access.assert_called_once_with(str(self.folder), os.W_OK)

    def test_stream_is_not_its_option(self):
        stream = io.StringIO()
        with mailer("filebased", file_path=self.folder, stream=stream):
            mailers["it"].send_messages([message("one")])
        self.assertEqual(stream.getvalue(), "")
        self.assertEqual(self.written(), [["one"]])

    def test_fail_silently(self):
        with mailer("filebased", file_path=self.folder, fail_silently=True):
            backend = mailers["it"]
        with backend:
            self.assertEqual(backend.send_messages([message("1"), message("2\n3")]), 1)
        self.assertEqual(self.written(), [["1"]])

    def test_setting_of_old_is_not_read_under_mailers(self):
        with (
            legacy_settings(EMAIL_FILE_PATH=str(self.folder)),
            mailer("filebased"),
            self.assertRaisesExactly(
                InvalidMailer, "MAILERS['it']: OPTIONS must define 'file_path'."
            ),
        ):
            mailers["it"]

    def test_without_mailers(self):
        other = self.folder / "other"
        path = "django.core.mail.backends.filebased.EmailBackend"
        with legacy_settings(EMAIL_BACKEND=path, EMAIL_FILE_PATH=str(self.folder / "set")):
            mail.send_mail("one", "body", None, ["to@example.com"])
            # Both held: the name of the file is made of the instance's id().
            backends = [mail.get_connection(file_path=other), filebased.EmailBackend(True, other)]
            backends[0].send_messages([message("two")])
            backends[1].send_messages([message("three")])
        self.assertEqual(self.written(self.folder / "set"), [["one"]])
        self.assertEqual(self.written(other), [["three"], ["two"]])

    def test_errors_without_mailers(self):
        file = self.folder / "file"
        file.touch()
        below = file / "below"
        with legacy_settings():
            for path, text in (
                (None, "The EMAIL_FILE_PATH setting must be set to use the file EmailBackend."),
                (file, f"Path for saving email messages exists, but is not a directory: {file}"),
                (
                    below,
                    f"Could not create directory for saving email messages: {below} "
                    f"([Errno 20] Not a directory: '{below}')",
                ),
            ):
                with (
                    self.subTest(path=path),
                    self.assertRaisesExactly(ImproperlyConfigured, text),
                ):
                    filebased.EmailBackend(file_path=path)
            with (
                patch("os.access", return_value=False),
                self.assertRaisesExactly(
                    ImproperlyConfigured, f"Could not write to directory: {self.folder}"
                ),
            ):
                filebased.EmailBackend(file_path=self.folder)


class LocmemTests(SimpleTestCase):
    def test_sent_using_is_on_the_copy(self):
        original = message()
        self.assertEqual(mailers["bulk"].send_messages([original]), 1)
        [copied] = mail.outbox
        self.assertIsNot(copied, original)
        self.assertIs(type(copied), type(original))
        self.assertEqual(copied.sent_using, "bulk")
        self.assertFalse(hasattr(original, "sent_using"))

    def test_copy_is_deep(self):
        original = message(headers={"X-Test": "1"}, attachments=[("a.txt", "text", "text/plain")])
        original.send(using="bulk")
        original.to.append("late@example.com")
        original.extra_headers["X-Test"] = "2"
        original.attachments.clear()
        [copied] = mail.outbox
        self.assertEqual(copied.to, ["bob@example.com"])
        self.assertEqual(copied.extra_headers, {"X-Test": "1"})
        self.assertEqual(copied.attachments, [("a.txt", "text", "text/plain")])

    def test_one_message_over_several_mailers(self):
        original = message()
        original.send()
        original.send(using="bulk")
        self.assertEqual([copied.sent_using for copied in mail.outbox], ["default", "bulk"])

    def test_subclasses_of_messages(self):
        class Message(mail.EmailMultiAlternatives):
            pass

        Message("subject", to=["to@example.com"]).send(using="bulk")
        self.assertIs(type(mail.outbox[0]), Message)

    def test_outbox_is_looked_up_at_each_message(self):
        """H30: TestCase rebinds it, pytest-django clears it in place."""
        backend = mailers["bulk"]
        before = mail.outbox
        mail.outbox = []
        backend.send_messages([message()])
        self.assertEqual((len(before), len(mail.outbox)), (0, 1))
        mail.outbox.clear()
        backend.send_messages([message()])
        self.assertEqual(len(mail.outbox), 1)

    def test_outbox_is_made_when_it_is_missing(self):
        """H30"""
        del mail.outbox
        mailers["bulk"]
        self.assertEqual(mail.outbox, [])

    def test_existing_outbox_is_kept(self):
        before = mail.outbox
        mailers["bulk"].send_messages([message()])
        self.assertIs(mail.outbox, before)

    def test_header_injection_is_refused(self):
        with self.assertRaises(ValueError):
            mailers["bulk"].send_messages([message("one"), message("two\nlines")])
        self.assertEqual([copied.subject for copied in mail.outbox], ["one"])

    def test_iterables(self):
        self.assertEqual(mailers["bulk"].send_messages(iter([message(), message()])), 2)

    def test_threads(self):
        start = threading.Barrier(4, timeout=10)

        def send(number):
            start.wait(10)
            alias = ("default", "bulk")[number % 2]
            for _ in range(10):
                mail.send_mail(str(number), "body", None, ["to@example.com"], using=alias)

        with ThreadPoolExecutor(4) as threads:
            for result in [threads.submit(send, number) for number in range(4)]:
                result.result(10)
        self.assertEqual(
            sorted((copied.subject, copied.sent_using) for copied in mail.outbox),
            [("0", "default")] * 10
            + [("1", "bulk")] * 10
            + [("2", "default")] * 10
            + [("3", "bulk")] * 10,
        )

    @ignore_deprecations()
    def test_direct_construction(self):
        for backend in (
            locmem.EmailBackend(),
            locmem.EmailBackend(True),
            locmem.EmailBackend(fail_silently=True, username=None),
        ):
            self.assertIsNone(backend.alias)
            backend.send_messages([message()])
        self.assertEqual([copied.sent_using for copied in mail.outbox], [None, None, None])

    def test_direct_construction_with_an_alias(self):
        locmem.EmailBackend(alias="mine").send_messages([message()])
        self.assertEqual(mail.outbox[0].sent_using, "mine")


class DummyTests(SimpleTestCase):
    def test_counts_and_drops(self):
        with mailer("dummy"):
            self.assertEqual(mailers["it"].send_messages([message(), message()]), 2)
            self.assertEqual(mailers["it"].send_messages(iter([message()])), 1)
            self.assertEqual(mail.send_mail("s", "b", None, ["to@example.com"], using="it"), 1)
        self.assertEqual(mail.outbox, [])

    @ignore_deprecations()
    def test_direct_construction(self):
        backend = dummy.EmailBackend(fail_silently=True)
        self.assertEqual((backend.alias, backend.fail_silently), (None, True))
