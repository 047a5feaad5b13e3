"""send_many(): sends each of several messages, and says what became of it.

`send_messages()` returns a count: a failing message ends the batch, the count of those before it is
lost, and a recipient who was refused among others is never heard of (H34). `send_many()` goes on
after a failure and returns a `SendReport`. A backend that knows what became of its messages says so
itself (`ReportingBackend`); any other is given one message at a time over one connection, and what
it returns or raises is judged here. What cannot be known is "unknown": never "sent", because
somebody would be without their mail, and never "failed", because somebody would get it twice.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from json import JSONDecodeError
from smtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
)
from typing import Any, Literal, NamedTuple, Protocol, cast, get_args, overload

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends import smtp

logger = logging.getLogger("django_mailers.delivery")

Status = Literal["sent", "refused", "failed", "unknown", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)

# What is raised before a server can have been handed anything, whatever the backend.
EARLY_ERRORS = (
    ConnectionRefusedError,
    socket.gaierror,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    ValueError,
)
# ValueErrors that are no fault of the message: an answer came, and could not be read.
LATE_ERRORS = (JSONDecodeError, UnicodeDecodeError)


class RecipientResult(NamedTuple):
    """What the server said about one recipient: the address as it was sent, code and text."""

    address: str
    code: int
    text: str

    @property
    def is_refused(self) -> bool:
        return not 200 <= self.code < 300


class Outcome(Protocol):
    """What a `ReportingBackend` says of a message; the attributes are those of `SendResult`."""

    @property
    def status(self) -> Status: ...

    @property
    def code(self) -> int | None: ...

    @property
    def text(self) -> str: ...

    @property
    def recipients(self) -> Iterable[tuple[str, int, str]]: ...

    @property
    def error(self) -> Exception | None: ...


class ReportingBackend(Protocol):
    """A backend that knows what became of each message, and so needs no guesses.

    It connects and closes by itself, as in `send_messages()`. It is given messages that have
    recipients, returns an outcome for each in the same order, and raises nothing that is about a
    message. It may also have `asend_many()`, a coroutine function that does the same.
    """

    def send_many(self, messages: Sequence[Any]) -> Sequence[Outcome]: ...


@dataclass(frozen=True)
class SendResult:
    """What became of one message. Its repr() has no address, no reply and nothing of the message.

    message     the EmailMessage, as it was given.
    status      "sent"     the server (or whatever the backend sends to) has taken it for at least
                           one recipient.
                "refused"  the server has said no: it has the message for nobody.
                "failed"   it went wrong before the message was handed over.
                "unknown"  it may have been sent or not: the reply was lost, or the backend does
                           not tell.
                "skipped"  the message has no recipients.
    code, text  the reply to the message as a whole, if there was one and the backend gives it.
    recipients  a RecipientResult for each recipient the server gave an answer about, if the
                backend gives them.
    error       the exception, if there was one.
    """

    message: Any = field(repr=False)
    status: Status
    code: int | None = None
    text: str = field(default="", repr=False)
    recipients: tuple[RecipientResult, ...] = field(default=(), repr=False)
    error: Exception | None = field(default=None, repr=False)

    @property
    def refused_recipients(self) -> tuple[RecipientResult, ...]:
        return tuple(recipient for recipient in self.recipients if recipient.is_refused)

    @property
    def is_success(self) -> bool:
        """Whether nobody waits in vain: it was sent to all recipients, or has none."""
        return self.status == "skipped" or (self.status == "sent" and not self.refused_recipients)

    @property
    def is_retryable(self) -> bool:
        """Whether sending it again gives nobody a second copy, and may succeed.

        RFC 5321, 4.2.1: what was refused with a code of 5xx is not to be sent again as it is.
        """
        codes = [self.code, *(recipient.code for recipient in self.recipients)]
        return self.status == "failed" or (
            self.status == "refused" and any(400 <= code < 500 for code in codes if code)
        )


class SendReport(Sequence[SendResult]):
    """The results of send_many(), in the order of its messages."""

    def __init__(self, results: Iterable[SendResult], *, using: str | None = None) -> None:
        self._results = tuple(results)
        self.using = using

    @overload
    def __getitem__(self, index: int) -> SendResult: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SendResult]: ...

    def __getitem__(self, index: int | slice) -> SendResult | Sequence[SendResult]:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<SendReport using={self.using!r}: {self.summary()}>"

    @property
    def counts(self) -> dict[Status, int]:
        """How many messages there are of each status, zeros included."""
        counted = Counter(result.status for result in self)
        return {status: counted[status] for status in STATUSES}

    @property
    def failures(self) -> list[SendResult]:
        """The results that are no success: a message sent to some of its recipients is here too."""
        return [result for result in self if not result.is_success]

    @property
    def retryable(self) -> list[Any]:
        """The messages that may be sent again: see `SendResult.is_retryable`."""
        return [result.message for result in self if result.is_retryable]

    def summary(self) -> str:
        """Say how many messages there are of each status, without a word about any of them."""
        parts = [f"{count} {status}" for status, count in self.counts.items() if count]
        in_part = sum(result.status == "sent" and not result.is_success for result in self)
        if in_part:
            parts[0] += f" ({in_part} not to all recipients)"
        return ", ".join(parts) or "no messages"

    def raise_for_failures(self) -> SendReport:
        """Raise `SendError` unless each result is a success; return the report."""
        failures = self.failures
        if failures:
            cause = next((result.error for result in failures if result.error), None)
            raise SendError(self) from cause
        return self

    def retry(self) -> SendReport:
        """Send what is `retryable` again, through the same mailer; return the report of that."""
        return send_many(self.retryable, using=self.using)


class SendError(Exception):
    """Not every message of `report` was sent to all of its recipients.

    The first exception among the results is the cause. (There may be many. An ExceptionGroup
    would need Python 3.11, and most refusals it could hold are not exceptions.)
    """

    def __init__(self, report: SendReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report.summary()


def send_many(messages: Iterable[Any], *, using: str | None = None) -> SendReport:
    """Send each of `messages` through the mailer `using`; return what became of them.

    Raises only what is wrong with the configuration, as `InvalidMailer` and `MailerDoesNotExist`.
    If that shows after messages were sent, `error.report` says which.
    """
    return deliver(get_mailer(using), Batch(messages, using))


def get_mailer(using: str | None) -> Any:
    return mail.mailers.default if using is None else mail.mailers[using]


def deliver(mailer: Any, batch: Batch) -> SendReport:
    """Send `batch` over the backend `mailer`, in this thread."""
    if hasattr(mailer, "send_many"):
        return batch.report_outcomes(mailer.send_many(batch.messages) if batch.messages else ())
    results, error = _send_one_by_one(mailer, batch.messages)
    report = batch.report(results)
    if isinstance(error, ImproperlyConfigured):
        error.report = report
        raise error
    return report


class Batch:
    """The messages of one send_many(). `messages` are those that a backend has to be given."""

    def __init__(self, messages: Iterable[Any], using: str | None) -> None:
        self._using = using
        everything = list(messages)
        # The results that need no backend, and None where one is needed.
        self._results = [_without_backend(message) for message in everything]
        self.messages = [
            message
            for message, result in zip(everything, self._results, strict=True)
            if result is None
        ]

    def report(self, results: Sequence[SendResult]) -> SendReport:
        given = iter(results)
        return SendReport([result or next(given) for result in self._results], using=self._using)

    def report_outcomes(self, outcomes: Sequence[Outcome]) -> SendReport:
        """Make the report of what a `ReportingBackend` has returned."""
        if len(outcomes) != len(self.messages):
            raise RuntimeError(
                f"The backend returned {len(outcomes)} results for {len(self.messages)} messages."
            )
        return self.report(
            [
                SendResult(
                    message,
                    outcome.status,
                    outcome.code,
                    outcome.text,
                    tuple(RecipientResult(*recipient) for recipient in outcome.recipients),
                    outcome.error,
                )
                for message, outcome in zip(self.messages, outcomes, strict=True)
            ]
        )


def _without_backend(message: Any) -> SendResult | None:
    try:
        return None if message.recipients() else SendResult(message, "skipped")
    except Exception as error:
        return SendResult(message, "failed", error=error)


def _send_one_by_one(
    backend: Any, messages: Sequence[Any]
) -> tuple[list[SendResult], Exception | None]:
    """Send over a backend that has `send_messages()` and nothing to tell more with.

    Returns a result for each message, and the error that kept the last of them from being tried.
    That is one of the configuration, or no connection could be made: trying each message with a
    dead server would cost a timeout apiece, and none of them was handed over, so they can be
    sent later.
    """
    connection = _Connection(backend)
    results: list[SendResult] = []
    final: Exception | None = None
    try:
        for message in messages:
            try:
                connection.open()
            except Exception as error:
                final = error
                break
            try:
                result, is_good = _send_one(backend, message)
            except ImproperlyConfigured as error:
                final = error
                break
            results.append(result)
            if not is_good:
                connection.close()
    finally:
        connection.close()
    results += [SendResult(message, "failed", error=final) for message in messages[len(results) :]]
    return results, final


class _Connection:
    """The connection of a backend, opened when it is needed. Some have no open() (H17)."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._is_open = False

    def open(self) -> None:
        if self._is_open:
            return
        # Whatever comes of it there is something to close: Django's SMTP backend, for one, keeps a
        # connection that failed at STARTTLS or AUTH.
        self._is_open = True
        if hasattr(self._backend, "open"):
            opened = self._backend.open()
            if opened is None and _is_djangos_smtp(self._backend):
                raise ConnectionError("The mailer could not connect. fail_silently hides why.")

    def close(self) -> None:
        """Close, if it is open. How that goes changes nothing for the messages: never raises."""
        if not self._is_open:
            return
        self._is_open = False
        if hasattr(self._backend, "close"):
            try:
                self._backend.close()
            except Exception as error:
                # Only the type: the text may be the server's, and name anybody.
                logger.warning("A mailer could not be closed: %s.", type(error).__name__)


