"""Clients to compare with: Postfix's `smtp-source`, and one that has nothing to do but to send."""

from __future__ import annotations

import email.policy
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import HOST
from .servers import find
from .work import USUAL


def content() -> bytes:
    """Return the usual message as Django writes it to the wire."""
    from django.core.mail import EmailMessage

    message = EmailMessage(**USUAL).message(policy=email.policy.SMTP)
    return bytes(message.as_bytes())


def smtp_source(port: int, count: int) -> float:
    """Return how long `smtp-source` takes for `count` usual messages on one session.

    It does not pipeline. Its start and its connection are in that time, some milliseconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "message")
        path.write_bytes(content().replace(b"\r\n", b"\n"))
        command = [find("smtp-source"), "-s", "1", "-d", "-m", str(count), "-F", str(path)]
        start = time.perf_counter()
        subprocess.run([*command, f"{HOST}:{port}"], check=True)
        return time.perf_counter() - start


def ready_made(port: int, count: int) -> float:
    """Return how long it takes to send `count` usual messages on one session, pipelined, as bytes.

    With PIPELINING (RFC 2920) no client can do with less: the end of a message and the commands of
    the next one in one write, and then wait for 354, as DATA must be the last of a group.
    """
    group = b"MAIL FROM:<shop@example.com>\r\nRCPT TO:<customer@example.com>\r\nDATA\r\n"
    body = content() + b".\r\n"
    both = body + group
    start = time.perf_counter()
    with socket.create_connection((HOST, port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        expect(sock, b"220")
        sock.sendall(b"EHLO mail.example.com\r\n")
        expect(sock, b"250")
        sock.sendall(group)
        expect(sock, b"250", b"250", b"354")
        for _ in range(count - 1):
            sock.sendall(both)
            expect(sock, b"250", b"250", b"250", b"354")
        sock.sendall(body + b"QUIT\r\n")
        expect(sock, b"250", b"221")
    return time.perf_counter() - start


def expect(sock: socket.socket, *codes: bytes) -> None:
    """Read until the replies with these codes are there."""
    data = b""
    while True:
        more = sock.recv(4096)
        data += more
        if data.endswith(b"\n"):
            replies = [line[:3] for line in data.splitlines() if line[3:4] == b" "]
            if len(replies) >= len(codes):
                break
        if not more:
            raise ConnectionError("The server has closed the connection.")
    if replies != list(codes):
        raise RuntimeError(f"The server replied {data!r}.")
