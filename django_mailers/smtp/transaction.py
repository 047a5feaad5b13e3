"""One message on its way: its commands, the replies to them, and what they amount to."""

from __future__ import annotations

import smtplib
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from .envelope import Envelope, Reply, Result
from .wire import envelope_command, normalize, stuff_dots

if TYPE_CHECKING:
    from .doubts import Doubt
    from .envelope import Status

# From this size on, content waits until the server has taken its sender and its recipients.
MAX_EAGER_CONTENT = 64 * 1024
# The commands that a message cannot do without. Of its recipients it can, except for the last.
DECISIVE = ("MAIL", "DATA", "END")


class Transaction:
    """One message, the replies to its commands, and what they amount to.

    lines, kinds, content  What is to be written, and of which kind each line is, after `prepare()`.
    size                   The size of the content, in bytes.
    recipients, replies    The replies to RCPT; those to other commands, by their kind.
    refusals               How many of its recipients were refused.
    refused                Whether the server has said no to its sender, all of its recipients, or
                           its content.
    started                Whether its commands were begun to be written.
    handed_over            Whether the server may have got all of it, so that it may have taken it.
    terminated             Whether the end of its data is written, after which a server is ready
                           for the next message.
    is_void                Whether the server closed the session by a reply to a command before.
    is_shifted             Whether one of its replies cannot be its own, so that those before cannot
                           be trusted.
    number, taken_before   How many messages the session was given before, and how many it had taken
                           by the time that it refused this one.
    error                  Why it cannot be sent at all.
    """

    lines: Sequence[bytes] = ()
    kinds: Sequence[str] = ()
    content = b""
    size = refusals = number = taken_before = 0
    refused = started = handed_over = terminated = is_void = is_shifted = False
    error: Exception | None = None

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.recipients: list[Reply] = []
        self.replies: dict[str, Reply] = {}

    def prepare(self, offered: Container[str], *, chunking: bool) -> None:
        """Make everything that is to be written, with the extensions `offered`; or set `error`."""
        envelope = self.envelope
        try:
            if not envelope.recipients:
                raise ValueError("A message needs a recipient.")
            content = normalize(envelope.content)
            parameters = f" SIZE={len(content)}" if "size" in offered else ""
            is_ascii = content.isascii()
            if (
                envelope.unless_utf8 is not None
                or not envelope.mail_from.isascii()
                or not "".join(envelope.recipients).isascii()
            ):
                if "smtputf8" not in offered:
                    raise envelope.unless_utf8 or smtplib.SMTPNotSupportedError(
                        "An address has non-ASCII characters, and the server no SMTPUTF8."
                    )
                parameters += " SMTPUTF8"
                is_ascii = False  # RFC 6531, 3.6: its header may hold such an address.
            if not is_ascii and "8bitmime" in offered:
                parameters += " BODY=8BITMIME"
            mail = envelope_command("MAIL FROM", envelope.mail_from, parameters)
            rcpts = [envelope_command("RCPT TO", name) for name in envelope.recipients]
        # IndexError: the address parser of older Pythons, at some invalid addresses (H21).
        except (ValueError, IndexError, smtplib.SMTPNotSupportedError) as error:
            self.error = error
            return
        self.size = len(content)
        self.lines = [mail, *rcpts] if chunking else [mail, *rcpts, b"DATA\r\n"]
        self.kinds = _kinds(len(rcpts), chunking)
        self.content = content if chunking else stuff_dots(content)

    def refuse(self, kind: str, reply: Reply) -> None:
        """Take a refusal of one of its commands."""
        if kind == "RCPT":
            self.recipients.append(reply)
            self.refusals += 1
            self.refused |= self.refusals == len(self.envelope.recipients)
        else:
            self.replies[kind] = reply
            self.refused |= kind in DECISIVE

    @property
    def accepted(self) -> bool:
        return not self.refused and "END" in self.replies

    def refusal(self) -> smtplib.SMTPException:
        """Return the refusal of this message as the exception that smtplib raises."""
        envelope, answered = self.envelope, self.recipients
        if self._code("MAIL") >= 400:
            reply = self.replies["MAIL"]
            return smtplib.SMTPSenderRefused(reply.code, reply.text, envelope.mail_from)
        if self.refusals == len(envelope.recipients):
            pairs = zip(envelope.recipients, answered, strict=True)
            return smtplib.SMTPRecipientsRefused(
                {name: (reply.code, reply.text) for name, reply in pairs}
            )
        kind = "DATA" if self._code("DATA") >= 400 else "END"
        return smtplib.SMTPDataError(*self.replies[kind])

    def contradiction(self) -> bool:
        """Whether the server took the message after it had refused its sender."""
        return self._code("MAIL") >= 400 and self._code("END") == 250

    def _code(self, kind: str) -> int:
        return self.replies[kind].code if kind in self.replies else 0

    def _answers(self) -> dict[str, Reply]:
        replies: dict[str, Reply] = {}
        for name, answer in zip(self.envelope.recipients, self.recipients, strict=False):
            # If a recipient is named twice, and refused once, the message arrives.
            if name not in replies or answer.code < 400:
                replies[name] = answer
        return replies

    def result(self, broken: Exception | None) -> Result:
        """Return what became of the message; `broken` is how the session ended, if it did."""
        if self.accepted:
            end = self.replies["END"]
            replies = dict.fromkeys(self.envelope.recipients, end)
            if self.refusals:
                replies |= {name: r for name, r in self._answers().items() if r.code >= 400}
            return Result("sent", replies, None, end)
        replies = self._answers()
        if self.error is not None:
            return Result("failed", replies, self.error)
        if self.refused and not (self.is_shifted or self.contradiction()):
            # A 421 is about the session, not about the message.
            status: Status = "failed" if self._was_answered_421() else "refused"
            refusal = self.refusal()
            # Recipients have replies of their own.
            whole = None if isinstance(refusal, smtplib.SMTPRecipientsRefused) else refusal.args
            reply = Reply(*whole[:2]) if whole else None
            return Result(status, replies, refusal, reply, status == "failed", self._doubt())
        if self.contradiction() or (self.handed_over and not self.is_void):
            return Result("unknown", replies, broken)
        # Commands behind a closing reply might as well not have been written.
        if not self.started or (self.is_void and not self._was_answered_421()):
            return Result("untried", replies, broken, is_open=True)
        return Result("failed", replies, broken, is_open=True)

    def _was_answered_421(self) -> bool:
        return any(reply.code == 421 for reply in (*self.replies.values(), *self.recipients))

    def _doubt(self) -> Doubt | None:
        """Return what makes the refusal doubtful, or None if it is to be believed."""
        if not self.number:
            return None
        if self._code("MAIL") >= 400:
            kind, replies = "MAIL", [self.replies["MAIL"]]
        elif self.refusals == len(self.envelope.recipients):
            kind, replies = "RCPT", self.recipients
        elif self._code("DATA") >= 400:
            kind, replies = "DATA", [self.replies["DATA"]]
        elif "DATA" not in self.kinds and self.size <= MAX_EAGER_CONTENT:
            kind, replies = "BDAT", [self.replies["END"]]
        else:
            return None
        # Not before: most sessions never see a refusal that is doubtful.
        from .doubts import doubt_about

        return doubt_about(kind, replies, self.number, has_taken=self.taken_before > 0)


@lru_cache(maxsize=64)
def _kinds(recipients: int, chunking: bool) -> tuple[str, ...]:
    """Return the kinds of a message's commands, before its content."""
    return ("MAIL", *["RCPT"] * recipients, *([] if chunking else ["DATA"]))
