"""What became of messages: the results of a send_many(), over any backend.

`send_messages()` returns a count: a failing message ends the batch, the count of those before it is
lost, and a refused recipient among others goes unnoticed (H34). `send_many()` goes on after a
failure and returns a `SendReport`. A backend that knows what became of its messages has a
`send_many()` of its own. Any other is given one message at a time over one connection, and what it
returns or raises is judged. What cannot be known is "unknown": never "sent", because somebody would
be without their mail, and never "failed", because somebody would get it twice.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import STATUSES, RecipientResult, SendError, SendReport, SendResult, Status
    from .sending import get_mailer, send_each, send_many, send_over

# Imported by the first use: send_mail() through a backend of ours needs none of these.
_MODULES = {
    "STATUSES": "report",
    "RecipientResult": "report",
    "SendError": "report",
    "SendReport": "report",
    "SendResult": "report",
    "Status": "report",
    "get_mailer": "sending",
    "send_each": "sending",
    "send_many": "sending",
    "send_over": "sending",
}

__all__ = [
    "STATUSES",
    "RecipientResult",
    "SendError",
    "SendReport",
    "SendResult",
    "Status",
    "get_mailer",
    "send_each",
    "send_many",
    "send_over",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    # For the next time: before Python 3.12 import_module() takes a lock even for a module that is
    # there, and an exception of a signal handler in it can leave that locked.
    globals()[name] = value
    return value
