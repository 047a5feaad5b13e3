"""verify() with servers, networks and backends that go wrong, and with a job's time limit."""

import signal
import socket
import threading
import time
from unittest import mock

from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings, tag
from django.utils.functional import lazystr

from django_mailers.diagnosis import Step, probing, verify
from django_mailers.smtp.replies import ReplyReader
from django_mailers.testing.server import SMTPServer as PlainServer

from .support.servers import (
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    enter,
    spoilt,
    trusting_the_ca,
)
from .support.smtp import Limit
from .support.utils import OURS, SMTP

SENDER = "shop@example.com"
HERE = __name__
PLAIN = b"220 a\r\n250-a\r\n250 AUTH PLAIN\r\n"


def strike(*args, **kwargs):
    """Do what a job's time limit does, in the place of anything."""
    signal.raise_signal(signal.SIGUSR1)


class Struck(BaseEmailBackend):
    def verify(self):
        strike()


class StruckWhenOpened(BaseEmailBackend):
    def open(self):
        strike()


class StruckWhenMade(BaseEmailBackend):
    def __init__(self, **kwargs):
        strike()


class Broken(BaseEmailBackend):
    def __init__(self, **kwargs):
        raise KeyError("REGION")


class Answering(BaseEmailBackend):
    answer = None

    def verify(self):
        return self.answer


class FaultsTestCase(SimpleTestCase):
    maxDiff = None

    def entry(self, server, backend=OURS, **options):
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT, **options}
        return {"BACKEND": backend, "OPTIONS": options}

    def verify(self, mailer, **arguments):
        with override_settings(MAILERS={"default": mailer}):
            return verify("default", **arguments)

    def scripted(self, *script, **arguments):
        with ScriptedServer(script) as server:
            return self.verify(self.entry(server), **arguments)


class TimeLimitTests(FaultsTestCase):
    """What a signal handler has raised is not a step that failed."""

    limit = Limit

    def setUp(self):
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))

        def handle(*args):
            raise self.limit

        signal.signal(signal.SIGUSR1, handle)

    def assertStruck(self, mailer, **arguments):
        sessions = []

        class Session(probing.ProbingSession):
            def __init__(self, *args):
                super().__init__(*args)
                sessions.append(self)

        with mock.patch.object(probing, "ProbingSession", Session), self.assertRaises(self.limit):
            self.verify(mailer, **arguments)
        # Nothing is left open.
        self.assertEqual([session.sock for session in sessions], [None] * len(sessions))

    def test_a_session(self):
        enter(self, trusting_the_ca())
        users = {"shop": "secret"}
        with SMTPServer(tls="starttls", users=users) as server:
            for backend in (OURS, SMTP):
                mailer = self.entry(server, backend, username="shop", password="secret")
                mailer["OPTIONS"]["use_tls"] = True
                for where in [
                    "django_mailers.diagnosis.probing.resolve",
                    "django_mailers.diagnosis.probing._socket",
                    "socket.socket.connect",
                    "django_mailers.smtp.replies.ReplyReader.read_some",
                    "smtplib.SMTP.send",
                    "smtplib.SMTP.starttls",
                    "smtplib.SMTP.auth",
                    "smtplib.SMTP.mail",
                    "smtplib.SMTP.rcpt",
                    "smtplib.SMTP.rset",
                    "smtplib.SMTP.noop",
                ]:
                    with self.subTest(where, backend=backend), mock.patch(where, strike):
                        self.assertStruck(mailer, sender=SENDER, recipients=["ann@example.com"])

    def test_an_address(self):
        with SMTPServer() as server:
            for backend, where in [
                (OURS, "django_mailers.backends._djangosmtp.addr_spec"),
                (SMTP, "django.core.mail.backends.smtp.EmailBackend.prep_address"),
            ]:
                with self.subTest(backend), mock.patch(where, strike):
                    self.assertStruck(self.entry(server, backend), sender=SENDER)

    def test_each_reply(self):
        """Also where it is QUIT that is answered."""
        read = ReplyReader.read_some
        with SMTPServer() as server:
            for number in range(7):
                count = iter(range(100))

                def read_some(reader, sock, most, number=number, count=count):
                    if next(count) == number:
                        strike()
                    return read(reader, sock, most)

                with self.subTest(number), mock.patch.object(ReplyReader, "read_some", read_some):
                    self.assertStruck(
                        self.entry(server), sender=SENDER, recipients=["ann@example.com"]
                    )

    def test_a_token(self):
        with PlainServer(extensions=["AUTH XOAUTH2"]) as server:
            self.assertStruck(self.entry(server, username="shop", auth="xoauth2", token=strike))

    def test_other_backends(self):
        for name in ["Struck", "StruckWhenOpened", "StruckWhenMade"]:
            with self.subTest(name):
                self.assertStruck({"BACKEND": f"{HERE}.{name}"})


