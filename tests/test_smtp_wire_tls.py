"""TLS on the wire, and the place that errors name."""

import errno
import os
import smtplib
import socket
import ssl
import sys

from django.test import SimpleTestCase

from django_mailers.smtp import (
    OutOfStepError,
    Pool,
    Reply,
    Result,
    Server,
    TLSConfig,
    deliver,
    shared_tls,
)

from .support.messages import BOB
from .support.servers import DROP, HOST, TIMEOUT, certificates, enter, server_context
from .support.sink import Sink, at
from .support.smtp import MODES, envelope
from .support.wire import WireTestCase


class TLSTests(WireTestCase):
    def setUp(self):
        self.ca_file = enter(self, certificates.ca.cert_pem.tempfile())
        self.tls = TLSConfig(ca_file=self.ca_file)

    def serve(self, certificate=None, **options):
        return enter(self, Sink(chunking=True, tls_context=server_context(certificate), **options))

    def error(self, server, **options):
        with self.assertRaises(Exception) as caught:
            self.connect(server, **options)
        return caught.exception

    def test_login_over_tls(self):
        login = {"username": "ada", "password": "correct-horse"}
        for security, implicit in [("starttls", False), ("tls", True)]:
            with self.subTest(security=security):
                sink = self.serve(implicit=implicit, users={"ada": "correct-horse"})
                session = self.connect(sink, security=security, tls=self.tls, **login)
                self.assertEqual(session.deliver([envelope()])[0].status, "sent")
                self.assertEqual(sink.connections[0].user, "ada")
                self.assertNotIn("correct-horse", repr(vars(session)))
                starttls = [] if implicit else ["EHLO", "STARTTLS"]
                self.assertEqual(
                    sink.commands, [[*starttls, "EHLO", "AUTH", "MAIL", "RCPT", "BDAT"]]
                )

    def test_own_authentication(self):
        sink = enter(self, Sink(users={"ada": "token"}))
        self.connect(sink, authenticate=lambda session: session.login("ada", "token"))
        self.assertEqual(sink.connections[0].user, "ada")

    def test_refused_login(self):
        sink = self.serve(users={"ada": "x"})
        error = self.error(
            sink, security="starttls", tls=self.tls, username="ada", password="correct-horse"
        )
        self.assertEqual(repr(error), repr(smtplib.SMTPAuthenticationError(535, b"No")))

    def test_starttls_is_required(self):
        sink = enter(self, Sink(users={"ada": "x"}))
        error = self.error(sink, security="starttls", username="ada", password="x")
        self.assertEqual(
            repr(error),
            repr(
                smtplib.SMTPNotSupportedError(
                    at(sink, "STARTTLS extension not supported by server.")
                )
            ),
        )
        self.assertTrue(sink.connections[0].ended.wait(TIMEOUT))
        self.assertEqual(sink.commands, [["EHLO"]])

    def test_bad_certificates(self):
        for name, reason in [
            ("expired", "certificate has expired"),
            ("wrong_host", f"IP address mismatch, certificate is not valid for '{HOST}'."),
            ("unknown_ca", None),
        ]:
            for security, implicit in [("starttls", False), ("tls", True)]:
                with self.subTest(name=name, security=security):
                    sink = self.serve(getattr(certificates, name), implicit=implicit)
                    error = self.error(sink, security=security, tls=self.tls)
                    self.assertIs(type(error), ssl.SSLCertVerificationError)
                    if reason is not None:
                        self.assertEqual(error.verify_message, reason)
                    self.assertEqual(sink.accepted, [])

    def test_minimum_version(self):
        context = server_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        sink = enter(self, Sink(tls_context=context))
        strict = TLSConfig(ca_file=self.ca_file, minimum_version=ssl.TLSVersion.TLSv1_3)
        self.assertIsInstance(self.error(sink, security="starttls", tls=strict), ssl.SSLError)
        session = self.connect(sink, security="starttls", tls=self.tls)
        self.assertEqual(session.sock.version(), "TLSv1.2")

    def test_client_certificate(self):
        client = certificates.client
        cert = enter(self, client.cert_chain_pems[0].tempfile())
        key = enter(self, client.private_key_pem.tempfile())
        sink = enter(self, Sink(tls_context=server_context(client_ca=certificates.ca)))
        tls = TLSConfig(ca_file=self.ca_file, certfile=cert, keyfile=key)
        session = self.connect(sink, security="starttls", tls=tls)
        self.assertEqual(session.deliver([envelope()])[0].status, "sent")

    def test_sessions_are_resumed(self):
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            for security, implicit in [("starttls", False), ("tls", True)]:
                with self.subTest(version=version, security=security):
                    context = server_context()
                    context.maximum_version = version
                    sink = enter(self, Sink(tls_context=context, implicit=implicit))
                    for _ in range(3):
                        self.connect(sink, security=security, tls=self.tls)
                    self.assertEqual(
                        [connection.resumed for connection in sink.connections],
                        [False, True, True],
                    )

    def test_one_context_per_configuration(self):
        self.assertIs(shared_tls(TLSConfig(ca_file=self.ca_file)), shared_tls(self.tls))
        other = TLSConfig(ca_file=self.ca_file, minimum_version=ssl.TLSVersion.TLSv1_3)
        self.assertIsNot(shared_tls(other), shared_tls(self.tls))
        context = shared_tls(self.tls).context
        self.assertIs(context.check_hostname, True)
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)

    def test_rotated_certificates_are_noticed(self):
        sink = self.serve(certificates.unknown_ca)
        self.error(sink, security="starttls", tls=self.tls)
        before = shared_tls(self.tls)
        with open(self.ca_file, "ab") as file:
            file.write(b"\n")
        self.assertIsNot(shared_tls(self.tls), before)

    def test_missing_files(self):
        with self.assertRaises(FileNotFoundError):
            shared_tls(TLSConfig(ca_file="/nonexistent/ca.pem"))

    def test_replies_injected_before_the_handshake_are_dropped(self):
        sink = self.serve(injected=b"250-evil\r\n250 AUTH PLAIN\r\n", pipelining=False)
        session = self.connect(sink, security="starttls", tls=self.tls)
        self.assertEqual(
            session.esmtp_features,
            {"chunking": "", "size": "10000000", "8bitmime": "", "smtputf8": ""},
        )
        self.assertEqual(session.deliver([envelope()])[0].status, "sent")


