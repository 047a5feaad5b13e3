"""What errors of the pooled SMTP backend say, and what pages and mails about them do not show."""

import base64
import functools
import logging
import smtplib
import ssl
import sys
import threading
import unittest
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import RequestFactory, override_settings, tag
from django.views.debug import ExceptionReporter

from django_mailers import send_many
from django_mailers.backends.smtp import EmailBackend
from django_mailers.checks import check_mailers
from django_mailers.log import AdminEmailHandler
from django_mailers.smtp import Lease, PoolTimeout, Server
from django_mailers.smtp.wire import envelope_command

from .support.messages import message
from .support.servers import HOST, POLITE, TIMEOUT, ScriptedServer, SMTPServer, enter
from .support.sink import Sink
from .support.smtp import ALIAS, DjangosSend, SMTPBackendTestCase, entry
from .support.utils import LOCMEM

# The secrets come from here, so that no line that a page shows of a test has them.
SECRETS = {"password": "correct-horse", "accented": "corr\xe9ct-horse", "token": "ya29.a-token"}
# What IDNA makes "@x.org> notify=never" of.
SMUGGLING = "b@x.org\ufe65\xa8NOTIFY=NEVER"


class AddressTests(SMTPBackendTestCase):
    """An address on the wire is one, and no parameter of the command."""

    def test_idna(self):
        for backend in (EmailBackend, DjangosSend):
            sink = self.serve(backend=backend)
            for name, address in [("from_email", SMUGGLING), ("to", [SMUGGLING])]:
                email = message()
                setattr(email, name, address)
                with self.subTest(backend, name=name):
                    with self.assertRaises(ValueError) as caught:
                        email.send(using=ALIAS)
                    self.assertIn("Invalid address", str(caught.exception))
            with self.assertRaises(ValueError):
                mailers[ALIAS].prep_address(SMUGGLING)
            self.assertEqual([c for commands in sink.commands for c in commands if c == "MAIL"], [])

    def test_on_the_wire(self):
        """The last place, whatever came before."""
        for address in (
            "b@x.xn--org> notify=never-osj",
            "b@x.org>",
            "b@x<y.org",
            "b@x y.org",
            "a b@x.org",
            '"a b@x.org',
            '"a" b@x.org',
            "b@x.org\x0b",
            "<b@x.org> NOTIFY=NEVER <",
            "b@[192.0.2.1 ]",
            "b@x.org\x7f",
        ):
            for verb in ("MAIL FROM", "RCPT TO"):
                with self.subTest(address), self.assertRaises(ValueError):
                    print(envelope_command(verb, address))

    def test_what_is_right(self):
        for address, expected in [
            ("", b"<>"),
            ("b@x.org", b"<b@x.org>"),
            ('"a b"@x.org', b'<"a b"@x.org>'),
            ('"a>b\\" <c"@x.org', b'<"a>b\\" <c"@x.org>'),
            ("Bob <b@x.org>", b"<b@x.org>"),
            ("b@[IPv6:2001:db8::1]", b"<b@[IPv6:2001:db8::1]>"),
            ("b\xfc@x.org", "<b\xfc@x.org>".encode()),
            ("postmaster", b"<postmaster>"),
        ]:
            with self.subTest(address):
                self.assertEqual(
                    envelope_command("RCPT TO", address), b"RCPT TO:" + expected + b"\r\n"
                )

    def test_the_others_of_a_batch_are_sent(self):
        self.serve()
        report = send_many([message("1"), message("2", to=[SMUGGLING]), message("3")], using=ALIAS)
        self.assertEqual([result.status for result in report], ["sent", "failed", "sent"])


