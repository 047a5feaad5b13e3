"""The SMTP server of the demo, on a free port of 127.0.0.1. It requires TLS and a password."""

import logging
import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from unittest import mock

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

HOST = "127.0.0.1"
# At every login aiosmtpd 1.4.6 warns of a deprecated attribute that it has set itself.
logging.getLogger("mail.log").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Letter:
    """What the server knows about a message: the account, and the version of TLS or None."""

    subject: str
    account: str
    tls: str | None


class Server(Controller):
    """Accepts mail from `accounts`, {name: password}, and keeps a Letter for each message."""

    def __init__(self, accounts, certificate):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        super().__init__(
            self,
            hostname=HOST,
            port=0,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=self.sign_in,
        )
        self.accounts = accounts
        self.letters = []

    def _trigger_server(self):
        # The controller connects to the server to see that it runs. The port is known now.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def sign_in(self, smtp, session, envelope, mechanism, credentials):
        account = credentials.login.decode()
        known = self.accounts.get(account) == credentials.password.decode()
        return AuthResult(success=known, handled=False, auth_data=account)

    async def handle_DATA(self, smtp, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        tls = smtp.transport.get_extra_info("ssl_object")
        self.letters.append(
            Letter(message["subject"], session.auth_data, tls and tls.version()),
        )
        return "250 OK"


@contextmanager
def running_server(accounts):
    """Run a server whose certificate is trusted by this process only."""
    authority = trustme.CA()
    server = Server(accounts, authority.issue_cert(HOST))
    with (
        authority.cert_pem.tempfile() as trusted,
        mock.patch.dict(os.environ, SSL_CERT_FILE=trusted),
    ):
        server.start()
        try:
            yield server
        finally:
            server.stop()
