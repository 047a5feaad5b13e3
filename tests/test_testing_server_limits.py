"""`SMTPServer`: its limits, its scripted replies, its certificate, and the OPTIONS for it."""

import contextlib
import smtplib
import ssl
import sys
from pathlib import Path
from unittest import mock

from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.testing import DISCONNECT, SMTPServer, override_mailers

from .support.messages import ADA, BOB, EVE, message
from .support.servers import HOST, TIMEOUT, enter, server_context
from .support.utils import OURS, SMTP

CONTENT = b"Subject: Hello\r\n\r\nText\r\n"


class ServerTestCase(SimpleTestCase):
    def serve(self, **options):
        self.server = enter(self, SMTPServer(**options))
        return self.server

    def connect(self):
        client = smtplib.SMTP(HOST, self.server.port, "client.example", TIMEOUT)
        self.addCleanup(client.close)
        client.ehlo()
        return client

    def mailer(self, backend=OURS, **options):
        entry = {"BACKEND": backend, "OPTIONS": {**self.server.mailer_options, **options}}
        return override_mailers(bulk=entry)


class LimitTests(ServerTestCase):
    def test_max_size(self):
        self.serve(max_size=100)
        client = self.connect()
        self.assertEqual(client.esmtp_features["size"], "100")
        self.assertEqual(client.mail(ADA, ["size=101"])[0], 552)
        self.assertEqual(client.mail(ADA, ["size=100"])[0], 250)
        self.assertEqual(client.rcpt(BOB)[0], 250)
        with self.assertRaises(smtplib.SMTPDataError) as caught:
            raise smtplib.SMTPDataError(*client.data(b"x" * 200))
        self.assertEqual(caught.exception.args, (552, b"5.3.4 The message is too large"))
        self.assertEqual(client.sendmail(ADA, [BOB], CONTENT), {})
        self.assertEqual([one.content for one in self.server.messages], [CONTENT])

    def test_max_recipients(self):
        self.serve(max_recipients=1)
        refused = self.connect().sendmail(ADA, [BOB, EVE], CONTENT)
        self.assertEqual(refused, {EVE: (452, b"4.5.3 Too many recipients")})
        with self.mailer():
            (result,) = send_many([message(to=[BOB, EVE])], using="bulk")
        self.assertEqual([one.code for one in result.recipients], [250, 452])

    def test_max_messages(self):
        """The session ends, and ours begins another one."""
        self.serve(max_messages=2)
        client = self.connect()
        for _ in range(2):
            client.sendmail(ADA, [BOB], CONTENT)
        with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail(ADA, [BOB], CONTENT)
        self.assertEqual(caught.exception.smtp_code, 421)
        with self.mailer():
            report = send_many([message(str(n)) for n in range(5)], using="bulk")
        self.assertEqual({result.status for result in report}, {"sent"})
        self.assertEqual(len(self.server.messages), 7)

    def test_max_connections(self):
        self.serve(max_connections=1)
        client = self.connect()
        with self.assertRaises(smtplib.SMTPConnectError) as caught:
            self.connect()
        self.assertEqual(caught.exception.args, (421, b"4.7.0 Too many connections"))
        client.quit()
        for session in self.server.sessions:
            self.assertIs(session.ended.wait(TIMEOUT), True)
        self.assertEqual(self.connect().noop()[0], 250)


class ScriptTests(ServerTestCase):
    def test_replies_that_are_used_once(self):
        refuse = {"DATA": ["451 4.3.0 Later", None, "452 4.2.2 Full"], "RCPT": []}
        self.serve(refuse=refuse)
        client = self.connect()
        codes = []
        for _ in range(4):
            try:
                client.sendmail(ADA, [BOB], CONTENT)
            except smtplib.SMTPDataError as error:
                codes.append(error.smtp_code)
            else:
                codes.append(250)
        self.assertEqual(codes, [451, 250, 452, 250])
        self.assertEqual(refuse["DATA"], ["451 4.3.0 Later", None, "452 4.2.2 Full"])
        self.assertEqual(self.server.refuse["DATA"], [])
        self.server.refuse["DATA"] = ("454 4.0.0 Again",)
        with self.assertRaises(smtplib.SMTPDataError):
            client.sendmail(ADA, [BOB], CONTENT)
        client.sendmail(ADA, [BOB], CONTENT)

    def test_an_address_comes_first(self):
        self.serve(refuse={f"RCPT {BOB}": ["550 5.1.1 Bob"], "RCPT": ["451 4.0.0 Any"]})
        client = self.connect()
        client.mail(ADA)
        self.assertEqual([client.rcpt(BOB)[0] for _ in range(3)], [550, 451, 250])

    def test_the_greeting(self):
        self.serve(refuse={"CONNECT": ["554 5.3.2 No", "220 other.test", DISCONNECT]})
        with self.assertRaises(smtplib.SMTPConnectError):
            self.connect()
        self.assertEqual(self.connect().noop()[0], 250)
        with self.assertRaises(smtplib.SMTPServerDisconnected):
            self.connect()
        self.assertEqual(self.connect().noop()[0], 250)

    def test_a_connection_that_ends_after_the_content(self):
        self.serve(refuse={"DATA": [DISCONNECT]})
        with self.mailer():
            report = send_many([message("1"), message("2")], using="bulk")
        self.assertEqual([result.status for result in report], ["unknown", "sent"])