class TextTests(SMTPBackendTestCase):
    def test_the_way_out(self):
        """Nobody listens there; what is said is the same as where somebody does."""
        for options, text in [
            ({"port": 465, "use_tls": True}, "port 465 speaks TLS from the first byte: use_ssl"),
            ({"port": 465}, "port 465 speaks TLS from the first byte: use_ssl"),
            ({"port": 587, "use_ssl": True}, "port 587 speaks TLS only after STARTTLS: use_tls"),
            ({"port": 465, "use_ssl": True}, None),
            ({"port": 587, "use_tls": True}, None),
        ]:
            settings = {ALIAS: {"BACKEND": f"{EmailBackend.__module__}.EmailBackend"}}
            settings[ALIAS]["OPTIONS"] = {"host": HOST, **options}
            refused = ConnectionRefusedError(111, "Connection refused")
            with (
                self.subTest(**options),
                override_settings(MAILERS=settings),
                mock.patch("socket.create_connection", side_effect=refused),
                self.assertRaises(ConnectionRefusedError) as caught,
            ):
                refused.strerror, refused.args = "Connection refused", (111, "Connection refused")
                message().send(using=ALIAS)
            way_out = f" ({text})" if text else ""
            place = f"{HOST}:{options['port']}"
            self.assertEqual(
                str(caught.exception), f"[Errno 111] {place}: Connection refused{way_out}"
            )

    def way_out(self, security, error):
        return Server(HOST, 465 if security != "tls" else 587, security)._way_out(error)

    def test_when_the_port_is_not_what_is_wrong(self):
        for security, error in [
            ("starttls", smtplib.SMTPNotSupportedError("STARTTLS ...")),
            ("starttls", ssl.SSLCertVerificationError("self-signed")),
            ("tls", ssl.SSLCertVerificationError("self-signed")),
            ("tls", smtplib.SMTPServerDisconnected("Connection unexpectedly closed")),
        ]:
            with self.subTest(security, error=error):
                self.assertEqual(self.way_out(security, error), "")
        for security, error in [
            ("starttls", smtplib.SMTPServerDisconnected("Connection unexpectedly closed")),
            (None, TimeoutError("timed out")),
            ("tls", ssl.SSLError(1, "wrong version number")),
            ("tls", ssl.SSLEOFError(8, "EOF")),
        ]:
            with self.subTest(security, error=error):
                self.assertIn("port", self.way_out(security, error))

    def test_a_server_that_waits_for_tls(self):
        """As on port 465, of which there is the number only: the greeting does not come."""
        server = enter(self, ScriptedServer([("\x16", "")]))
        with (
            mock.patch.object(Server, "endpoint", "mail.test:465"),
            mock.patch.object(smtplib.SMTP, "connect", connect_to(server)),
            self.assertRaises(smtplib.SMTPServerDisconnected) as caught,
        ):
            Server(HOST, 465, "starttls", timeout=0.05).connect()
        self.assertEqual(
            caught.exception.args,
            (
                "mail.test:465: Connection unexpectedly closed: timed out "
                "(port 465 speaks TLS from the first byte: use_ssl)",
            ),
        )


class CheckTests(SMTPBackendTestCase):
    def test_local_hostname(self):
        """As the constructor says it, which test_smtp_backend_options.py has."""
        for name in ("h\xf4st", "host name", "h" * 300, "", "host\n"):
            options = {"host": HOST, "local_hostname": name}
            settings = {ALIAS: {"BACKEND": f"{EmailBackend.__module__}.EmailBackend"}}
            settings[ALIAS]["OPTIONS"] = options
            with self.subTest(name), override_settings(MAILERS=settings):
                [problem] = check_mailers(None)
                self.assertEqual(
                    (problem.id, problem.msg),
                    (
                        "mailers.E010",
                        f"MAILERS[{ALIAS!r}]: OPTIONS 'local_hostname' must be a host name of 1 to "
                        "255 ASCII characters, without whitespace.",
                    ),
                )
                other = "The value has other characters, or is too long."
                self.assertEqual(problem.hint, other if name else "The value is empty.")
                with self.assertRaisesExactly(InvalidMailer, problem.msg):
                    mailers[ALIAS]


def connect_to(server):
    original = smtplib.SMTP.connect
    return lambda self, *args, **kwargs: original(self, server.host, server.port)


