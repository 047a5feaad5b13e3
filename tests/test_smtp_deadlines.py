"""How long a server is waited for: a reply has a deadline, and a job's own limit comes through."""

import contextlib
import signal
import smtplib
import socket
import ssl
import threading
import time
from unittest import mock

from django.core.mail import send_mail
from django.test import SimpleTestCase, override_settings, tag

from django_mailers.smtp import Pool, PoolOptions, Server, TLSConfig, close_pools
from django_mailers.smtp import session as session_module

from .support.messages import ADA, BOB
from .support.pools import borrowed, send_one
from .support.servers import HOST, STALL, TIMEOUT, certificates, enter, server_context
from .support.sink import Sink, interrupts
from .support.smtp import SHORT_TIMEOUT, Limit, envelope


class Dripping:
    """A server that says `before` at once, and the rest byte by byte, for ever if it has to.

    `replies` are those to the lines that come, the last of which drips; `greeting` may be it.
    """

    def __init__(self, *replies, pause=0.02, tls_context=None):
        self.replies, self.pause, self.tls_context = replies, pause, tls_context
        self.over = threading.Event()

    def __enter__(self):
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.over.set()
        # What accept() waits for.
        socket.create_connection((HOST, self.port), TIMEOUT).close()
        self.thread.join(TIMEOUT)
        self.listener.close()

    def serve(self):
        threads = []
        while not self.over.is_set():
            connection, _ = self.listener.accept()
            threads.append(threading.Thread(target=self.talk, args=[connection]))
            threads[-1].start()
        for thread in threads:
            thread.join(TIMEOUT)

    def talk(self, connection):
        connection.settimeout(TIMEOUT)
        if self.tls_context is not None:
            try:
                connection = self.tls_context.wrap_socket(connection, server_side=True)
            except OSError:
                return  # The connection that ends this server.
        with connection, contextlib.suppress(OSError):
            *quick, slow = self.replies
            for reply in quick:
                connection.sendall(reply)
                connection.recv(1000)
            for byte in iter(lambda: slow, None):
                connection.sendall(byte)
                if self.over.wait(self.pause):
                    return


GREETING, EHLO, OK = b"220 slow\r\n", b"250 slow\r\n", b"250 OK\r\n"


