"""A TCP proxy that makes a server seem far away: `python -m benchmarks.distance PORT RTT`.

What comes is passed on half of RTT seconds later, in both directions, however much it is. It prints
its own port and runs until it is killed.

A connection to it is there at once, as it ends here. So that it costs what one over that distance
does, the server is connected to three halves of a round trip later: its greeting comes after two
round trips, one for the handshake of TCP, and one from its end until the first line is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
from collections import deque
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

from . import HOST


class End(asyncio.Protocol):
    """One end of a connection, which hands what comes to the other one, late."""

    def __init__(self, delay: float, other: End | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.delay = delay
        self.transport: Any = None
        self.other = other
        # What to do to the other end. A queue, since timers may go off out of order.
        self.pending: deque[Callable[[Any], object]] = deque()
        if other is not None:
            other.other = self

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.later(methodcaller("write", data))

    def connection_lost(self, error: Exception | None) -> None:
        self.later(methodcaller("close"))

    def later(self, action: Callable[[Any], object]) -> None:
        self.pending.append(action)
        self.loop.call_later(self.delay, self.act)

    def act(self) -> None:
        action = self.pending.popleft()
        peer = self.other and self.other.transport
        if peer is not None:
            # OSError: it is gone.
            with contextlib.suppress(OSError):
                action(peer)


class Entrance(End):
    """The client's end."""

    def __init__(self, port: int, delay: float) -> None:
        super().__init__(delay)
        self.port = port

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Held, or it might be collected.
        self.task = self.loop.create_task(self.connect())

    async def connect(self) -> None:
        await asyncio.sleep(3 * self.delay)
        try:
            if not self.transport.is_closing():
                await self.loop.create_connection(lambda: End(self.delay, self), HOST, self.port)
        except OSError:
            self.transport.abort()


async def serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Entrance(port, delay), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    # In nanoseconds: Linux makes timers up to 50 µs late by default, to wake up less often.
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1")
    # epoll() counts in milliseconds, select() in microseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve(int(sys.argv[1]), float(sys.argv[2]) / 2))


if __name__ == "__main__":
    main()
