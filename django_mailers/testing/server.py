"""An SMTP server for tests: on a free port of 127.0.0.1, in threads of the process that tests."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal, TypeAlias

from .certificates import Certificate
from .dialogue import DISCONNECT, Dialogue

__all__ = ["DISCONNECT", "ReceivedMessage", "SMTPServer", "Session"]

HOST = "127.0.0.1"
EXTENSIONS = ("8BITMIME", "PIPELINING", "SIZE 33554432", "SMTPUTF8")
# A reply; or several, of which each is used once, None being the usual one.
Replies: TypeAlias = "str | Sequence[str | None]"
# Nothing here takes that long, in seconds: what does is a deadlock, and must not stop the tests.
TIMEOUT = 10.0


@dataclass
class Session:
    """One connection to an SMTPServer.

    ehlo      The name in EHLO or HELO.
    tls       The version of TLS, such as "TLSv1.3"; None without TLS.
    client    The common name in the client's certificate, if there is one.
    user      Who has logged in.
    commands  The commands in their order, without arguments; AUTH with its mechanism.
    ended     Set when the connection is over.
    """

    ehlo: str | None = None
    tls: str | None = None
    client: str | None = None
    user: str | None = None
    commands: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class ReceivedMessage:
    """A message that an SMTPServer has accepted.

    mail_from     The sender of the envelope.
    mail_options  The parameters of MAIL, such as "SIZE=512".
    rcpt_tos      The recipients of the envelope which the server has accepted.
    content       The message as it was sent, with CRLF at the end of lines.
    session       The Session that it came in.
    """

    mail_from: str
    mail_options: list[str]
    rcpt_tos: list[str]
    content: bytes
    session: Session

    def parse(self) -> EmailMessage:
        """Return the content as a message of Python's email package."""
        return message_from_bytes(self.content, policy=policy.default)


