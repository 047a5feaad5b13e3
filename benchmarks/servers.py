"""The servers of the benchmarks, each in a process of its own.

In the process of the client they would share its GIL, and the time measured were that of both.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import trustme

from . import HOST

TIMEOUT = 10
PINGS = 25
INSTALLATION = """
smtp-sink and smtp-source are not on the PATH. They are in Debian's package postfix:
`apt-get install postfix`, or, without a mail server on this machine,

    apt-get download postfix && dpkg -x postfix_*.deb /tmp/postfix
    export PATH="$PATH:/tmp/postfix/usr/sbin" LD_LIBRARY_PATH=/tmp/postfix/usr/lib/postfix
"""


class Server(NamedTuple):
    """A server to be started.

    program    "smtp-sink" (Postfix), "aiosmtpd", or "sink": `benchmarks.sink`.
    features   What a sink offers.
    login      Whether it wants STARTTLS and AUTH. Always the case of aiosmtpd, never of smtp-sink.
    rtt        How far away it is, in seconds for a round trip.
    """

    program: str
    features: tuple[str, ...] = ()
    login: bool = False
    rtt: float = 0


class NotInstalled(Exception):
    """A program that does not come with Python's packages is missing."""


def find(program: str) -> str:
    """Return the path of `smtp-sink` or `smtp-source`, which come together.

    Raises `NotInstalled`.
    """
    # Where Debian has it is not on the PATH of every user.
    path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if path is None:
        raise NotInstalled(program)
    return path


class Servers(ExitStack):
    """Servers that are started when they are asked for, and run to the end of the context.

    From its beginning on `ssl.create_default_context()`, in this process and its children, trusts
    the servers' certificate, along with all those that it trusts on this machine: to load them
    takes a part of the time that a new connection does.
    """

    def __enter__(self) -> Servers:
        super().__enter__()
        self.ports: dict[Server, int] = {}
        # What a round trip was to take, and what it takes.
        self.distances: list[tuple[float, float]] = []
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory()))
        # Django's backend has no option for it.
        os.environ["SSL_CERT_FILE"] = str(self.bundle)
        return self

    @cached_property
    def ca(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def bundle(self) -> Path:
        # Before SSL_CERT_FILE says something else.
        system = ssl.get_default_verify_paths().cafile
        bundle = self.folder / "bundle.pem"
        bundle.write_bytes(Path(system).read_bytes() if system else b"")
        self.ca.cert_pem.write_to_path(bundle, append=True)
        return bundle

    @cached_property
    def certificate(self) -> str:
        path = self.folder / "server.pem"
        self.ca.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(path)
        return str(path)

    def port(self, server: Server) -> int:
        """Return the port of `server`. Raises `NotInstalled`."""
        if server not in self.ports:
            self.ports[server] = self.start(server)
        return self.ports[server]

    def start(self, server: Server) -> int:
        if server.rtt:
            return self.distant(self.port(server._replace(rtt=0)), server.rtt)
        if server.program == "smtp-sink":
            return self.enter_context(smtp_sink())
        if server.program == "aiosmtpd":
            return self.enter_context(module("asyncio_server", self.certificate))
        tls = ["--tls", self.certificate] if server.login else []
        return self.enter_context(module("sink", *tls, *server.features))

    def distant(self, port: int, rtt: float) -> int:
        """Return a port that leads to another one, so many seconds away.

        How far it is, is measured and put right once: to be woken up, some times in each round
        trip, takes its time too. By the shortest one, so that none is shorter than `rtt`.
        """
        direct = ping(port)
        with module("distance", str(port), str(rtt)) as trial:
            excess = min(ping(trial)) - min(direct) - rtt
        distant = self.enter_context(module("distance", str(port), str(rtt - excess)))
        median = statistics.median(ping(distant)) - statistics.median(direct)
        self.distances.append((rtt, median))
        return distant


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def module(name: str, *arguments: str) -> Iterator[int]:
    """Run a module of this package that prints a port; give the port."""
    with running([sys.executable, "-m", f"{__package__}.{name}", *arguments]) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} did not start.")
        yield int(line)


@contextmanager
def smtp_sink() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
    # It refuses to run as root.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with running([find("smtp-sink"), *user, f"{HOST}:{port}", "100"]) as process:
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection((HOST, port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("smtp-sink did not start.") from None
                time.sleep(0.01)
        yield port


def ping(port: int) -> list[float]:
    """Return how long it takes to get a reply, each of some times, in seconds."""
    seconds = []
    with socket.create_connection((HOST, port), TIMEOUT) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.recv(1024)
        for _ in range(PINGS):
            start = time.perf_counter()
            sock.sendall(b"NOOP\r\n")
            sock.recv(1024)
            seconds.append(time.perf_counter() - start)
        sock.sendall(b"QUIT\r\n")
        sock.recv(1024)
    return seconds
