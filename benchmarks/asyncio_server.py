"""aiosmtpd with STARTTLS and AUTH, without PIPELINING: `python -m benchmarks.asyncio_server FILE`.

It prints its port and runs until it is killed. The file is a certificate, with the key in it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

from . import HOST, PASSWORD, USER


class Sink:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 2.0.0 Ok: queued"


def authenticate(
    server: Any, session: Any, envelope: Any, mechanism: str, credentials: Any
) -> AuthResult:
    expected = (USER.encode(), PASSWORD.encode())
    return AuthResult(success=(credentials.login, credentials.password) == expected)


async def serve(certificate: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)

    def connection() -> SMTP:
        return SMTP(
            Sink(),
            hostname="sink.example.com",
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
        )

    server = await asyncio.get_running_loop().create_server(connection, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    # It warns at every login.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(serve(sys.argv[1]))