class SMTPServer:
    """An SMTP server that keeps what it receives. A context manager, which runs it.

    tls            "starttls" or "implicit": the server has TLS, with a certificate that it makes
                   itself, if trustme is installed (the extra "test").
    ssl_context    The context of a server, with a certificate of yours. STARTTLS is then offered,
                   and required before a login and before a message.
    implicit_tls   Whether TLS begins with the connection instead.
    users          {name: password}, for AUTH.
    require_login  Whether a client has to log in before it sends, if there are users.
    mechanisms     The mechanisms of AUTH: "PLAIN", "LOGIN" or both.
    extensions     The further lines of the reply to EHLO. CHUNKING is known, too.
    refuse         {command: reply}: the replies that replace the usual ones. A command is a verb,
                   as in {"DATA": "451 4.3.0 Try later"}, whose reply follows the content. MAIL and
                   RCPT may have an address: {"RCPT bob@example.com": "550 5.1.1 Unknown"}. CONNECT
                   is the greeting. Of a list of replies each is used once, then the usual one; None
                   in it is the usual one, too. DISCONNECT closes the connection instead. May be
                   changed while the server runs.
    max_size       The longest content, in bytes; the reply to EHLO says so.
    max_recipients, max_messages, max_connections
                   The greatest number of recipients of a message, of messages in a session, and of
                   sessions at the same time.

    host, port     Where it listens; the port is known inside the context.
    ca_file        The file of the authority of the certificate that the server has made, inside the
                   context; None without.
    messages       The ReceivedMessages, in the order in which they came.
    sessions       The Sessions, in the order in which they began.

    An error of the server's own is raised at the end of the context.
    """

    host = HOST
    port: int
    ca_file: str | None = None

    def __init__(
        self,
        *,
        tls: Literal["starttls", "implicit"] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
        require_login: bool = True,
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        extensions: Sequence[str] = EXTENSIONS,
        refuse: Mapping[str, Replies] | None = None,
        max_size: int | None = None,
        max_recipients: int | None = None,
        max_messages: int | None = None,
        max_connections: int | None = None,
    ) -> None:
        if implicit_tls and ssl_context is None:
            raise ValueError("'implicit_tls' needs an 'ssl_context'.")
        if tls not in {None, "starttls", "implicit"}:
            raise ValueError("'tls' must be 'starttls' or 'implicit'.")
        if tls is not None and ssl_context is not None:
            raise ValueError("'tls' makes a certificate, and 'ssl_context' has one.")
        self._certificate = None if tls is None else Certificate(HOST)
        self.ssl_context = ssl_context if self._certificate is None else self._certificate.context
        self.implicit_tls = implicit_tls or tls == "implicit"
        self.users = dict(users or {})
        self.require_login = require_login
        self.mechanisms = tuple(mechanisms)
        if max_size is not None:
            others = [name for name in extensions if name.partition(" ")[0] != "SIZE"]
            extensions = [*others, f"SIZE {max_size}"]
        self.extensions = tuple(extensions)
        self.refuse: dict[str, Replies] = dict(refuse or {})
        self.max_size = max_size
        self.max_recipients = max_recipients
        self.max_messages = max_messages
        self.max_connections = max_connections
        self.messages: list[ReceivedMessage] = []
        self.sessions: list[Session] = []
        self._arrived = threading.Condition()
        self._errors: list[Exception] = []

    @property
    def mailer_options(self) -> dict[str, Any]:
        """The OPTIONS of a mailer that sends to this server, inside the context.

        With `users` they have the first of them. With `tls` they have the `ca_file`, an option of
        this package's SMTP backend.
        """
        options: dict[str, Any] = {"host": self.host, "port": self.port, "timeout": TIMEOUT}
        if self.users:
            options["username"], options["password"] = next(iter(self.users.items()))
        if self.ssl_context is not None:
            options["use_ssl" if self.implicit_tls else "use_tls"] = True
        if self.ca_file is not None:
            options["ca_file"] = self.ca_file
        return options

    def reply_to(self, command: str) -> str | None:
        """Return what `refuse` has for a command; None for the usual reply.

        The first of a list is used up.
        """
        with self._arrived:
            replies = self.refuse.get(command)
            if replies is None or isinstance(replies, str):
                return replies
            first, self.refuse[command] = replies[:1], replies[1:]
            return first[0] if first else None

    def is_busy(self) -> bool:
        """Whether there are more connections at the moment than `max_connections`."""
        if self.max_connections is None:
            return False
        alive = sum(not connection.session.ended.is_set() for connection in self._connections)
        return alive > self.max_connections

    def wait_for(self, count: int, timeout: float = TIMEOUT) -> list[ReceivedMessage]:
        """Wait until `count` messages have arrived, for mail that another thread sends.

        Returns them, the first `count`. Raises TimeoutError after `timeout` seconds.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.messages) >= count, timeout):
                raise TimeoutError(f"{len(self.messages)} of {count} messages have arrived.")
            return self.messages[:count]

    def __enter__(self) -> SMTPServer:
        if self._certificate is not None:
            self.ca_file = self._certificate.write()
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._waker, self._wakes = socket.socketpair()
        self._connections: list[_Connection] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        self._waker.close()
        self._acceptor.join(TIMEOUT)
        self._wakes.close()
        for connection in self._connections:
            connection.stop()
        for connection in self._connections:
            connection.thread.join(TIMEOUT)
        if self._certificate is not None:
            self._certificate.remove()
            self.ca_file = None
        if self._errors and exc is None:
            raise self._errors[0]

    def _accept(self) -> None:
        """Take connections until the waker is closed, and then what waits in the queue no more."""
        with self._listener, selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wakes, selectors.EVENT_READ)
            while all(key.fileobj is self._listener for key, _ in selector.select()):
                try:
                    accepted, _ = self._listener.accept()
                except OSError:
                    continue  # The client has gone away in the meantime.
                connection = _Connection(self, accepted)
                self._connections.append(connection)
                connection.thread.start()

    def _keep(self, message: ReceivedMessage) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()


class _Connection:
    """The socket of a client, its thread and its Session."""

    def __init__(self, server: SMTPServer, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = server
        self.socket = accepted
        self.buffer = bytearray()
        self.session = Session()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self._lock = threading.Lock()
        self._is_over = False

    def stop(self) -> None:
        """End the connection from another thread."""
        with self._lock:
            self._is_over = True
            # Not the method of an SSLSocket, which would have its thread go on without TLS.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            if self.server.implicit_tls and self.server.ssl_context is not None:
                self.start_tls(self.server.ssl_context)
            self.server.sessions.append(self.session)
            Dialogue(self).run()
        except (OSError, EOFError):
            pass  # The client is gone, or one side did not accept the other's certificate.
        except Exception as error:
            self.server._errors.append(error)
            with contextlib.suppress(OSError):
                self.write(["500 Internal error"])
        finally:
            with self._lock:
                self.socket.close()
            self.session.ended.set()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Begin TLS. What the client has sent before is dropped (RFC 3207, 4.2)."""
        with self._lock:
            if self._is_over:
                raise EOFError
            self.buffer.clear()
            tls = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.socket = tls
        tls.do_handshake()
        self.session.tls = tls.version()
        subject: Any = (tls.getpeercert() or {}).get("subject", ())
        self.session.client = dict(pair for (pair,) in subject).get("commonName")

    def write(self, lines: list[str]) -> None:
        """Send a reply of these lines."""
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def read_line(self) -> bytes:
        """Return the next line without its end."""
        return self._read_until(b"\r\n")

    def read_data(self) -> bytes:
        """Return the content that follows DATA, without the dots that were added to it."""
        # The line that ends it may be the first one.
        self.buffer[:0] = b"\r\n"
        stuffed = self._read_until(b"\r\n.\r\n") + b"\r\n"
        return stuffed.replace(b"\r\n.", b"\r\n")[len(b"\r\n") :]

    def read_bytes(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._receive()
        return self._take(count)

    def _read_until(self, end: bytes) -> bytes:
        start = 0
        while (found := self.buffer.find(end, start)) < 0:
            start = max(0, len(self.buffer) - len(end) + 1)
            self._receive()
        taken = self._take(found)
        del self.buffer[: len(end)]
        return taken

    def _take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def _receive(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise EOFError
        self.buffer += received

    def keep(self, mail_from: str, options: list[str], rcpt_tos: list[str], content: bytes) -> None:
        self.server._keep(ReceivedMessage(mail_from, options, rcpt_tos, content, self.session))
