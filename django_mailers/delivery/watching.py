"""Watch Django's SMTP backend while it talks to its server."""

from __future__ import annotations

from collections.abc import Sequence
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any, cast

from django_mailers.types import Message

from .judging import decode, is_refusal, judge, refused_recipients
from .report import RecipientResult, SendResult, Status

# Of several attempts the first of these is what became of the message.
_CERTAINTY: tuple[Status, ...] = ("sent", "unknown", "refused", "failed")


class _Attempt:
    """One sendmail()."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = addresses
        self.handed_over = False
        # Whether the server waits for the content.
        self.is_content_due = False
        self.last_reply: tuple[int, bytes] = (-1, b"")
        self.refused: dict[str, tuple[int, bytes]] | None = None
        self.error: Exception | None = None

    def judge(self, message: Message) -> SendResult:
        if self.error is not None:
            return judge(message, self.error, handed_over=self.handed_over)
        code, text = self.last_reply[0], decode(self.last_reply[1])
        refused = {
            recipient.address: recipient for recipient in refused_recipients(self.refused or {})
        }
        recipients = tuple(
            refused.get(address) or RecipientResult(address, code, text)
            for address in self.addresses
        )
        return SendResult(message, "sent", code, text, recipients)


class Watch:
    """A context in which the connection of an SMTP backend is watched.

    Django's backend drops what sendmail() returns, the refused recipients, and with fail_silently
    what it raises (H34). So some methods of this one connection, and of no other, are replaced for
    the time of one send_messages(): it is the backend's own, made a moment ago, in this thread.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._originals: dict[str, Any] = {}
        self.attempts: list[_Attempt] = []

    def __enter__(self) -> None:
        for name in ("sendmail", "getreply", "send"):
            self._originals[name] = getattr(self._connection, name)
            setattr(self._connection, name, getattr(self, f"_{name}"))

    def __exit__(self, *exc_info: object) -> None:
        for name, original in self._originals.items():
            delattr(self._connection, name)
            # Not the class's own any more: somebody else's replacement, which stays in place.
            if getattr(self._connection, name) != original:
                setattr(self._connection, name, original)

    def _sendmail(self, from_addr: str, to_addrs: Any, *args: Any, **kwargs: Any) -> Any:
        attempt = _Attempt([to_addrs] if isinstance(to_addrs, str) else list(to_addrs))
        self.attempts.append(attempt)
        try:
            attempt.refused = self._originals["sendmail"](from_addr, to_addrs, *args, **kwargs)
        except Exception as error:
            attempt.error = error
            raise
        return attempt.refused

    def _getreply(self) -> tuple[int, bytes]:
        reply = cast("tuple[int, bytes]", self._originals["getreply"]())
        if self.attempts:
            attempt = self.attempts[-1]
            attempt.last_reply = reply
            # Only DATA is answered by it: the content comes next.
            attempt.is_content_due = reply[0] == 354
            attempt.handed_over |= attempt.is_content_due
        return reply

    def _send(self, data: Any) -> None:
        attempt = self.attempts[-1] if self.attempts else None
        if attempt is None or not attempt.is_content_due:
            self._originals["send"](data)
            return
        attempt.is_content_due = False
        try:
            self._originals["send"](data)
        except OSError:
            # All but the last byte may have gone, and without that no message is complete.
            attempt.handed_over = False
            raise

    def judge(self, message: Message) -> SendResult:
        """Judge the attempts; there is more than one if the backend does more than Django's."""
        results = [attempt.judge(message) for attempt in self.attempts]
        most = min(results, key=lambda result: _CERTAINTY.index(result.status))
        return most._replace(
            recipients=tuple(recipient for result in results for recipient in result.recipients),
            error=next((result.error for result in results if result.error), None),
        )

    @property
    def is_connection_good(self) -> bool:
        """Whether it is open, and the server awaits a new message.

        smtplib closes the socket after a fault and sends RSET after a refusal, but not if it was
        DATA that was refused: the next MAIL would be a bad sequence of commands.
        """
        if self._connection.sock is None:
            return False
        if not self.attempts or self.attempts[-1].error is None:
            return True
        attempt = self.attempts[-1]
        if isinstance(attempt.error, SMTPRecipientsRefused):
            return all(is_refusal(code) for code, _ in attempt.error.recipients.values())
        if isinstance(attempt.error, SMTPSenderRefused):
            return is_refusal(attempt.error.smtp_code)
        return (
            isinstance(attempt.error, SMTPDataError)
            and attempt.handed_over
            and is_refusal(attempt.error.smtp_code)
        )
