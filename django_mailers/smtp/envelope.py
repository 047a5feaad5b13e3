"""What is handed to a session, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from .doubts import Doubt

# sent      the server took responsibility for it, for at least one recipient
# refused   the server judged this message, and said no: to its sender, to all of its recipients,
#           or to its content
# failed    something else kept it from being handed over whole: it has surely not arrived
# unknown   it was handed over, and the reply was lost: it may have arrived, or not
# skipped   nothing of it was sent, as the session had ended before
Status = Literal["sent", "refused", "failed", "unknown", "skipped"]


class Reply(NamedTuple):
    """A server's reply, its text as smtplib's exceptions hold it."""

    code: int
    text: bytes


@dataclass(slots=True, repr=False)
class Envelope:
    """A message for the wire.

    `content` is the whole message, header and body. Line ends other than CRLF become CRLF on the
    wire, and it gets one at its end if it has none; dots are the session's business.

    Its `repr()` goes to logs and to pages about errors, and so has no addresses.
    """

    mail_from: str
    recipients: Sequence[str]
    content: bytes

    def __repr__(self) -> str:
        number = len(self.recipients)
        to = f"{number} recipient{'' if number == 1 else 's'}"
        return f"<{type(self).__name__} to {to}, {len(self.content)} bytes>"


@dataclass(slots=True)
class Result:
    """What became of one Envelope.

    `error` is the exception that smtplib would have raised; None if the status is "sent".
    `recipients` has for each recipient that was answered what the server said last about it: the
    refusal of the recipient, or the reply to the whole message, or else to the recipient.
    `reply` is the one to the message as a whole, if there was one.
    `is_open` says that another session may send the message: this one ended before it was handed
    over, or the server closed it by a reply that says so.
    `doubt` is what makes a refusal doubtful: it may be about the session instead.
    """

    status: Status
    recipients: dict[str, Reply] = field(default_factory=dict, repr=False)
    error: Exception | None = field(default=None, repr=False)
    reply: Reply | None = field(default=None, repr=False)
    is_open: bool = field(default=False, repr=False)
    doubt: Doubt | None = field(default=None, repr=False)

    @property
    def code(self) -> int | None:
        """The code of the reply, or of the first of the recipients' if these were all refused."""
        if self.reply is not None:
            return self.reply.code
        return next((reply.code for reply in self.recipients.values()), None)

    @property
    def refused(self) -> dict[str, Reply]:
        """The recipients that the server refused; there can be some though it was sent."""
        return {name: reply for name, reply in self.recipients.items() if reply.code >= 400}
