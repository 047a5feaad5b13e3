"""What the mail about errors (log.py) and broken links (middleware.py) has in common.

Such mail is sent while something else has gone wrong, from the thread that a visitor waits for. So
how often it is sent is limited (limits.py), and here for how long (`open_mailer`); to write it asks
no database (`no_queries`), it is never about itself (`reporting`), and what is said of a failure
gives nothing away (`Failures`).

LOGGING may name log.py, so all of this has to be importable before the apps are loaded, and on
Django 5.2 and 6.0 before `django.core.mail` has been given its `mailers`.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.utils.functional import Promise
from django.utils.html import format_html

from django_mailers.mailboxes import quoted

from .texts import encodable, one_line

logger = logging.getLogger("django_mailers.log")

_thread = threading.local()


@contextmanager
def reporting() -> Iterator[bool]:
    """Yield whether this thread may report now: it may not while it is at a report.

    What goes wrong with a report is logged, by us and perhaps by the mailer. Where the handler
    listens to that as well, each failure would be the next one's cause.
    """
    if getattr(_thread, "is_reporting", False):
        yield False
        return
    _thread.is_reporting = True
    try:
        yield True
    finally:
        _thread.is_reporting = False


@contextmanager
def no_queries() -> Iterator[None]:
    """Let this thread's database queries fail, before they connect.

    To show the user of a request or a local variable may take one (a QuerySet's repr() is a query),
    of a database that is perhaps what broke; and in a thread of its own, as under ASGI, nobody
    would close the connection. Django's reports say what they could not get.
    """

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise DatabaseError("Reports by mail ask no database.")

    with ExitStack() as stack:
        # A database whose settings are wrong or whose driver is missing will not be asked either.
        with suppress(Exception):
            for alias in connections:
                with suppress(Exception):
                    original, stand_in = connections[alias], connections.create_connection(alias)
                    stand_in.cursor = stand_in.chunked_cursor = refuse
                    # For this thread alone. Other threads may have the original itself, as with a
                    # test's live server, so nothing is done to that.
                    connections[alias] = stand_in
                    stack.callback(connections.__setitem__, alias, original)
        yield


class Failures:
    """Says of a report that could not be sent what can be said to a log: neither a text of the
    error, which may hold addresses or answers of the server, nor any of the report's.

    `kind` is what the reports are called. A mailer that does not exist is logged once.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._missing: set[str | None] = set()

    def log(self, error: Exception, using: str | None) -> bool:
        """Log that a report could not be sent through the mailer `using`, unless that is known.

        Returns whether it was not. Raises nothing: other people's handlers listen, too.
        """
        alias = "default" if using is None else using
        is_missing = isinstance(error, getattr(mail, "MailerDoesNotExist", ()))
        if is_missing and using in self._missing:
            return False
        with suppress(Exception):
            if is_missing:
                self._missing.add(using)
                logger.error("%s are not sent: there is no mailer %r in MAILERS.", self.kind, alias)
            else:
                logger.error(
                    "One of the %s was not sent through the mailer %r: %s.",
                    self.kind,
                    alias,
                    describe(error),
                )
        return True


def describe(error: BaseException) -> str:
    """Return the type of `error`, the code of the system or of SMTP for it, and where it arose."""
    code = getattr(error, "smtp_code", None)
    if not isinstance(code, int):
        code = errno.errorcode.get(getattr(error, "errno", None) or 0)
    text = type(error).__name__ if code is None else f"{type(error).__name__} {code}"
    place = innermost(error.__traceback__)
    return f"{text} in {place}" if place else text


def innermost(tb: Any) -> str:
    """Return "file:line" of the innermost frame of a traceback, "" if there is none."""
    places = frames(tb)
    return places[-1] if places else ""


def frames(tb: Any) -> list[str]:
    """Return "file:line" for each frame of a traceback, the innermost as the last."""
    return [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(tb)]


def digest(text: str) -> str:
    """Return a short name for `text`, whatever is in it and however much."""
    data = text.encode("utf-8", "backslashreplace")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def open_mailer(using: str | None, timeout: float | None) -> Any:
    """Return the mailer `using`, None for the default, with at most `timeout` for its server.

    In seconds, for the connection and then for each answer; None leaves it as it is. A mailer that
    has no attribute `timeout` cannot be told, and one that has a shorter one keeps it.
    """
    if not hasattr(mail, "mailers"):
        raise ImproperlyConfigured(
            "Reports by mail need MAILERS: add 'django_mailers' to INSTALLED_APPS."
        )
    mailer = mail.mailers[mail.DEFAULT_MAILER_ALIAS if using is None else using]
    # On the instance, which is made anew for each look-up (H18, H39). There may be none, it may be
    # a property, or something else than seconds.
    with suppress(AttributeError, TypeError):
        if timeout is not None and (mailer.timeout is None or mailer.timeout > timeout):
            mailer.timeout = timeout
    return mailer


def send(
    setting: str, subject: str, body: str, html: str | None, open_connection: Callable[[], Any]
) -> None:
    """Send a report to the people in `setting`, which is ADMINS or MANAGERS.

    Like `mail_admins()`, which has no way to be given a mailer that is not as MAILERS has it.
    Nothing is opened if there is nobody to send to. Raises what the mailer raises.
    """
    recipients = addresses(setting)
    if not recipients:
        return
    message = mail.EmailMultiAlternatives(
        one_line(encodable(f"{settings.EMAIL_SUBJECT_PREFIX}{subject}")),
        encodable(body),
        quoted(str(settings.SERVER_EMAIL)),
        recipients,
    )
    if html:
        message.attach_alternative(encodable(html), "text/html")
    connection = open_connection()
    try:
        connection.send_messages([message])
    except Exception:
        # Django's SMTP backend leaves a connection open that failed before it was through.
        with suppress(Exception):
            connection.close()
        raise


def addresses(setting: str) -> list[str]:
    """Return the addresses in ADMINS or MANAGERS, which may be (name, address) pairs.

    Django deprecates those, and says so elsewhere: to warn is to fail, with some filters.
    """
    entries = getattr(settings, setting)
    if isinstance(entries, list | tuple):
        entries = [
            entry[1] if isinstance(entry, list | tuple) and len(entry) == 2 else entry
            for entry in entries
        ]
        if all(isinstance(entry, str | Promise) for entry in entries):
            return [quoted(str(entry)) for entry in entries]
    raise ImproperlyConfigured(f"The {setting} setting must be a list of email address strings.")


def with_notes(html: str, notes: Iterable[str]) -> str:
    """Return the page `html` with `notes` at its top."""
    paragraphs = "".join(format_html("<p>{}</p>", note) for note in notes)
    body = re.search(r"<body[^>]*>", html)
    at = body.end() if body else 0
    return f"{html[:at]}{paragraphs}{html[at:]}"
