"""Real SMTP sessions of the mailers that `MAILERS` defines under Django's own BACKEND path.

What arrives at a real server, and what comes back when the server or the wire fails. An exception
is compared by its repr(), which for smtplib's holds everything: class, code, reply, address.
"""

import base64
import contextlib
import gc
import re
import smtplib
import socket
import ssl
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from unittest import skipUnless

from django.core import mail
from django.core.mail import EmailMessage, mailers, send_mail, send_mass_mail
from django.test import SimpleTestCase, override_settings

from .support.messages import message
from .support.servers import (
    DROP,
    HOST,
    POLITE,
    STALL,
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    certificates,
    client_certificate_files,
    enter,
    spoilt,
    trusting_the_ca,
)
from .support.smtp import entry, serving
from .support.utils import REFUSES_LOCAL_PARTS, SMTP, ignore_deprecations, legacy_settings

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


class DeliveryTests(SessionTestCase):
    def test_send_mail(self):
        server = self.serve(SMTPServer())
        sent = send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"], using="relay")
        self.assertEqual(sent, 1)
        (arrived,) = server.messages
        self.assertEqual(arrived.mail_from, "ada@example.com")
        self.assertEqual(arrived.rcpt_tos, ["bob@example.com"])
        self.assertEqual(arrived.session.ehlo, mail.DNS_NAME.get_fqdn())
        self.assertIsNone(arrived.session.tls)
        self.assertIsNone(arrived.session.user)
        self.assertCommands(server, ONE_MESSAGE)

    def test_send_mail_connects_for_each_message(self):
        server = self.serve(SMTPServer())
        for _ in range(2):
            send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"], using="relay")
        self.assertCommands(server, ONE_MESSAGE, ONE_MESSAGE)

    def test_send_mass_mail_connects_once(self):
        server = self.serve(SMTPServer())
        addresses = [f"{number}@example.com" for number in range(3)]
        data = [("Hi", "Text", "ada@example.com", [address]) for address in addresses]
        self.assertEqual(send_mass_mail(data, using="relay"), 3)
        self.assertEqual(
            [arrived.rcpt_tos for arrived in server.messages], [[a] for a in addresses]
        )
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"])

    def test_message_send(self):
        server = self.serve(SMTPServer())
        self.assertEqual(send(), 1)
        self.assertCommands(server, ONE_MESSAGE)

    def test_context_manager_connects_once(self):
        server = self.serve(SMTPServer())
        with mailers["relay"] as relay:
            self.assertEqual(relay.send_messages([message()]), 1)
            self.assertEqual(relay.send_messages([message(), message()]), 2)
        self.assertIsNone(relay.connection)
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"])

    def test_open_and_close(self):
        server = self.serve(SMTPServer())
        relay = mailers["relay"]
        self.assertIs(relay.open(), True)
        self.assertIs(relay.open(), False)
        relay.send_messages([message()])
        relay.send_messages([message()])
        self.assertIsNone(relay.close())
        self.assertIsNone(relay.close())
        self.assertIs(relay.open(), True)
        relay.close()
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * 2, "QUIT"], ["QUIT"])

    def test_each_access_gives_a_new_instance(self):
        server = self.serve(SMTPServer())
        with mailers["relay"] as one, mailers["relay"] as other:
            self.assertIsNot(one, other)
            self.assertIsNot(one.connection, other.connection)
        self.assertCommands(server, ["QUIT"], ["QUIT"])

    def test_aliases_lead_to_their_servers(self):
        news, bills = enter(self, SMTPServer()), enter(self, SMTPServer())
        with override_settings(
            MAILERS={"news": entry(news, backend=SMTP), "bills": entry(bills, backend=SMTP)}
        ):
            message(to=["reader@example.com"]).send(using="news")
            message(to=["debtor@example.com"]).send(using="bills")
        self.assertEqual([m.rcpt_tos for m in news.messages], [["reader@example.com"]])
        self.assertEqual([m.rcpt_tos for m in bills.messages], [["debtor@example.com"]])

    def test_default_mailer(self):
        server = enter(self, SMTPServer())
        with override_settings(MAILERS={"default": entry(server, backend=SMTP)}):
            send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"])
            message().send()
            mailers.default.send_messages([message()])
        self.assertCommands(server, ONE_MESSAGE, ONE_MESSAGE, ONE_MESSAGE)

    def test_nothing_to_send_does_not_connect(self):
        server = self.serve(SMTPServer())
        nobody = EmailMessage("Hello", "Text", "ada@example.com")
        self.assertEqual(mailers["relay"].send_messages([]), 0)
        self.assertEqual(send_mass_mail([], using="relay"), 0)
        self.assertEqual(nobody.send(using="relay"), 0)
        self.assertCommands(server)

    def test_message_without_recipients_is_passed_over(self):
        server = self.serve(SMTPServer())
        nobody = EmailMessage("Hello", "Text", "ada@example.com")
        self.assertEqual(mailers["relay"].send_messages([nobody, message()]), 1)
        self.assertCommands(server, ONE_MESSAGE)


