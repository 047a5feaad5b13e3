"""Send through a backend that does not say what became of its messages."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends import smtp

from django_mailers.smtp import Session, is_injected
from django_mailers.types import Mailer, Message

from .judging import is_refused_for_all, judge, judge_return
from .report import SendReport, SendResult
from .watching import Watch

logger = logging.getLogger("django_mailers.delivery")

# smtplib's own class. Not by its name, as a test may have put a double there when this is imported.
SMTP: type = Session.__mro__[1]


def send_one_by_one(
    backend: Mailer, messages: Sequence[Message], *, keep_open: bool = False
) -> list[SendResult]:
    """Send through a backend that only has `send_messages()`; return a result for each message.

    If no connection can be made, the messages that are left are not tried: each would cost a
    timeout. They were not handed over, so they can be sent later. With `keep_open` the connection
    stays open at the end.

    Raises an error of the configuration, with a report of all messages as its `report`.
    """
    connection = _Connection(backend)
    results: list[SendResult] = []
    final: Exception | None = None
    try:
        for message in messages:
            try:
                connection.open()
            except Exception as error:
                connection.close()
                if is_injected(error):
                    raise
                # Of any backend. The messages that are left were not handed over, for this reason.
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
        if not keep_open:
            connection.close()
    results += [
        SendResult(message, "failed", error=final, phase="connecting")
        for message in messages[len(results) :]
    ]
    if isinstance(final, ImproperlyConfigured):
        final.report = SendReport(results)  # type: ignore[attr-defined, unused-ignore]
        raise final
    return results


class _Connection:
    """The connection of a backend, opened when it is needed. Some have no open() (H17)."""

    def __init__(self, backend: Mailer) -> None:
        self._backend = backend
        self._is_open = False

    def open(self) -> None:
        if self._is_open:
            return
        # Before it is tried: Django's SMTP backend, for example, keeps a connection that failed at
        # STARTTLS or AUTH, which has to be closed.
        self._is_open = True
        if hasattr(self._backend, "open"):
            opened = self._backend.open()
            if opened is None and _is_djangos_smtp(self._backend):
                raise ConnectionError("The mailer could not connect. fail_silently hides why.")

    def close(self) -> None:
        """Close the connection if it is open. An error is only logged: the messages are sent."""
        if not self._is_open:
            return
        self._is_open = False
        if hasattr(self._backend, "close"):
            try:
                self._backend.close()
            except Exception as error:
                # Only the type: the text may be the server's, and name anybody.
                logger.warning("A mailer could not be closed: %s.", type(error).__name__)


def _must_be_seen(backend: Mailer, connection: Any) -> bool:
    """Whether nothing can have been sent if nobody has called `connection.sendmail()`.

    The backend may have made another connection by itself. A session of ours sends in other ways.
    """
    current = getattr(backend, "connection", None)
    return current is connection and not isinstance(connection, Session)


def _is_djangos_smtp(backend: Mailer) -> bool:
    """Whether it sends as Django's SMTP backend, which sends nothing if open() returns None."""
    return (
        isinstance(backend, smtp.EmailBackend)
        and type(backend).send_messages is smtp.EmailBackend.send_messages
    )


def _send_one(backend: Mailer, message: Message) -> tuple[SendResult, bool]:
    """Send `message`; return its result, and whether the connection is good for another one."""
    returned: Any = None
    raised: Exception | None = None
    connection = getattr(backend, "connection", None)
    told_before = getattr(message, "anymail_status", None)
    # By type: a double of unittest.mock would pass isinstance(), and tell nothing.
    watch = Watch(connection) if issubclass(type(connection), SMTP) else None
    try:
        with watch or contextlib.nullcontext():
            returned = backend.send_messages([message])
    except Exception as error:
        if isinstance(error, ImproperlyConfigured) or is_injected(error):
            raise
        raised = error
    if watch is None or not (watch.attempts or _must_be_seen(backend, connection)):
        if raised is not None:
            return judge(message, raised, handed_over=None), False
        if is_refused_for_all(message, told_before):
            return SendResult(message, "refused"), True
        return SendResult(message, judge_return(returned)), True
    if watch.attempts:
        # With fail_silently the error of the attempt is all there is.
        result = watch.judge(message)
    elif raised is not None:
        result = SendResult(message, "failed", error=raised, phase="rendering")
    else:
        result = SendResult(message, judge_return(returned))
    return result, watch.is_connection_good
