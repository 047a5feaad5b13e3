"""Writing a report of a log record: the subject, the text and the HTML."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import AppRegistryNotReady
from django.db import DatabaseError, connections
from django.utils.html import format_html
from django.views.debug import ExceptionReporter

from .texts import plain_traceback, printable, with_message


def write(handler: Any, record: logging.LogRecord, notes: list[str]) -> tuple[str, str, str | None]:
    """Return the subject, the text and the HTML of a report that contains `notes`.

    `handler` is an AdminEmailHandler, whose methods and attributes decide on the form. The HTML is
    None unless it has `include_html`.
    """
    request = getattr(record, "request", None)
    if not hasattr(request, "META"):  # the records of the development server have a socket there
        request = None
    origin = ""
    if request is not None:
        is_internal = request.META.get("REMOTE_ADDR") in settings.INTERNAL_IPS
        origin = f" ({'internal' if is_internal else 'EXTERNAL'} IP)"
    # Without the traceback, which comes from the reporter.
    bare = with_message(record)
    bare.exc_info = bare.exc_text = None
    text = bare.getMessage()
    subject = handler.format_subject(f"{record.levelname}{origin}: {text}")
    exc_type, error, tb = record.exc_info or (None, None, None)
    reported = printable(error) if record.exc_info else text
    with no_queries():
        formatted = handler.format(bare)
        trace, html = _trace(handler, request, exc_type, reported, tb)
    return subject, "\n\n".join([formatted, *notes, trace]), html and with_notes(html, notes)


def _trace(
    handler: Any, request: Any, exc_type: Any, error: Any, tb: Any
) -> tuple[str, str | None]:
    """Return the traceback as text and, with `include_html`, as HTML."""
    reporter = handler.reporter_class(request, exc_type, error, tb, is_email=True)
    try:
        text = reporter.get_traceback_text()
        return text, reporter.get_traceback_html() if handler.include_html else None
    except Exception as failure:
        # A variable or the request cannot be shown. But where the apps are not loaded, or the
        # project's own reporter fails, the project has to be corrected, so that is reported.
        is_djangos = handler.reporter_class is ExceptionReporter
        if not is_djangos or isinstance(failure, AppRegistryNotReady):
            raise
        return plain_traceback(error if exc_type else None), None


@contextmanager
def no_queries() -> Iterator[None]:
    """Make database queries of this thread fail, before they connect.

    Showing the user of a request or a local variable may take a query (the `repr()` of a QuerySet
    is one) to a database that is perhaps the cause of the error. And in a thread of its own, as
    under ASGI, nothing would close the connection. Django's reports say what could not be shown.
    """

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise DatabaseError("Reports by mail ask no database.")

    with ExitStack() as stack:
        # A database with wrong settings or without its driver cannot be queried anyway.
        with suppress(Exception):
            for alias in connections:
                with suppress(Exception):
                    original = connections[alias]
                    stand_in: Any = connections.create_connection(alias)
                    stand_in.cursor = stand_in.chunked_cursor = refuse
                    # For this thread only. Other threads may share the original, as with a live
                    # server of a test, so it is not changed itself.
                    connections[alias] = stand_in
                    stack.callback(connections.__setitem__, alias, original)
        yield


def with_notes(html: str, notes: Iterable[str]) -> str:
    """Return the page `html` with `notes` at its top."""
    paragraphs = "".join(format_html("<p>{}</p>", note) for note in notes)
    body = re.search(r"<body[^>]*>", html)
    at = body.end() if body else 0
    return f"{html[:at]}{paragraphs}{html[at:]}"