class OptionsTests(ServerTestCase):
    def test_plain(self):
        self.serve()
        self.assertEqual(
            self.server.mailer_options,
            {"host": HOST, "port": self.server.port, "timeout": TIMEOUT},
        )
        for backend in (SMTP, OURS):
            with self.mailer(backend):
                self.assertEqual(message().send(using="bulk"), 1)

    def test_users(self):
        self.serve(users={"u": "p", "other": "x"})
        for backend in (SMTP, OURS):
            with self.mailer(backend):
                self.assertEqual(message().send(using="bulk"), 1)
        self.assertEqual([session.user for session in self.server.sessions], ["u", "u"])

    def test_tls(self):
        for tls, option in [("starttls", "use_tls"), ("implicit", "use_ssl")]:
            with self.subTest(tls), SMTPServer(tls=tls, users={"u": "p"}) as self.server:
                ca_file = self.server.ca_file
                self.assertEqual(
                    self.server.mailer_options,
                    {
                        "host": HOST,
                        "port": self.server.port,
                        "timeout": TIMEOUT,
                        "username": "u",
                        "password": "p",
                        option: True,
                        "ca_file": ca_file,
                    },
                )
                with self.mailer():
                    self.assertEqual(message().send(using="bulk"), 1)
                self.assertRegex(self.server.sessions[0].tls, "^TLS")
                # Nobody else trusts it.
                with self.mailer(ca_file=None), self.assertRaises(ssl.SSLCertVerificationError):
                    message().send(using="bulk")
                # For Django's backend, which has no option for it.
                options = self.server.mailer_options
                del options["ca_file"]
                entry = {"BACKEND": SMTP, "OPTIONS": options}
                with (
                    mock.patch.dict("os.environ", SSL_CERT_FILE=ca_file),
                    override_mailers(bulk=entry),
                ):
                    self.assertEqual(message().send(using="bulk"), 1)
            self.assertIs(Path(ca_file).exists(), False)
            self.assertIsNone(self.server.ca_file)

    def test_a_start_that_fails(self):
        """Nothing is left of it: no file, and no socket, which would warn."""
        server = SMTPServer(tls="starttls")
        written = []
        write = server._certificate.write

        def keep():
            written.append(Path(write()))
            return str(written[0])

        with (
            mock.patch.object(server._certificate, "write", keep),
            mock.patch("threading.Thread.start", side_effect=RuntimeError("can't start")),
            self.assertRaisesMessage(RuntimeError, "can't start"),
        ):
            enter(self, server)
        self.assertEqual([path.exists() for path in written], [False])
        self.assertIsNone(server.ca_file)
        self.assertEqual((server._listener.fileno(), server._waker.fileno()), (-1, -1))

    def test_a_certificate_of_yours(self):
        self.serve(ssl_context=server_context())
        self.assertEqual(
            self.server.mailer_options,
            {"host": HOST, "port": self.server.port, "timeout": TIMEOUT, "use_tls": True},
        )

    def test_without_trustme(self):
        with (
            mock.patch.dict(sys.modules, trustme=None),
            self.assertRaises(ModuleNotFoundError) as caught,
        ):
            SMTPServer(tls="starttls")
        self.assertEqual(
            str(caught.exception),
            "SMTPServer(tls=...) makes a certificate with trustme, which is not installed: "
            "pip install 'django-mailers[test]', or pass an 'ssl_context'.",
        )
        self.assertEqual(caught.exception.name, "trustme")

    def test_mistakes(self):
        for options in (
            {"tls": "ssl"},
            {"tls": True},
            {"tls": "starttls", "ssl_context": server_context()},
            {"implicit_tls": True},
        ):
            with self.subTest(options), contextlib.suppress(ValueError):
                SMTPServer(**options)
                self.fail("It was made.")
