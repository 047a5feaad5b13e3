"""SMTP sessions: smtplib's, which deliver faster, and trust the server less."""

from __future__ import annotations

import binascii
import re
import smtplib
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .envelope import Envelope, Reply, Result
from .errors import add_endpoint, without_frames
from .interrupts import injected, is_injected
from .pipelining import Delivery
from .replies import ReplyReader

if TYPE_CHECKING:
    from .slots import Slot

# How long, in seconds, a server is given to answer QUIT, from when it was sent: nothing depends on
# the answer.
QUIT_TIMEOUT = 2
# How many messages may be refused in a row. Servers end a session that makes nothing but errors.
WORN = 8
# Exim leaves what comes as 11th on a connection to its next queue run, half an hour later on Debian
# (smtp_accept_queue_per_connection); Stalwart refuses it. The greeting names them behind the host.
TEN_MESSAGES = (b"exim", b"stalwart")
BEHIND_HOST = rb"(?s)\S+ .*\b(?:%b)\b" % b"|".join(TEN_MESSAGES)
# RFC 9422
MAILMAX = r"(?i)\bMAILMAX=([0-9]{1,9})\b"
# How long, in seconds, an idle session is given to prove itself, if its own timeout is not shorter:
# one that a firewall has forgotten would not answer at all, and a new one is soon made.
CHECK_TIMEOUT = 5


