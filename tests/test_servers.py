"""The servers of the tests: a fault of theirs must show, and they must leave nothing behind."""

import contextlib
import gc
import os
import smtplib
import socket
import ssl
import threading
import unittest
import warnings

from django.test import SimpleTestCase

from .support.servers import (
    DROP,
    HOST,
    POLITE,
    STALL,
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    certificates,
    enter,
    server_context,
    spoilt,
    trusting_the_ca,
)


class Talk:
    """A client with no opinion: sends bytes, reads lines."""

    def __init__(self, server, context=None):
        self.socket = socket.create_connection((HOST, server.port), TIMEOUT)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.file.close()
        self.socket.close()

    def say(self, data):
        self.socket.sendall(data)

    def hear(self, lines=1):
        return [self.file.readline() for _ in range(lines)]


class Client(smtplib.SMTP):
    """A client that is clever."""

    def __init__(self, server):
        super().__init__(HOST, server.port, local_hostname="client.example")


class EndTests(SimpleTestCase):
    def setUp(self):
        self.caught = enter(self, warnings.catch_warnings(record=True))
        warnings.simplefilter("always", ResourceWarning)

    def assertNothingLeft(self, threads):
        gc.collect()
        self.assertEqual([str(warning.message) for warning in self.caught], [])
        self.assertEqual(threading.active_count(), threads)

    def test_connections_that_are_open(self):
        threads = threading.active_count()
        for make in [
            SMTPServer,
            lambda: ScriptedServer(POLITE),
            lambda: ScriptedServer(spoilt("EHLO", STALL)),
        ]:
            with contextlib.ExitStack() as clients, make() as server:
                idle, busy = (clients.enter_context(Talk(server)) for _ in range(2))
                idle.hear()
                busy.hear()
                busy.say(b"EHLO x\r\n")
        self.assertNothingLeft(threads)

    def test_connections_in_a_tls_handshake(self):
        threads = threading.active_count()
        for make in [
            lambda: SMTPServer(tls="implicit"),
            lambda: ScriptedServer(POLITE, tls_context=server_context()),
        ]:
            for _ in range(5):  # the end meets the handshake at another point each time
                with contextlib.ExitStack() as clients, make() as server:
                    clients.enter_context(Talk(server))
        self.assertNothingLeft(threads)

    def test_the_port_is_free_again(self):
        with SMTPServer() as server:
            pass
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((HOST, server.port), TIMEOUT)

    def test_enter(self):
        class Case(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.of_class = enter(cls, SMTPServer())

            def test(self):
                type(self).of_test = enter(self, SMTPServer())
                for server in [self.of_class, self.of_test]:
                    with Client(server) as client:
                        client.noop()

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
        self.assertTrue(result.wasSuccessful(), result)
        for server in [Case.of_class, Case.of_test]:
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection((HOST, server.port), TIMEOUT)


class SMTPServerTests(SimpleTestCase):
    def test_own_errors_are_raised(self):
        with self.assertRaises(UnicodeEncodeError), contextlib.ExitStack() as stack:
            server = stack.enter_context(SMTPServer(refuse={"MAIL": "250 ✓"}, smtputf8=False))
            client = stack.enter_context(Client(server))
            client.ehlo()
            self.assertEqual(client.mail("ada@example.com"), (500, b"Internal error"))

    def test_what_a_session_tells(self):
        server = enter(self, SMTPServer(refuse={"RCPT gone@example.com": "550 Unknown"}))
        with Client(server) as client:
            refused = client.sendmail(
                "ada@example.com", ["bob@example.com", "gone@example.com"], b"A: b\r\n\r\n.c\r\n"
            )
            client.noop()
            client.rset()
        self.assertEqual(refused, {"gone@example.com": (550, b"Unknown")})
        (session,) = server.sessions
        self.assertTrue(session.ended.wait(TIMEOUT))
        self.assertEqual(session.ehlo, "client.example")
        self.assertEqual(
            session.commands, ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "NOOP", "RSET", "QUIT"]
        )
        (message,) = server.messages
        self.assertIs(message.session, session)
        self.assertEqual(message.rcpt_tos, ["bob@example.com"])
        self.assertEqual(message.content, b"A: b\r\n\r\n.c\r\n")

    def test_extensions(self):
        for options, extensions in [
            ({}, {"size", "8bitmime", "smtputf8", "help"}),
            ({"smtputf8": False}, {"size", "8bitmime", "help"}),
            ({"tls": "starttls"}, {"size", "8bitmime", "smtputf8", "starttls", "help"}),
            ({"users": {"ada": "x"}}, {"size", "8bitmime", "smtputf8", "auth", "help"}),
        ]:
            with self.subTest(options), SMTPServer(**options) as server, Client(server) as client:
                client.ehlo()
                self.assertEqual(set(client.esmtp_features), extensions)

    def test_mechanisms(self):
        for mechanisms in [["LOGIN"], ["PLAIN"], ["LOGIN", "PLAIN"]]:
            options = {"users": {"ada": "x"}, "mechanisms": mechanisms}
            with (
                self.subTest(mechanisms),
                SMTPServer(**options) as server,
                Client(server) as client,
            ):
                client.ehlo()
                self.assertEqual(client.esmtp_features["auth"].split(), mechanisms)