class EnvelopeAndContentTests(SessionTestCase):
    def arrived(self, email, **options):
        """Send `email`, give what the server got."""
        with serving(SMTPServer(**options)) as server:
            send(email)
        (arrived,) = server.messages
        return arrived

    def test_bytes_on_the_wire(self):
        arrived = self.arrived(
            message(
                to=["Bob <bob@example.com>", "eve@example.com"],
                from_email="Ada <ada@example.com>",
                body="one\r\ntwo\n\nthree",
                headers={
                    "Date": "Fri, 20 Nov 2026 10:00:00 -0000",
                    "Message-ID": "<1@example.com>",
                },
            )
        )
        expected = (
            b'Content-Type: text/plain; charset="utf-8"\r\n'
            b"Content-Transfer-Encoding: 7bit\r\n"
            b"MIME-Version: 1.0\r\n"
            b"Subject: Hello\r\n"
            b"From: Ada <ada@example.com>\r\n"
            b"To: Bob <bob@example.com>, eve@example.com\r\n"
            b"Date: Fri, 20 Nov 2026 10:00:00 -0000\r\n"
            b"Message-ID: <1@example.com>\r\n"
            b"\r\n"
            b"one\r\ntwo\r\n\r\nthree\r\n"
        )
        self.assertEqual(arrived.content, expected)
        self.assertEqual(arrived.mail_options, [f"size={len(expected)}"])

    def test_lines_that_begin_with_a_dot(self):
        arrived = self.arrived(message(body=".\n..\n.two\nthree.\n.\n"))
        body = arrived.content.partition(b"\r\n\r\n")[2]
        self.assertEqual(body, b".\r\n..\r\n.two\r\nthree.\r\n.\r\n")

    def test_non_ascii_text(self):
        arrived = self.arrived(
            EmailMessage("Grüße", "Füße ✓", "Jörg <ada@example.com>", ["Zoë <bob@example.com>"])
        )
        parsed = message_from_bytes(arrived.content, policy=policy.default)
        self.assertEqual(parsed["Subject"], "Grüße")
        self.assertEqual(parsed["From"], "Jörg <ada@example.com>")
        self.assertEqual(parsed["To"], "Zoë <bob@example.com>")
        self.assertEqual(parsed.get_content(), "Füße ✓\r\n")
        head = arrived.content.partition(b"\r\n\r\n")[0]
        self.assertTrue(head.isascii())
        self.assertEqual(arrived.mail_from, "ada@example.com")
        self.assertEqual(arrived.rcpt_tos, ["bob@example.com"])

    def test_only_the_envelope_has_the_bcc(self):
        arrived = self.arrived(
            message(
                to=["to@example.com"],
                cc=["cc@example.com"],
                bcc=["bcc@example.com", "Hidden <bcc2@example.com>"],
            )
        )
        self.assertEqual(
            arrived.rcpt_tos,
            ["to@example.com", "cc@example.com", "bcc@example.com", "bcc2@example.com"],
        )
        parsed = message_from_bytes(arrived.content, policy=policy.default)
        self.assertEqual((parsed["To"], parsed["Cc"]), ("to@example.com", "cc@example.com"))
        self.assertNotIn(b"bcc", arrived.content.lower())

    def test_idna_domains(self):
        # Also where the server offers SMTPUTF8, with which the domains could stay as they are.
        for smtputf8 in [False, True]:
            with self.subTest(smtputf8=smtputf8):
                email = message(to=["Bob <bob@bücher.example>"], from_email="ada@müller.example")
                arrived = self.arrived(email, smtputf8=smtputf8)
                self.assertEqual(arrived.mail_from, "ada@xn--mller-kva.example")
                self.assertEqual(arrived.rcpt_tos, ["bob@xn--bcher-kva.example"])
                self.assertEqual(arrived.mail_options, [f"size={len(arrived.content)}"])

    def test_from_header_does_not_change_the_envelope(self):
        headers = {"From": "Newsletter <news@example.com>"}
        arrived = self.arrived(message(from_email="bounce@example.com", headers=headers))
        self.assertEqual(arrived.mail_from, "bounce@example.com")
        parsed = message_from_bytes(arrived.content, policy=policy.default)
        self.assertEqual(parsed["From"], "Newsletter <news@example.com>")

    @override_settings(DEFAULT_FROM_EMAIL="Shop <shop@example.com>")
    def test_default_from_email(self):
        self.assertEqual(self.arrived(message(from_email=None)).mail_from, "shop@example.com")

    def test_local_mailbox(self):
        self.assertEqual(self.arrived(message(to=["postmaster"])).rcpt_tos, ["postmaster"])


