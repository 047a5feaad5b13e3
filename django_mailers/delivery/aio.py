"""The functions of django.core.mail, and send_many(), for coroutines.

Sending blocks, so it is done in threads: in a pool of its own, with at most
`settings.MAILERS_ASYNC_THREADS` (8) of them, which bounds the connections as well. A backend that
has `asend_messages()` or `asend_many()` is awaited instead.

A send that has begun in a thread is never stopped halfway. Cancelling the caller gives it its
CancelledError at once, while the thread finishes the message and closes its connection; what still
waits for a thread is not sent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import close_old_connections

from django_mailers import delivery

T = TypeVar("T")

DEFAULT_THREADS = 8

_is_in_pool: ContextVar[bool] = ContextVar("_is_in_pool", default=False)


async def asend(message: Any, *, using: str | None = None) -> int:
    """Send `message` as `message.send(using=using)` does; return the number sent, 1 or 0."""

    def send() -> Any:
        # A message may have a send() of its own (one that renders a template, say): then its way
        # is gone. Else it makes another mailer than this one, which only shows if there is a
        # better way.
        if type(message).send is mail.EmailMessage.send and message.recipients():
            default = mail.DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined]
            mailer = mail.mailers.get(default if using is None else using)
            if hasattr(mailer, "asend_messages"):
                return mailer, None
        return None, message.send(using=using)

    mailer, sent = await _in_thread(send)
    return await mailer.asend_messages([message]) if mailer else sent


async def asend_mail(
    subject: Any,
    message: Any,
    from_email: str | None,
    recipient_list: Sequence[str],
    *,
    html_message: str | None = None,
    using: str | None = None,
) -> int:
    """Send one message as django.core.mail.send_mail() does; return the number sent, 1 or 0."""
    email = mail.EmailMultiAlternatives(subject, message, from_email, recipient_list)
    if html_message:
        email.attach_alternative(html_message, "text/html")
    return await asend(email, using=using)


async def asend_mass_mail(
    datatuple: Iterable[tuple[Any, Any, str | None, Sequence[str]]], *, using: str | None = None
) -> int:
    """Send as django.core.mail.send_mass_mail() does: over one connection, until one fails."""

    def send() -> Any:
        messages = [mail.EmailMessage(*data) for data in datatuple]
        mailer = delivery.get_mailer(using)
        if hasattr(mailer, "asend_messages"):
            return mailer, messages
        return None, mailer.send_messages(messages)

    mailer, result = await _in_thread(send)
    return await mailer.asend_messages(result) if mailer else result


async def amail_admins(
    subject: Any, message: Any, *, html_message: str | None = None, using: str | None = None
) -> None:
    """Send to ADMINS as django.core.mail.mail_admins() does, always in a thread."""
    await _in_thread(mail.mail_admins, subject, message, html_message=html_message, using=using)


async def amail_managers(
    subject: Any, message: Any, *, html_message: str | None = None, using: str | None = None
) -> None:
    """Send to MANAGERS as django.core.mail.mail_managers() does, always in a thread."""
    await _in_thread(mail.mail_managers, subject, message, html_message=html_message, using=using)


async def asend_many(messages: Iterable[Any], *, using: str | None = None) -> delivery.SendReport:
    """Send as send_many() does, in one thread; return what became of the messages.

    A report's retry() blocks; here, send its `retryable` messages by another asend_many().
    """

    def send() -> Any:
        mailer = delivery.get_mailer(using)
        batch = delivery.Batch(messages, using)
        if hasattr(mailer, "asend_many"):
            return mailer, batch
        return None, delivery.deliver(mailer, batch)

    mailer, result = await _in_thread(send)
    if mailer is None:
        return result
    outcomes = await mailer.asend_many(result.messages) if result.messages else ()
    return result.report_outcomes(outcomes)


async def _in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call `function` in a thread of the pool, with the context variables of this task."""
    # What is sent by a backend that sends something itself, by async_to_sync(), gets a thread of
    # that call's own event loop: all of the pool's may be waiting for it.
    executor = None if _is_in_pool.get() else _pool.get()
    call = sync_to_async(_call, thread_sensitive=False, executor=executor)
    return await call(function, *args, **kwargs)


def _call(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    # A backend may use the database (a queue in a table, say). Connections belong to their thread,
    # and this one sees neither the begin nor the end of a request, when Django would do it.
    close_old_connections()
    token = _is_in_pool.set(True)
    try:
        return function(*args, **kwargs)
    finally:
        _is_in_pool.reset(token)
        close_old_connections()


class _Pool:
    """The threads, made when they are first needed."""

    _lock: threading.Lock
    _executor: ThreadPoolExecutor | None

    def __init__(self) -> None:
        self.forget()

    def get(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(_threads(), "django_mailers")
            return self._executor

    def forget(self) -> None:
        # After a fork the lock may be held by a thread that is not in the child, and the executor
        # believes that it has threads, and would wait for them for ever.
        self._lock = threading.Lock()
        self._executor = None

    def resize(self, *, setting: str, **kwargs: Any) -> None:
        if setting == "MAILERS_ASYNC_THREADS":
            with self._lock:
                executor, self._executor = self._executor, None
            if executor is not None:
                executor.shutdown(wait=False)


def _threads() -> int:
    threads = getattr(settings, "MAILERS_ASYNC_THREADS", DEFAULT_THREADS)
    if not isinstance(threads, int) or threads < 1:
        raise ImproperlyConfigured("MAILERS_ASYNC_THREADS must be a positive integer.")
    return threads


_pool = _Pool()
if hasattr(os, "register_at_fork"):  # Not on Windows.
    os.register_at_fork(after_in_child=_pool.forget)
# In tests: override_settings().
setting_changed.connect(_pool.resize)
