"""SMTP sessions: smtplib's, which deliver faster, and trust the server less."""

from __future__ import annotations

import binascii
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .auth import log_in
from .envelope import Envelope, Reply, Result
from .errors import add_place, hide, place, without_frames
from .pipelining import Delivery
from .replies import ReplyReader
from .tls import TLSConfig, shared_tls

# How long, in seconds, a server is given to answer QUIT: nothing depends on it.
QUIT_TIMEOUT = 2
# How long an idle session is given to prove itself, if its own timeout is not shorter: one that a
# firewall has forgotten would not answer at all, and a new one is soon made.
CHECK_TIMEOUT = 5


class Session(smtplib.SMTP):
    """An smtplib.SMTP with `deliver()`. All else works as documented there.

    What differs, for the better: commands are not delayed by Nagle's algorithm, a reply has a
    maximum length, half a reply at the end of a connection is none, a NUL in a command is refused
    as a line end is, a plaintext reply that a man in the middle put behind the one to STARTTLS
    is dropped (RFC 3207, 6), and `login()` tries no other mechanism with a password that was
    refused.

    pipelining, chunking  Whether to use these extensions if the server offers them.
    messages              How many messages `deliver()` was given in the life of this session.
    in_transaction        Whether smtplib's `mail()` and `rcpt()` have begun a message that is not
                          at its end.
    place                 The server, for errors to name.
    meanwhile             Called while the server's greeting is on its way.
    """

    pipelining = True
    chunking = True
    messages = 0
    in_transaction = False
    place = ""

    def __init__(
        self, *args: Any, meanwhile: Callable[[], object] | None = None, **kwargs: Any
    ) -> None:
        self._replies = ReplyReader()
        self._meanwhile = meanwhile
        self._has_quit = False
        super().__init__(*args, **kwargs)

    def __repr__(self) -> str:
        state = "closed" if self.sock is None else "open"
        return f"<{type(self).__name__} {state} messages={self.messages}>"

    @property
    def is_open(self) -> bool:
        """Whether the session was not closed on this side."""
        return self.sock is not None

    @property
    def may_pipeline(self) -> bool:
        return self.pipelining and "pipelining" in self.esmtp_features

    @property
    def may_chunk(self) -> bool:
        return self.chunking and "chunking" in self.esmtp_features

    def deliver(self, messages: Sequence[Envelope], *, checked: bool = False) -> list[Result]:
        """Deliver `messages`, in order; return a Result for each.

        `checked` says that `is_quiet()` was true a moment ago.

        Raises nothing that the server or the network does: see `Result.error`. If the session broke
        (`is_open` is false then), the messages it did not come to are "skipped". No message is
        sent twice.
        """
        self.messages += len(messages)
        try:
            self.ehlo_or_helo_if_needed()
            if self.in_transaction:
                self.rset()
            if not checked and not self.is_quiet():
                raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        except OSError as error:
            self.close()
            add_place(error, self.place)
            return [Result("skipped", error=error) for _ in messages]
        return Delivery(self, messages).run()

    def send_one(self, message: Envelope) -> Result:
        """Deliver one message."""
        return self.deliver([message])[0]

    def is_quiet(self) -> bool:
        """Whether the session is open, as far as one can tell for nothing, and in step.

        It is closed if it is not: it cannot be used, and what it had to say is gone.
        """
        if self.sock is None:
            return False
        if not self._replies.is_quiet(self.sock):
            self.close()
            return False
        return True

    def answers(self) -> bool:
        """Whether the server answers NOOP as it should, and soon."""
        if self.sock is None:
            return False
        timeout = self.sock.gettimeout()
        try:
            self.sock.settimeout(CHECK_TIMEOUT if timeout is None else min(timeout, CHECK_TIMEOUT))
            is_good = self.noop()[0] == 250
            self.sock.settimeout(timeout)
        except OSError:
            return False
        return is_good

    def has_unread(self) -> bool:
        """Whether more has come already than the replies that were read."""
        return self._replies.buffered

    def write(self, data: bytes | memoryview) -> None:
        """Write `data`; unlike `send()`, say by an `OSError` why that was not possible."""
        (self.sock or self._require_socket()).sendall(data)

    def begin_quit(self) -> None:
        """Say QUIT; `disconnect()` will wait for the reply."""
        if self.sock is not None and not self._has_quit:
            self._has_quit = True
            with suppress(OSError):
                self.sock.settimeout(QUIT_TIMEOUT)
                self.putcmd("quit")

    def disconnect(self) -> None:
        """Say QUIT and close, without waiting long for it, and whatever happens."""
        try:
            self.begin_quit()
            if self.sock is not None:
                self.getreply()
        except OSError:
            pass
        finally:
            self.close()
            # As quit() does: another connection begins with another EHLO.
            self.ehlo_resp = self.helo_resp = None
            self.esmtp_features = {}
            self.does_esmtp = False

    # smtplib's own

    def _get_socket(self, *args: Any) -> socket.socket:
        sock: socket.socket = super()._get_socket(*args)  # type: ignore[misc]
        try:
            if self._meanwhile is not None:
                self._meanwhile()
        except BaseException:
            sock.close()
            raise
        return sock

    def connect(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        self._replies.clear()
        self._has_quit = False
        reply = super().connect(*args, **kwargs)
        # Else what is written while the server has not acknowledged what was written before waits
        # for that, a round trip: the EHLO after the last message of a TLS handshake.
        self._require_socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return reply

    def starttls(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        reply = super().starttls(*args, **kwargs)
        self._replies.clear()
        return reply

    def putcmd(self, cmd: str, args: str = "") -> None:
        if "\0" in cmd or "\0" in args:
            raise ValueError(f"A command must not contain NUL: {f'{cmd} {args}'!r}")
        # Whoever is lent a session may use all of smtplib, and leave in the middle.
        verb = cmd.partition(" ")[0].lower()
        if verb in {"mail", "rcpt", "data"}:
            self.in_transaction = True
        elif verb == "rset":
            self.in_transaction = False
        super().putcmd(cmd, args)

    def login(
        self, user: str, password: str, *, initial_response_ok: bool = True
    ) -> tuple[int, bytes]:
        try:
            return log_in(self, user, password, initial_response_ok=initial_response_ok)
        except BaseException:
            del user, password  # or a page about the error would show them
            raise

    def auth(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        outer = sys.exc_info()[1]
        try:
            return super().auth(*args, **kwargs)
        except BaseException as error:
            without_frames(error, outer)
            if isinstance(error, binascii.Error):
                text = f"AUTH: the server asks in no base64: {error}."
                raise smtplib.SMTPException(text) from None
            raise error

    def data(self, msg: Any) -> tuple[int, bytes]:
        reply = super().data(msg)
        self.in_transaction = reply[0] != 250
        return reply

    def getreply(self) -> tuple[int, bytes]:
        return self.read_replies(1)[0]

    def read_replies(self, most: int) -> Sequence[Reply]:
        """Read a reply, as `getreply()` does, and up to `most` if they have come already."""
        try:
            replies = self._replies.read_some(self.sock or self._require_socket(), most)
        except smtplib.SMTPException:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(
                f"Connection unexpectedly closed: {error}"
            ) from error
        if self.debuglevel > 0:
            for reply in replies:
                self._print_debug("reply:", *reply)  # type: ignore[attr-defined]
        return replies

    def close(self) -> None:
        self._replies.clear()
        super().close()

    def _require_socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("please run connect() first")
        return self.sock


class TLSSession(Session, smtplib.SMTP_SSL):
    """A Session over TLS from its first byte on (port 465)."""


@dataclass(frozen=True)
class Server:
    """Where a session goes, and how it begins. Servers that are equal share a pool.

    host, port            Port 0 is the protocol's own: 25, or 465 with implicit TLS.
    security              None, "starttls" (required then) or "tls", from the first byte on.
    tls                   How the server is verified.
    username, password    For AUTH, if there is a username, by a mechanism that both sides know.
    authenticate          Called with the session instead, if given; to log in some other way, as
                          `XOAuth2` does. Servers share a pool if theirs are equal.
    timeout               In seconds, for each operation; None for none.
    local_hostname        For EHLO; None for the name of this machine.
    source_address        The (address, port) to connect from; None for any.
    pipelining, chunking  Whether to use these extensions if the server offers them.
    """

    host: str
    port: int = 0
    security: str | None = None
    tls: TLSConfig = field(default_factory=TLSConfig)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    authenticate: Callable[[Session], object] | None = field(default=None, repr=False)
    timeout: float | None = 30
    local_hostname: str | None = None
    source_address: tuple[str, int] | None = None
    pipelining: bool = True
    chunking: bool = True

    def __post_init__(self) -> None:
        if self.security not in (None, "starttls", "tls"):
            raise ValueError(f"'security' must be None, 'starttls' or 'tls', not {self.security!r}")

    @property
    def place(self) -> str:
        """Host and port, for errors and logs."""
        return place(self.host, self.port or (465 if self.security == "tls" else 25))

    def connect(self) -> Session:
        """Return a session that is ready for a message.

        Raises smtplib's exceptions and `OSError`, which name the host. Before TLS is up and
        verified nothing is said but EHLO and STARTTLS.
        """
        try:
            return self._connect()
        except OSError as error:
            if isinstance(error, smtplib.SMTPException) and self.username and self.password:
                # As they go over the wire with PLAIN, and with LOGIN.
                hide(error, f"\0{self.username}\0{self.password}", self.password)
            add_place(error, self.place, self._way_out(error))
            raise

    def _way_out(self, error: OSError) -> str:
        """Return what to change, if the server has probably waited for TLS, or for none."""
        is_smtp = isinstance(error, smtplib.SMTPException)
        is_lost = not is_smtp or isinstance(error, smtplib.SMTPServerDisconnected)
        # Where there was a greeting, or a certificate, the port is not what is wrong.
        if self.security != "tls":
            if self.port == 465 and is_lost and not isinstance(error, ssl.SSLError):
                return "port 465 speaks TLS from the first byte: use_ssl"
        elif self.port == 587 and not (is_smtp or isinstance(error, ssl.SSLCertVerificationError)):
            return "port 587 speaks TLS only after STARTTLS: use_tls"
        return ""

    def _connect(self) -> Session:
        options: dict[str, Any] = {
            "local_hostname": self.local_hostname,
            "timeout": self.timeout,
            "source_address": self.source_address,
        }
        tls = None
        if self.security == "tls":
            tls = shared_tls(self.tls)
            session: Session = TLSSession(self.host, self.port, context=tls, **options)
        elif self.security == "starttls":
            # The first time, that takes as long as it takes the server to answer.
            session = Session(
                self.host, self.port, meanwhile=lambda: shared_tls(self.tls), **options
            )
            tls = shared_tls(self.tls)
        else:
            session = Session(self.host, self.port, **options)
        try:
            session.pipelining, session.chunking = self.pipelining, self.chunking
            session.place = self.place
            if self.security == "starttls":
                session.starttls(context=tls)
            session.ehlo_or_helo_if_needed()
            if tls is not None and isinstance(session.sock, ssl.SSLSocket):
                tls.remember(session.sock)
            if self.authenticate is not None:
                self.authenticate(session)
            elif self.username:
                session.login(self.username, self.password or "")
        except BaseException:
            session.close()
            raise
        return session