class DeadlineTests(SimpleTestCase):
    def lasts(self, function, at_least, at_most):
        started = time.monotonic()
        value = function()
        lasted = time.monotonic() - started
        self.assertTrue(at_least <= lasted <= at_most, lasted)
        return value

    def fails(self, function):
        """Check that `function` fails when its timeout is over."""

        def failing():
            with self.assertRaises(OSError) as caught:
                function()
            return caught.exception

        # A byte came every 0.02 seconds, without an end.
        return self.lasts(failing, SHORT_TIMEOUT, TIMEOUT)

    def server(self, dripping, **options):
        return Server(HOST, dripping.port, timeout=SHORT_TIMEOUT, **options)

    @tag("slow")
    def test_greeting_and_ehlo(self):
        for replies in [[b"2"], [b"220-x\r\n"], [GREETING, b"2"], [GREETING, b"250-x\r\n"]]:
            with self.subTest(replies=replies):
                dripping = enter(self, Dripping(*replies))
                error = self.fails(self.server(dripping).connect)
                self.assertEqual(
                    repr(error),
                    repr(
                        smtplib.SMTPServerDisconnected(
                            at_place(dripping, "Connection unexpectedly closed: timed out")
                        )
                    ),
                )

    def test_over_tls(self):
        ca_file = enter(self, certificates.ca.cert_pem.tempfile())
        dripping = enter(self, Dripping(b"220-x\r\n", tls_context=server_context()))
        server = self.server(dripping, security="tls", tls=TLSConfig(ca_file=ca_file))
        self.fails(server.connect)

    def test_the_handshake(self):
        # A record of a server's handshake, as it begins.
        record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"
        dripping = enter(self, Dripping(record, b"\0"))
        error = self.fails(self.server(dripping, security="tls").connect)
        self.assertIsInstance(error, ssl.SSLError | TimeoutError)

    def test_message(self):
        dripping = enter(self, Dripping(GREETING, EHLO, b"2"))
        session = self.server(dripping).connect()
        result = self.lasts(lambda: session.deliver([envelope()])[0], SHORT_TIMEOUT, TIMEOUT)
        self.assertEqual((result.status, session.is_open), ("failed", False))

    def test_a_slow_reply_in_time(self):
        lines = b"250-slow\r\n250 SIZE 1000\r\n"
        sender, receiver = socket.socketpair()
        with sender, receiver:
            receiver.settimeout(TIMEOUT)
            session = session_module.Session()
            session.sock = receiver

            def drip():
                for number in range(len(lines)):
                    sender.sendall(lines[number : number + 1])
                    time.sleep(0.001)

            thread = threading.Thread(target=drip)
            thread.start()
            self.assertEqual(session.getreply(), (250, b"slow\nSIZE 1000"))
            thread.join(TIMEOUT)
            self.assertEqual(receiver.gettimeout(), TIMEOUT)
            receiver.settimeout(None)
            thread = threading.Thread(target=drip)
            thread.start()
            self.assertEqual(session.getreply(), (250, b"slow\nSIZE 1000"))
            thread.join(TIMEOUT)
            session.sock = None

    def test_noop(self):
        enter(self, mock.patch.object(session_module, "CHECK_TIMEOUT", 0.2))
        dripping = enter(self, Dripping(GREETING, EHLO, b"2"))
        session = Server(HOST, dripping.port, timeout=TIMEOUT).connect()
        self.assertIs(self.lasts(session.answers, 0.2, 5), False)

    def test_quit(self):
        enter(self, mock.patch.object(session_module, "QUIT_TIMEOUT", 0.2))
        dripping = enter(self, Dripping(GREETING, EHLO, b"2"))
        session = Server(HOST, dripping.port, timeout=TIMEOUT).connect()
        self.lasts(session.disconnect, 0.2, 5)
        self.assertIs(session.is_open, False)

    def test_another_sender_does_not_wait_for_a_reply_to_quit(self):
        sink = enter(self, Sink())
        enter(self, mock.patch.object(session_module, "QUIT_TIMEOUT", TIMEOUT))
        pool = Pool(Server(HOST, sink.port, timeout=TIMEOUT), PoolOptions(max_idle=0.05))
        with borrowed(pool), borrowed(pool), borrowed(pool):
            pass
        time.sleep(0.1)
        sink.behave = lambda line: STALL if line == "quit" else None
        self.lasts(lambda: send_one(pool, envelope()), 0, TIMEOUT / 2)
        self.assertEqual([commands[-1] for commands in sink.commands], [*["QUIT"] * 3, "."])
        self.assertEqual(pool.stats()["closed"], 3)
        # None of them is left open.
        sink.behave = None
        self.lasts(pool.close, 0, TIMEOUT / 2)

    def test_many_sessions_are_closed_in_the_time_of_one(self):
        sink = enter(self, Sink(behave=lambda line: STALL if line == "quit" else None))
        enter(self, mock.patch.object(session_module, "QUIT_TIMEOUT", 0.3))
        pool = Pool(Server(HOST, sink.port, timeout=TIMEOUT), PoolOptions(pool_size=30))
        with contextlib.ExitStack() as stack:
            for _ in range(30):
                stack.enter_context(borrowed(pool))
        self.lasts(pool.close, 0.3, 5)

    def test_a_mailer_of_djangos_timeout(self):
        self.addCleanup(close_pools)
        dripping = enter(self, Dripping(b"2", pause=0.1))
        options = {"host": HOST, "port": dripping.port, "timeout": SHORT_TIMEOUT}
        backend = "django_mailers.backends.smtp.EmailBackend"
        with override_settings(MAILERS={"default": {"BACKEND": backend, "OPTIONS": options}}):
            error = self.fails(lambda: send_mail("Hello", "", ADA, [BOB]))
        self.assertIsInstance(error, smtplib.SMTPServerDisconnected)


def at_place(server, text):
    return f"{HOST}:{server.port}: {text}"