class Session(smtplib.SMTP):
    """An smtplib.SMTP with `deliver()`. Everything else works as documented there.

    These things differ, for the better: commands are not delayed by Nagle's algorithm, a reply has
    a maximum length, a truncated reply counts as a disconnect, a NUL in a command is refused as a
    line end is, a plaintext reply that a man in the middle put behind the one to STARTTLS is
    dropped (RFC 3207, 6), and `login()` tries no other mechanism with a password that was refused.

    pipelining, chunking  Whether to use these extensions if the server offers them.
    consumes_chunks       Whether the server is known to read the octets of a BDAT command that it
                          refuses; None while nobody knows, which is found out before a second
                          message. Without that knowledge, content goes by DATA.
    messages              How many messages `deliver()` began in the life of this session.
    taken                 How many of them the server has taken.
    refusals              How many of the last ones the server has refused, in a row.
    most_messages         How many messages its pool gives it at most, see `Pool.room()`.
    quit_at               When QUIT was sent, if it was.
    in_transaction        Whether smtplib's `mail()` and `rcpt()` have begun a message that is not
                          at its end.
    endpoint              The server's host and port, for errors to name.
    meanwhile             Called while the server's greeting is on its way.
    slot                  The slot of its pool that it takes up, as long as it lives.
    replies               What has come from the server.
    """

    consumes_chunks: bool | None = None
    messages = 0
    taken = 0
    refusals = 0
    most_messages = 0
    greeting = b""
    in_transaction = False
    slot: Slot | None = None

    def __init__(
        self,
        *args: Any,
        endpoint: str = "",
        pipelining: bool = True,
        chunking: bool = True,
        meanwhile: Callable[[], object] | None = None,
        **kwargs: Any,
    ) -> None:
        self.endpoint = endpoint
        self.pipelining, self.chunking = pipelining, chunking
        self.replies = ReplyReader()
        self._meanwhile = meanwhile
        self.quit_at: float | None = None
        super().__init__(*args, **kwargs)

    def __del__(self) -> None:
        # It was left to the garbage collector, by an interrupt or by code that did not call
        # close(): as with smtplib it ends then, but without a ResourceWarning about our socket.
        sock = vars(self).get("sock")
        if sock is not None:
            sock.close()

    def __repr__(self) -> str:
        state = "closed" if self.sock is None else "open"
        return f"<{type(self).__name__} {state} messages={self.messages}>"

    @property
    def is_open(self) -> bool:
        """Whether the session was not closed on this side."""
        return self.sock is not None

    @property
    def may_pipeline(self) -> bool:
        """Whether commands may be sent before the replies to those before have come."""
        return self.pipelining and "pipelining" in self.esmtp_features

    @property
    def may_chunk(self) -> bool:
        """Whether content may go by BDAT."""
        return self.consumes_chunks is True and self.offers_chunking

    @property
    def offers_chunking(self) -> bool:
        """Whether the server knows BDAT, by its own account."""
        return self.chunking and "chunking" in self.esmtp_features

    @property
    def is_worn(self) -> bool:
        """Whether so many messages were refused in a row that the server may have had enough."""
        return self.refusals >= WORN

    @property
    def message_limit(self) -> int | None:
        """How many messages the server takes in a session, as far as it says so itself."""
        limits, greeting = [], self.greeting.lower()
        # Patterns are compiled where they may match, and not in each process.
        if any(name in greeting for name in TEN_MESSAGES) and re.match(BEHIND_HOST, greeting):
            limits.append(10)
        told = self.esmtp_features.get("limits")
        if told and (most := re.search(MAILMAX, told)):
            limits.append(max(1, int(most[1])))
        return min(limits, default=None)

    def deliver(self, messages: Sequence[Envelope], *, checked: bool = False) -> list[Result]:
        """Deliver `messages`, in order; return a Result for each.

        `checked` says whether `is_quiet()` was true a moment ago.

        Raises nothing that the server or the network does: see `Result.error`. If the session broke
        (`is_open` is false then), or was refused too much (`is_worn` is true), the messages that it
        did not come to are "untried". No message is sent twice.
        """
        try:
            self.ehlo_or_helo_if_needed()
            if self.in_transaction:
                self.rset()
                checked = False
            if not checked and not self.is_quiet():
                raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
            if self.consumes_chunks is None and (self.messages or len(messages) > 1):
                self._find_out(messages[0].mail_from)
        except OSError as error:
            self.close()
            if is_injected(error):
                raise
            add_endpoint(error, self.endpoint)
            return [Result("untried", error=error, is_open=True) for _ in messages]
        return Delivery(self, messages).run()

    def _find_out(self, mail_from: str) -> None:
        """Find out whether the server reads the octets of a BDAT command that it refuses."""
        # Whatever comes of it, it is not tried again.
        self.consumes_chunks = False
        if self.offers_chunking:
            from .chunks import consumes_chunks

            self.consumes_chunks = consumes_chunks(self, mail_from)

    def is_quiet(self) -> bool:
        """Whether the session is in step and open, as far as that shows without a round trip.

        If it is not, it is closed: it cannot be used, and what the server had to say is gone.
        """
        if self.sock is None:
            return False
        if not self.replies.is_quiet(self.sock):
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
        except OSError as error:
            if is_injected(error):
                raise
            return False
        return is_good

    def begin_quit(self) -> None:
        """Say QUIT; `disconnect()` will wait for the reply, `hang_up()` will not."""
        if self.sock is None or self.quit_at is not None:
            return
        self.quit_at = time.monotonic()
        try:
            self.sock.settimeout(QUIT_TIMEOUT)
            self.putcmd("quit")
        except BaseException as error:
            self.close()
            if not isinstance(error, OSError) or is_injected(error):
                raise

    def hang_up(self) -> None:
        """Close, without waiting for a reply to QUIT."""
        # Once everything that has come is read, the server sees an end, not a reset.
        self.is_quiet()
        self.close()

    def disconnect(self) -> None:
        """Say QUIT and close, whatever happens, and without waiting long for the reply."""
        try:
            self.begin_quit()
            if self.sock is not None and self.quit_at is not None:
                left = self.quit_at + QUIT_TIMEOUT - time.monotonic()
                self.sock.settimeout(max(0.001, left))
                self.getreply()
        except OSError as error:
            if is_injected(error):
                raise
        finally:
            self.close()
            # As quit() does: another connection begins with another EHLO.
            self.ehlo_resp = self.helo_resp = None
            self.esmtp_features = {}
            self.does_esmtp = False

    # smtplib's own

    def _get_socket(self, host: str, port: int, *args: Any) -> socket.socket:
        sock = self._open_socket(host, port, *args)
        try:
            if self._meanwhile is not None:
                self._meanwhile()
        except BaseException:
            sock.close()
            raise
        return sock

    def _open_socket(self, host: str, port: int, *args: Any) -> socket.socket:
        # One by one: create_connection() takes an alarm's TimeoutError for one of the network, and
        # tries the next address.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        connect = super()._get_socket  # type: ignore[misc]
        for address in addresses[:-1]:
            try:
                return connect(address, port, *args)
            except ssl.SSLError:
                raise  # This is the server, and it cannot be trusted.
            except OSError as error:
                if is_injected(error):
                    raise
        return connect(addresses[-1] if len(addresses) > 1 else host, port, *args)

    def connect(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        self.replies.clear()
        self.quit_at = None
        try:
            reply = super().connect(*args, **kwargs)
            self.greeting = reply[1]
            # Otherwise data is held back until the server has acknowledged the data before it,
            # which costs a round trip: the EHLO after the last message of a TLS handshake.
            self.require_socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.close()
            raise
        return reply

    def ehlo(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        reply = super().ehlo(*args, **kwargs)
        if reply[0] == 421:
            # HELO would only find that the server has closed the session, as it said.
            self.close()
            raise smtplib.SMTPHeloError(*reply)
        return reply

    def send(self, s: Any) -> None:
        try:
            super().send(s)
        except smtplib.SMTPServerDisconnected as error:
            # smtplib says that in place of any OSError, be it the time limit of a job.
            interrupt = injected(error)
            if interrupt is not None:
                raise interrupt  # noqa: B904
            raise

    def starttls(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        reply = super().starttls(*args, **kwargs)
        self.replies.clear()
        return reply

    def putcmd(self, cmd: str, args: str = "") -> None:
        if "\0" in cmd or "\0" in args:
            raise ValueError(f"A command must not contain NUL: {f'{cmd} {args}'!r}")
        # Code that is lent a session may use all of smtplib, and leave in the middle.
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
            from .auth import log_in

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
                text = f"AUTH: the server's challenge is not base64: {error}."
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
            replies = self.replies.read_some(self.sock or self.require_socket(), most)
        except smtplib.SMTPException:
            self.close()
            raise
        except OSError as error:
            self.close()
            if is_injected(error):
                raise
            raise smtplib.SMTPServerDisconnected(
                f"Connection unexpectedly closed: {error}"
            ) from error
        if self.debuglevel > 0:
            for reply in replies:
                self._print_debug("reply:", *reply)  # type: ignore[attr-defined]
        return replies

    def close(self) -> None:
        self.replies.clear()
        super().close()

    def require_socket(self) -> socket.socket:
        """Return the socket. Raises `smtplib.SMTPServerDisconnected` if there is none."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("please run connect() first")
        return self.sock


class TLSSession(Session, smtplib.SMTP_SSL):
    """A Session over TLS from its first byte on (port 465)."""
