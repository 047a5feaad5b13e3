"""Real SMTP servers for the tests, on free ports of 127.0.0.1.

`SMTPServer` is that of django_mailers.testing: it behaves as a server should, and records what it
was sent. `ScriptedServer` plays a dialogue line by line, and so can do what no good server does.
Both are context managers; `enter(test, server)` ties one to a test case or to a test class.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import socket
import ssl
import threading
from functools import cached_property, partial
from typing import Any
from unittest import mock

import trustme

from django_mailers.testing import server

HOST = "127.0.0.1"
# Nothing here takes that long: what does is a deadlock, and ends the test instead of hanging it.
TIMEOUT = 10


def enter(test, context):
    """Enter `context` until the end of `test`, a test case or (in setUpClass) a test class.

    unittest has enterContext() and enterClassContext() for it, from Python 3.11 on.
    """
    value = context.__enter__()
    add_cleanup = test.addClassCleanup if isinstance(test, type) else test.addCleanup
    add_cleanup(context.__exit__, None, None, None)
    return value


class Certificates:
    """The certificates of the tests, each made when it is first asked for, once per process."""

    @cached_property
    def ca(self):
        return trustme.CA()

    @cached_property
    def valid(self):
        return self.ca.issue_cert("localhost", HOST)

    @cached_property
    def expired(self):
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        return self.ca.issue_cert(HOST, not_after=yesterday)

    @cached_property
    def wrong_host(self):
        return self.ca.issue_cert("elsewhere.example")

    @cached_property
    def unknown_ca(self):
        return trustme.CA().issue_cert("localhost", HOST)

    @cached_property
    def client(self):
        return self.ca.issue_cert("client.example", common_name="client.example")


certificates = Certificates()


@contextlib.contextmanager
def trusting_the_ca():
    """Make ssl.create_default_context() trust `certificates.ca`, and nothing else.

    Which is how Django's SMTP backend gets its trust: its OPTIONS have no key for it.
    """
    with (
        certificates.ca.cert_pem.tempfile() as path,
        mock.patch.dict(os.environ, SSL_CERT_FILE=path, SSL_CERT_DIR=os.devnull),
    ):
        yield


@contextlib.contextmanager
def client_certificate_files():
    """Give the OPTIONS that name the files of `certificates.client`."""
    client = certificates.client
    with client.cert_chain_pems[0].tempfile() as cert, client.private_key_pem.tempfile() as key:
        yield {"ssl_certfile": cert, "ssl_keyfile": key}


def server_context(certificate=None, client_ca=None):
    """Give a server's TLS context; with `client_ca` it demands a client certificate of that CA."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (certificate or certificates.valid).configure_cert(context)
    if client_ca is not None:
        client_ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Server:
    """What ScriptedServer and Sink share: port, thread, and an end that leaves nothing open."""

    host = HOST
    port: int

    def __init__(self, tls_context=None):
        self._tls_context = tls_context
        self._connections = {}
        # What went wrong on this side; raised when the context ends, else no test would see it.
        self._errors = []

    def __enter__(self):
        self._listener = socket.create_server((HOST, 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.SelectorEventLoop()
        # Not asyncio's own server or sock_accept(): when those are cancelled at the wrong moment,
        # a connection that is accepted already gets lost, and is never closed.
        self._loop.add_reader(self._listener, self._accept)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, exc_type, exc, traceback):
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()
        for connection in [self._listener, *self._connections]:
            connection.close()
        if self._errors and exc is None:
            raise self._errors[0]

    async def _stop(self):
        self._loop.remove_reader(self._listener)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self):
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        # Else an EHLO reply, several writes, takes the 40 ms of a delayed acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[connection] = self._loop.create_task(self._serve(connection))

    async def _serve(self, connection):
        upgrade = self._loop.connect_accepted_socket
        try:
            await self._talk(partial(upgrade, sock=connection, ssl=self._tls_context))
        except (OSError, asyncio.IncompleteReadError):
            pass  # The client is gone, or one side did not like the other's certificate.
        except Exception as error:
            self._errors.append(error)

    async def _talk(self, connect):
        """Make a transport and a protocol with `connect(factory)`; return when they are done."""
        raise NotImplementedError


