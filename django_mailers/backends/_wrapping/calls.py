"""One send_many() of a wrapper: where it comes from, and what is known of its messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from django_mailers.delivery import SendReport, SendResult
from django_mailers.types import Mailer, Message

from .aliases import circle

if TYPE_CHECKING:
    from .wrapper import Wrapper

_current: ContextVar[Call | None] = ContextVar("_current", default=None)


class Call:
    """A send_many() of `wrapper`, a context. `mailer` is the one that is sending at the moment."""

    mailer: Mailer | None = None
    _token: Token[Call | None]

    def __init__(self, wrapper: Wrapper) -> None:
        self.wrapper = wrapper
        outer = _current.get()
        # Of another wrapper only if that has handed something to this instance. Else it is a mail
        # that is sent while mail is sent, an error report for example, which may go the same way.
        self.outer = outer if outer is not None and outer.mailer is wrapper else None
        self._results: dict[int, SendResult] = {}

    def __enter__(self) -> Call:
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _current.reset(self._token)

    def aside(self) -> Call:
        """Return a call with the same path whose results are not those of the caller's messages."""
        call = Call(self.wrapper)
        call.outer = self.outer
        return call

    def refuse_circle(self, alias: str) -> None:
        """Raise InvalidMailer if `alias` is on the way here: a message would never arrive.

        The settings do not show that if an alias is computed, as by a callable.
        """
        way: list[str | None] = [alias]
        call: Call | None = self
        while call is not None:
            way.insert(0, call.wrapper.alias)
            if call.wrapper.alias == alias:
                raise circle(self.wrapper, None, way)
            call = call.outer

    def record(self, results: Iterable[SendResult]) -> None:
        for result in results:
            self._results[id(result.message)] = result

    @property
    def sent(self) -> int:
        """How many messages are known to be sent."""
        return sum(result.status == "sent" for result in self._results.values())

    def report(self, messages: Sequence[Message], error: BaseException) -> SendReport:
        """Return what is known of `messages`, now that `error` ends the call."""
        # An interrupt is not an error of a message.
        reason = error if isinstance(error, Exception) else None
        return SendReport(
            self._results.get(id(message)) or SendResult(message, "failed", error=reason)
            for message in messages
        )


def current_call(wrapper: Wrapper) -> Call:
    """Return the call of `wrapper` that is under way; a new one in a thread of its own."""
    call = _current.get()
    return call if call is not None and call.wrapper is wrapper else Call(wrapper)
