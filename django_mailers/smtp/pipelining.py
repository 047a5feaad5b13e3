"""Transactions in as few round trips as the server allows.

With PIPELINING (RFC 2920) the commands of a message go in one write, behind the end of the body
before; with CHUNKING (RFC 3030) its content goes with them, and more messages follow before the
first reply has come. With neither it is the dialogue of RFC 5321. The commands that await a reply
are in a queue: each reply belongs to the first of them, and must be one that this command can get.

A server ends a session by a closing reply: 421 to any command, or a refusal of RSET, which has no
other meaning. Replies come in order. So if the connection ends right after a closing reply, the
server took nothing that was written behind the command that the reply belongs to.
"""

from __future__ import annotations

import smtplib
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .envelope import Envelope, Reply, Result
from .errors import OutOfStepError, add_endpoint
from .interrupts import is_injected
from .replies import is_end
from .transaction import MAX_EAGER_CONTENT, Transaction
from .wire import WRITE_SIZE, split

if TYPE_CHECKING:
    from .session import Session

# How many replies may be on their way. If there were so many that they filled the buffers of both
# sides, the server would wait for us to read, and we for the server (RFC 2920, 3.1).
MAX_REPLIES = 200
# How many messages, and bytes of them, may be on their way with CHUNKING. If the connection breaks,
# nobody knows what became of them.
MAX_MESSAGES = 64
MAX_BYTES = 256 * 1024
# After how many refusals in a row each reply is awaited before the next message is begun. Servers
# end a session that makes nothing but errors, Exim after 10 of them, Postfix after 20; and with
# CHUNKING a refused message makes two or three.
CAREFUL = 4

SUCCESS = {
    "RSET": frozenset({250}),
    "MAIL": frozenset({250}),
    "RCPT": frozenset({250, 251, 252}),
    "DATA": frozenset({354}),
    "END": frozenset({250}),
    # The end of content for which there is no recipient.
    "EMPTY": frozenset({250}),
}


