"""Django's own backends as mailers. Real SMTP sessions: see test_smtp.py."""

import email.policy
import io
import os
import ssl
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
from django.core.mail.backends import base, console, dummy, filebased, locmem, smtp
from django.test import SimpleTestCase, override_settings

from .backend_contract import BackendContract
from .support.messages import message
from .support.servers import enter
from .support.utils import (
    SMTP,
    SMTP_OPTIONS,
    ExactErrors,
    ignore_deprecations,
    legacy_settings,
    smtp_options,
)

RULER = b"-" * 79 + b"\n"


def mailer(name, **options):
    """Settings with the one alias "it": Django's backend of that name with these options."""
    path = f"django.core.mail.backends.{name}.EmailBackend"
    return override_settings(MAILERS={"it": {"BACKEND": path, "OPTIONS": options}})


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


class SmtpTests(ExactErrors, SimpleTestCase):
    """What the constructor makes of OPTIONS and of the settings of old."""

    defaults = {
        **dict.fromkeys(SMTP_OPTIONS),
        "host": "127.0.0.1",
        "port": 25,
        "use_tls": False,
        "use_ssl": False,
        "fail_silently": False,
    }
    legacy = {
        "EMAIL_HOST": "192.0.2.1",
        "EMAIL_PORT": 2525,
        "EMAIL_HOST_USER": "user",
        "EMAIL_HOST_PASSWORD": "secret",
        "EMAIL_USE_TLS": True,
        "EMAIL_USE_SSL": False,
        "EMAIL_TIMEOUT": 7,
        "EMAIL_SSL_KEYFILE": "key.pem",
        "EMAIL_SSL_CERTFILE": "cert.pem",
    }

    def test_defaults(self):
        with mailer("smtp", host="127.0.0.1"):
            self.assertEqual(smtp_options(mailers["it"]), self.defaults)

    def test_all_options(self):
        with mailer("smtp", **SMTP_OPTIONS):
            self.assertEqual(smtp_options(mailers["it"]), SMTP_OPTIONS)

    def test_port(self):
        for options, port in (
            ({}, 25),
            ({"port": None}, 25),
            ({"use_tls": True}, 587),
            ({"use_ssl": True}, 465),
            ({"use_tls": True, "use_ssl": False}, 587),
            ({"use_tls": False, "use_ssl": None}, 25),
            ({"use_tls": True, "port": 25}, 25),
            ({"use_ssl": True, "port": 0}, 0),
        ):
            with self.subTest(**options), mailer("smtp", host="127.0.0.1", **options):
                self.assertEqual(mailers["it"].port, port)

    def test_nothing_comes_from_the_settings_of_old(self):
        """H14: 5.2 would log in at the other host with the password of the default account."""
        with legacy_settings(**self.legacy), mailer("smtp", host="127.0.0.1"):
            self.assertEqual(smtp_options(mailers["it"]), self.defaults)
            self.assertEqual(
                smtp_options(smtp.EmailBackend(alias="it", host="127.0.0.1")),
                self.defaults,
            )

    def test_empty_host_is_a_host(self):
        with mailer("smtp", host=""):
            self.assertEqual(mailers["it"].host, "")

    def test_none_is_as_good_as_nothing(self):
        for name, default in self.defaults.items():
            if name in ("host", "fail_silently"):
                continue
            with self.subTest(name), mailer("smtp", host="127.0.0.1", **{name: None}):
                self.assertEqual(getattr(mailers["it"], name), default)

    def test_use_tls_with_use_ssl(self):
        with (
            mailer("smtp", host="127.0.0.1", use_tls=True, use_ssl=True),
            self.assertRaisesExactly(
                InvalidMailer,
                "MAILERS['it']: The 'use_ssl' and 'use_tls' OPTIONS are incompatible. "
                "Set at most one of them to True.",
            ),
        ):
            mailers["it"]

    def test_nothing_is_connected_yet(self):
        with mailer("smtp", host="192.0.2.1"):
            backend = mailers["it"]
        self.assertIsNone(backend.connection)
        backend.close()

    def test_connection_class(self):
        for use_ssl, name in ((False, "SMTP"), (True, "SMTP_SSL")):
            with (
                mailer("smtp", host="127.0.0.1", use_ssl=use_ssl),
                patch("django.core.mail.backends.smtp.smtplib") as smtplib,
            ):
                self.assertIs(mailers["it"].connection_class, getattr(smtplib, name))

    def test_ssl_context_verifies(self):
        with mailer("smtp", host="127.0.0.1", use_ssl=True):
            backend = mailers["it"]
        self.assertEqual(backend.ssl_context.verify_mode, ssl.CERT_REQUIRED)
        self.assertTrue(backend.ssl_context.check_hostname)
        self.assertIs(backend.ssl_context, backend.ssl_context)

    def test_local_name_is_looked_up_when_it_is_needed(self):
        """H13: names of Django's module can be replaced, smtplib itself included."""
        module = "django.core.mail.backends.smtp"
        with (
            mailer("smtp", host="192.0.2.1", timeout=3),
            patch(f"{module}.DNS_NAME.get_fqdn", return_value="me.example.com"),
            patch(f"{module}.smtplib.SMTP") as SMTP,
        ):
            mailers["it"].open()
        SMTP.assert_called_once_with("192.0.2.1", 25, local_hostname="me.example.com", timeout=3)

    def test_direct_construction(self):
        from_settings = {
            "host": "192.0.2.1",
            "port": 2525,
            "username": "user",
            "password": "secret",
            "use_tls": True,
            "use_ssl": False,
            "timeout": 7,
            "ssl_keyfile": "key.pem",
            "ssl_certfile": "cert.pem",
            "fail_silently": False,
        }
        for args, kwargs, changed in (
            ((), {}, {}),
            ((), {"host": "", "port": 0}, {}),
            ((), {"username": "", "password": ""}, {"username": "", "password": ""}),
            (
                ("h", 1, "u", "p", False),
                {},
                {
                    "host": "h",
                    "port": 1,
                    "username": "u",
                    "password": "p",
                    "use_tls": False,
                },
            ),
            (
                (None, None, None, None, False, True, True),
                {},
                {"use_tls": False, "use_ssl": True, "fail_silently": True},
            ),
            ((), {"use_tls": False, "timeout": 1}, {"use_tls": False, "timeout": 1}),
            ((), {"alias": None}, {}),
        ):
            with self.subTest(args=args, **kwargs), legacy_settings(**self.legacy):
                backend = smtp.EmailBackend(*args, **kwargs)
                self.assertIsNone(backend.alias)
                self.assertEqual(smtp_options(backend), from_settings | changed)

    def test_direct_construction_ignores_what_it_does_not_know(self):
        with legacy_settings():
            self.assertEqual(smtp.EmailBackend(api_key="k").host, "localhost")

    def test_direct_construction_with_both_kinds_of_tls(self):
        for settings, kwargs in (
            ({"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, {}),
            ({}, {"use_tls": True, "use_ssl": True}),
            ({"EMAIL_USE_TLS": True}, {"use_ssl": True}),
        ):
            with (
                self.subTest(**settings, **kwargs),
                legacy_settings(**settings),
                self.assertRaisesExactly(
                    ValueError,
                    "EMAIL_USE_TLS/EMAIL_USE_SSL are mutually exclusive, so only set one of "
                    "those settings to True.",
                ),
            ):
                smtp.EmailBackend(**kwargs)

    def test_direct_construction_with_an_alias_is_a_mailer(self):
        backend = smtp.EmailBackend("127.0.0.1", alias="mine")
        self.assertEqual(backend.alias, "mine")
        self.assertEqual(smtp_options(backend), self.defaults)
        with self.assertRaisesExactly(
            InvalidMailer, "MAILERS['mine']: OPTIONS must define 'host'."
        ):
            smtp.EmailBackend(alias="mine")

    @legacy_settings(EMAIL_BACKEND=SMTP, **legacy)
    def test_get_connection_without_mailers(self):
        backend = mail.get_connection(username="other", fail_silently=True)
        self.assertEqual(
            (backend.host, backend.username, backend.password, backend.fail_silently),
            ("192.0.2.1", "other", "secret", True),
        )