def _is_djangos_smtp(backend: Any) -> bool:
    """Whether it has Django's way of sending by SMTP, which sends nothing if open() gives None."""
    return (
        isinstance(backend, smtp.EmailBackend)
        and type(backend).send_messages is smtp.EmailBackend.send_messages
    )


def _send_one(backend: Any, message: Any) -> tuple[SendResult, bool]:
    """Send `message`; return its result, and whether the connection is good for another one."""
    returned: Any = None
    raised: Exception | None = None
    connection = getattr(backend, "connection", None)
    # By type: a double of unittest.mock would pass isinstance(), and tell nothing.
    watch = _Watch(connection) if issubclass(type(connection), SMTP) else None
    try:
        with watch or contextlib.nullcontext():
            returned = backend.send_messages([message])
    except ImproperlyConfigured:
        raise
    except Exception as error:
        raised = error
    # A backend that has connected anew by itself may have sent where nobody watched.
    if watch is None or not (watch.attempts or backend.connection is connection):
        if raised is not None:
            return _judge(message, raised, handed_over=None), False
        return SendResult(message, _judge_return(returned)), True
    if watch.attempts:
        # With fail_silently the error of the attempt is all there is.
        result = watch.judge(message)
    elif raised is not None:
        result = SendResult(message, "failed", error=raised)
    else:
        result = SendResult(message, _judge_return(returned))
    return result, watch.is_connection_good