class RefusedBeforeSendingTests(SessionTestCase):
    """What is wrong with a message is found before the server hears anything of it."""

    def setUp(self):
        self.server = self.serve(SMTPServer())

    def assertNothingSent(self):
        self.assertCommands(self.server, ["QUIT"])
        self.assertEqual(self.server.messages, [])
        self.server.sessions.clear()

    @skipUnless(REFUSES_LOCAL_PARTS, "Django leaves it to Python")
    def test_non_ascii_local_part(self):
        # Among good recipients too; and though the server offers SMTPUTF8.
        for email in [
            message(to=["bob@example.com", "jörg@example.com"]),
            message(to=["bob@example.com"], bcc=["jörg@example.com"]),
            message(from_email="jörg@example.com"),
        ]:
            with self.subTest(**vars(email)):
                self.assertInvalid(
                    "Invalid address 'jörg@example.com': local-part contains non-ASCII characters)",
                    send,
                    email,
                )
                self.assertNothingSent()

    def test_address_injection(self):
        for address in [
            "bob@example.com\r\nRCPT TO:<eve@example.com>",
            "bob@example.com>\r\nRCPT TO:<eve@example.com",
            "bob@example.com\nBcc: eve@example.com",
            "Bob\r\nBcc: eve@example.com <bob@example.com>",
            '"Bob\nBcc: eve@example.com" <bob@example.com>',
        ]:
            for email in [
                message(to=[address]),
                message(cc=[address]),
                message(bcc=[address]),
                message(from_email=address),
            ]:
                with self.subTest(address=address, **vars(email)):
                    error = self.error(send, email)
                    self.assertIsInstance(error, ValueError)
                    # The reasons that follow are the email package's: of its version, unordered.
                    self.assertRegex(str(error), rf"^Invalid address {re.escape(repr(address))}: .")
                    self.assertNothingSent()

    def test_more_or_less_than_one_address(self):
        for address in ["bob@example.com, eve@example.com", "undisclosed-recipients:;"]:
            with self.subTest(address=address):
                self.assertInvalid(
                    f"Invalid address {address!r}: must be a single address",
                    send,
                    message(to=[address]),
                )
                self.assertNothingSent()

    def test_header_injection(self):
        evil = "x\r\nBcc: eve@example.com"
        for email in [
            message(subject=evil),
            message(reply_to=[evil]),
            message(headers={"X-Tag": evil}),
            message(headers={"To": evil}),
            message(headers={"From": evil}),
        ]:
            with self.subTest(**vars(email)):
                self.assertInvalid(
                    "Header values may not contain linefeed or carriage return characters",
                    send,
                    email,
                )
                self.assertNothingSent()

    def test_bcc_header(self):
        self.assertInvalid(
            'Bcc is not a valid email header. Use the "bcc" argument to specify blind carbon copy '
            "recipients.",
            send,
            message(headers={"Bcc": "eve@example.com"}),
        )
        self.assertNothingSent()

    def test_messages_before_the_bad_one_are_sent(self):
        emails = [message(to=["one@example.com"]), message(to=["two@@example.com"]), message()]
        error = self.error(mailers["relay"].send_messages, emails)
        self.assertIsInstance(error, ValueError)
        self.assertEqual([m.rcpt_tos for m in self.server.messages], [["one@example.com"]])
        self.assertCommands(self.server, ONE_MESSAGE)


