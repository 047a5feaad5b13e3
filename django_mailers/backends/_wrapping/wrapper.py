"""The base class of backends that send through other mailers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import MailerDoesNotExist

from django_mailers.delivery import SendResult
from django_mailers.delivery.copies import shallow_copy, without_connection
from django_mailers.delivery.identity import fix_identity, for_mailer
from django_mailers.options import ALIAS, ALIASES
from django_mailers.smtp import is_injected, note_sent
from django_mailers.types import Mailer, Message

from ..base import ReportingBackend
from .aliases import check_aliases, unknown
from .calls import Call, current_call
from .originals import Originals
from .targets import Target, Targets


class Wrapper(ReportingBackend):
    """A backend that sends through other mailers, which its options name by their aliases.

    The options of the kinds `options.ALIAS` and `options.ALIASES` are those: `using`, `mailers`,
    `also`. Each mailer is made when a message is sent, and may have any backend.

    The simplest wrapper states the option `using` and overrides `outgoing()`, which changes or
    drops one message. A wrapper that decides where messages go overrides `send_through()` and calls
    `hand_on()` for each group of them. The caller's messages are never changed, and none is kept
    when `send_messages()` has returned.

    If a result is "unknown", the message may have been sent. A subclass must not hand it on again,
    or somebody gets it twice. A subclass that may hand on a message more than once, for any other
    reason, has to hand on what `fix_identity()` returns for it.
    """

    # The mailer at the end of the chain decides what becomes of the headers of fix_identity().
    renders_mime = True
    # Of the subclass's table
    using: str
    # The options that name other mailers.
    alias_options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.alias_options = tuple(
            name for name, option in cls.all_options.items() if option.kind in {ALIAS, ALIASES}
        )

    def set_options(self, given: Mapping[str, Any]) -> None:
        self._targets = Targets(self._make)
        super().set_options(given)

    # The steps, for subclasses to override

    def outgoing(self, message: Message) -> Message | SendResult:
        """Return what is sent in the place of `message`.

        That is the message itself, or a `copy()` of it that was changed; or a SendResult if nothing
        is to be sent: `SendResult(message, "skipped", reason="no consent")`. An exception is about
        this message, which is then "failed".
        """
        return message

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        """Send `messages`, which have recipients; return a result for each, in order.

        By default what `outgoing()` returns is handed on to `using`, as one batch.
        """
        return self._send_outcomes(messages, [self._outgoing(message) for message in messages])

    def open(self) -> bool | None:
        """Open the first of the mailers that the options name, until `close()`.

        While it is open, each mailer that is used keeps its connection. Returns what the `open()`
        of that mailer returns, and raises what that raises.
        """
        for _, alias in self.named():
            return self.open_target(alias)
        self._targets.keep()
        return None

    # What they are made of

    def copy(self, message: Message) -> Message:
        """Return a copy of `message` that may be changed, by `outgoing()`.

        It is of the same class and has the same attributes, but lists, dictionaries and sets of its
        own. What these contain is shared, the content of attachments for example.
        """
        return shallow_copy(message)

    def fix_identity(self, message: Message) -> Message:
        """Return a copy of `message` with a Message-ID and a Date, or the message if it has both.

        For a wrapper that may hand on a message more than once: it calls this for each message
        before the first try, and hands on the copies as `outgoing` each time, so that a receiver
        can drop a duplicate. If the mailer at the end of the chain is not known to render MIME, for
        example because it calls an API, the headers are removed again.
        """
        return fix_identity(message)

    def hand_on(
        self,
        alias: str,
        messages: Sequence[Message],
        outgoing: Sequence[Message] | None = None,
    ) -> list[SendResult]:
        """Send `messages` through the mailer `alias`, as one batch; return a result for each.

        With `outgoing` those are sent in the place of `messages`, one for each. The results are
        about `messages`, and attributes that the other backend adds, such as Anymail's
        `anymail_status`, are set on those.

        Raises only errors of the configuration, such as InvalidMailer if `alias` is unknown or
        leads back to this mailer.
        """
        if not messages:
            return []
        call = current_call(self)
        call.refuse_circle(alias)
        return self._hand_to(self._targets.get(alias), call, messages, outgoing)

    def open_target(self, alias: str) -> bool | None:
        """Open the mailer `alias` until `close()`; return what its `open()` returns."""
        return self._targets.open(alias)

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield each option that names other mailers together with an alias in it."""
        for option in self.alias_options:
            value = getattr(self, option) or ()
            for alias in [value] if isinstance(value, str) else value:
                yield option, alias

    # The contract

    def send_many(self, messages: Sequence[Message]) -> list[SendResult]:
        check_aliases(self)
        with Call(self) as call:
            try:
                return self.send_through(messages)
            except ImproperlyConfigured as error:
                # What was sent before is not lost with it.
                error.report = call.report(messages, error)  # type: ignore[attr-defined, unused-ignore]
                raise
            except BaseException as error:
                # An interrupt, whose report is about this mailer, but not about earlier ones.
                if call.sent:
                    note_sent(error, call.sent, len(messages))
                raise

    def close(self) -> None:
        """Close every mailer that was opened. All are tried, then the first error is raised."""
        self._targets.close()

    def _send_outcomes(self, messages: Sequence[Message], outcomes: list[Any]) -> list[SendResult]:
        """Hand on what `_outgoing()` has returned for each of `messages`; return their results."""
        outcomes = [*outcomes]
        sending = [n for n, one in enumerate(outcomes) if not isinstance(one, SendResult)]
        originals = [messages[n] for n in sending]
        results = self.hand_on(self.using, originals, [outcomes[n] for n in sending])
        for number, result in zip(sending, results, strict=True):
            outcomes[number] = result
        return outcomes

    def _hand_to(
        self,
        target: Target,
        call: Call,
        messages: Sequence[Message],
        outgoing: Sequence[Message] | None,
    ) -> list[SendResult]:
        outgoing = [
            without_connection(for_mailer(message, target.mailer))
            for message in (messages if outgoing is None else outgoing)
        ]
        originals = Originals(messages, outgoing)
        call.mailer = target.mailer
        try:
            report = target.send(originals.outgoing)
        except ImproperlyConfigured as error:
            call.record(originals.restore(getattr(error, "report", ())))
            raise
        finally:
            call.mailer = None
        results = originals.restore(report)
        call.record(results)
        return results

    def _make(self, alias: str) -> Mailer:
        try:
            return mail.mailers[alias]
        except MailerDoesNotExist as error:
            raise unknown(self, alias) from error

    def _outgoing(self, message: Message, step: Callable[[Message], Any] | None = None) -> Any:
        """Return what `outgoing()`, or another `step`, returns; or that `message` has failed."""
        try:
            outcome = (step or self.outgoing)(message)
        except ImproperlyConfigured:
            raise
        except Exception as error:
            if is_injected(error):
                raise
            # The project's code; this is about the one message.
            return SendResult(message, "failed", error=error, phase="rendering")
        if isinstance(outcome, SendResult):
            return outcome.about(message)
        return outcome
