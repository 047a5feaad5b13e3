"""Say as a SendResult what `smtp` says of an envelope."""

from __future__ import annotations

from typing import cast

from django_mailers.smtp import Reply, Result
from django_mailers.types import Message

from .report import RecipientResult, SendResult, Status

# What smtp says of an envelope that no session tried to send. ("skipped" is the old word.)
UNTRIED = frozenset[str]({"untried", "skipped"})


def send_result(message: Message, result: Result, via: str | None = None) -> SendResult:
    """Return what became of `message`, whose envelope has the `result`; `via` is the alias."""
    status = "failed" if result.status in UNTRIED else cast("Status", result.status)
    reply = result.reply
    return SendResult(
        message,
        status,
        None if reply is None else reply.code,
        "" if reply is None else _text(reply),
        tuple(
            [
                RecipientResult(address, reply.code, _text(reply))
                for address, reply in result.recipients.items()
            ]
        ),
        result.error,
        "",
        via if status in {"sent", "unknown"} else None,
    )


def _text(reply: Reply) -> str:
    return reply.text.decode(errors="replace")
