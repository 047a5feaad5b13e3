"""The destinations of the demo's mailers, and the mail that has arrived there."""

import io
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_string, policy
from pathlib import Path
from typing import NamedTuple

from django.core import mail
from django.test import override_settings

from demo import background

# The accounts of the SMTP mailers, by which the server distinguishes them.
ACCOUNTS = {"default": "shop", "newsletter": "bulk", "errors": "monitor"}


class Arrival(NamedTuple):
    """A message found at a destination; `alias` is the mailer that brought it there."""

    alias: str | None
    subject: str
    how: str


@contextmanager
def configured_mailers(server) -> Iterator[Callable[[], list[Arrival]]]:
    """Define MAILERS for the demo; yield a function that returns what has arrived so far."""
    screen = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        mailers = {
            "screen": {
                "BACKEND": "django.core.mail.backends.console.EmailBackend",
                "OPTIONS": {"stream": screen},
            },
            "disk": {
                "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
                "OPTIONS": {"file_path": folder},
            },
            "memory": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"},
        }
        for alias, account in ACCOUNTS.items():
            mailers[alias] = {
                "OPTIONS": {
                    "host": server.host,
                    "port": server.port,
                    "use_tls": True,
                    "username": account,
                    "password": server.users[account],
                },
            }
        mailers |= composed_mailers(server)
        changed = {"MAILERS": mailers}
        if background.IS_INSTALLED:
            mailers["background"] = background.MAILER
            changed["CACHES"] = background.CACHES
        with override_settings(**changed):
            yield lambda: [
                *at_the_server(server),
                *on_the_screen(screen),
                *on_disk(folder),
                *in_memory(),
            ]


def composed_mailers(server) -> dict[str, dict]:
    """Return mailers that send through others; see docs/mailers.rst."""
    down = {"host": server.host, "port": free_port(server.host), "timeout": 5}
    return {
        "down": {"OPTIONS": down},
        "reliable": {
            "BACKEND": "django_mailers.backends.failover.EmailBackend",
            "OPTIONS": {"mailers": ["down", "default"]},
        },
        "staging": {
            "BACKEND": "django_mailers.backends.redirect.EmailBackend",
            "OPTIONS": {
                "using": "default",
                "to": ["staging@quaybooks.example"],
                "allow": ["*@quaybooks.example"],
            },
        },
        "limited": {
            "BACKEND": "django_mailers.backends.ratelimit.EmailBackend",
            "OPTIONS": {"using": "newsletter", "rate": "2/h"},
        },
    }


def free_port(host) -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]


def at_the_server(server) -> Iterator[Arrival]:
    aliases = {account: alias for alias, account in ACCOUNTS.items()}
    for message in server.messages:
        session = message.session
        how = f"at the server, as {session.user}, {session.tls}"
        yield Arrival(aliases.get(session.user), message.parse()["subject"], how)


def on_the_screen(stream) -> Iterator[Arrival]:
    for subject in subjects(stream.getvalue()):
        yield Arrival("screen", subject, "on the stream")


def on_disk(folder) -> Iterator[Arrival]:
    for path in Path(folder).iterdir():
        for subject in subjects(path.read_text(encoding="utf-8")):
            yield Arrival("disk", subject, "in a file")


def in_memory() -> Iterator[Arrival]:
    for message in getattr(mail, "outbox", []):
        yield Arrival(message.sent_using, message.subject, "in mail.outbox")


def subjects(text) -> list[str]:
    """Return the subjects of the messages that the console or the file backend wrote."""
    messages = text.split("-" * 79 + "\n")[:-1]
    return [message_from_string(message, policy=policy.default)["subject"] for message in messages]