class Delivery:
    """The transactions of some messages, one after the other or overlapping, on one session.

    Here A awaits its last reply, the commands of B follow the content of A, and C is prepared while
    the server is busy:

        transactions   ..., A, B, C              begun, the last one maybe only `prepared`
        results        ...                       of the first of them, which are settled

        buffer         content of A, MAIL, RCPT, DATA of B
                                                 put() adds at the end, flush() writes it all
        ends           (size of A, A)            when so much is written, A may have arrived
        queue          (END, A), (MAIL, B), (RCPT, B), (DATA, B)
                                                 put() adds at the end, read() takes the first one
                                                 with each reply
    """

    # How much is in the buffer.
    buffered = 0
    # The first closing reply, and whether the last reply that came was one.
    closing: Reply | None = None
    is_at_closing = False
    previous: Transaction | None = None
    # Whether nothing was sent yet, with CHUNKING.
    is_first = True

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
        # The commands that await a reply: their kinds and transactions.
        self.queue: deque[tuple[str, Transaction]] = deque()
        # What is to be written, and at which offsets messages end in it.
        self.buffer: list[bytes] = []
        self.ends: deque[tuple[int, Transaction]] = deque()
        # The sizes of the contents whose reply is to come, with CHUNKING.
        self.in_flight: deque[int] = deque()

    def run(self) -> list[Result]:
        """Deliver; return a result for each message. The session is closed if it broke.

        If too much was refused in a row, the rest is "untried", and the session is open.
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
                    # From here on only what is to be written refers to it.
                    transaction.content = b""
            self.finish()
        except OSError as error:  # smtplib's are, too.
            session.close()
            if is_injected(error):
                raise
            add_endpoint(error, session.endpoint)
            broken = error
        except BaseException:
            # Whatever it is (an interrupt, a greenlet's timeout): replies are still to come.
            session.close()
            raise
        for transaction in self.transactions[len(self.results) :]:
            self.results.append(transaction.result(broken))
        for _ in self.envelopes[len(self.results) :]:
            self.results.append(Result("untried", error=broken, is_open=True))
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
        """Write what belongs to `transaction`, as far as its recipients are not refused."""
        session, pipelining = self.session, self.pipelining
        previous, self.previous = self.previous, transaction
        if previous is not None and not previous.accepted:
            self.end_transaction(previous, transaction)
        transaction.started = True
        transaction.number = session.messages
        session.messages += 1
        kinds, lines = transaction.kinds, transaction.lines
        if pipelining and len(self.queue) + len(kinds) <= MAX_REPLIES:
            if session.refusals and not self.chunking:
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
                if not pipelining:
                    self.synchronize()
        if self.chunking:
            leave = self.chunk(transaction)
        else:
            if pipelining:
                self.synchronize()
            self.data(transaction)
            leave = None if pipelining else 0
        if leave is not None:
            self.synchronize(leave)

    def end_transaction(self, previous: Transaction, transaction: Transaction) -> None:
        """Reset the session, as far as that is known to be necessary, before `transaction`."""
        # A transaction that did not come to its end is still open, and if MAIL were refused for
        # that reason, RCPT would add to it. With CHUNKING one cannot know yet.
        if not previous.terminated or previous.refused:
            self.put(["RSET"], transaction, b"RSET\r\n")
            if not self.pipelining:
                self.synchronize()

    def chunk(self, transaction: Transaction) -> int | None:
        """Send BDAT LAST, if the recipients are not known to be refused.

        Returns how many replies may be left to come before the next message; None if any number.
        """
        content, refusals = transaction.content, self.session.refusals
        if len(content) > MAX_EAGER_CONTENT or refusals:
            self.synchronize()
            refusals = self.session.refusals
        if transaction.refused:
            return None
        # The command and its octets are one: there is no reply in between.
        self.in_flight.append(len(content))
        self.put(["END"], transaction, b"BDAT %d LAST\r\n" % len(content), content)
        number = len(self.in_flight)
        # The first one goes alone: a server that is about to close, or that takes nothing, leaves
        # one message in doubt, not all that fit. And as many as may be refused until all replies
        # are awaited.
        if self.is_first or not self.pipelining or (refusals and number + refusals >= CAREFUL):
            self.is_first = False
            return 0
        if not refusals and (number >= MAX_MESSAGES or sum(self.in_flight) >= MAX_BYTES):
            return len(self.queue) // 2
        return None

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
            self.put(["EMPTY"], transaction, b".\r\n")
        transaction.terminated = True

    def finish(self) -> None:
        """Leave the session as it was found: without an open transaction."""
        if self.queue or self.buffer:
            self.synchronize()
        if self.previous is not None and not self.previous.accepted:
            self.put(["RSET"], self.previous, b"RSET\r\n")
            self.synchronize()

    # The wire

    def put(self, kinds: Sequence[str], transaction: Transaction, *pieces: bytes) -> None:
        """Have `pieces` written by the next `flush()`, and expect replies of these kinds to them.

        Without PIPELINING, `synchronize()` has to follow.
        """
        if len(self.queue) >= MAX_REPLIES:
            self.synchronize(MAX_REPLIES // 2)
        self.buffer += pieces
        for piece in pieces:
            self.buffered += len(piece)
        for kind in kinds:
            self.queue.append((kind, transaction))
            if kind == "END":
                self.ends.append((self.buffered, transaction))

    def synchronize(self, leave: int = 0) -> None:
        """Write what is to be written, and read replies until only `leave` are to come."""
        if self.buffer:
            self.flush()
        if len(self.transactions) < len(self.envelopes):
            self.work_ahead()
        self.read(leave)

    def flush(self) -> None:
        """Write the buffer."""
        pieces, size, self.buffer, self.buffered = self.buffer, self.buffered, [], 0
        sock, written = self.session.sock or self.session.require_socket(), 0
        for piece in [b"".join(pieces)] if size <= WRITE_SIZE else split(pieces):
            written += len(piece)
            last: Transaction | None = None
            # Before it is tried: when that fails, one cannot know how much of it has gone.
            while self.ends and self.ends[0][0] <= written:
                end, last = self.ends.popleft()
                last.handed_over = True
            try:
                sock.sendall(piece)
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
        """Read replies until only `leave` are to come."""
        queue, session = self.queue, self.session
        while len(queue) > leave:
            try:
                replies = session.read_replies(len(queue) - leave)
            except OSError as error:
                if self.is_at_closing and is_end(error):
                    for _, transaction in queue:
                        transaction.is_void = True
                raise
            for reply in replies:
                kind, transaction = queue.popleft()
                is_closing = False
                if reply.code not in SUCCESS[kind]:
                    is_closing = self.take_refusal(kind, transaction, reply)
                elif kind == "RCPT":
                    transaction.recipients.append(reply)
                else:
                    transaction.replies[kind] = reply
                if kind == "END":
                    self.end(transaction)
            self.is_at_closing = is_closing
            if self.closing is not None:
                # What the server says about the rest is worth knowing.
                leave = 0
        if self.closing is not None:
            code, text = self.closing.code, self.closing.text.decode(errors="replace")
            raise smtplib.SMTPServerDisconnected(f"The server closed the session: {code} {text}")
        if not queue and session.replies.unread:
            raise OutOfStepError("The server replied to nothing.")

    def take_refusal(self, kind: str, transaction: Transaction, reply: Reply) -> bool:
        """Take a reply that is not a success; return whether it closes the session.

        Raises `OutOfStepError` if it is not a refusal either.
        """
        code = reply.code
        if not 400 <= code < 600:
            transaction.is_shifted = True
            raise OutOfStepError(f"The server replied {code} to {kind}.")
        was_refused = transaction.refused
        transaction.refuse(kind, reply)
        if transaction.refused != was_refused:
            self.session.refusals += 1
            transaction.taken_before = self.session.taken
        is_closing = code == 421 or kind == "RSET"
        if is_closing and self.closing is None:
            self.closing = reply
        return is_closing

    def end(self, transaction: Transaction) -> None:
        """Count a message that has its last reply."""
        if self.chunking:
            self.in_flight.popleft()
        if not transaction.refused:
            self.session.taken += 1
            self.session.refusals = 0
        elif transaction.contradiction():
            raise OutOfStepError("The server accepted a message without a sender.")