@unittest.skipIf(sys.version_info < (3, 11), "Exceptions have no notes.")
class NoteTests(SMTPBackendTestCase):
    """The text of a reply is the server's; whose it is stands in a note."""

    def note(self, server):
        return [f"Reply of {HOST}:{server.port} to the mailer {ALIAS!r}."]

    def assertNoted(self, server, error, function, *args, **kwargs):
        with self.assertRaises(type(error)) as caught:
            function(*args, **kwargs)
        self.assertEqual(repr(caught.exception), repr(error))
        self.assertEqual(caught.exception.__notes__, self.note(server))

    def test_refusals(self):
        refusals = {
            "MAIL": smtplib.SMTPSenderRefused(550, b"No", "ada@example.com"),
            "RCPT": smtplib.SMTPRecipientsRefused({"bob@example.com": (550, b"No")}),
            "DATA": smtplib.SMTPDataError(550, b"No"),
        }
        for backend in (EmailBackend, DjangosSend):
            for verb, error in refusals.items():
                server = self.serve(SMTPServer(refuse={verb: "550 No"}), backend=backend)
                with self.subTest(backend, verb=verb):
                    self.assertNoted(server, error, message().send, using=ALIAS)

    def test_pinned(self):
        server = self.serve(SMTPServer(refuse={"DATA": "550 No"}))
        error = smtplib.SMTPDataError(550, b"No")
        with mailers[ALIAS] as mailer:
            self.assertNoted(server, error, mailer.send_messages, [message()])

    def test_a_login(self):
        error = smtplib.SMTPAuthenticationError(535, b"5.7.8 Authentication credentials invalid")
        for backend in (EmailBackend, DjangosSend):
            server = self.serve(
                SMTPServer(users={"ada": "x"}), backend=backend, username="ada", password="y"
            )
            with self.subTest(backend):
                self.assertNoted(server, error, mailers[ALIAS].open)
                self.assertNoted(server, error, message().send, using=ALIAS)

    def test_send_many(self):
        server = self.serve(SMTPServer(refuse={"DATA": "550 No"}))
        report = send_many([message(), message()], using=ALIAS)
        self.assertEqual([r.error.__notes__ for r in report], [self.note(server)] * 2)

    def test_what_is_no_reply(self):
        server = self.serve(ScriptedServer([*POLITE[:2], ("MAIL", b"")]), timeout=0.05)
        with self.assertRaises(smtplib.SMTPServerDisconnected) as caught:
            message().send(using=ALIAS)
        self.assertFalse(hasattr(caught.exception, "__notes__"))
        self.assertIn(f"{HOST}:{server.port}", str(caught.exception))


