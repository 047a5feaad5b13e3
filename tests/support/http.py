"""A server of HTTP that answers as it is told, or does not."""

from __future__ import annotations

import asyncio

from .servers import DEAF, DROP, STALL, _Server


class APIServer(_Server):
    """A service that is sent messages by POST, as many providers of mail have one.

    `answers` are given one after the other, the last one again and again: (status, headers, body),
    DROP or STALL, which come when the whole request was read, or DEAF: only its header is read.

    `taken` has the bodies of the requests that were answered with a status of 2xx.
    """

    def __init__(self, *answers, tls_context=None):
        super().__init__(tls_context)
        self._answers = answers
        self._requests = 0
        self.taken = []

    @property
    def url(self):
        return f"http{'' if self._tls_context is None else 's'}://{self.host}:{self.port}/"

    async def _talk(self, connect):
        reader = asyncio.StreamReader(limit=2**24)
        transport, _ = await connect(lambda: asyncio.StreamReaderProtocol(reader))
        try:
            while True:
                header = await reader.readuntil(b"\r\n\r\n")
                answer = self._answers[min(self._requests, len(self._answers) - 1)]
                self._requests += 1
                if answer is DEAF:
                    transport.pause_reading()
                    await asyncio.Event().wait()
                body = await self._body(reader, header)
                if answer is DROP:
                    return
                if answer is STALL:
                    await asyncio.Event().wait()
                status, headers, content = answer
                if 200 <= status < 300:
                    self.taken.append(body)
                lines = [
                    f"HTTP/1.1 {status} Told so",
                    f"Content-Length: {len(content)}",
                    *(f"{name}: {value}" for name, value in headers.items()),
                ]
                transport.write("\r\n".join([*lines, "", ""]).encode() + content)
        finally:
            transport.abort()

    @staticmethod
    async def _body(reader, header):
        fields = dict(
            line.lower().split(b": ", 1) for line in header.split(b"\r\n")[1:] if b": " in line
        )
        return await reader.readexactly(int(fields.get(b"content-length", 0)))
