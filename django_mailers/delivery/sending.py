"""send_many() and send_each(): send several messages, and report what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from django_mailers.types import Mailer, Message

from .report import TAKEN, SendReport, SendResult
from .windows import in_windows


def send_many(messages: Iterable[Message], *, using: str | None = None) -> SendReport:
    """Send each of `messages` through the mailer `using`; return what became of them.

    Raises only what is wrong with the configuration, as `InvalidMailer` and `MailerDoesNotExist`.
    If that shows after messages were sent, `error.report` says which.
    """
    return send_over(get_mailer(using), messages, using=using)


def send_each(messages: Iterable[Message], *, using: str | None = None) -> Iterator[SendResult]:
    """Send `messages`, as many as there may be, through the mailer `using`; yield the results.

    The results are those of `send_many()`, in order, but neither they nor the messages are kept.
    Nothing is sent until the first result is asked for. Up to 250 messages are taken from
    `messages` and sent, and the mailer gives its connection back, before their results are
    yielded. If the caller stops in between, results that were not taken are counted in a warning
    of the logger "django_mailers.delivery", and no further message is sent.

    If the mailer cannot be reached, these messages are "failed", and the next ones are tried.

    Raises what is wrong with the configuration, as `send_many()` does, when the first result is
    asked for; and what `messages` raises, after the messages before that were sent.
    """
    return in_windows(messages, lambda window: send_many(window, using=using))


def get_mailer(using: str | None) -> Mailer:
    return mail.mailers.default if using is None else mail.mailers[using]


def send_over(
    mailer: Mailer, messages: Iterable[Message], *, using: str | None, keep_open: bool = False
) -> SendReport:
    """Send `messages` over the backend `mailer`, whose alias is `using`; return the report.

    With `keep_open` the connection that was needed stays open, for the next call; the caller closes
    the mailer.

    Raises what `send_many()` raises, and TypeError if the backend does not return a result for each
    message.
    """
    everything = list(messages)
    results = [_without_backend(message) for message in everything]
    remaining = [
        message for message, result in zip(everything, results, strict=True) if result is None
    ]
    default: str = mail.DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined, unused-ignore]
    alias = default if using is None else using
    given: Sequence[SendResult] = ()
    if remaining:
        try:
            given = _ask(mailer, remaining, keep_open)
        except ImproperlyConfigured as error:
            given = _completed(error, remaining)
            error.report = _report(results, given, alias, using)  # type: ignore[attr-defined, unused-ignore]
            raise
    return _report(results, given, alias, using)


def _without_backend(message: Message) -> SendResult | None:
    try:
        if message.recipients():
            return None
    except Exception as error:
        # The message's own code, or a list that is not one: this is about this message alone.
        return SendResult(message, "failed", error=error, phase="rendering")
    return SendResult(message, "skipped", reason="no recipients")


def _ask(mailer: Mailer, messages: list[Message], keep_open: bool) -> Sequence[SendResult]:
    """Send `messages`, which have recipients; return what the backend, or a judge, says of them."""
    knows = getattr(mailer, "send_many", None)
    if knows is None:
        # Imported here because most processes never need it.
        from .onebyone import send_one_by_one

        return send_one_by_one(mailer, messages, keep_open=keep_open)
    results: Any = knows(messages)
    if not isinstance(results, list | tuple) or not all(
        isinstance(result, SendResult) for result in results
    ):
        raise TypeError(f"{_name(mailer)}.send_many() must return a list of SendResult.")
    if len(results) != len(messages):
        raise TypeError(
            f"{_name(mailer)}.send_many() returned {len(results)} results for "
            f"{len(messages)} messages."
        )
    return [
        result if result.message is message else result.about(message)
        for result, message in zip(results, messages, strict=True)
    ]


def _name(mailer: Mailer) -> str:
    return f"{type(mailer).__module__}.{type(mailer).__qualname__}"


def _completed(error: ImproperlyConfigured, messages: list[Message]) -> list[SendResult]:
    """Return what was known of `messages` when `error` ended their sending.

    A backend that has sent some of them says so in a report of them all.
    """
    report: Sequence[SendResult] = getattr(error, "report", ())
    known = report if len(report) == len(messages) else [None] * len(messages)
    return [
        result
        if result and result.message is message
        else SendResult(message, "failed", error=error)
        for result, message in zip(known, messages, strict=True)
    ]


def _report(
    results: list[SendResult | None], given: Sequence[SendResult], alias: str, using: str | None
) -> SendReport:
    """Put together the results that needed no backend, and those that one has `given`."""
    rest = iter(given)
    return SendReport([result or _via(alias, next(rest)) for result in results], using=using)


def _via(alias: str, result: SendResult) -> SendResult:
    if result.via is None and result.status in TAKEN:
        return result._replace(via=alias)
    return result
