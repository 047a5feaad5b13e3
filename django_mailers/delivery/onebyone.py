"""Sending by a backend that does not say what became of its messages."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from smtplib import SMTP
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends import smtp

from .judging import judge, judge_return
from .report import SendResult
from .watching import Watch

logger = logging.getLogger("django_mailers.delivery")


def send_one_by_one(
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
                # Any backend's: nothing of what is left was handed over, and the results say why.
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
    watch = Watch(connection) if issubclass(type(connection), SMTP) else None
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
            return judge(message, raised, handed_over=None), False
        return SendResult(message, judge_return(returned)), True
    if watch.attempts:
        # With fail_silently the error of the attempt is all there is.
        result = watch.judge(message)
    elif raised is not None:
        result = SendResult(message, "failed", error=raised)
    else:
        result = SendResult(message, judge_return(returned))
    return result, watch.is_connection_good
