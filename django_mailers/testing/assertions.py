"""Assertions about the messages in `mail.outbox`, as functions and as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from email.message import EmailMessage as ParsedMessage
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast, overload

from django.core import mail

from django_mailers.types import Message

from .capture import captureMail, outbox, waiting_functions
from .matching import asked, listed, mismatches, nearest_miss
from .rendering import received
from .wanted import Addresses, Text

if TYPE_CHECKING:
    from typing import Unpack

__all__ = [
    "MailersTestMixin",
    "assertMailCount",
    "assertMailRenders",
    "assertMailSent",
    "assertNoMail",
    "captureMail",
]

# unittest leaves the frames of this module out of the tracebacks of failures.
__unittest = True

# A file name; or what attach() takes, with None for what may be anything.
Attachments: TypeAlias = "Text | tuple[Any, ...] | Iterable[Text | tuple[Any, ...]]"
# A function of a message; or the messages to look through, instead of mail.outbox.
Where: TypeAlias = "Callable[[Message], object] | Sequence[Message]"


class Criteria(TypedDict, total=False):
    """The criteria for a message: the arguments of `assertMailSent()`."""

    using: Text | None
    to: Addresses | None
    cc: Addresses | None
    bcc: Addresses | None
    recipients: Addresses | None
    from_email: Text | None
    subject: Text | None
    body: Text | None
    html: Text | None
    headers: Mapping[str, Text | None] | None
    attachments: Attachments | None
    where: Where | None


@overload
def assertMailSent(  # type: ignore[overload-overlap]
    *, count: Literal[1] = 1, **criteria: Unpack[Criteria]
) -> Message: ...


@overload
def assertMailSent(*, count: int | None, **criteria: Unpack[Criteria]) -> list[Message]: ...


def assertMailSent(
    *,
    count: int | None = 1,
    using: Text | None = None,
    to: Addresses | None = None,
    cc: Addresses | None = None,
    bcc: Addresses | None = None,
    recipients: Addresses | None = None,
    from_email: Text | None = None,
    subject: Text | None = None,
    body: Text | None = None,
    html: Text | None = None,
    headers: Mapping[str, Text | None] | None = None,
    attachments: Attachments | None = None,
    where: Where | None = None,
) -> Message | list[Message]:
    """Check that `count` messages were sent that are as the other arguments say; return them.

    count        How many there must be; None for any number but 0. With 1 the message itself is
                 returned, otherwise a list, in the order in which they were sent.
    using        The alias of the mailer.
    to, cc, bcc  All addresses of that kind, in any order: one, or a list. [] means that there are
                 none. Names are left out, and the domain may be in upper or lower case.
    recipients   The same for all three kinds together.
    from_email   The address of the sender.
    subject      The whole subject.
    body         Something that the body contains.
    html         Something that the HTML contains.
    headers      The whole value of headers, by their names, as they are sent; None for a header
                 that must not be there.
    attachments  All attachments, in any order: file names, or tuples of what `attach()` takes, of
                 which None means anything. [] means that there are none.
    where        A function that is called with a message and returns whether it is meant; or a list
                 of messages to look through, instead of `mail.outbox`.

    Each text may be a pattern of `re`, which is searched; a str must be equal.

    Raises AssertionError, which says how the most similar message differs, and what was sent.
    """
    __tracebackhide__ = True  # pytest shows the test instead.
    messages, criteria = _look(locals())
    found = [message for message in messages if not mismatches(message, criteria)]
    if len(found) == count or (count is None and found):
        return found[0] if count == 1 else found
    expected = "at least 1" if count is None else str(count)
    noun = "message" if count in {1, None} else "messages"
    failure = f"Expected {expected} {noun}, and found {len(found)}"
    failure += f", with:{asked(criteria)}" if criteria else "."
    if len(found) < (count or 1):
        failure += nearest_miss(messages, criteria)
    raise AssertionError(failure + listed(messages) + _hint(messages))


def assertNoMail(
    *,
    using: Text | None = None,
    to: Addresses | None = None,
    cc: Addresses | None = None,
    bcc: Addresses | None = None,
    recipients: Addresses | None = None,
    from_email: Text | None = None,
    subject: Text | None = None,
    body: Text | None = None,
    html: Text | None = None,
    headers: Mapping[str, Text | None] | None = None,
    attachments: Attachments | None = None,
    where: Where | None = None,
) -> None:
    """Check that no message was sent that is as the arguments say: those of `assertMailSent()`.

    Without arguments nothing at all must have been sent. Raises AssertionError.
    """
    __tracebackhide__ = True
    messages, criteria = _look(locals())
    found = [message for message in messages if not mismatches(message, criteria)]
    if found:
        failure = f"Expected no message, and found {len(found)}"
        failure += f", with:{asked(criteria)}" if criteria else "."
        raise AssertionError(failure + listed(found))


def assertMailCount(n: int, *, using: str | None = None) -> None:
    """Check that `n` messages were sent, by the mailer `using` if it is given.

    Raises AssertionError.
    """
    __tracebackhide__ = True
    if n:
        assertMailSent(count=n, using=using)
    else:
        assertNoMail(using=using)


def assertMailRenders(message: Message) -> ParsedMessage:
    """Check that a server would accept `message` as it is rendered; return that, parsed.

    It need not have been sent. The message is rendered as for SMTP, with its line breaks, encodings
    and addresses: a line break in a header, an address that cannot be one, a line that is longer
    than SMTP allows, missing recipients, or recipients of `bcc` in a header are failures.

    Raises AssertionError.
    """
    __tracebackhide__ = True
    return received(message)


class MailersTestMixin:
    """The functions of this module as methods, for a TestCase."""

    assertMailCount = staticmethod(assertMailCount)
    assertMailRenders = staticmethod(assertMailRenders)
    assertNoMail = staticmethod(assertNoMail)
    captureMail = captureMail

    @overload
    def assertMailSent(  # type: ignore[overload-overlap]
        self, *, count: Literal[1] = 1, **criteria: Unpack[Criteria]
    ) -> Message: ...

    @overload
    def assertMailSent(
        self, *, count: int | None, **criteria: Unpack[Criteria]
    ) -> list[Message]: ...

    def assertMailSent(
        self,
        *,
        count: int | None = 1,
        using: Text | None = None,
        to: Addresses | None = None,
        cc: Addresses | None = None,
        bcc: Addresses | None = None,
        recipients: Addresses | None = None,
        from_email: Text | None = None,
        subject: Text | None = None,
        body: Text | None = None,
        html: Text | None = None,
        headers: Mapping[str, Text | None] | None = None,
        attachments: Attachments | None = None,
        where: Where | None = None,
    ) -> Message | list[Message]:
        """Check that messages were sent, as the function `assertMailSent()` does."""
        __tracebackhide__ = True
        arguments = locals()
        given: Any = {name: arguments[name] for name in ("count", *Criteria.__annotations__)}
        return cast("Message | list[Message]", assertMailSent(**given))


def _look(arguments: dict[str, Any]) -> tuple[list[Message], dict[str, Any]]:
    """Return the messages to look through, and what is asked of each."""
    criteria = {
        name: arguments[name]
        for name in Criteria.__annotations__
        if arguments.get(name) is not None
    }
    where = criteria.get("where")
    if where is not None and not callable(where):
        del criteria["where"]
        return list(where), criteria
    return outbox(), criteria


def _hint(messages: Sequence[Message]) -> str:
    """Say why nothing may have been sent, if it shows."""
    if not hasattr(mail, "outbox"):
        return (
            "\nThere is no mail.outbox: setup_test_environment() was not called, and mailers send "
            "as in production."
        )
    waiting = 0 if messages else waiting_functions()
    if waiting:
        functions = "1 function waits" if waiting == 1 else f"{waiting} functions wait"
        return (
            f"\n{functions} for a commit (transaction.on_commit()), which never happens in a "
            "TestCase: use captureMail(on_commit=True)."
        )
    return ""
