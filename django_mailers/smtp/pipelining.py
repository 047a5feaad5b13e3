"""Transactions in as few round trips as the server allows.

With PIPELINING (RFC 2920) the commands of a message go in one write, behind the end of the body
before; with CHUNKING (RFC 3030) its content goes along, and more messages follow before the first
reply has come. With neither it is the dialogue of RFC 5321. Which commands await a reply stands in
a queue: each reply belongs to its first entry, and must be one that this command can get.

A server ends a session by a closing reply: 421 to any command, or a refusal of RSET, which has no
other meaning. Replies come in order. So if the connection ends right after a closing reply, nothing
that was written behind the command it belongs to was taken.
"""

from __future__ import annotations

import smtplib
from collections import deque
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from .doubts import Doubt, doubt_about
from .envelope import Envelope, Reply, Result, Status
from .errors import OutOfStepError, add_place
from .interrupts import is_injected
from .replies import is_end
from .wire import WRITE_SIZE, about, normalize, split, stuff_dots

if TYPE_CHECKING:
    from .session import Session

# How many replies may be on their way. If there were so many that they filled the buffers of both
# sides, the server would wait for us to read, and we for the server (RFC 2920, 3.1).
MAX_REPLIES = 200
# How many messages, and bytes of them, may be on their way with CHUNKING. If the connection breaks,
# nobody knows what became of them.
MAX_MESSAGES = 64
MAX_BYTES = 256 * 1024
# From this size on, content waits until the server has taken its sender and its recipients.
MAX_EAGER_CONTENT = 64 * 1024
# How many refusals in a row it takes until each reply is awaited before the next message is begun.
# Servers end a session that makes errors only, Exim after 10 of them, Postfix after 20; and with
# CHUNKING a refused message is two or three.
CAREFUL = 4

SUCCESS = {
    "RSET": frozenset({250}),
    "MAIL": frozenset({250}),
    "RCPT": frozenset({250, 251, 252}),
    "DATA": frozenset({354}),
    "END": frozenset({250}),
    "NOTHING": frozenset({250}),
}
# The commands that a message cannot do without. Of its recipients it can, except for the last.
DECISIVE = ("MAIL", "DATA", "END")