class AlarmTests(SimpleTestCase):
    """What a signal handler raises goes out, though it is an OSError or an Exception."""

    def setUp(self):
        self.sink = enter(self, Sink())
        self.addCleanup(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        self.pool = Pool(Server(HOST, self.sink.port, timeout=TIMEOUT), PoolOptions(check_after=0))
        self.addCleanup(self.pool.close)

    @contextlib.contextmanager
    def interrupt_at(self, verb, kind):
        """Let the server stall at `verb`, and an alarm go off after that, in the block."""
        with interrupts(kind("The job takes too long.")) as interrupt:
            self.sink.behave = lambda line: (
                interrupt(0.05) or STALL if line.lower().startswith(verb) else None
            )
            yield

    def is_raised(self, kind, verb, function):
        """Check that the alarm ends `function`, for which the server stalls at `verb`."""
        started = time.monotonic()
        with self.interrupt_at(verb, kind), self.assertRaises(kind) as caught:
            function()
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(caught.exception.args, ("The job takes too long.",))
        self.assertLess(time.monotonic() - started, TIMEOUT / 2)
        self.assertEqual([self.pool.stats()[name] for name in ("busy", "waiting")], [0, 0])
        self.sink.behave = None
        self.assertEqual(send_one(self.pool, envelope()).status, "sent")

    def test_acquire(self):
        for kind in [TimeoutError, ConnectionError, Limit, KeyboardInterrupt]:
            with self.subTest(kind=kind, at="ehlo"):
                self.pool.close()
                self.pool = Pool(self.pool.server, self.pool.options)
                self.is_raised(kind, "ehlo", self.pool.acquire)
            with self.subTest(kind=kind, at="noop"):
                self.is_raised(kind, "noop", self.pool.acquire)
        self.addCleanup(self.pool.close)

    def test_quit(self):
        for kind in [TimeoutError, Limit]:
            with self.subTest(kind=kind):
                self.assertEqual(send_one(self.pool, envelope()).status, "sent")
                self.is_raised(kind, "quit", self.pool.close)
                # It keeps nothing any more.
                self.pool = Pool(self.pool.server, self.pool.options)
                self.addCleanup(self.pool.close)

    def test_a_reply(self):
        for kind in [TimeoutError, Limit]:
            with self.subTest(kind=kind):

                def reset():
                    with borrowed(self.pool) as session:
                        session.rset()

                self.is_raised(kind, "rset", reset)

    def test_the_next_address_is_not_tried(self):
        def handle(*args):
            raise TimeoutError("The job takes too long.")

        signal.signal(signal.SIGALRM, handle)
        tried = []

        class Stalling(socket.socket):
            def connect(self, address):
                tried.append(address[0])
                if address[0] == "127.0.0.2":
                    signal.raise_signal(signal.SIGALRM)
                if address[0] == "127.0.0.3":
                    raise ConnectionRefusedError
                super().connect(address)

        enter(self, mock.patch.object(socket, "socket", Stalling))
        found = socket.getaddrinfo

        def resolve(host, port, *args, **kwargs):
            if host != "several.test":
                return found(host, port, *args, **kwargs)
            return [info for name in names for info in found(name, port, *args, **kwargs)]

        enter(self, mock.patch.object(socket, "getaddrinfo", resolve))
        server = Server("several.test", self.sink.port, timeout=TIMEOUT)
        names = ["127.0.0.3", HOST]
        server.connect().close()
        self.assertEqual(tried, ["127.0.0.3", HOST])
        names = ["127.0.0.2", HOST]
        with self.assertRaises(TimeoutError) as caught:
            server.connect()
        self.assertEqual(str(caught.exception), "The job takes too long.")
        self.assertEqual(tried[2:], ["127.0.0.2"])
        names = [HOST, "127.0.0.3", "127.0.0.3"]
        server.connect().close()
        self.assertEqual(tried[3:], [HOST])

    def test_a_write(self):
        # smtplib says "Server not connected" in place of any OSError there.
        def handle(*args):
            raise TimeoutError("The job takes too long.")

        signal.signal(signal.SIGALRM, handle)
        with borrowed(self.pool) as session:

            class Full:
                def sendall(self, data):
                    signal.raise_signal(signal.SIGALRM)

                def close(self):
                    pass

            sock, session.sock = session.sock, Full()
            with self.assertRaises(TimeoutError) as caught:
                session.putcmd("noop")
            self.assertEqual(str(caught.exception), "The job takes too long.")
            sock.close()
        with borrowed(self.pool) as session, self.assertRaises(smtplib.SMTPServerDisconnected):
            session.sock.close()
            session.putcmd("noop")
