"""The base classes of our backends: `ReportingBackend`, and `Wrapper` for those that use others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.core.mail.backends.base import BaseEmailBackend

from django_mailers.options import TakesOptions

# Nothing of `delivery` is imported before it is needed: the SMTP backend sends one message without
# it.
if TYPE_CHECKING:
    from typing import ClassVar, Protocol, Self

    from django_mailers.delivery import SendReport, SendResult
    from django_mailers.types import Message

    from ._wrapping.wrapper import Wrapper

    class Outcome(Protocol):
        """A result that can be counted: a SendResult, or a Result of `smtp`."""

        @property
        def status(self) -> str: ...

        @property
        def error(self) -> Exception | None: ...


__all__ = ["ReportingBackend", "Wrapper"]


class ReportingBackend(TakesOptions, BaseEmailBackend):
    """A backend that knows what became of each message.

    A subclass defines `send_many()`, and states its options in `option_kinds` (see `TakesOptions`).
    An option "fail_silently" (of the kind `options.FLAG`) makes `send_messages()` keep quiet about
    errors of the network and the server.
    """

    fail_silently: bool = False
    # Whether the extra headers of a message go out as they are. Unless a class states that, or
    # derives from one of Django's, they are without the Message-ID and Date of `fix_identity()`.
    renders_mime: ClassVar[bool]

    def __deepcopy__(self, memo: Any) -> Self:
        # (H23) Django's locmem copies messages together with the mailer that send_mass_mail() has
        # set on them, which is a wrapper here, and has a lock.
        return self

    def send_many(self, messages: Sequence[Message]) -> list[SendResult]:
        """Send each of `messages`, which have recipients; return a result for each, in order.

        It connects and disconnects by itself, and raises nothing that is about a message. It may
        raise an error of the configuration. If messages were sent before that, the error has a
        `report`: a SendReport of all `messages`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define send_many().")

    def send_messages(self, email_messages: Iterable[Message]) -> int:
        """Send each of the messages; return how many of them were sent, or queued.

        All of them are tried, then the first error there was is raised. `send_many()` reports what
        became of each.
        """
        if not email_messages:
            return 0
        if isinstance(email_messages, list | tuple):
            return self.count_sent(self._report(email_messages))
        from django_mailers.delivery.windows import in_windows

        return self.count_sent(in_windows(email_messages, self._report))

    def _report(self, messages: Sequence[Message]) -> SendReport:
        from django_mailers.delivery.sending import send_over

        return send_over(self, messages, using=self.alias)

    def count_sent(self, results: Iterable[Outcome]) -> int:
        """Return how many of `results` are those of messages sent; raise the first error in them.

        With `fail_silently` what the server and the network do is not raised. That is an OSError,
        the exceptions of smtplib included.
        """
        sent = 0
        error: Exception | None = None
        for result in results:
            # As `delivery.report.COUNTED` has them.
            if result.status in {"sent", "queued"}:
                sent += 1
            elif error is None and not (
                self.fail_silently and (result.error is None or isinstance(result.error, OSError))
            ):
                error = result.error or _unexplained(result)
        if error is None:
            return sent
        try:
            raise error
        finally:
            # Else its traceback would keep the messages until the garbage collector comes.
            del error, results, result


def _unexplained(result: Outcome) -> Exception | None:
    """Return what to raise for a failure of which no error is known."""
    from django_mailers.delivery.report import SendError, SendReport, SendResult

    if isinstance(result, SendResult) and result.status in {"refused", "failed"}:
        return SendError(SendReport([result]))
    return None


def __getattr__(name: str) -> Any:
    # A process that sends through the SMTP backend alone need not import it.
    if name == "Wrapper":
        from ._wrapping.wrapper import Wrapper

        return Wrapper
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
