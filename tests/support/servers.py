"""Real SMTP servers for the tests, on free ports of 127.0.0.1, each in a thread of its own.

`SMTPServer` is aiosmtpd and behaves as a server should; it records what it was sent.
`ScriptedServer` plays a dialogue line by line, and so can do what no good server does.
Both are context managers; `enter(test, server)` ties one to a test case or to a test class.

aiosmtpd's own Controller is not used: it must be told its port, it sends itself a connection
(which would be counted, and which a server that asks for client certificates refuses), and it
leaves the connections that are open when it stops to the garbage collector.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from unittest import mock

import trustme
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, TLSSetupException

HOST = "127.0.0.1"
# Nothing here takes that long: what does is a deadlock, and ends the test instead of hanging it.
TIMEOUT = 10

# It warns at every login that a property is deprecated which only itself sets.
logging.getLogger("mail.log").setLevel(logging.ERROR)


def enter(test: Any, context: Any) -> Any:
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
    def ca(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def valid(self) -> trustme.LeafCert:
        return self.ca.issue_cert("localhost", HOST)

    @cached_property
    def expired(self) -> trustme.LeafCert:
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        return self.ca.issue_cert(HOST, not_after=yesterday)

    @cached_property
    def wrong_host(self) -> trustme.LeafCert:
        return self.ca.issue_cert("elsewhere.example")

    @cached_property
    def unknown_ca(self) -> trustme.LeafCert:
        return trustme.CA().issue_cert("localhost", HOST)

    @cached_property
    def client(self) -> trustme.LeafCert:
        return self.ca.issue_cert("client.example", common_name="client.example")


certificates = Certificates()


@contextlib.contextmanager
def trusting_the_ca() -> Iterator[None]:
    """Make ssl.create_default_context() trust `certificates.ca`, and nothing else.

    Which is how Django's SMTP backend gets its trust: its OPTIONS have no key for it.
    """
    with (
        certificates.ca.cert_pem.tempfile() as path,
        mock.patch.dict(os.environ, SSL_CERT_FILE=path, SSL_CERT_DIR=os.devnull),
    ):
        yield


@contextlib.contextmanager
def client_certificate_files() -> Iterator[dict[str, str]]:
    """Give the OPTIONS that name the files of `certificates.client`."""
    client = certificates.client
    with client.cert_chain_pems[0].tempfile() as cert, client.private_key_pem.tempfile() as key:
        yield {"ssl_certfile": cert, "ssl_keyfile": key}


def server_context(
    certificate: trustme.LeafCert | None = None, client_ca: trustme.CA | None = None
) -> ssl.SSLContext:
    """Give a server's TLS context; with `client_ca` it demands a client certificate of that CA."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (certificate or certificates.valid).configure_cert(context)
    if client_ca is not None:
        client_ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Server:
    """What both servers share: the port, the thread, and an end that leaves nothing open."""

    host = HOST
    port: int

    def __init__(self, tls_context: ssl.SSLContext | None = None) -> None:
        self._tls_context = tls_context
        self._connections: dict[socket.socket, asyncio.Task[None]] = {}
        # What went wrong on this side; raised when the context ends, else no test would see it.
        self._errors: list[BaseException] = []

    def __enter__(self) -> Any:
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

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()
        for connection in [self._listener, *self._connections]:
            connection.close()
        if self._errors and exc is None:
            raise self._errors[0]

    async def _stop(self) -> None:
        self._loop.remove_reader(self._listener)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        # Else an EHLO reply, several writes, takes the 40 ms of a delayed acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[connection] = self._loop.create_task(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        upgrade = self._loop.connect_accepted_socket
        try:
            await self._talk(partial(upgrade, sock=connection, ssl=self._tls_context))
        except (OSError, asyncio.IncompleteReadError):
            pass  # The client is gone, or one side did not like the other's certificate.
        except Exception as error:
            self._errors.append(error)

    async def _talk(self, connect: Callable[..., Any]) -> None:
        """Make a transport and a protocol with `connect(factory)`; return when they are done."""
        raise NotImplementedError