class Late(TimeoutError):
    """An OSError, as the network raises them."""


class TimeLimitOfTheNetworksKindTests(TimeLimitTests):
    limit = Late


class ServerTests(FaultsTestCase):
    def stalled(self, replies, **options):
        """Return the step that fails at a server that says no more than `replies`.

        They are there before anything is asked: however busy the machine is, only what never comes
        is waited for.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
            with server:
                server.sendall(replies)

                def connected(target, address):
                    client.settimeout(target.timeout)
                    return client

                mailer = {"OPTIONS": {"host": "127.0.0.1", "port": 25, **options}}
                with mock.patch("django_mailers.diagnosis.probing._socket", connected):
                    found = self.verify(mailer, sender=SENDER, recipients=["a@b.c"], timeout=0.2)
        return found.failed

    @tag("slow")
    def test_a_server_that_hangs(self):
        """Each step ends in the time that it is given, and says so."""
        text = "timed out after 0.2 seconds"
        login = {"username": "shop", "password": "secret"}
        for replies, options, name, detail in [
            (b"", {}, "banner", text),
            (b"", {"use_ssl": True}, "tls", text),
            (b"220 a\r\n", {}, "ehlo", text),
            (b"220 a\r\n250-a\r\n", {}, "ehlo", text),
            (b"220 a\r\n250-a\r\n250 STARTTLS\r\n", {"use_tls": True}, "tls", text),
            (PLAIN, login, "login", f"The server offers PLAIN. {text}"),
            (b"220 a\r\n250 a\r\n", {}, "sender", text),
            (b"220 a\r\n250 a\r\n250 ok\r\n", {}, "recipient", text),
            (b"220 a\r\n250 a\r\n250 ok\r\n250 ok\r\n", {}, "reset", text),
            (b"220 a\r\n250 a\r\n250 ok\r\n250 ok\r\n250 ok\r\n", {}, "noop", text),
        ]:
            with self.subTest(replies, **options):
                step = self.stalled(replies, **options)
                self.assertEqual((step.name, step.detail), (name, detail))

    @tag("slow")
    def test_a_reply_byte_by_byte(self):
        """A timeout for each byte would hold a worker for as long as the server likes."""
        for line in (b"2", b"250-x\r\n"):
            with self.subTest(line), socket.create_server(("127.0.0.1", 0)) as listener:
                thread = threading.Thread(target=self.drip, args=[listener, line], daemon=True)
                thread.start()
                host, port = listener.getsockname()
                started = time.monotonic()
                found = self.verify({"OPTIONS": {"host": host, "port": port}}, timeout=0.5)
                self.assertLess(time.monotonic() - started, TIMEOUT)
                thread.join(TIMEOUT)
            self.assertEqual(found.failed.name, "banner")

    def drip(self, listener, line):
        connection, _ = listener.accept()
        with connection:
            for _ in range(10 * TIMEOUT * 20):
                try:
                    connection.sendall(line)
                except OSError:
                    return
                time.sleep(0.05)

    def test_a_reply_without_an_end(self):
        found = self.scripted((None, b"220-x\r\n" * 20_000))
        self.assertEqual(
            (found.failed.name, found.failed.detail), ("banner", "500 Reply too long.")
        )

    def test_a_name_that_is_not_accepted(self):
        no = "550 5.7.1 Your name is not in DNS"
        found = self.scripted((None, "220 a"), ("EHLO", no), ("HELO", no))
        self.assertEqual((found.failed.name, found.failed.detail), ("ehlo", no))
        self.assertIn("set 'local_hostname'", found.failed.hint)

    def test_a_server_without_extensions(self):
        found = self.scripted(
            *((None, "220 a"), ("EHLO", "502 What?"), ("HELO", "250 a"), ("NOOP", "250 OK"))
        )
        self.assertIs(found.ok, True)

    def test_a_server_that_leaves(self):
        for stage, name in [("EHLO", "ehlo"), ("NOOP", "noop")]:
            script = [(None, "220 a"), ("EHLO", "250 a"), ("NOOP", "250 OK")]
            end = [command for command, _ in script].index(stage)
            with self.subTest(stage):
                found = self.scripted(*script[:end], (stage, "421 4.3.2 Shutting down"))
                self.assertEqual(
                    (found.failed.name, found.failed.detail), (name, "421 4.3.2 Shutting down")
                )

    def test_starttls_that_is_refused(self):
        script = [
            *((None, "220 a"), ("EHLO", b"250-a\r\n250 STARTTLS\r\n")),
            ("STARTTLS", "454 4.7.0 TLS not available"),
        ]
        with ScriptedServer(script) as server:
            found = self.verify(self.entry(server, use_tls=True))
        self.assertEqual(
            (found.failed.name, found.failed.detail), ("tls", "454 4.7.0 TLS not available")
        )
        self.assertIn("try again later", found.failed.hint)

    def test_no_text_of_a_server_reaches_a_terminal_as_it_is(self):
        """Nor one in Latin-1 as a character that not every terminal has."""
        ehlo = b"250-\x1b[1mhost\r\n250-X-RED \x1b[31m\r\n250 AUTH PLAIN\x07\r\n"
        found = self.scripted(
            (None, b"220 gr\xfc\xdfe\r\n"), ("EHLO", ehlo), ("NOOP", "250 OK"), sender=None
        )
        self.assertIs(found.ok, True)
        self.assertTrue(all(step.detail.isprintable() for step in found.steps), found)
        self.assertEqual(
            {step.name: step.detail for step in found.steps}["banner"], r"220 gr\xfc\xdfe"
        )


class NetworkTests(FaultsTestCase):
    def test_a_kernel_without_ipv6(self):
        make = socket.socket

        def without_ipv6(family=socket.AF_INET, *args, **kwargs):
            if family == socket.AF_INET6:
                raise OSError(97, "Address family not supported by protocol")
            return make(family, *args, **kwargs)

        with SMTPServer() as server:
            addresses = [
                (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (server.host, server.port)),
            ]
            with (
                mock.patch("socket.getaddrinfo", return_value=addresses),
                mock.patch.object(probing.socket, "socket", without_ipv6),
            ):
                found = self.verify(self.entry(server))
        self.assertIs(found.ok, True, found)
        self.assertIn("(not by [::1]:", found.steps[2].detail)

    def found_by(self, listener, **options):
        """Return what is found at a small server, and the address that it was connected from."""
        peers = []

        def answer():
            connection, peer = listener.accept()
            peers.append(peer[0])
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 a\r\n")
                for _ in lines:
                    connection.sendall(b"250 a\r\n")

        with listener:
            listener.settimeout(TIMEOUT)
            host, port = listener.getsockname()[:2]
            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            options = {"host": host, "port": port, "timeout": TIMEOUT, **options}
            found = self.verify({"BACKEND": OURS, "OPTIONS": options})
            thread.join(TIMEOUT)
        return found, peers

    def test_ipv6_only(self):
        try:
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            self.skipTest("This machine has no IPv6.")
        port = listener.getsockname()[1]
        found, _ = self.found_by(listener)
        self.assertIs(found.ok, True, found)
        self.assertEqual(found.steps[2].detail, f"[::1]:{port}")

    def test_the_address_that_the_mailer_connects_from(self):
        listener = socket.create_server(("127.0.0.1", 0))
        found, peers = self.found_by(listener, source_address="127.0.0.9")
        self.assertEqual((found.ok, peers), (True, ["127.0.0.9"]))
        with SMTPServer() as server:
            # RFC 5737: no machine has it.
            found = self.verify(self.entry(server, source_address="192.0.2.1"))
        self.assertEqual(found.failed.name, "connect")


class AddressesTests(FaultsTestCase):
    """MAIL and RCPT get what a message's envelope would have."""

    def test_names_and_domains(self):
        script = spoilt("RCPT", "250 OK", ("RSET", "250 OK"), ("NOOP", "250 OK"))
        with ScriptedServer(script) as server:
            found = self.verify(
                self.entry(server),
                sender=lazystr("Shop <shop@bücher.example>"),
                recipients=(address for address in ["Ann <ann@bücher.example>"]),
            )
        self.assertIs(found.ok, True, found)
        [lines] = server.received
        self.assertEqual(
            # Python 3.14 writes these in lower case.
            [line.lower().split(" ")[0:2] for line in lines[1:3]],
            [
                ["mail", "from:<shop@xn--bcher-kva.example>"],
                ["rcpt", "to:<ann@xn--bcher-kva.example>"],
            ],
        )

    def test_what_is_not_an_address(self):
        with SMTPServer() as server:
            for sender in ["shop@example.com\r\nRSET", "a@b@c", "", "jörg@example.com"]:
                with self.subTest(sender):
                    found = self.verify(self.entry(server), sender=sender)
                    self.assertEqual(
                        (found.failed.name, found.failed.hint), ("sender", "Correct the address.")
                    )
            wrong = ["a b", "jörg@example.com", "ann@example.com"]
            found = self.verify(self.entry(server), sender=SENDER, recipients=wrong)
            outcome = [step.ok for step in found.steps if step.name == "recipient"]
            self.assertEqual(outcome, [False, False, True])

    def test_smtputf8(self):
        for offered, ok in [(True, True), (False, False)]:
            with self.subTest(offered), SMTPServer(smtputf8=offered) as server:
                mailer = self.entry(server, smtputf8="auto")
                found = self.verify(mailer, sender=SENDER, recipients=["jörg@example.com"])
                self.assertIs(found.ok, ok, found)


