"""The SMTP server of the demo, on a free port of 127.0.0.1. It requires TLS and a password."""

import os
import ssl
from contextlib import contextmanager
from unittest import mock

import trustme

from django_mailers.testing.server import SMTPServer


@contextmanager
def running_server(accounts):
    """Run a server whose certificate is trusted by this process only."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(SMTPServer.host).configure_cert(context)
    with (
        authority.cert_pem.tempfile() as trusted,
        mock.patch.dict(os.environ, SSL_CERT_FILE=trusted),
        SMTPServer(ssl_context=context, users=accounts) as server,
    ):
        yield server