@dataclass
class Session:
    """One connection to an SMTPServer that came as far as SMTP."""

    ehlo: str | None = None
    tls: bool = False
    client: str | None = None  # the common name in the client's certificate
    user: str | None = None
    # In the order they came, without arguments but for AUTH and its mechanism.
    commands: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Message:
    """One message that an SMTPServer accepted; `content` is as sent, dots unstuffed."""

    mail_from: str
    mail_options: list[str]
    rcpt_tos: list[str]
    content: bytes
    session: Session


class SMTPServer(_Server):
    """An aiosmtpd server that keeps what arrives in `messages` and `sessions`.

    tls           None, "starttls" (then required) or "implicit".
    certificate   the server's, from `certificates`.
    client_ca     a trustme.CA: the client must show a certificate of it.
    users         {name: password}; AUTH is offered if there are any, once TLS is up.
    mechanisms    what AUTH offers: "PLAIN", "LOGIN" or both.
    smtputf8      whether the server offers SMTPUTF8.
    refuse        {command: reply}: which replies stand in for "250". A command is EHLO, HELO,
                  AUTH, MAIL, RCPT or DATA (which means the end of the data), and MAIL and RCPT
                  may name an address: {"RCPT gone@example.com": "550 5.1.1 No such user"}.
                  The dictionary may be changed while the server runs.
    """

    def __init__(
        self,
        *,
        tls: str | None = None,
        certificate: trustme.LeafCert | None = None,
        client_ca: trustme.CA | None = None,
        users: Mapping[str, str] | None = None,
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        smtputf8: bool = True,
        refuse: Mapping[str, str] | None = None,
    ) -> None:
        context = server_context(certificate, client_ca) if tls else None
        super().__init__(context if tls == "implicit" else None)
        self.messages: list[Message] = []
        self.sessions: list[Session] = []
        self.refuse = dict(refuse or {})
        self.users = dict(users or {})
        self._protocol_options = {
            "hostname": "smtp.test",
            "enable_SMTPUTF8": smtputf8,
            "tls_context": context if tls == "starttls" else None,
            "require_starttls": tls == "starttls",
            # aiosmtpd does not count implicit TLS as TLS.
            "auth_require_tls": tls == "starttls",
            "auth_exclude_mechanism": {"PLAIN", "LOGIN"} - set(mechanisms),
        }

    async def _talk(self, connect: Callable[..., Any]) -> None:
        transport, protocol = await connect(
            lambda: _Protocol(self, loop=self._loop, **self._protocol_options)
        )
        try:
            await protocol.lost.wait()
        finally:
            transport.abort()


class _Protocol(SMTP):
    """One connection to an SMTPServer: aiosmtpd's, which keeps its Session up to date."""

    def __init__(self, server: SMTPServer, **options: Any) -> None:
        super().__init__(_Hooks(), authenticator=self._check_password, **options)
        self.server = server
        self.record: Session | None = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        # Called a second time, with another transport, when STARTTLS is through.
        if self.record is None:
            self.record = Session()
            self.server.sessions.append(self.record)
        super().connection_made(transport)
        self.record.tls = transport.get_extra_info("cipher") is not None
        certificate = transport.get_extra_info("peercert") or {"subject": ()}
        self.record.client = dict(pair for (pair,) in certificate["subject"]).get("commonName")

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.record.ended.set()
        self.lost.set()

    async def handle_exception(self, error: Exception) -> str:
        # A client that does not like our certificate is a test; anything else is a bug here.
        if not isinstance(error, TLSSetupException):
            self.server._errors.append(error)
        return "500 Internal error"

    def command(self, verb: str, argument: str | None = None) -> Any:
        """Record a command; give the reply that refuses it, or MISSING: aiosmtpd's own."""
        self.record.commands.append(f"AUTH {argument}" if verb == "AUTH" else verb)
        if verb in {"EHLO", "HELO"}:
            self.record.ehlo = argument
        refuse = self.server.refuse
        return refuse.get(f"{verb} {argument}") or refuse.get(verb) or MISSING

    def _check_password(self, smtp, session, envelope, mechanism, credentials) -> AuthResult:
        user = credentials.login.decode()
        if self.server.users.get(user) != credentials.password.decode():
            return AuthResult(success=False, handled=False)
        self.record.user = user
        return AuthResult(success=True)