class ScriptedServerTests(SimpleTestCase):
    def test_script(self):
        server = enter(self, ScriptedServer(POLITE))
        with Talk(server) as talk:
            # Pipelined, and the data with a line that looks like a command.
            talk.say(
                b"ehlo x\r\nmail from:<a>\r\nrcpt to:<b>\r\ndata\r\nRSET\r\n..\r\n.\r\nquit\r\n"
            )
            self.assertEqual(
                talk.hear(8),
                [
                    b"220 scripted.test ESMTP\r\n",
                    b"250 scripted.test\r\n",
                    b"250 OK\r\n",
                    b"250 OK\r\n",
                    b"354 Go ahead\r\n",
                    b"250 OK\r\n",
                    b"221 Bye\r\n",
                    b"",
                ],
            )
        self.assertEqual(
            server.received, [["ehlo x", "mail from:<a>", "rcpt to:<b>", "data", ".", "quit"]]
        )
        self.assertEqual(server.commands, [["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]])

    def test_one_script_for_each_connection(self):
        scripts = [[(None, f"220 {number}"), (None, DROP)] for number in range(2)]
        server = enter(self, ScriptedServer(*scripts))
        heard = []
        for _ in range(3):
            with Talk(server) as talk:
                heard += talk.hear(2)
        self.assertEqual(heard, [b"220 0\r\n", b"", b"220 1\r\n", b"", b"220 1\r\n", b""])

    def test_bytes_are_sent_as_they_are(self):
        server = enter(self, ScriptedServer([(None, b"220-\xff\n2"), ("EHLO", b""), (None, DROP)]))
        with Talk(server) as talk:
            talk.say(b"EHLO x\r\n")
            self.assertEqual(talk.hear(3), [b"220-\xff\n", b"2", b""])

    def test_another_command_than_the_awaited_one(self):
        with (
            self.assertRaises(AssertionError) as caught,
            ScriptedServer(POLITE) as server,
            Talk(server) as talk,
        ):
            talk.say(b"HELO x\r\n")
            self.assertEqual(talk.hear(2), [b"220 scripted.test ESMTP\r\n", b""])
        self.assertEqual(str(caught.exception), "'HELO x' came instead of 'EHLO'.")

    def test_over_tls(self):
        server = enter(self, ScriptedServer(spoilt("EHLO", DROP), tls_context=server_context()))
        context = ssl.create_default_context()
        certificates.ca.configure_trust(context)
        with Talk(server, context) as talk:
            talk.say(b"EHLO x\r\n")
            self.assertEqual(talk.hear(2), [b"220 scripted.test ESMTP\r\n", b""])
        self.assertEqual(server.commands, [["EHLO"]])


class TrustTests(SimpleTestCase):
    def test_trusting_the_ca(self):
        before = dict(os.environ)
        der = ssl.PEM_cert_to_DER_cert(certificates.ca.cert_pem.bytes().decode())
        with trusting_the_ca():
            trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
        self.assertEqual(trusted, [der])
        self.assertEqual(dict(os.environ), before)
