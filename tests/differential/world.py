"""What the entries have around them: a mail server, backends, and a way to be registered."""

from __future__ import annotations

import functools
import os
import socket
from typing import Any

from tests.support.servers import SMTPServer

from .meaning import meaning

USERS = {"site": "site's password", "other": "other's password"}

# What the entries are called, in the order of their files.
CASES: dict[str, Case] = {}


class Case:
    """An entry: a function without arguments, whose value is compared, and what it sends."""

    def __init__(self, function, *, ways, group):
        self.name = function.__name__
        self.function = function
        self.ways = ways
        self.group = group


WAYS = {"settings", "mailers", "pooled"}


def case(*ways, group="main"):
    """Register a function as an entry; it must be unlike all others by its name.

    Arguments: `ways`, in which of them it makes sense to run it with the app: "settings" means
    that the project has EMAIL_* settings, "mailers" and "pooled" that it has MAILERS, with Django's
    SMTP backend or that of django_mailers; `group`, which others share its process.
    """

    def register(function):
        assert function.__name__ not in CASES, function.__name__
        CASES[function.__name__] = Case(function, ways=set(ways) or WAYS, group=group)
        return function

    return register


class World:
    """The mail server of this process, and what has been delivered otherwise."""

    def __init__(self):
        self.server = SMTPServer(users=USERS)
        self.kept: list[dict[str, Any]] = []

    def reset(self):
        self.server.messages.clear()
        self.server.refuse.clear()
        self.kept.clear()

    def arrived(self):
        """What the server has taken, without what it is to know about sessions."""
        return [
            {
                "from": message.mail_from,
                "to": message.rcpt_tos,
                "user": message.session.user,
                "means": meaning(message.content),
            }
            for message in list(self.server.messages)
        ]


world = World()


def keep(backend, message):
    """Take a message as delivered by `backend`."""
    world.kept.append(
        {
            "backend": backend,
            "from": str(message.from_email),
            "to": [str(address) for address in message.recipients()],
            "means": meaning(message.message().as_bytes()),
        }
    )


def refuse(command, reply):
    """Have the server answer so to a command, until the end of the entry."""
    world.server.refuse[command] = reply


@functools.cache
def dead_port():
    """A port where nobody listens: it is held, and refuses to connect."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    _holders.append(holder)
    return int(holder.getsockname()[1])


_holders: list[socket.socket] = []


def live_port():
    return int(os.environ["MAIL_PORT"])
