"""Reading the replies of a server that may be hostile, or out of order."""

from __future__ import annotations

import select
import smtplib
import socket
import ssl
from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import Any

from .envelope import Reply

# In bytes, as smtplib's. RFC 5321, 4.5.3.1.5 has 512.
MAX_LINE = 8192
# For all lines of a reply. The longest are replies to EHLO, of about one kilobyte.
MAX_REPLY = 64 * 1024
MALFORMED = -1
# The longest line of a reply that is read the fast way, and what follows the code in another one:
# more lines, or nothing. Some servers send a tab there, and smtplib takes any character; but one
# more digit makes it another number.
USUAL_LINE = 1000
NOT_USUAL = b"-0123456789\r\n"
# Replies up to this size are remembered: a server says the same to each message.
USUAL_SIZE = 256
# How many bytes are received at once, at most.
RECEIVED = 16 * 1024
ENDED = "Connection unexpectedly closed"


def is_end(error: OSError) -> bool:
    """Whether `error` means that the other side ended the connection, and not a timeout."""
    if isinstance(error, smtplib.SMTPServerDisconnected):
        cause = error.__cause__
        return cause is None or (isinstance(cause, OSError) and is_end(cause))
    return isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError)


class ReplyReader:
    """The replies that come from a socket, and how much of them has come already.

    smtplib reads through a file object, which does not show what it has buffered: but data that
    nobody asked for is how a session that is out of step, or over, gives itself away.

    The socket's timeout is that of a whole reply, however it comes: a byte each second is not a
    reply.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drop everything that has come and was not read, and forget the socket."""
        self._data = b""
        self._position = 0
        # How many bytes have come that were not read. Kept, as every reply asks for it.
        self.unread = 0
        self._poll: Any = None

    def is_quiet(self, sock: socket.socket) -> bool:
        """Whether nothing has come, such as the end of the connection, that nobody asked for.

        That costs no round trip: when a server has closed an idle session, with or without a 421,
        the news has arrived already in nearly all cases.
        """
        if self.unread:
            return False
        if not self._has_come(sock):
            return True
        if not isinstance(sock, ssl.SSLSocket):
            return False
        # TLS records without data (session tickets) are harmless.
        timeout = sock.gettimeout()
        try:
            sock.settimeout(0)
            # Not MSG_PEEK, which TLS does not have. If there is data, the session is useless.
            sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            pass
        finally:
            sock.settimeout(timeout)
        return False

    def _has_come(self, sock: socket.socket) -> bool:
        """Whether there is anything to read now, the end of the connection included."""
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        # Neither has a file descriptor of its own, to be closed, and to be lost in a fork. select()
        # is all that Windows has; elsewhere it cannot handle numbers above 1023. Looked up here:
        # gevent and eventlet may replace them late.
        kind = getattr(select, "poll", None)
        if kind is None:
            return bool(select.select([sock], [], [], 0)[0])
        if self._poll is None:
            self._poll = kind()
            # By its number, which remains the same with TLS.
            self._poll.register(sock, select.POLLIN)
        return bool(self._poll.poll(0))

    def read_some(self, sock: socket.socket, most: int) -> Sequence[Reply]:
        """Read one reply, and up to `most` if they have come already. See `_read()`."""
        started = monotonic()
        if not self.unread:
            data = sock.recv(RECEIVED)
            if not data:
                raise smtplib.SMTPServerDisconnected(ENDED)
            if len(data) <= USUAL_SIZE:
                usual, end = _usual(data)
                if end == len(data) and len(usual) <= most:
                    return usual
            self._data, self._position = data, 0
        replies: Sequence[Reply]
        replies, self._position = _plain(self._data, self._position, most)
        if not replies:
            replies = [self._read(sock, started)]
        self.unread = len(self._data) - self._position
        return replies

    def _read(self, sock: socket.socket, started: float) -> Reply:
        """Read one reply, which is waited for since `started`.

        Its code is -1 if it is malformed: without a code, or with lines whose codes differ.

        Raises `smtplib.SMTPServerDisconnected` at an end of the connection, also in the midst of a
        reply (half a "250" may have been a 2 of anything), `smtplib.SMTPResponseException` if
        the reply is too long, `TimeoutError` if it does not come in time, and `OSError`.
        """
        line = self._readline(sock, started)
        code = self._code(line)
        if line[3:4] != b"-":
            return Reply(code, line[4:].strip())
        size, lines = len(line), [line[4:].strip()]
        while code != MALFORMED and line[3:4] == b"-":
            line = self._readline(sock, started)
            size += len(line)
            if size > MAX_REPLY:
                raise smtplib.SMTPResponseException(500, "Reply too long.")
            lines.append(line[4:].strip())
            if self._code(line) != code:
                code = MALFORMED
        return Reply(code, b"\n".join(lines))

    @staticmethod
    def _code(line: bytes) -> int:
        # isdigit() is that of ASCII, for bytes.
        if line[:3].isdigit() and len(line) > 3 and not line[3:4].isdigit():
            return int(line[:3])
        return MALFORMED

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        data = sock.recv(RECEIVED)
        if not data:
            raise smtplib.SMTPServerDisconnected(ENDED)
        return data

    def _receive_rest(self, sock: socket.socket, started: float) -> bytes:
        """Receive more of a reply, in the time that is left for it."""
        timeout = sock.gettimeout()
        if timeout is None:
            return self._receive(sock)
        left = started + timeout - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        try:
            sock.settimeout(left)
            return self._receive(sock)
        finally:
            sock.settimeout(timeout)

    def _readline(self, sock: socket.socket, started: float) -> bytes:
        while (end := self._data.find(b"\n", self._position)) < 0:
            rest = self._data[self._position :]
            if len(rest) > MAX_LINE:
                break
            self._data, self._position = rest + self._receive_rest(sock, started), 0
        line = self._data[self._position : end + 1]
        if end < 0 or len(line) > MAX_LINE:
            raise smtplib.SMTPResponseException(500, "Line too long.")
        self._position = end + 1
        return line


def _plain(data: bytes, position: int, most: int) -> tuple[Sequence[Reply], int]:
    """Return the replies of one line at `position`, and where they end."""
    replies: list[Reply] = []
    # No pattern: to compile one takes as long as to read all replies to the first message.
    while len(replies) < most:
        end = data.find(b"\r\n", position, position + USUAL_LINE)
        line = data[position:end]
        code, text = line[:3], line[4:]
        if end < 0 or not code.isdigit() or line[3:4] in NOT_USUAL:
            break
        if b"\n" in text or b"\r" in text:
            break
        position = end + 2
        replies.append(Reply(int(code), text.strip()))
    return replies, position


@lru_cache(maxsize=128)
def _usual(data: bytes) -> tuple[Sequence[Reply], int]:
    replies, end = _plain(data, 0, USUAL_SIZE)
    return tuple(replies), end