class SecretTests(SMTPBackendTestCase):
    """Neither Django's page about an error nor our mail has a password or a token."""

    def pages(self, function):
        """Return what is shown of the error that `function` raises."""
        try:
            function()
        except Exception as error:
            reporter = ExceptionReporter(
                RequestFactory().get("/"), type(error), error, error.__traceback__
            )
            pages = [reporter.get_traceback_html(), reporter.get_traceback_text()]
            with override_settings(ADMINS=["admin@example.com"]):
                mail.outbox = []
                handler = AdminEmailHandler(include_html=True, using="reports")
                record = logging.LogRecord(
                    "shop", logging.ERROR, __file__, 1, "It failed", (), sys.exc_info()
                )
                handler.handle(record)
            [report] = mail.outbox
            return error, "\n".join([*pages, report.body, report.alternatives[0][0]])
        self.fail("Nothing was raised.")

    def assertNothingShown(self, error_type, function, *, module="backends/smtp.py"):
        error, page = self.pages(function)
        self.assertIsInstance(error, error_type)
        self.assertIn(f"django_mailers/{module}", page)
        for secret in SECRETS.values():
            plain = f"\0ada\0{secret}"
            for text in (secret, plain):
                for form in (text, base64.b64encode(text.encode()).decode()):
                    self.assertNotIn(form, page)
                    self.assertNotIn(form[:11], page)
        return error

    def serve(self, server=None, **options):
        server = enter(self, server or Sink())
        settings = {ALIAS: entry(server, **options), "reports": {"BACKEND": LOCMEM}}
        enter(self, override_settings(MAILERS=settings))
        return server

    def assertHidden(self, error_type, server=None, **options):
        """By all ways to send."""
        for backend in (EmailBackend, DjangosSend):
            if backend is DjangosSend and "auth" in options:
                continue  # it knows no tokens
            with override_settings():
                self.serve(server() if server else None, backend=backend, **options)
                for function in (
                    lambda: mail.send_mail("s", "b", None, ["b@example.com"], using=ALIAS),
                    mailers[ALIAS].__enter__,
                ):
                    with self.subTest(backend):
                        self.assertNothingShown(error_type, function)

    def login(self, name="password"):
        return {"username": "ada", "password": SECRETS[name]}

    @tag("slow")
    def test_password(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                self.assertHidden(
                    smtplib.SMTPAuthenticationError,
                    lambda m=mechanism: SMTPServer(users={"ada": "other"}, mechanisms=[m]),
                    **self.login(),
                )

    def test_password_that_is_repeated(self):
        def behave(line):
            return f"535 No: {line[:-2]}" if line.startswith("AUTH") else None

        self.assertHidden(
            smtplib.SMTPAuthenticationError,
            lambda: Sink(features=["AUTH PLAIN"], behave=behave),
            **self.login(),
        )

    def test_cram_md5(self):
        def behave(line):
            if line == "AUTH CRAM-MD5":
                return f"334 {base64.b64encode(b'<1>').decode()}"
            return None

        self.assertHidden(
            smtplib.SMTPAuthenticationError,
            lambda: Sink(features=["AUTH CRAM-MD5"], behave=behave),
            **self.login(),
        )

    def test_a_password_that_is_not_ascii(self):
        self.assertHidden(
            ValueError, lambda: SMTPServer(users={"ada": "x"}), **self.login("accented")
        )

    def test_token(self):
        def behave(line):
            return "535 No" if line.startswith("AUTH") else None

        self.assertHidden(
            smtplib.SMTPAuthenticationError,
            lambda: Sink(features=["AUTH XOAUTH2"], behave=behave),
            username="ada",
            auth="xoauth2",
            token=lambda: SECRETS["token"],
        )

    def test_a_token_that_is_not_to_be_had(self):
        def get_token():
            raise LookupError("no token")

        self.assertHidden(
            LookupError,
            lambda: Sink(features=["AUTH XOAUTH2"]),
            username="ada",
            auth="xoauth2",
            token=get_token,
        )

    def test_connection_refused(self):
        with Sink() as sink:
            pass
        settings = {ALIAS: entry(sink, **self.login()), "reports": {"BACKEND": LOCMEM}}
        with override_settings(MAILERS=settings):
            self.assertNothingShown(ConnectionRefusedError, lambda: message().send(using=ALIAS))

    def test_pool_timeout(self):
        self.serve(
            Sink(users={"ada": SECRETS["password"]}),
            pool_size=1,
            acquire_timeout=0,
            **self.login(),
        )
        with Lease(mailers[ALIAS].pool) as lease:
            lease.open()
            # Of another thread, so that it is none of ours that could be lent twice.
            error = []

            def send():
                try:
                    self.assertNothingShown(PoolTimeout, lambda: message().send(using=ALIAS))
                except BaseException as e:
                    error.append(e)

            thread = threading.Thread(target=send)
            thread.start()
            thread.join(TIMEOUT)
            self.assertEqual(error, [])

    def test_the_key_of_the_pool(self):
        """What it is made of cannot be a key, or does not lead to a pool."""
        self.serve(**self.login())

        def unhashable():
            backend = mailers[ALIAS]
            backend.source_address = [HOST, 0]
            return backend.pool

        def missing():
            backend = mailers[ALIAS]
            backend.auth, backend.token = "xoauth2", "tests.nowhere.get_token"
            return backend.pool

        self.assertNothingShown(TypeError, unhashable)
        error = self.assertNothingShown(InvalidMailer, missing)
        self.assertIn("Could not import OPTIONS 'token' 'tests.nowhere.get_token'", str(error))

    def test_invalid_mailer(self):
        """Made by hand: the frame of what looks MAILERS up is Django's, and shows its OPTIONS."""
        self.serve()
        secret = functools.partial(SECRETS.get, "token")
        for options in (
            {"pool_size": -1},
            {"unknown": 1},
            {"use_tls": True, "use_ssl": True},
            {"token": secret},
            {"auth": "xoauth2", "token": f"{SECRETS['token']}-of-{'mine' * 9}"},
        ):
            with self.subTest(str([*options])):
                self.assertNothingShown(InvalidMailer, Maker(options), module="options.py")


class Maker:
    """Makes a mailer, and does not show of what: the frames of tests are on the page, too."""

    def __init__(self, options):
        self._options = options

    def __repr__(self):
        return "<Maker>"

    def __call__(self):
        options = {"username": "ada", "password": SECRETS["password"], **self._options}
        try:
            EmailBackend(host=HOST, alias="event", **options)
        finally:
            del options