def _judge_return(returned: Any) -> Status:
    """Judge what send_messages() returned for one message, where nothing else is known.

    The contract is the number of messages sent. Some return a list, with an entry for each
    message, and some nothing (H17). 0 without an error is a backend that fails silently: it may be
    that only the reply was lost.
    """
    count = len(returned) if isinstance(returned, list | tuple) else returned
    return "sent" if isinstance(count, int) and count > 0 else "unknown"


def _judge(message: Any, error: Exception, *, handed_over: bool | None) -> SendResult:
    """Judge an exception; `handed_over` says if the body was being sent, None that nobody knows."""
    recipients: tuple[RecipientResult, ...] = ()
    if isinstance(error, SMTPRecipientsRefused):
        recipients = _refused(error.recipients)
        if any(_is_refusal(recipient.code) for recipient in recipients):
            return SendResult(message, "refused", recipients=recipients, error=error)
    if isinstance(error, SMTPSenderRefused | SMTPDataError) and _is_refusal(error.smtp_code):
        text = _decode(error.smtp_error)
        return SendResult(message, "refused", error.smtp_code, text, error=error)
    if handed_over is None or isinstance(error, SMTPRecipientsRefused | SMTPSenderRefused):
        handed_over = not isinstance(error, EARLY_ERRORS) or isinstance(error, LATE_ERRORS)
    status: Status = "unknown" if handed_over else "failed"
    return SendResult(message, status, recipients=recipients, error=error)


