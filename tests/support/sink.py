"""An SMTP server with PIPELINING and CHUNKING that tells what came together, and can misbehave.

`Sink` keeps what it accepted, and can misbehave at any command. `python -m tests.support.sink` runs
one until it is killed, for benchmarks, and prints its port.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import signal
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field

from .servers import DROP, STALL, TIMEOUT, _Server

# Do as you should, then close the connection in place of the reply.
DROP_REPLY = object()
# Close the connection by a reset, before the command has any effect.
RESET = object()

# How often a signal is sent until its handler has run, in seconds.
AGAIN = 0.02

FEATURES = ("SIZE 10000000", "8BITMIME", "SMTPUTF8")
ADDRESS = re.compile(r"(?:FROM|TO):<([^>]*)>(.*)", re.IGNORECASE)


class Interrupt(BaseException):
    """What `interrupts()` raises."""


@contextlib.contextmanager
def interrupts(kind=Interrupt):
    """Give a function that a server's thread calls to have `kind` raised in the main thread.

    As Ctrl+C does it, wherever that thread is. With seconds the function has it raised after them.

    One signal would not do. It can come when Python has looked for signals for the last time before
    it waits for the network, and then that waits to its end; Python 3.10 overlooks one now and
    then. So the timer goes off until the handler has run.
    """
    armed = False

    def handle(*args):
        nonlocal armed
        if armed:
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise kind

    def interrupt(seconds=None):
        nonlocal armed
        armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds or AGAIN, AGAIN)
        if seconds is None:
            signal.pthread_kill(main, signal.SIGALRM)

    main = threading.main_thread().ident
    before = signal.signal(signal.SIGALRM, handle)
    try:
        yield interrupt
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def at(server, text):
    """Give the text of an error as it is told of `server`: with the place in front."""
    return f"{server.host}:{server.port}: {text}"


class Last(str):
    """A reply behind which the server closes the connection."""


@dataclass(frozen=True)
class Accepted:
    """A message that a Sink accepted; `content` as sent, dots unstuffed."""

    mail_from: str
    parameters: list[str]
    recipients: list[str]
    content: bytes


@dataclass
class Connection:
    """What came on one connection: the first words of the commands, and how many segments."""

    commands: list[str] = field(default_factory=list)
    reads: list[list[str]] = field(default_factory=list)
    user: str | None = None
    resumed: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class Sink(_Server):
    """A server that keeps what it accepts in `accepted`, and what it is told in `connections`.

    pipelining, chunking  Whether these are offered. With neither, the client must wait for each
                          reply: commands that come along with others are an error of the test.
                          With "careless" as `chunking` the content of a BDAT that is refused is
                          not read, so that it is taken for commands.
    features              Further lines of the reply to EHLO.
    tls_context           For STARTTLS, or, with `implicit`, from the first byte on.
    users                 {name: password} for AUTH PLAIN.
    behave                Called with each line (and "." for the end of data) before it has an
                          effect: returns None, a reply that is given instead (a Last if the
                          connection is closed then), DROP, RESET, STALL or DROP_REPLY. `current`
                          is the Connection it came on.
    injected              What a man in the middle adds to the reply to STARTTLS.
    keep                  Whether messages and commands are kept, or only counted in `count`.
    greeting              The first line.
    max_sessions          How many there may be at a time; others are greeted with `too_many`.
    """

    too_many = "421 Too many sessions"

    def __init__(
        self,
        *,
        pipelining=True,
        chunking=False,
        features=FEATURES,
        tls_context=None,
        implicit=False,
        users=None,
        behave=None,
        injected=b"",
        keep=True,
        max_sessions=None,
        greeting="sink.test ESMTP",
    ):
        super().__init__(tls_context if implicit else None)
        self.starttls = None if implicit else tls_context
        self.pipelining = pipelining
        self.chunking = "consumes" if chunking is True else chunking
        offered = {"PIPELINING": pipelining, "CHUNKING": self.chunking}
        self.features = [*(name for name, is_on in offered.items() if is_on), *features]
        self.users = dict(users or {})
        self.behave = behave
        self.injected = injected
        self.keep = keep
        self.max_sessions = max_sessions
        self.greeting = greeting
        self.count = 0
        self.accepted = []
        self.connections = []
        # The one that `behave` is asked about.
        self.current = Connection()
        self.protocols = []

    @property
    def commands(self):
        return [connection.commands for connection in self.connections]

    def run(self, function):
        """Run `function` in the thread of the server, to do something out of turn."""

        async def call():
            function()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(TIMEOUT)

    async def _talk(self, connect):
        _, protocol = await connect(lambda: _Protocol(self))
        try:
            await protocol.lost.wait()
        finally:
            protocol.transport.abort()


class _Protocol(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.lost = asyncio.Event()
        self.upgrading = None

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""
        self.mode, self.needed = "command", 0
        self.ended = False
        self.replies = []
        self.reset()
        self.record = Connection()
        self.sink.connections.append(self.record)
        self.sink.protocols.append(self)
        limit = self.sink.max_sessions
        if limit is not None and sum(not other.ended for other in self.sink.protocols) > limit:
            transport.write(f"{self.sink.too_many}\r\n".encode())
            self.ended = True
            transport.close()
            return
        transport.write(f"220 {self.sink.greeting}\r\n".encode())

    def note_tls(self):
        tls = self.transport.get_extra_info("ssl_object")
        if tls is not None:
            self.record.resumed = tls.session_reused

    def connection_lost(self, error):
        self.ended = True
        self.record.ended.set()
        self.lost.set()

    def reset(self):
        self.sender = None
        self.parameters = []
        self.recipients = []

    def data_received(self, data):
        self.buffer += data
        if self.mode != "upgrading":
            self.process()

    def process(self):
        if self.sink.keep:
            self.record.reads.append([])
        try:
            while not self.ended and self.mode != "upgrading" and self.step():
                pass
        except Exception as error:
            self.sink._errors.append(error)
            self.transport.abort()
        self.reply()

    def step(self):
        """Take one command or content from the buffer; return whether there was one."""
        if self.mode == "data":
            stuffed = b"\r\n" + self.buffer
            end = stuffed.find(b"\r\n.\r\n")
            if end < 0:
                return False
            self.buffer = stuffed[end + 5 :]
            self.mode = "command"
            self.finish(".", stuffed[2 : end + 2].replace(b"\r\n.", b"\r\n").removeprefix(b"."))
        elif self.mode == "bdat":
            if len(self.buffer) < self.needed:
                return False
            content, self.buffer = self.buffer[: self.needed], self.buffer[self.needed :]
            self.mode = "command"
            self.finish("BDAT", content)
        else:
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return False
            self.buffer = rest
            self.command(line.decode())
        is_dialogue = not self.sink.pipelining and self.sink.chunking != "careless"
        if self.buffer and is_dialogue and self.mode == "command":
            raise AssertionError(f"{self.buffer[:80]!r} did not wait for a reply.")
        return True

    def note(self, verb):
        if self.sink.keep:
            self.record.commands.append(verb)
            self.record.reads[-1].append(verb)

    def misbehave(self, line):
        """Do what `behave` wants; return whether the command is over with that."""
        self.sink.current = self.record
        wanted = self.sink.behave(line) if self.sink.behave else None
        if wanted is None or wanted is DROP_REPLY:
            return wanted
        if isinstance(wanted, str):
            self.replies.append(wanted)
            if isinstance(wanted, Last):
                self.end(DROP)
        else:
            self.end(wanted)
        return wanted

    def end(self, how):
        """End the dialogue by DROP, RESET or STALL. What was said before gets out."""
        self.ended = True
        self.reply()
        if how is RESET:
            linger = struct.pack("ii", 1, 0)
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if how is not STALL:
            self.transport.abort()

    def reply(self):
        if self.replies:
            self.transport.write("".join(f"{reply}\r\n" for reply in self.replies).encode())
            self.replies = []

    def command(self, line):
        verb = line.partition(" ")[0].upper()
        self.note(verb)
        if verb == "BDAT":
            if self.sink.chunking != "consumes":
                wanted = self.misbehave(line)
                if wanted is not None or not self.recipients:
                    # What no server may do, and some do: the content is read as commands.
                    self.replies += [] if wanted is not None else ["503 No valid recipients"]
                    return
            # The content comes in any case; what is wrong is said after it (RFC 3030, 2).
            self.mode, self.needed = "bdat", int(line.split()[1])
            return
        if verb == "DATA":
            wanted = self.misbehave(line)
            if wanted is DROP_REPLY:
                self.end(DROP)
            elif wanted is not None:
                # A reply of 354 without a reason to: data comes all the same.
                self.mode = "data" if str(wanted).startswith("354") else "command"
            elif not self.recipients:
                self.replies.append("554 No valid recipients")
            else:
                self.mode = "data"
                self.replies.append("354 Go ahead")
            return
        wanted = self.misbehave(line)
        if wanted is not None and wanted is not DROP_REPLY:
            return
        reply = getattr(self, f"do_{verb.lower()}", self.unknown)(line)
        if wanted is DROP_REPLY:
            self.end(DROP)
        elif reply:
            self.replies.append(reply)

    def finish(self, verb, content):
        if verb == ".":
            self.note(verb)
        wanted = self.misbehave(verb)
        if wanted is not None and wanted is not DROP_REPLY:
            if verb == ".":
                self.reset()
            return
        if not self.recipients:
            self.replies.append("503 No valid recipients")
            return
        self.sink.count += 1
        if self.sink.keep:
            self.sink.accepted.append(
                Accepted(self.sender or "", self.parameters, self.recipients, content)
            )
        self.reset()
        if wanted is DROP_REPLY:
            self.end(DROP)
        else:
            self.replies.append("250 Accepted")

    def unknown(self, line):
        return "500 What?"

    def do_ehlo(self, line):
        self.note_tls()
        features = list(self.sink.features)
        if self.sink.starttls and self.transport.get_extra_info("ssl_object") is None:
            features.append("STARTTLS")
        elif self.sink.users:
            features.append("AUTH PLAIN")
        lines = ["sink.test", *features]
        return "\r\n".join([*(f"250-{text}" for text in lines[:-1]), f"250 {lines[-1]}"])

    def do_auth(self, line):
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        if self.sink.users.get(user) != password:
            return "535 No"
        self.record.user = user
        return "235 Yes"

    def do_starttls(self, line):
        self.transport.write(b"220 Go ahead\r\n" + self.sink.injected)
        # What comes encrypted may come before upgrade() has the new transport.
        self.mode, self.buffer = "upgrading", b""
        self.upgrading = self.sink._loop.create_task(self.upgrade())

    async def upgrade(self):
        old = self.transport
        try:
            new = await self.sink._loop.start_tls(old, self, self.sink.starttls, server_side=True)
        except OSError:
            new = None
        if new is None:
            old.abort()
            self.connection_lost(None)
        else:
            self.transport, self.mode = new, "command"
            self.reset()
            self.process()

    def do_mail(self, line):
        if self.sender is not None:
            return "503 Nested MAIL"
        match = ADDRESS.search(line)
        self.sender, self.parameters = match[1], match[2].split()
        return "250 OK"

    def do_rcpt(self, line):
        if self.sender is None:
            return "503 MAIL first"
        self.recipients.append(ADDRESS.search(line)[1])
        return "250 OK"

    def do_rset(self, line):
        self.reset()
        return "250 OK"

    def do_noop(self, line):
        return "250 OK"

    def do_quit(self, line):
        self.ended = True
        self.transport.write(b"221 Bye\r\n")
        self.transport.close()


def main():
    names = set(sys.argv[1:])
    with Sink(pipelining="pipelining" in names, chunking="chunking" in names, keep=False) as sink:
        print(sink.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