class PlaceTests(WireTestCase):
    """Errors name the server, and are otherwise what they would be without that."""

    def error(self, host, port=25, **options):
        with self.assertRaises(OSError) as caught:
            Server(host, port, timeout=TIMEOUT, **options).connect()
        return caught.exception

    def test_names(self):
        for server, place in [
            (Server("mail.test", 25), "mail.test:25"),
            (Server("mail.test", 587, "tls"), "mail.test:587"),
            (Server("::1", 587), "[::1]:587"),
        ]:
            self.assertEqual(server.endpoint, place)

    def test_nobody_listens(self):
        with socket.socket() as sock:
            # It is nobody else's meanwhile.
            sock.bind((HOST, 0))
            port = sock.getsockname()[1]
            error = self.error(HOST, port)
            (result,) = deliver(Pool(Server(HOST, port)), [envelope()])
        text = f"{HOST}:{port}: {os.strerror(errno.ECONNREFUSED)}"
        expected = ConnectionRefusedError(errno.ECONNREFUSED, text)
        for found in (error, result.error):
            self.assertEqual(repr(found), repr(expected))
            self.assertEqual(str(found), f"[Errno {errno.ECONNREFUSED}] {text}")
            self.assertEqual((found.errno, found.strerror), (errno.ECONNREFUSED, text))

    def test_a_host_that_is_not_known(self):
        # An IPv6 address on a network that is not there: no server of names is asked.
        host = "fe80::1%nowhere"
        with self.assertRaises(socket.gaierror) as caught:
            socket.getaddrinfo(host, 25)
        number, text = caught.exception.args
        error = self.error(host)
        self.assertEqual(repr(error), repr(socket.gaierror(number, f"[{host}]:25: {text}")))
        self.assertEqual(str(error), f"[Errno {number}] [{host}]:25: {text}")

    def test_certificates(self):
        ca_file = enter(self, certificates.ca.cert_pem.tempfile())
        sink = enter(self, Sink(tls_context=server_context(certificates.expired)))
        error = self.error(HOST, sink.port, security="starttls", tls=TLSConfig(ca_file=ca_file))
        self.assertIs(type(error), ssl.SSLCertVerificationError)
        self.assertEqual(
            (error.verify_message, error.reason, error.errno),
            ("certificate has expired", "CERTIFICATE_VERIFY_FAILED", ssl.SSL_ERROR_SSL),
        )
        text = at(sink, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ")
        self.assertTrue(str(error).startswith(f"{text}certificate has expired (_ssl.c:"))
        self.assertEqual(error.args, (ssl.SSL_ERROR_SSL, str(error)))

    def test_files(self):
        missing = "/nonexistent/mail.pem"
        for server, tls, place in [
            ("::1", TLSConfig(ca_file=missing), f"[::1]:465: {missing}"),
            (HOST, TLSConfig(certfile=missing), f"{HOST}:465: {missing}"),
            (
                HOST,
                TLSConfig(certfile=missing, keyfile="/nonexistent/key.pem"),
                f"{HOST}:465: {missing} and /nonexistent/key.pem",
            ),
        ]:
            with self.subTest(place=place):
                text = os.strerror(errno.ENOENT)
                expected = FileNotFoundError(errno.ENOENT, f"{place}: {text}")
                if tls.certfile and sys.version_info >= (3, 15):
                    # Python says which one it is.
                    server_only = place.partition(": ")[0]
                    expected = FileNotFoundError(errno.ENOENT, f"{server_only}: {text}", missing)
                error = self.error(server, 465, security="tls", tls=tls)
                self.assertEqual((repr(error), str(error)), (repr(expected), str(expected)))
        with self.assertRaises(ssl.SSLError) as caught:
            shared_tls(TLSConfig(ca_file=__file__))
        self.assertTrue(str(caught.exception).startswith(f"{__file__}: [X509"))

    def test_a_session_that_was_lost(self):
        for action, error in [
            (DROP, smtplib.SMTPServerDisconnected("Connection unexpectedly closed")),
            ("220 OK", OutOfStepError("The server replied 220 to MAIL.")),
            (
                "421 Bye",
                smtplib.SMTPServerDisconnected("The server closed the session: 421 Bye"),
            ),
        ]:
            with self.subTest(error=error):
                sink, session = self.sink(**MODES["dialogue"])
                sink.behave = lambda line, action=action: (
                    action if line.startswith("MAIL") else None
                )
                _, skipped = session.deliver([envelope(), envelope()])
                expected = type(error)(at(sink, error.args[0]))
                self.assertResult(skipped, "untried", {}, expected)


class ValueTests(SimpleTestCase):
    def test_nothing_shows_secrets_or_addresses(self):
        server = Server("mail.test", 587, username="ada", password="correct-horse")
        self.assertEqual(
            repr(server),
            "Server(host='mail.test', port=587, security=None, tls=TLSConfig(ca_file=None, "
            "certfile=None, keyfile=None, minimum_version=None), timeout=30, local_hostname=None, "
            "source_address=None, pipelining=True, chunking=True)",
        )
        result = Result("failed", {BOB: Reply(550, BOB.encode())}, ValueError(BOB))
        self.assertEqual(repr(result), "Result(status='failed')")

    def test_unknown_security(self):
        with self.assertRaisesMessage(
            ValueError, "'security' must be None, 'starttls' or 'tls', not 'ssl'"
        ):
            Server("mail.test", 25, security="ssl")