def _is_refusal(code: int) -> bool:
    """Whether `code` says no. smtplib raises for whatever is not 250, so for garbage (-1) too."""
    return 400 <= code < 600


def _refused(replies: dict[str, tuple[int, bytes]]) -> tuple[RecipientResult, ...]:
    return tuple(
        RecipientResult(address, code, _decode(text)) for address, (code, text) in replies.items()
    )


def _decode(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text


@dataclass
class _Attempt:
    """One sendmail()."""

    addresses: Sequence[str]
    handed_over: bool = False
    last_reply: tuple[int, bytes] = (-1, b"")
    refused: dict[str, tuple[int, bytes]] | None = None
    error: Exception | None = None

    def judge(self, message: Any) -> SendResult:
        if self.error is not None:
            return _judge(message, self.error, handed_over=self.handed_over)
        code, text = self.last_reply[0], _decode(self.last_reply[1])
        refused = {recipient.address: recipient for recipient in _refused(self.refused or {})}
        recipients = tuple(
            refused.get(address) or RecipientResult(address, code, text)
            for address in self.addresses
        )
        return SendResult(message, "sent", code, text, recipients)


class _Watch:
    """A context in which the connection of an SMTP backend is watched.

    Django's backend drops what sendmail() returns, the refused recipients, and with fail_silently
    what it raises (H34). So two methods of this one connection, and of no other, are replaced for
    the time of one send_messages(): it is the backend's own, made a moment ago, in this thread.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._originals: dict[str, Any] = {}
        self.attempts: list[_Attempt] = []

    def __enter__(self) -> None:
        for name in ("sendmail", "getreply"):
            self._originals[name] = getattr(self._connection, name)
            setattr(self._connection, name, getattr(self, f"_{name}"))

    def __exit__(self, *exc_info: object) -> None:
        for name, original in self._originals.items():
            delattr(self._connection, name)
            # Not the class's own any more: somebody else's replacement, which stays in place.
            if getattr(self._connection, name) != original:
                setattr(self._connection, name, original)

    def _sendmail(self, from_addr: str, to_addrs: Any, *args: Any, **kwargs: Any) -> Any:
        attempt = _Attempt([to_addrs] if isinstance(to_addrs, str) else list(to_addrs))
        self.attempts.append(attempt)
        try:
            attempt.refused = self._originals["sendmail"](from_addr, to_addrs, *args, **kwargs)
        except Exception as error:
            attempt.error = error
            raise
        return attempt.refused

    def _getreply(self) -> tuple[int, bytes]:
        reply = cast("tuple[int, bytes]", self._originals["getreply"]())
        if self.attempts:
            self.attempts[-1].last_reply = reply
            # What the server says to DATA alone: what comes next is the body.
            self.attempts[-1].handed_over |= reply[0] == 354
        return reply

    def judge(self, message: Any) -> SendResult:
        """Judge the attempts; there is more than one if the backend does more than Django's."""
        results = [attempt.judge(message) for attempt in self.attempts]
        return replace(
            min(results, key=lambda result: _CERTAINTY.index(result.status)),
            recipients=tuple(recipient for result in results for recipient in result.recipients),
            error=next((result.error for result in results if result.error), None),
        )

    @property
    def is_connection_good(self) -> bool:
        """Whether it is open, and the server awaits a new message.

        smtplib closes the socket after a fault and sends RSET after a refusal, but not if it was
        DATA that was refused: the next MAIL would be a bad sequence of commands.
        """
        if self._connection.sock is None:
            return False
        if not self.attempts or self.attempts[-1].error is None:
            return True
        attempt = self.attempts[-1]
        if isinstance(attempt.error, SMTPRecipientsRefused):
            return all(_is_refusal(code) for code, _ in attempt.error.recipients.values())
        if isinstance(attempt.error, SMTPSenderRefused):
            return _is_refusal(attempt.error.smtp_code)
        return (
            isinstance(attempt.error, SMTPDataError)
            and attempt.handed_over
            and _is_refusal(attempt.error.smtp_code)
        )


# Of several attempts the first of these is what became of the message.
_CERTAINTY: tuple[Status, ...] = ("sent", "unknown", "refused", "failed")
