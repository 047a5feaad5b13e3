"""The functions of django.core.mail, and send_many(), for coroutines.

Sending blocks, so it is done in threads: in a pool of its own, with at most
`settings.MAILERS_ASYNC_THREADS` (8) of them, which bounds the connections as well.

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
from django.core import mail
from django.core.signals import setting_changed
from django.db import close_old_connections

from django_mailers import conf, delivery
from django_mailers.types import Message

T = TypeVar("T")

_is_in_pool: ContextVar[bool] = ContextVar("_is_in_pool", default=False)


async def asend(message: Message, *, using: str | None = None) -> int:
    """Send `message` as `message.send(using=using)` does; return the number sent, 1 or 0."""
    return await _in_thread(message.send, using=using)


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

    def send() -> int:
        messages = [mail.EmailMessage(*data) for data in datatuple]
        return delivery.get_mailer(using).send_messages(messages)

    return await _in_thread(send)


async def amail_admins(
    subject: Any, message: Any, *, html_message: str | None = None, using: str | None = None
) -> None:
    """Send to ADMINS as django.core.mail.mail_admins() does."""
    await _in_thread(mail.mail_admins, subject, message, html_message=html_message, using=using)


async def amail_managers(
    subject: Any, message: Any, *, html_message: str | None = None, using: str | None = None
) -> None:
    """Send to MANAGERS as django.core.mail.mail_managers() does."""
    await _in_thread(mail.mail_managers, subject, message, html_message=html_message, using=using)


async def asend_many(
    messages: Iterable[Message], *, using: str | None = None
) -> delivery.SendReport:
    """Send as send_many() does, in one thread; return what became of the messages."""
    return await _in_thread(delivery.send_many, messages, using=using)


async def _in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call `function` in a thread of the pool, with the context variables of this task."""
    # A nested send, of a backend that calls asend() through async_to_sync() for example, must not
    # wait for this pool: all of its threads may be waiting for it.
    executor = None if _is_in_pool.get() else _pool.get()
    call = sync_to_async(_call, thread_sensitive=False, executor=executor)
    return await call(function, *args, **kwargs)


def _call(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    # A backend may use the database: a queue in a table, for example. Connections belong to their
    # thread, and in this one no request begins or ends, which is when Django closes old ones.
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
                self._executor = ThreadPoolExecutor(conf.async_threads(), "django_mailers")
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


_pool = _Pool()
if hasattr(os, "register_at_fork"):  # Not on Windows.
    os.register_at_fork(after_in_child=_pool.forget)
# In tests: override_settings().
setting_changed.connect(_pool.resize)