class Transaction:
    """One message, what was said about it, and what that amounts to."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.recipients: list[Reply] = []
        self.replies: dict[str, Reply] = {}
        # Of the recipients.
        self.refusals = 0
        # Whether the server has said no to its sender, all of its recipients, or its content.
        self.refused = False
        self.started = False
        # From when on the server may have got all of it, so that it may have accepted it.
        self.handed_over = False
        # Whether the server closed the session by a reply to what was written before.
        self.is_void = False
        # Whether one of its replies cannot be its own, so that those before are not to be trusted.
        self.is_shifted = False
        # How many messages the session was given before, and how many it had taken by the time
        # that it refused this one.
        self.number = self.taken_before = 0
        # Whether the end of its data is written, after which a server is ready for the next one.
        self.terminated = False
        self.error: Exception | None = None

    def prepare(self, offered: Container[str], *, chunking: bool) -> None:
        """Make all that is to be written, with the extensions `offered`; or have an `error`."""
        envelope = self.envelope
        try:
            if not envelope.recipients:
                raise ValueError("A message needs a recipient.")
            content = normalize(envelope.content)
            parameters = f" SIZE={len(content)}" if "size" in offered else ""
            is_ascii = content.isascii()
            if not envelope.mail_from.isascii() or not "".join(envelope.recipients).isascii():
                if "smtputf8" not in offered:
                    raise smtplib.SMTPNotSupportedError(
                        "An address has non-ASCII characters, and the server no SMTPUTF8."
                    )
                parameters += " SMTPUTF8"
                is_ascii = False  # RFC 6531, 3.6: its header may hold such an address.
            if not is_ascii and "8bitmime" in offered:
                parameters += " BODY=8BITMIME"
            mail = about("MAIL FROM", envelope.mail_from, parameters)
            rcpts = [about("RCPT TO", name) for name in envelope.recipients]
        # IndexError: the address parser of older Pythons, at some invalid addresses (H21).
        except (ValueError, IndexError, smtplib.SMTPNotSupportedError) as error:
            self.error = error
            return
        self.size = len(content)
        self.lines = [mail, *rcpts]
        self.kinds = ["MAIL", *["RCPT"] * len(rcpts)]
        if not chunking:
            self.lines.append(b"DATA\r\n")
            self.kinds.append("DATA")
            content = stuff_dots(content)
        self.content = content

    def take(self, kind: str, reply: Reply) -> None:
        if kind == "RCPT":
            self.recipients.append(reply)
            if reply.code >= 400:
                self.refusals += 1
                self.refused |= self.refusals == len(self.envelope.recipients)
        else:
            self.replies[kind] = reply
            if reply.code >= 400 and kind in DECISIVE:
                self.refused = True

    @property
    def accepted(self) -> bool:
        return not self.refused and "END" in self.replies

    def refusal(self) -> smtplib.SMTPException:
        """Return the refusal of this message, as smtplib puts it."""
        envelope, answered = self.envelope, self.recipients
        if self._code("MAIL") >= 400:
            return smtplib.SMTPSenderRefused(*self.replies["MAIL"], envelope.mail_from)
        if self.refusals == len(envelope.recipients):
            pairs = zip(envelope.recipients, answered, strict=True)
            return smtplib.SMTPRecipientsRefused(
                {name: (reply.code, reply.text) for name, reply in pairs}
            )
        kind = "DATA" if self._code("DATA") >= 400 else "END"
        return smtplib.SMTPDataError(*self.replies[kind])

    def contradiction(self) -> bool:
        """Whether the server took what it had refused, the sender, before."""
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
        """Return what became of it; `broken` is how the session ended, if it did."""
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
        # What stands behind a closing reply may as well not have been begun.
        if not self.started or (self.is_void and not self._was_answered_421()):
            return Result("skipped", replies, broken, is_open=True)
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
        return doubt_about(kind, replies, self.number, has_taken=self.taken_before > 0)


class Delivery:
    """The transactions of some messages, one after the other or overlapping, on one session."""

    def __init__(self, session: Session, envelopes: Sequence[Envelope]) -> None:
        self.session = session
        self.envelopes = envelopes
        # Those that were begun, or are about to be: the next one is prepared while the server is
        # busy with the one before. And the results of the first of them, made in the same way.
        self.transactions: list[Transaction] = []
        self.prepared: Transaction | None = None
        self.results: list[Result] = []
        self.pipelining = session.may_pipeline
        self.chunking = session.may_chunk
        # Commands without a reply so far: what it is, and whose.
        self.queue: deque[tuple[str, Transaction]] = deque()
        # What is to be written, how much that is, and at which offsets messages end in it.
        self.buffer: list[bytes] = []
        self.buffered = 0
        self.ends: deque[tuple[int, Transaction]] = deque()
        # The first closing reply, and whether the last reply that came was one.
        self.closing: Reply | None = None
        self.is_at_closing = False
        self.previous: Transaction | None = None
        # The sizes of the contents whose reply is to come, with CHUNKING.
        self.in_flight: deque[int] = deque()
        self.is_first = True

    def run(self) -> list[Result]:
        """Deliver; return a result for each message. The session is closed if it broke.

        If it was refused too much in a row, the rest is "skipped", and the session is open.
        """
        broken: Exception | None = None
        session = self.session
        try:
            for _ in self.envelopes:
                if session.refusals >= CAREFUL:
                    self.synchronize()
                    if session.is_worn:
                        break
                transaction = self.prepared or self.prepare()
                self.prepared = None
                if transaction.error is None:
                    self.transact(transaction)
                    # Nothing refers to it any more but what is to be written.
                    transaction.content = b""
            self.finish()
        except OSError as error:  # smtplib's are, too.
            self.session.close()
            if is_injected(error):
                raise
            add_place(error, self.session.place)
            broken = error
        except BaseException:
            # Whatever it is (an interrupt, a greenlet's timeout): replies are still to come.
            self.session.close()
            raise
        for transaction in self.transactions[len(self.results) :]:
            self.results.append(transaction.result(broken))
        for _ in self.envelopes[len(self.results) :]:
            self.results.append(Result("skipped", error=broken, is_open=True))
        return self.results

    def prepare(self) -> Transaction:
        """Prepare the next transaction."""
        transaction = Transaction(self.envelopes[len(self.transactions)])
        transaction.prepare(self.session.esmtp_features, chunking=self.chunking)
        self.transactions.append(transaction)
        return transaction

    def work_ahead(self) -> None:
        """Do what can be done while the server has to be waited for."""
        begun, settled = self.transactions, self.results
        if self.prepared is None:
            self.prepared = self.prepare()
        while len(settled) < len(begun) and begun[len(settled)].accepted:
            settled.append(begun[len(settled)].result(None))

    def transact(self, transaction: Transaction) -> None:
        previous, self.previous = self.previous, transaction
        # A transaction that did not come to its end is still open, and if MAIL were refused for
        # that reason, RCPT would add to it. With CHUNKING one cannot know yet.
        if (
            previous is not None
            and not previous.accepted
            and (not previous.terminated or previous.refused)
        ):
            self.put(["RSET"], transaction, b"RSET\r\n")
        transaction.started = True
        transaction.number = self.session.messages
        self.session.messages += 1
        kinds, lines = transaction.kinds, transaction.lines
        if self.pipelining and len(self.queue) + len(kinds) <= MAX_REPLIES:
            if self.session.refusals and not self.chunking:
                # Content without a recipient is one error more, and Postfix makes each from the
                # tenth on wait for a second.
                self.put(kinds[:-1], transaction, *lines[:-1])
                self.synchronize()
                if transaction.refused:
                    return
                kinds, lines = kinds[-1:], lines[-1:]
            self.put(kinds, transaction, *lines)
        else:
            for kind, line in zip(kinds, lines, strict=True):
                if transaction.refused:
                    return
                self.put([kind], transaction, line)
        if self.chunking:
            self.chunk(transaction)
        else:
            self.synchronize()
            self.data(transaction)

    def chunk(self, transaction: Transaction) -> None:
        """Send BDAT LAST, if the recipients are not known to be refused."""
        content = transaction.content
        if len(content) > MAX_EAGER_CONTENT or self.session.refusals:
            self.synchronize()
        if transaction.refused:
            return
        # The command and its octets are one: there is no reply in between.
        self.in_flight.append(len(content))
        self.put(["END"], transaction, b"BDAT %d LAST\r\n" % len(content), content)
        if self.is_first:
            # It goes alone: a server that is about to close, or that takes nothing, leaves one
            # message in doubt, not all that fit.
            self.is_first = False
            self.synchronize()
        elif self.session.refusals:
            # As many as may be refused until all replies are awaited.
            if len(self.in_flight) + self.session.refusals >= CAREFUL:
                self.synchronize()
        elif len(self.in_flight) >= MAX_MESSAGES or sum(self.in_flight) >= MAX_BYTES:
            self.synchronize(len(self.queue) // 2)

    def data(self, transaction: Transaction) -> None:
        """Send the content, if the server waits for it."""
        if "DATA" not in transaction.replies or transaction.replies["DATA"].code != 354:
            return
        if not transaction.refused:
            self.put(["END"], transaction, transaction.content, b".\r\n")
        elif transaction.replies["MAIL"].code >= 400:
            # It would accept anything now, and for recipients that it did not refuse.
            raise OutOfStepError("The server accepts data without a sender.")
        else:
            # RFC 2920, 3.1: there is no recipient, but the server waits for a message all the same.
            self.put(["NOTHING"], transaction, b".\r\n")
        transaction.terminated = True

    def finish(self) -> None:
        """Leave the session as it was found, without an open transaction."""
        if self.queue or self.buffer:
            self.synchronize()
        if self.previous is not None and not self.previous.accepted:
            self.put(["RSET"], self.previous, b"RSET\r\n")
            self.synchronize()

    # The wire

    def put(self, kinds: Sequence[str], transaction: Transaction, *pieces: bytes) -> None:
        """Write `pieces`, sooner or later, and expect replies of these kinds to them."""
        if len(self.queue) >= MAX_REPLIES:
            self.synchronize(MAX_REPLIES // 2)
        self.buffer += pieces
        self.buffered += sum(map(len, pieces))
        if "END" in kinds:
            self.ends.append((self.buffered, transaction))
        self.queue += [(kind, transaction) for kind in kinds]
        if not self.pipelining:
            self.synchronize()

    def synchronize(self, leave: int = 0) -> None:
        """Write what is to be written, and read replies until only `leave` are to come."""
        self.flush()
        if len(self.transactions) < len(self.envelopes):
            self.work_ahead()
        self.read(leave)

    def flush(self) -> None:
        if not self.buffer:
            return
        pieces, size, self.buffer, self.buffered = self.buffer, self.buffered, [], 0
        written = 0
        for piece in [b"".join(pieces)] if 0 < size <= WRITE_SIZE else split(pieces):
            written += len(piece)
            last: Transaction | None = None
            # Before it is tried: when that fails, one cannot know how much of it has gone.
            while self.ends and self.ends[0][0] <= written:
                end, last = self.ends.popleft()
                last.handed_over = True
            try:
                self.session.write(piece)
            except OSError as error:
                # All but the last byte may have gone, and without that no message is complete.
                if last is not None and end == written:
                    last.handed_over = False
                if is_injected(error) or not is_end(error):
                    raise
                # What the server has said before it closed may tell more than that it closed.
                self.read(0)
                raise error

    def read(self, leave: int) -> None:
        queue = self.queue
        while len(queue) > leave:
            try:
                replies = self.session.read_replies(len(queue) - leave)
            except OSError as error:
                if self.is_at_closing and is_end(error):
                    for _, transaction in queue:
                        transaction.is_void = True
                raise
            for reply in replies:
                kind, transaction = queue.popleft()
                code = reply.code
                if code not in SUCCESS[kind] and not 400 <= code < 600:
                    transaction.is_shifted = True
                    raise OutOfStepError(f"The server replied {code} to {kind}.")
                was_refused = transaction.refused
                transaction.take(kind, reply)
                if transaction.refused != was_refused:
                    self.session.refusals += 1
                    transaction.taken_before = self.session.taken
                if kind == "END":
                    self.end(transaction)
                self.is_at_closing = code == 421 or (code >= 400 and kind == "RSET")
                if self.is_at_closing and self.closing is None:
                    # What it says about the rest is worth knowing.
                    self.closing, leave = reply, 0
        if self.closing is not None:
            code, text = self.closing.code, self.closing.text.decode(errors="replace")
            raise smtplib.SMTPServerDisconnected(f"The server closed the session: {code} {text}")
        if not queue and self.session.has_unread():
            raise OutOfStepError("The server replied to nothing.")

    def end(self, transaction: Transaction) -> None:
        """Count a message that has its last reply."""
        if self.chunking:
            self.in_flight.popleft()
        if not transaction.refused:
            self.session.taken += 1
            self.session.refusals = 0
        elif transaction.contradiction():
            raise OutOfStepError("The server accepted a message without a sender.")