class BackendTests(FaultsTestCase):
    def test_a_backend_that_cannot_be_made(self):
        found = self.verify({"BACKEND": f"{HERE}.Broken"})
        self.assertEqual(found.steps, [Step("configuration", False, "KeyError: 'REGION'")])

    def test_a_token_that_cannot_be_imported(self):
        with PlainServer(extensions=["AUTH XOAUTH2"]) as server:
            entry = self.entry(server, username="shop", auth="xoauth2", token="no.such.token")
            found = self.verify(entry)
        self.assertEqual(found.failed.name, "configuration")
        self.assertIn("Could not import OPTIONS 'token' 'no.such.token'", found.failed.detail)

    def test_what_verify_may_return(self):
        must = "It must return a list of diagnosis.Step."
        good = Step("key", True, "The key is valid.")
        for answer, expected in [
            (None, [("verify", True, "", "")]),
            ([], [("verify", True, "", "")]),
            ((step for step in [good]), [("key", True, "The key is valid.", "")]),
            ([Step("key", True, lazystr("lazy"))], [("key", True, "lazy", "")]),
            ([Step("key", True, "two\nlines\x1b[31m")], [("key", True, "two lines [31m", "")]),
            (
                [good, ("key", True)],
                [
                    ("key", True, "The key is valid.", ""),
                    ("verify", False, "verify() has returned an object of type tuple.", must),
                ],
            ),
        ]:
            with (
                self.subTest(answer=answer),
                mock.patch.object(Answering, "answer", answer),
            ):
                found = self.verify({"BACKEND": f"{HERE}.Answering"})
                self.assertEqual(
                    [(step.name, step.ok, step.detail, step.hint) for step in found.steps[1:]],
                    expected,
                )
