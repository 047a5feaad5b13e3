"""Say as a SendResult what `smtp` says of an envelope."""

from __future__ import annotations

from django_mailers.smtp import Reply, Result
from django_mailers.types import Message

from .report import Phase, RecipientResult, SendResult, Status


def send_result(message: Message, result: Result, via: str | None = None) -> SendResult:
    """Return what became of `message`, whose envelope has the `result`; `via` is the alias."""
    status: Status = "failed" if result.status == "untried" else result.status
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
        _phase(result),
    )


def _phase(result: Result) -> Phase:
    if result.status == "untried":
        return "connecting"
    # Another session would not change it.
    return "rendering" if result.status == "failed" and not result.is_open else "sending"


def _text(reply: Reply) -> str:
    return reply.text.decode(errors="replace")
