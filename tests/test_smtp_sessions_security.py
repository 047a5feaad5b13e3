"""TLS and logins of Django's SMTP backend, configured by MAILERS."""

import base64
import smtplib
import ssl

from django.core.mail import mailers, send_mail, send_mass_mail
from django.test import override_settings

from .support.messages import message
from .support.servers import (
    DROP,
    HOST,
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    certificates,
    client_certificate_files,
    enter,
    trusting_the_ca,
)
from .support.sessions import (
    LOGIN,
    ONE_MESSAGE,
    PASSWORD,
    SessionTestCase,
    leaving_its_socket_open,
    send,
)
from .support.smtp import entry, serving
from .support.utils import SMTP, ignore_deprecations


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
