"""Tools for the tests of projects that send mail.

Each name is imported when it is asked for: a process that only runs an SMTPServer needs no Django.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assertions import (
        MailersTestMixin,
        assertMailCount,
        assertMailRenders,
        assertMailSent,
        assertNoMail,
    )
    from .capture import SentMail, captureMail
    from .faults.failing import failing
    from .faults.fault import Fault
    from .messages import links, message_html, message_text
    from .outbox import outbox_from
    from .override import override_mailers
    from .server import DISCONNECT, ReceivedMessage, Session, SMTPServer

__all__ = [
    "DISCONNECT",
    "Fault",
    "MailersTestMixin",
    "ReceivedMessage",
    "SMTPServer",
    "SentMail",
    "Session",
    "assertMailCount",
    "assertMailRenders",
    "assertMailSent",
    "assertNoMail",
    "captureMail",
    "failing",
    "links",
    "message_html",
    "message_text",
    "outbox_from",
    "override_mailers",
]

_MODULES = {
    "DISCONNECT": "server",
    "Fault": "faults.fault",
    "MailersTestMixin": "assertions",
    "ReceivedMessage": "server",
    "SMTPServer": "server",
    "SentMail": "capture",
    "Session": "server",
    "assertMailCount": "assertions",
    "assertMailRenders": "assertions",
    "assertMailSent": "assertions",
    "assertNoMail": "assertions",
    "captureMail": "capture",
    "failing": "faults.failing",
    "links": "messages",
    "message_html": "messages",
    "message_text": "messages",
    "outbox_from": "outbox",
    "override_mailers": "override",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