def _hook(verb: str) -> Callable[..., Any]:
    async def hook(self, smtp, session, envelope, argument=None, options=None):
        return smtp.command(verb, argument)

    return hook


class _Hooks:
    """What aiosmtpd calls when a command has come: handle_<command>."""

    handle_HELO = _hook("HELO")
    handle_MAIL = _hook("MAIL")
    handle_RCPT = _hook("RCPT")
    handle_RSET = _hook("RSET")
    handle_NOOP = _hook("NOOP")
    handle_QUIT = _hook("QUIT")

    async def handle_EHLO(self, smtp, session, envelope, name, replies):
        reply = smtp.command("EHLO", name)
        if reply is not MISSING:
            return [reply]
        session.host_name = name
        return [r for r in replies if smtp.server.users or not r.startswith("250-AUTH")]

    def handle_STARTTLS(self, smtp, session, envelope):
        return smtp.command("STARTTLS") is MISSING

    async def handle_AUTH(self, smtp, session, envelope, args):
        return smtp.command("AUTH", args[0])

    async def handle_DATA(self, smtp, session, envelope):
        reply = smtp.command("DATA")
        if reply is MISSING:
            fields = ("mail_from", "mail_options", "rcpt_tos", "content")
            values = {name: getattr(envelope, name) for name in fields}
            smtp.server.messages.append(Message(**values, session=smtp.record))
        return reply


DROP = object()
STALL = object()
# (the beginning of the command that is awaited, what is done about it)
Step = tuple["str | None", Any]

POLITE: list[Step] = [
    (None, "220 scripted.test ESMTP"),
    ("EHLO", "250 scripted.test"),
    ("MAIL", "250 OK"),
    ("RCPT", "250 OK"),
    ("DATA", "354 Go ahead"),
    (".", "250 OK"),
]


def spoilt(stage: str | None, reply: Any, *then: Step) -> list[Step]:
    """Give the polite script up to `stage`, which gets `reply`, and after that `then`."""
    before = [command for command, _ in POLITE].index(stage)
    return [*POLITE[:before], (stage, reply), *then]


class ScriptedServer(_Server):
    """A server that plays a script, and so can do what aiosmtpd cannot.

    A script is a list of steps (command, reply). `command` is how the client's next line must
    begin; None awaits nothing: the server speaks first, as in its greeting. `reply` is a str
    (one line, CRLF is added), bytes (sent as they are: garbage, halves, several lines, nothing),
    DROP (close the connection) or STALL (never say anything again). After a reply that begins
    with 354 the client's next "line" is all of its data, and is called ".".

    Each connection plays the next script, the last one again and again. QUIT is answered by
    itself once the script is over. Another line than the awaited one ends the connection, and
    raises AssertionError when the server's context ends.

    `received` holds the lines of each connection, `commands` only their first words.
    """

    def __init__(self, *scripts: Sequence[Step], tls_context: ssl.SSLContext | None = None):
        super().__init__(tls_context)
        self._scripts = scripts
        self.received: list[list[str]] = []

    @property
    def commands(self) -> list[list[str]]:
        return [[line.partition(" ")[0].upper() for line in lines] for lines in self.received]

    async def _talk(self, connect: Callable[..., Any]) -> None:
        reader = asyncio.StreamReader(limit=2**24)
        transport, _ = await connect(lambda: asyncio.StreamReaderProtocol(reader))
        script = self._scripts[min(len(self.received), len(self._scripts) - 1)]
        received: list[str] = []
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
                text = reply if isinstance(reply, bytes) else f"{reply}\r\n".encode()
                transport.write(text)
                end = b"\r\n.\r\n" if text.startswith(b"354") else b"\r\n"
        finally:
            # Not close(): over TLS that waits for the client. Nothing is lost by it, what was
            # written is short, and with the system since then.
            transport.abort()