class SMTPServer(server.SMTPServer):
    """The server that projects test with, with certificates of the tests.

    tls           None, "starttls" (then required) or "implicit".
    certificate   the server's, from `certificates`.
    client_ca     a trustme.CA: the client must show a certificate of it.
    smtputf8      whether the server offers SMTPUTF8.

    It offers no PIPELINING, unlike a Sink.
    """

    def __init__(
        self,
        *,
        tls=None,
        certificate=None,
        client_ca=None,
        smtputf8=True,
        require_login=False,
        **options,
    ):
        super().__init__(
            ssl_context=server_context(certificate, client_ca) if tls else None,
            implicit_tls=tls == "implicit",
            require_login=require_login,
            extensions=["8BITMIME", "SIZE 33554432", *(["SMTPUTF8"] if smtputf8 else [])],
            **options,
        )


DROP = object()
STALL = object()
# Not to read any more, so that the client cannot write any more.
DEAF = object()
# (the beginning of the command that is awaited, what is done about it)
Step = tuple["str | None", Any]

POLITE = [
    (None, "220 scripted.test ESMTP"),
    ("EHLO", "250 scripted.test"),
    ("MAIL", "250 OK"),
    ("RCPT", "250 OK"),
    ("DATA", "354 Go ahead"),
    (".", "250 OK"),
]


def spoilt(stage, reply, *then):
    """Give the polite script up to `stage`, which gets `reply`, and after that `then`."""
    before = [command for command, _ in POLITE].index(stage)
    return [*POLITE[:before], (stage, reply), *then]


class ScriptedServer(_Server):
    """A server that plays a script, and so can do what no good server does.

    A script is a list of steps (command, reply). `command` is how the client's next line must
    begin; None awaits nothing: the server speaks first, as in its greeting. `reply` is a str
    (one line, CRLF is added), bytes (sent as they are: garbage, halves, several lines, nothing),
    DROP (close the connection), STALL (never say anything again) or DEAF (never read anything
    again: what is larger than the buffers cannot be written). After a reply that begins
    with 354 the client's next "line" is all of its data, and is called ".".

    Each connection plays the next script, the last one again and again. QUIT is answered by
    itself once the script is over. Another line than the awaited one ends the connection, and
    raises AssertionError when the server's context ends.

    `received` holds the lines of each connection, `commands` only their first words.
    """

    def __init__(self, *scripts, tls_context=None):
        super().__init__(tls_context)
        self._scripts = scripts
        self.received = []

    @property
    def commands(self):
        return [[line.partition(" ")[0].upper() for line in lines] for lines in self.received]

    async def _talk(self, connect):
        reader = asyncio.StreamReader(limit=2**24)
        transport, _ = await connect(lambda: asyncio.StreamReaderProtocol(reader))
        script = self._scripts[min(len(self.received), len(self._scripts) - 1)]
        received = []
        self.received.append(received)
        try:
            end = b"\r\n"
            for awaited, reply in [*script, ("QUIT", "221 Bye")]:
                if awaited is not None:
                    line = (await reader.readuntil(end))[: -len(end)].decode()
                    if end != b"\r\n":
                        line = "."
                    received.append(line)
                    if not line.upper().startswith(awaited):
                        raise AssertionError(f"{line!r} came instead of {awaited!r}.")
                if reply is DROP:
                    return
                if reply is STALL:
                    await reader.read()
                    return
                if reply is DEAF:
                    transport.pause_reading()
                    await asyncio.Event().wait()
                text = reply if isinstance(reply, bytes) else f"{reply}\r\n".encode()
                transport.write(text)
                end = b"\r\n.\r\n" if text.startswith(b"354") else b"\r\n"
        finally:
            # Not close(): over TLS that waits for the client. Nothing is lost by it, what was
            # written is short, and with the system since then.
            transport.abort()