class TLSAndAuthTests(SessionTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        enter(cls, trusting_the_ca())

    def assertDelivered(self, server, *commands, user=None, client=None):
        (arrived,) = server.messages
        self.assertIsNotNone(arrived.session.tls)
        self.assertEqual(arrived.session.user, user)
        self.assertEqual(arrived.session.client, client)
        self.assertCommands(server, [*commands, "MAIL", "RCPT", "DATA", "QUIT"])

    def test_starttls_and_auth(self):
        for mechanism in ["PLAIN", "LOGIN"]:
            server = SMTPServer(tls="starttls", users={"ada": PASSWORD}, mechanisms=[mechanism])
            with self.subTest(mechanism=mechanism), serving(server, use_tls=True, **LOGIN):
                send()
                self.assertDelivered(
                    server, "EHLO", "STARTTLS", "EHLO", f"AUTH {mechanism}", user="ada"
                )

    def test_starttls_without_auth(self):
        server = self.serve(SMTPServer(tls="starttls"), use_tls=True)
        send()
        self.assertDelivered(server, "EHLO", "STARTTLS", "EHLO")

    def test_implicit_tls_and_auth(self):
        for mechanism in ["PLAIN", "LOGIN"]:
            server = SMTPServer(tls="implicit", users={"ada": PASSWORD}, mechanisms=[mechanism])
            with self.subTest(mechanism=mechanism), serving(server, use_ssl=True, **LOGIN):
                send()
                self.assertDelivered(server, "EHLO", f"AUTH {mechanism}", user="ada")

    def test_send_mass_mail_greets_and_logs_in_once(self):
        server = self.serve(
            SMTPServer(tls="starttls", users={"ada": PASSWORD}), use_tls=True, **LOGIN
        )
        data = [("Hi", "Text", "ada@example.com", ["bob@example.com"])] * 2
        self.assertEqual(send_mass_mail(data, using="relay"), 2)
        transactions = ["MAIL", "RCPT", "DATA"] * 2
        self.assertCommands(
            server, ["EHLO", "STARTTLS", "EHLO", "AUTH PLAIN", *transactions, "QUIT"]
        )

    def test_server_that_requires_starttls(self):
        self.serve(SMTPServer(tls="starttls"))
        self.assertFails(
            "SMTPSenderRefused(530, b'5.7.0 Must issue a STARTTLS command first', "
            "'ada@example.com')",
            send,
        )

    def test_client_certificate(self):
        # With a client certificate Django makes a context that trusts nobody, see the next test.
        # What a project does about it is what is done here, on the instance or in a subclass.
        for tls, option, greeting in [
            ("implicit", "use_ssl", ["EHLO"]),
            ("starttls", "use_tls", ["EHLO", "STARTTLS", "EHLO"]),
        ]:
            server = SMTPServer(tls=tls, client_ca=certificates.ca)
            with (
                self.subTest(tls=tls),
                client_certificate_files() as files,
                serving(server, **{option: True}, **files),
            ):
                relay = mailers["relay"]
                relay.ssl_context.load_default_certs()
                self.assertEqual(relay.send_messages([message()]), 1)
                self.assertDelivered(server, *greeting, client="client.example")

    def test_client_certificate_and_no_trust(self):
        server = SMTPServer(tls="implicit")
        with client_certificate_files() as files:
            self.serve(server, use_ssl=True, **files)
            relay = mailers["relay"]
            self.assertEqual(relay.ssl_context.get_ca_certs(), [])
            self.assertIs(relay.ssl_context.check_hostname, True)
            self.assertIs(relay.ssl_context.verify_mode, ssl.CERT_REQUIRED)
            error = self.error(send)
        self.assertIs(type(error), ssl.SSLCertVerificationError)
        self.assertEqual(error.verify_code, 20)  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        self.assertEqual(server.messages, [])

    def test_client_certificate_missing(self):
        server = self.serve(SMTPServer(tls="implicit", client_ca=certificates.ca), use_ssl=True)
        # TLS 1.3 tells the client only after the handshake: to smtplib, as a lost connection.
        error = self.error(send)
        self.assertIs(type(error), smtplib.SMTPServerDisconnected)
        self.assertEqual(server.sessions, [])

    def test_certificates_that_are_not_accepted(self):
        for name, code in [
            ("expired", 10),  # X509_V_ERR_CERT_HAS_EXPIRED
            ("wrong_host", 64),  # X509_V_ERR_IP_ADDRESS_MISMATCH
            ("unknown_ca", 20),  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        ]:
            for tls, option, commands in [
                ("implicit", "use_ssl", []),
                ("starttls", "use_tls", [["EHLO", "STARTTLS"]]),
            ]:
                server = SMTPServer(
                    tls=tls, certificate=getattr(certificates, name), users={"ada": PASSWORD}
                )
                with (
                    self.subTest(certificate=name, tls=tls),
                    serving(server, **{option: True}, **LOGIN),
                ):
                    error = self.error(send)
                    self.assertIs(type(error), ssl.SSLCertVerificationError)
                    self.assertEqual(error.verify_code, code)
                    # And neither the credentials nor the message were sent.
                    self.assertCommands(server, *commands)

    def test_certificate_for_another_host_name(self):
        server = enter(self, SMTPServer(tls="starttls", certificate=certificates.wrong_host))
        options = {**entry(server, backend=SMTP, use_tls=True)["OPTIONS"], "host": "localhost"}
        with override_settings(MAILERS={"relay": {"BACKEND": SMTP, "OPTIONS": options}}):
            error = self.error(send)
        self.assertIs(type(error), ssl.SSLCertVerificationError)
        self.assertEqual(error.verify_code, 62)  # X509_V_ERR_HOSTNAME_MISMATCH

    def test_tls_with_a_server_that_speaks_plain(self):
        server = self.serve(SMTPServer(), use_ssl=True)
        error = self.error(send)
        self.assertIs(type(error), ssl.SSLError)
        self.assertCommands(server, [])

    def test_starttls_not_offered(self):
        server = self.serve(SMTPServer(users={"ada": PASSWORD}), use_tls=True, **LOGIN)
        with leaving_its_socket_open():
            self.assertFails(
                "SMTPNotSupportedError('STARTTLS extension not supported by server.')", send
            )
        self.assertCommands(server, ["EHLO"])

    def test_starttls_refused(self):
        script = [
            (None, "220 scripted.test ESMTP"),
            ("EHLO", b"250-scripted.test\r\n250 STARTTLS\r\n"),
            ("STARTTLS", "454 4.7.0 TLS not available"),
        ]
        server = self.serve(ScriptedServer(script), use_tls=True, **LOGIN)
        with self.assertRaises(smtplib.SMTPResponseException) as caught, mailers["relay"]:
            self.fail("The mailer is open.")
        self.assertEqual(
            repr(caught.exception), "SMTPResponseException(454, b'4.7.0 TLS not available')"
        )
        self.assertEqual(server.commands, [["EHLO", "STARTTLS", "QUIT"]])

    def test_password_refused(self):
        server = self.serve(SMTPServer(users={"ada": "another"}), **LOGIN)
        with leaving_its_socket_open():
            self.assertFails(
                "SMTPAuthenticationError(535, b'5.7.8 Authentication credentials invalid')",
                send_mail,
                "Hi",
                "Text",
                "ada@example.com",
                ["bob@example.com"],
                using="relay",
            )
        self.assertCommands(server, ["EHLO", "AUTH PLAIN", "AUTH LOGIN"])

    def test_auth_not_offered(self):
        server = self.serve(SMTPServer(), **LOGIN)
        with leaving_its_socket_open():
            self.assertFails(
                "SMTPNotSupportedError('SMTP AUTH extension not supported by server.')", send
            )
        self.assertCommands(server, ["EHLO"])

    def test_exceptions_do_not_show_the_password(self):
        auth = b"250-scripted.test\r\n250 AUTH PLAIN LOGIN\r\n"
        scripts = {
            "dropped": [("AUTH", DROP)],
            "temporary": [("AUTH", "454 4.7.0 Later"), ("AUTH", "454 4.7.0 Later")],
            "refused": [("AUTH", "535 5.7.8 No"), ("AUTH", "535 5.7.8 No")],
            "shutting down": [("AUTH", "421 4.3.2 Bye"), (None, DROP)],
            "garbage": [("AUTH", b"?\r\n"), ("AUTH", b"?\r\n")],
            "endless": [("AUTH PLAIN", "334 "), *[("", "334 ")] * 6],
        }
        secrets = [
            PASSWORD,
            base64.b64encode(PASSWORD.encode()).decode(),
            base64.b64encode(f"\0ada\0{PASSWORD}".encode()).decode(),
        ]
        for name, script in scripts.items():
            server = ScriptedServer([(None, "220 scripted.test"), ("EHLO", auth), *script])
            with self.subTest(name), serving(server, **LOGIN):
                with self.assertRaises(smtplib.SMTPException) as caught, mailers["relay"]:
                    self.fail("The mailer is open.")
                self.assertIn("AUTH", server.commands[0])
                error = caught.exception
                while error is not None:
                    for secret in secrets:
                        self.assertNotIn(secret, f"{error!r} {error} {error.args}")
                    error = error.__cause__ or error.__context__


class NoCredentialsTests(SessionTestCase):
    def test_no_login_without_credentials(self):
        for options in [{}, {"username": "ada"}, {"password": PASSWORD}]:
            server = SMTPServer(users={"ada": PASSWORD})
            with self.subTest(options), serving(server, **options):
                send()
                self.assertCommands(server, ONE_MESSAGE)

    @ignore_deprecations()
    def test_nothing_is_taken_from_email_settings(self):
        # H14: the account of EMAIL_* must not be shown to the server of a named mailer.
        server = enter(self, SMTPServer(users={"ada": PASSWORD}))
        enter(
            self,
            override_settings(
                EMAIL_HOST="default.example",
                EMAIL_PORT=2525,
                EMAIL_HOST_USER="ada",
                EMAIL_HOST_PASSWORD=PASSWORD,
                EMAIL_USE_TLS=True,
                EMAIL_TIMEOUT=7,
                EMAIL_SSL_CERTFILE="/nowhere/cert.pem",
                EMAIL_SSL_KEYFILE="/nowhere/key.pem",
                MAILERS={
                    "relay": entry(server, backend=SMTP),
                    "bare": {"BACKEND": SMTP, "OPTIONS": {"host": HOST}},
                },
            ),
        )
        send()
        self.assertCommands(server, ONE_MESSAGE)
        expected = {
            "host": HOST,
            "port": 25,
            "username": None,
            "password": None,
            "use_tls": False,
            "use_ssl": False,
            "timeout": None,
            "ssl_keyfile": None,
            "ssl_certfile": None,
            "fail_silently": False,
        }
        bare = mailers["bare"]
        self.assertEqual({name: getattr(bare, name) for name in expected}, expected)

    def test_default_ports(self):
        for options, port in [
            ({}, 25),
            ({"use_tls": True}, 587),
            ({"use_ssl": True}, 465),
            ({"use_tls": False, "use_ssl": False}, 25),
            ({"use_ssl": True, "port": 2465}, 2465),
        ]:
            config = {"BACKEND": SMTP, "OPTIONS": {"host": HOST, **options}}
            with self.subTest(options), override_settings(MAILERS={"relay": config}):
                self.assertEqual(mailers["relay"].port, port)


class WithoutMailersTests(SessionTestCase):
    """The EMAIL_* settings go on working as long as there is no MAILERS."""

    def test_session(self):
        server = enter(self, SMTPServer(tls="starttls", users={"ada": PASSWORD}))
        enter(self, trusting_the_ca())
        email_settings = {
            "EMAIL_BACKEND": SMTP,
            "EMAIL_HOST": server.host,
            "EMAIL_PORT": server.port,
            "EMAIL_HOST_USER": "ada",
            "EMAIL_HOST_PASSWORD": PASSWORD,
            "EMAIL_USE_TLS": True,
        }
        enter(self, legacy_settings(**email_settings))
        send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"])
        message().send()
        mailers.default.send_messages([message()])
        self.assertEqual([arrived.session.user for arrived in server.messages], ["ada"] * 3)
        commands = ["EHLO", "STARTTLS", "EHLO", "AUTH PLAIN", "MAIL", "RCPT", "DATA", "QUIT"]
        self.assertCommands(server, commands, commands, commands)


class RefusedByTheServerTests(SessionTestCase):
    def test_mail_and_data(self):
        for verb, commands, error in [
            ("MAIL", ["EHLO", "MAIL"], "SMTPSenderRefused({}, b'{}', 'ada@example.com')"),
            ("DATA", ["EHLO", "MAIL", "RCPT", "DATA"], "SMTPDataError({}, b'{}')"),
        ]:
            for code, text in [(451, "4.3.0 Try later"), (554, "5.7.1 Spam")]:
                server = SMTPServer(refuse={verb: f"{code} {text}"})
                with self.subTest(verb=verb, code=code), serving(server):
                    self.assertFails(error.format(code, text), send)
                    self.assertEqual(server.messages, [])
                    self.assertCommands(server, [*commands, "RSET", "QUIT"])

    def test_every_recipient(self):
        for code, text in [(450, "4.2.1 Busy"), (550, "5.1.1 Unknown")]:
            server = SMTPServer(refuse={"RCPT": f"{code} {text}"})
            with self.subTest(code=code), serving(server):
                self.assertFails(
                    "SMTPRecipientsRefused({"
                    f"'one@example.com': ({code}, b'{text}'), "
                    f"'two@example.com': ({code}, b'{text}')"
                    "})",
                    send,
                    message(to=["one@example.com", "two@example.com"]),
                )
                self.assertCommands(server, ["EHLO", "MAIL", "RCPT", "RCPT", "RSET", "QUIT"])

    def test_one_recipient_of_several(self):
        # H34: the refusal is lost.
        server = self.serve(SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}))
        email = message(to=["one@example.com", "gone@example.com", "two@example.com"])
        self.assertEqual(send(email), 1)
        (arrived,) = server.messages
        self.assertEqual(arrived.rcpt_tos, ["one@example.com", "two@example.com"])
        self.assertCommands(server, ["EHLO", "MAIL", "RCPT", "RCPT", "RCPT", "DATA", "QUIT"])

    def test_one_message_of_several(self):
        # H34: what was sent before is not reported, what comes after is not tried.
        server = self.serve(SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}))
        emails = [message(to=[f"{name}@example.com"]) for name in ("one", "gone", "two")]
        self.assertFails(
            "SMTPRecipientsRefused({'gone@example.com': (550, b'5.1.1 Unknown')})",
            mailers["relay"].send_messages,
            emails,
        )
        self.assertEqual([m.rcpt_tos for m in server.messages], [["one@example.com"]])
        self.assertCommands(
            server, ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "RSET", "QUIT"]
        )

    def test_connection_the_caller_opened_outlives_a_refused_message(self):
        server = self.serve(SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}))
        with mailers["relay"] as relay:
            error = self.error(relay.send_messages, [message(to=["gone@example.com"])])
            self.assertIs(type(error), smtplib.SMTPRecipientsRefused)
            self.assertEqual(relay.send_messages([message()]), 1)
        self.assertCommands(
            server, ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
        )

    def test_data_command(self):
        for reply, error in [
            ("451 4.3.0 Try later", "SMTPDataError(451, b'4.3.0 Try later')"),
            ("554 5.7.1 No", "SMTPDataError(554, b'5.7.1 No')"),
        ]:
            server = ScriptedServer(spoilt("DATA", reply))
            with self.subTest(reply), serving(server):
                self.assertFails(error, send)
                self.assertEqual(server.commands, [["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]])

    def test_greeting(self):
        for reply, error in [
            ("421 4.3.2 Too busy", "SMTPConnectError(421, b'4.3.2 Too busy')"),
            ("554 5.7.1 Not you", "SMTPConnectError(554, b'5.7.1 Not you')"),
        ]:
            server = ScriptedServer(spoilt(None, reply, (None, DROP)))
            with self.subTest(reply), serving(server):
                self.assertFails(error, send)
                self.assertEqual(server.commands, [[]])

    def test_ehlo_then_helo(self):
        server = self.serve(SMTPServer(refuse={"EHLO": "502 5.5.1 Unknown command"}))
        self.assertEqual(send(), 1)
        self.assertEqual(server.messages[0].mail_options, [])
        self.assertCommands(server, ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"])

    def test_ehlo_and_helo(self):
        for code, text in [(421, "4.3.2 Too busy"), (550, "5.7.1 Not you")]:
            server = SMTPServer(refuse={"EHLO": f"{code} {text}", "HELO": f"{code} {text}"})
            with self.subTest(code=code), serving(server):
                self.assertFails(f"SMTPHeloError({code}, b'{text}')", send)
                self.assertCommands(server, ["EHLO", "HELO", "QUIT"])

    def test_server_that_shuts_down(self):
        # 421 may be the answer to anything, and then the connection is over: no RSET, no QUIT.
        for stage, error in [
            ("MAIL", "SMTPSenderRefused(421, b'4.3.2 Bye', 'ada@example.com')"),
            ("RCPT", "SMTPRecipientsRefused({'bob@example.com': (421, b'4.3.2 Bye')})"),
            ("DATA", "SMTPDataError(421, b'4.3.2 Bye')"),
            (".", "SMTPDataError(421, b'4.3.2 Bye')"),
        ]:
            server = ScriptedServer(spoilt(stage, "421 4.3.2 Bye", (None, DROP)))
            with self.subTest(stage), serving(server):
                self.assertFails(error, send)
                self.assertEqual(server.commands, [reached(stage)])


class FaultTests(SessionTestCase):
    """The server goes away, falls silent or talks nonsense, after each step of a session."""

    def test_drop(self):
        for stage in STAGES:
            server = ScriptedServer(spoilt(stage, DROP))
            with self.subTest(stage), serving(server):
                self.assertFails("SMTPServerDisconnected('Connection unexpectedly closed')", send)
                self.assertEqual(server.commands, [reached(stage)])

    def test_stall(self):
        # What was reached is not compared: on a busy machine the timeout may meet a stage before.
        for stage in STAGES:
            server = ScriptedServer(spoilt(stage, STALL))
            with self.subTest(stage), serving(server, timeout=0.1):
                self.assertFails(
                    "SMTPServerDisconnected('Connection unexpectedly closed: timed out')", send
                )

    def test_stall_in_the_tls_handshake(self):
        self.serve(ScriptedServer([(None, STALL)]), use_ssl=True, timeout=0.05)
        error = self.error(send)
        self.assertIs(type(error), TimeoutError)

    def test_garbage(self):
        reset = ("RSET", "250 OK")
        for stage, error, *then in [
            (None, "SMTPConnectError(-1, b'')"),
            ("EHLO", "SMTPServerDisconnected('Server not connected')"),
            ("MAIL", "SMTPSenderRefused(-1, b'', 'ada@example.com')", reset),
            ("RCPT", "SMTPRecipientsRefused({'bob@example.com': (-1, b'')})", reset),
            ("DATA", "SMTPDataError(-1, b'')"),
            (".", "SMTPDataError(-1, b'')", reset),
        ]:
            server = ScriptedServer(spoilt(stage, b"\xff?\r\n", *then))
            with self.subTest(stage), serving(server):
                self.assertFails(error, send)

    def test_half_a_reply(self):
        # Of a reply of several lines the last is missing, but its code was already there.
        server = ScriptedServer(spoilt(".", b"250-Queued as\r\n", (None, DROP)))
        with serving(server):
            self.assertFails("SMTPServerDisconnected('Connection unexpectedly closed')", send)

    def test_drop_between_messages(self):
        # The server has had enough of an idle connection. Its loss is noticed by the message
        # that comes next; close() then makes the mailer usable again.
        server = self.serve(ScriptedServer([*POLITE, ("MAIL", DROP)], POLITE))
        with mailers["relay"] as relay:
            self.assertEqual(relay.send_messages([message()]), 1)
            self.assertFails(
                "SMTPServerDisconnected('Connection unexpectedly closed')",
                relay.send_messages,
                [message()],
            )
            relay.close()
            self.assertEqual(relay.send_messages([message()]), 1)
        self.assertEqual(
            server.commands,
            [
                ["EHLO", "MAIL", "RCPT", "DATA", ".", "MAIL"],
                ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"],
            ],
        )

    def test_nobody_listens(self):
        with socket.socket() as bound:
            bound.bind((HOST, 0))  # and no listen(): the port is taken, and refuses
            options = {"host": HOST, "port": bound.getsockname()[1]}
            with override_settings(MAILERS={"relay": {"BACKEND": SMTP, "OPTIONS": options}}):
                error = self.error(send)
        self.assertIs(type(error), ConnectionRefusedError)

    def test_quit_that_fails_does_no_harm(self):
        # The message is delivered: whoever heard of an error would send it again.
        for reply in [DROP, "421 4.3.2 Bye", b"?\r\n"]:
            with self.subTest(reply), serving(ScriptedServer([*POLITE, ("QUIT", reply)])):
                self.assertEqual(send(), 1)

    def test_quit_without_an_answer(self):
        self.serve(ScriptedServer([*POLITE, ("QUIT", STALL)]))
        with mailers["relay"] as relay:
            self.assertEqual(relay.send_messages([message()]), 1)
            # Not by OPTIONS: what comes before QUIT has all the time it takes.
            relay.connection.sock.settimeout(0.05)
        self.assertIsNone(relay.connection)

    def test_quit_with_an_endless_reply(self):
        for silently in [False, True]:
            server = ScriptedServer([*POLITE, ("QUIT", b"2" * 10_000 + b"\r\n")])
            with self.subTest(silently), serving(server, fail_silently=silently):
                if silently:
                    self.assertEqual(send(), 1)
                else:
                    self.assertFails("SMTPResponseException(500, 'Line too long.')", send)


class HalfOpenTests(SessionTestCase):
    """open() connects, and fails after that."""

    def setUp(self):
        self.server = self.serve(
            SMTPServer(
                users={"ada": PASSWORD}, mechanisms=["PLAIN"], refuse={"AUTH": "454 4.7.0 Later"}
            ),
            **LOGIN,
        )
        self.refused = "SMTPAuthenticationError(454, b'4.7.0 Later')"

    def test_open_again(self):
        relay = mailers["relay"]
        self.assertFails(self.refused, relay.open)
        self.assertIsNone(relay.connection)
        self.server.refuse.clear()
        self.assertIs(relay.open(), True)
        # The connection of the first attempt is over, and not by accident.
        self.assertTrue(self.server.sessions[0].ended.wait(TIMEOUT))
        self.assertEqual(relay.send_messages([message()]), 1)
        relay.close()
        self.assertCommands(
            self.server,
            ["EHLO", "AUTH PLAIN", "QUIT"],
            ["EHLO", "AUTH PLAIN", "MAIL", "RCPT", "DATA", "QUIT"],
        )

    def test_send_again(self):
        relay = mailers["relay"]
        self.assertFails(self.refused, relay.send_messages, [message()])
        self.server.refuse.clear()
        self.assertEqual(relay.send_messages([message()]), 1)
        self.assertCommands(
            self.server,
            ["EHLO", "AUTH PLAIN", "QUIT"],
            ["EHLO", "AUTH PLAIN", "MAIL", "RCPT", "DATA", "QUIT"],
        )

    def test_close(self):
        relay = mailers["relay"]
        self.assertFails(self.refused, relay.open)
        relay.close()
        self.assertCommands(self.server, ["EHLO", "AUTH PLAIN", "QUIT"])

    def test_context_manager(self):
        with self.assertRaises(smtplib.SMTPAuthenticationError) as caught, mailers["relay"]:
            self.fail("The mailer is open.")
        self.assertEqual(repr(caught.exception), self.refused)
        self.assertCommands(self.server, ["EHLO", "AUTH PLAIN", "QUIT"])

    def test_silently(self):
        with override_settings(
            MAILERS={"relay": entry(self.server, backend=SMTP, fail_silently=True, **LOGIN)}
        ):
            relay = mailers["relay"]
            self.assertIsNone(relay.open())
            self.assertIsNone(relay.connection)
            self.assertEqual(relay.send_messages([message()]), 0)
            self.server.refuse.clear()
            self.assertEqual(relay.send_messages([message()]), 1)
        self.assertCommands(
            self.server,
            ["EHLO", "AUTH PLAIN", "QUIT"],
            ["EHLO", "AUTH PLAIN", "QUIT"],
            ["EHLO", "AUTH PLAIN", "MAIL", "RCPT", "DATA", "QUIT"],
        )


class FailSilentlyTests(SessionTestCase):
    """`fail_silently` in OPTIONS: the failures of the wire and of the server count as not sent."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        enter(cls, trusting_the_ca())

    def assertSwallowed(self, server, **options):
        with serving(server, fail_silently=True, **options):
            self.assertEqual(send(), 0)

    def test_connection_refused(self):
        with socket.socket() as bound:
            bound.bind((HOST, 0))
            options = {"host": HOST, "port": bound.getsockname()[1], "fail_silently": True}
            with override_settings(MAILERS={"relay": {"BACKEND": SMTP, "OPTIONS": options}}):
                self.assertEqual(send(), 0)

    def test_certificate(self):
        self.assertSwallowed(
            SMTPServer(tls="implicit", certificate=certificates.expired), use_ssl=True
        )
        self.assertSwallowed(
            SMTPServer(tls="starttls", certificate=certificates.unknown_ca), use_tls=True
        )

    def test_starttls_not_offered(self):
        server = SMTPServer(users={"ada": PASSWORD})
        with leaving_its_socket_open():
            self.assertSwallowed(server, use_tls=True, **LOGIN)
        # Swallowed, but not passed over: nothing is sent in the clear.
        self.assertCommands(server, ["EHLO"])

    def test_password(self):
        with leaving_its_socket_open():
            self.assertSwallowed(SMTPServer(users={"ada": "another"}), **LOGIN)

    def test_refusals(self):
        for verb in ["MAIL", "RCPT", "DATA"]:
            with self.subTest(verb):
                server = SMTPServer(refuse={verb: "550 5.7.1 No"})
                self.assertSwallowed(server)
                self.assertEqual(server.sessions[0].commands[-3:], [verb, "RSET", "QUIT"])

    def test_faults(self):
        for stage in STAGES:
            with self.subTest(stage):
                self.assertSwallowed(ScriptedServer(spoilt(stage, DROP)))

    def test_timeout(self):
        self.assertSwallowed(ScriptedServer([(None, STALL)]), timeout=0.05)

    def test_other_messages_are_sent(self):
        server = self.serve(
            SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}), fail_silently=True
        )
        emails = [message(to=[f"{name}@example.com"]) for name in ("one", "gone", "two")]
        self.assertEqual(mailers["relay"].send_messages(emails), 2)
        self.assertEqual(
            [m.rcpt_tos for m in server.messages], [["one@example.com"], ["two@example.com"]]
        )

    def test_other_messages_on_a_lost_connection(self):
        self.serve(ScriptedServer([*POLITE, ("MAIL", DROP)]), fail_silently=True)
        self.assertEqual(mailers["relay"].send_messages([message(), message(), message()]), 1)

    def test_mistakes_of_the_message_are_not_swallowed(self):
        server = self.serve(SMTPServer(), fail_silently=True)
        for email in [
            message(to=["bob@@example.com"]),
            message(to=["bob@example.com\nBcc: eve@example.com"]),
            message(subject="x\r\nBcc: eve@example.com"),
        ]:
            with self.subTest(**vars(email)):
                self.assertIsInstance(self.error(send, email), ValueError)
        self.assertCommands(server, ["QUIT"], ["QUIT"], ["QUIT"])

    def test_mistakes_of_the_options_are_not_swallowed(self):
        self.serve(SMTPServer(), fail_silently=True, timeout=0)
        self.assertFails("ValueError('Non-blocking socket (timeout=0) is not supported')", send)


class ThreadsTests(SessionTestCase):
    """One instance may serve several threads: a lock makes their messages take turns."""

    THREADS = 8

    def send_from_threads(self, relay):
        """Send a message from each thread, all at once."""
        barrier = threading.Barrier(self.THREADS, timeout=TIMEOUT)

        def send(number):
            barrier.wait(TIMEOUT)
            return relay.send_messages([message(to=[f"{number}@example.com"])])

        with ThreadPoolExecutor(self.THREADS) as pool:
            self.assertEqual(list(pool.map(send, range(self.THREADS))), [1] * self.THREADS)

    def assertAllArrived(self, server):
        self.assertEqual(
            sorted(m.rcpt_tos for m in server.messages),
            [[f"{number}@example.com"] for number in range(self.THREADS)],
        )

    def test_opened_before(self):
        server = self.serve(SMTPServer())
        with mailers["relay"] as relay:
            self.send_from_threads(relay)
        self.assertAllArrived(server)
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * self.THREADS, "QUIT"])

    def test_opened_by_each_message(self):
        server = self.serve(SMTPServer())
        self.send_from_threads(mailers["relay"])
        self.assertAllArrived(server)
        self.assertCommands(server, *[ONE_MESSAGE] * self.THREADS)
