"""What the checks of the packages share: mailers that deliver, and what became of them."""

import linecache
import warnings
from contextlib import contextmanager
from pathlib import Path

import django
from django.test import TestCase, override_settings

from django_mailers import RemovedInDjango2028Warning

from ..support.servers import SMTPServer, enter
from ..support.utils import SMTP, ExactErrors

# Whether messages have `mixed_subtype` and `alternative_subtype`, without the bridge.
HAS_SUBTYPES = django.VERSION < (6, 0)

GET_CONNECTION = (
    "get_connection() is deprecated. See 'Migrating email to mailers' in Django's documentation "
    "for recommended replacements."
)
SETTING = (
    "The {} setting is deprecated. With MAILERS defined it reads as what the default mailer has."
)
SET_CONNECTION = (
    "The EmailMessage.connection attribute is deprecated. Switch to EmailMessage.send(using=...) "
    "with a MAILERS alias."
)
CONNECTION_ARGUMENT = (
    "The 'connection' argument is deprecated. Switch to the 'using' argument with a MAILERS alias."
)

# What Django 6.1 says.
NO_PATH = "get_connection(backend, ...) is not supported with MAILERS."
NO_SETTING = "The {} setting is not available when MAILERS is defined."


def without_bridge():
    """A decorator for what happens in the same project when the bridge is off."""
    return override_settings(MAILERS_BRIDGE=False)


class PackageTestCase(ExactErrors, TestCase):
    """A test with two SMTP accounts, "first" and "second", each on a server of its own."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.servers = {
            account: enter(self, SMTPServer(users={account: f"password of {account}"}))
            for account in ("first", "second")
        }

    def smtp(self, account):
        """Return an entry of MAILERS for that account."""
        server = self.servers[account]
        credentials = {"username": account, "password": f"password of {account}"}
        where = {"host": server.host, "port": server.port}
        return {"BACKEND": SMTP, "OPTIONS": where | credentials}

    def arrived(self):
        """Return the server, the user that logged in there, and the recipient of every message."""
        return [
            (account, message.session.user, recipient)
            for account, server in self.servers.items()
            for message in server.messages
            for recipient in message.rcpt_tos
        ]

    @contextmanager
    def deprecations(self):
        """Collect where each deprecation warning points, and its text.

        Where is the end of the file's path, and the line of code.
        """
        found = []
        with warnings.catch_warnings(record=True) as caught:
            # Everything else is the packages' own business.
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", RemovedInDjango2028Warning)
            yield found
        for warning in caught:
            line = linecache.getline(warning.filename, warning.lineno).strip()
            file = "/".join(Path(warning.filename).parts[-2:])
            found.append((file, line, str(warning.message)))
