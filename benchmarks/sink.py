"""A fast SMTP server that takes everything and keeps nothing.

`python -m benchmarks.sink [--tls FILE] [PIPELINING] [CHUNKING]` prints its port and runs until it
is killed. With a certificate, a PEM file with the key in it, it offers STARTTLS, and AUTH then.

It answers what came together in one write, as servers do that offer PIPELINING, and does as little
as it can: a thread for each connection, blocking calls, no tasks, no events.
"""

from __future__ import annotations

import argparse
import base64
import socket
import ssl
import threading
from collections.abc import Sequence

from . import HOST, PASSWORD, USER

LOGIN = b"AUTH PLAIN " + base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
REPLIES = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
    b"STAR": b"220 2.0.0 Ready to start TLS\r\n",
}
ACCEPTED = b"250 2.0.0 Ok: queued\r\n"
NO_RECIPIENT = b"503 5.5.1 No recipient\r\n"


class Connection(threading.Thread):
    def __init__(
        self, sock: socket.socket, features: Sequence[str], tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(daemon=True)
        self.sock = sock
        self.features = features
        self.has_recipient = False
        self.tls = tls
        self.rest = b""
        self.in_data = False
        # How much of a BDAT is still to come.
        self.octets = 0

    def run(self) -> None:
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.sendall(b"220 sink.example.com ESMTP\r\n")
            while data := self.sock.recv(256 * 1024):
                replies = self.take(self.rest + data)
                if replies:
                    self.sock.sendall(b"".join(replies))
                    if replies[-1] == REPLIES[b"STAR"] and self.tls is not None:
                        self.sock = self.tls.wrap_socket(self.sock, server_side=True)
                        self.rest = b""
        except OSError:
            pass
        finally:
            self.sock.close()

    def take(self, data: bytes) -> list[bytes]:
        """Return the replies to what is whole in `data`, and keep the rest of it."""
        replies = []
        position = 0
        while position < len(data):
            if self.octets:
                taken = min(self.octets, len(data) - position)
                self.octets -= taken
                position += taken
                if not self.octets:
                    # As servers do: by that a client finds out whether the octets were read.
                    replies.append(ACCEPTED if self.has_recipient else NO_RECIPIENT)
                continue
            end = data.find(b"\r\n.\r\n" if self.in_data else b"\r\n", position)
            if end < 0:
                break
            if self.in_data:
                self.in_data = False
                replies.append(ACCEPTED)
                position = end + 5
                continue
            verb = data[position : position + 4].upper()
            if verb in {b"MAIL", b"RCPT"}:
                self.has_recipient = verb == b"RCPT"
            if verb == b"BDAT":
                self.octets = int(data[position:end].split()[1])
            elif verb == b"EHLO":
                replies.append(self.greeting())
            elif verb == b"AUTH":
                is_right = data[position:end] == LOGIN
                replies.append(b"235 2.7.0 Ok\r\n" if is_right else b"535 5.7.8 No\r\n")
            else:
                replies.append(REPLIES.get(verb, b"500 5.5.2 What?\r\n"))
            position = end + 2
            if verb == b"DATA":
                # Its line end belongs to the end of a message that has no lines.
                self.in_data, position = True, end
        if self.in_data:
            # Not to be searched again, but for what may be the beginning of the end.
            position = max(position, len(data) - 4)
        self.rest = data[position:]
        return replies

    def greeting(self) -> bytes:
        lines = ["sink.example.com", *self.features, "SIZE 50000000", "8BITMIME"]
        if isinstance(self.sock, ssl.SSLSocket):
            lines.append("AUTH PLAIN")
        elif self.tls is not None:
            lines.append("STARTTLS")
        return "".join(
            f"250{' ' if line is lines[-1] else '-'}{line}\r\n" for line in lines
        ).encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("features", nargs="*")
    parser.add_argument("--tls", metavar="FILE")
    options = parser.parse_args()
    tls = None
    if options.tls is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.tls)
    listener = socket.create_server((HOST, 0), backlog=100)
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        Connection(sock, options.features, tls).start()


if __name__ == "__main__":
    main()
