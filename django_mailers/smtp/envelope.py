"""What is handed to a session, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

if TYPE_CHECKING:
    from .doubts import Doubt

# sent      the server took responsibility for it, for at least one recipient
# refused   the server judged this message, and said no: to its sender, to all of its recipients,
#           or to its content
# failed    something else kept it from being handed over whole: it has surely not arrived
# unknown   it was handed over, and the reply was lost: it may have arrived, or not
# untried   nothing of it was sent: the session had ended before, or there was none
Status = Literal["sent", "refused", "failed", "unknown", "untried"]

Named = TypeVar("Named", bound="Record")


class Record(tuple[Any, ...]):
    """A tuple whose items are named by the annotations of the class, which defines `__new__()`.

    A NamedTuple does more, and making the class takes ten times as long, in each process that
    sends: it compiles code for it.
    """

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._fields = tuple(cls.__annotations__)
        for number, name in enumerate(cls._fields):
            setattr(cls, name, property(itemgetter(number)))

    def __getnewargs__(self) -> tuple[Any, ...]:
        """For copy and pickle."""
        return tuple(self)

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({items})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self: Named, **changes: Any) -> Named:
        items = self._asdict() | changes
        if len(items) != len(self):
            raise TypeError(f"{type(self).__name__} has only these: {', '.join(self._fields)}")
        return tuple.__new__(type(self), items.values())


class Reply(Record):
    """A server's reply, its text as smtplib's exceptions hold it."""

    __slots__ = ()
    code: int
    text: bytes

    def __new__(cls, code: int, text: bytes) -> Reply:
        return tuple.__new__(cls, (code, text))


class Envelope:
    """A message for the wire.

    mail_from   The sender's address.
    recipients  The recipients' addresses.
    content     The whole message, header and body, as bytes. Line ends other than CRLF become CRLF
                on the wire, and it gets one at its end if it has none; dots are the session's
                business.
    unless_utf8 Its headers are in UTF-8 (RFC 6532), and this is the error if the server does not
                offer SMTPUTF8; None for any other message.

    Its `repr()` goes to logs and to pages about errors, and so has no addresses.
    """

    __slots__ = ("content", "mail_from", "recipients", "unless_utf8")

    def __init__(
        self,
        mail_from: str,
        recipients: Sequence[str],
        content: bytes,
        unless_utf8: ValueError | None = None,
    ) -> None:
        self.mail_from = mail_from
        self.recipients = recipients
        self.content = content
        self.unless_utf8 = unless_utf8

    def __repr__(self) -> str:
        number = len(self.recipients)
        to = f"{number} recipient{'' if number == 1 else 's'}"
        return f"<{type(self).__name__} to {to}, {len(self.content)} bytes>"


class Result:
    """What became of one Envelope.

    status      See `Status`.
    recipients  What the server said last about each recipient, by address, as far as it was
                answered: the refusal of the recipient, or the reply to the whole message, or else
                the reply to the recipient.
    error       The exception that smtplib would have raised; None if the status is "sent".
    reply       The reply to the message as a whole, if there was one.
    is_open     Whether another session may send the message: this one ended before the message was
                handed over, or the server closed the session by a reply that says so.
    doubt       What makes a refusal doubtful: it may be about the session instead.
    """

    __slots__ = ("doubt", "error", "is_open", "recipients", "reply", "status")

    def __init__(
        self,
        status: Status,
        recipients: dict[str, Reply] | None = None,
        error: Exception | None = None,
        reply: Reply | None = None,
        is_open: bool = False,
        doubt: Doubt | None = None,
    ) -> None:
        self.status: Status = status
        self.recipients: dict[str, Reply] = {} if recipients is None else recipients
        self.error = error
        self.reply = reply
        self.is_open = is_open
        self.doubt = doubt

    def __repr__(self) -> str:
        # No replies and no errors: both may have addresses in them.
        return f"{type(self).__name__}(status={self.status!r})"

    @property
    def code(self) -> int | None:
        """The code of the reply, or of the first of the recipients' if these were all refused."""
        if self.reply is not None:
            return self.reply.code
        return next((reply.code for reply in self.recipients.values()), None)
