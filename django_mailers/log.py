"""Error reports by mail that never raise, never flood and never hang: see docs/errorreporting.rst.

LOGGING is read before the apps are loaded. On Django 5.2 and 6.0 Django's own handler, from which
this one inherits, is then still what it always was there, and changes in place later; so nothing of
it is relied on that the two do not share.
"""

from __future__ import annotations

import logging
import sysconfig
from contextlib import suppress
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import AppRegistryNotReady
from django.utils import log as django_log
from django.utils.module_loading import import_string
from django.views.debug import ExceptionReporter

from .errorreports.limits import Admission, ReportLimiter, check_seconds
from .errorreports.sending import (
    Failures,
    frames,
    no_queries,
    open_mailer,
    reporting,
    send,
    with_notes,
)
from .errorreports.texts import (
    encodable,
    one_line,
    plain_traceback,
    printable,
    with_message,
    written_traceback,
)

# Where code is that many others call. Django may be elsewhere, in a checkout.
LIBRARIES = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    *django.__path__,
)


class AdminEmailHandler(django_log.AdminEmailHandler):
    """Django's `AdminEmailHandler` for production: mails errors to ADMINS, and does no harm.

    include_html, email_backend, reporter_class   As Django's.
    using     The alias of MAILERS to send through; None is "default".
    timeout   Seconds for which the mailer waits at most, for the connection and then for each
              answer. None leaves it to the mailer's own options.
    window    Seconds after a report in which no other is sent about an error at the same place.
    rate      How many reports are sent in any minute or hour: "10/minute", "30/hour".
    cache     An alias of CACHES through which processes share `window` and `rate`.

    `window` and `rate` may be None: no limit. What they suppress is counted, and the count told in
    the next report. Wrong values are a `ValueError`.

    Whatever goes wrong once a record is here is logged to "django_mailers.log", and handed to
    `handleError()` as for any handler of logging.
    """

    def __init__(
        self,
        include_html: bool = False,
        email_backend: str | None = None,
        reporter_class: str | None = None,
        using: str | None = None,
        *,
        timeout: float | None = 10,
        window: float | None = 600,
        rate: str | None = "30/hour",
        cache: str | None = None,
    ) -> None:
        if self._has_connection_hook():
            self._warn_about_connection_hook()
            # Django's __init__ refuses the hook, from 6.1 on, and does no more than this.
            super(django_log.AdminEmailHandler, self).__init__()
            self.include_html = include_html
            self.email_backend = email_backend
            self.reporter_class = import_string(
                reporter_class or settings.DEFAULT_EXCEPTION_REPORTER
            )
        else:
            super().__init__(include_html, email_backend, reporter_class)
        self.using = using
        self.timeout = check_seconds("timeout", timeout)
        scope = f"{type(self).__module__}.{type(self).__qualname__}:{using}"
        self.limiter = ReportLimiter(window=window, rate=rate, cache=cache, scope=scope)
        self._failures = Failures("error reports")

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit `record` if the filters let it pass, without the lock that handlers have for that.

        Nothing here needs it, and who logs an error meanwhile would wait for the mail server too.
        """
        passed = self.filter(record)
        if passed:
            # From Python 3.12 on a filter may return another record.
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Send a report of `record`, if the limits allow; raise nothing."""
        with reporting() as is_free:
            if is_free:
                self._emit(record)

    def _emit(self, record: logging.LogRecord) -> None:
        site, admitted = "", None
        try:
            if not self._has_readers():
                return
            site = self.site(record)
            admitted = self.limiter.admit(site)
            if admitted is not None:
                subject, message, html_message = self._write(record, admitted)
                self.send_mail(subject, message, html_message=html_message)
        except Exception as error:
            if admitted is not None:
                with suppress(Exception):
                    self.limiter.failed(site, admitted, error)
            if self._failures.log(error, self.using):
                # It prints to stderr, unless logging.raiseExceptions is off; it may be overridden.
                with suppress(Exception):
                    self.handleError(record)

    def site(self, record: logging.LogRecord) -> str:
        """Return what stands for all records that one report is enough for; may be overridden.

        For an exception that is its type, the line that raised it and, if that is a library's,
        the last line before it that is not; also if it is only text any more, behind a
        `QueueHandler`. Without a traceback it is the logger, the line that logs, and the level.
        """
        exc_type, _, tb = record.exc_info or (None, None, None)
        name = f"{exc_type.__module__}.{exc_type.__qualname__}" if exc_type else ""
        places = frames(tb)
        if not places and not name:
            name, places = written_traceback(record)
        if not places:
            line = f"{record.pathname}:{record.lineno}"
            return "\n".join([name, record.name, line, record.levelname])
        own = [place for place in places if not place.startswith(LIBRARIES)]
        return "\n".join([name, places[-1], *own[-1:]])

    def format_subject(self, subject: str) -> str:
        """Escape what a subject cannot have: line breaks, as Django's, and control characters."""
        return one_line(super().format_subject(subject))

    def send_mail(
        self,
        subject: str,
        message: str,
        fail_silently: bool = False,
        connection: Any = None,
        html_message: str | None = None,
    ) -> None:
        """Send a report to ADMINS. A subclass may override this to send it elsewhere.

        `fail_silently` has no effect: what is raised here gets no further than `emit()`.
        `connection` is a backend to send through instead of the mailer.
        """
        if connection is None and self._has_connection_hook():
            connection = self.connection()
        if connection is None and self.email_backend:
            # There is no MAILERS, or this had been refused: all is as it was.
            super().send_mail(
                encodable(subject),
                encodable(message),
                html_message=html_message and encodable(html_message),
            )
            return
        send(
            "ADMINS",
            subject,
            message,
            html_message,
            lambda: connection or open_mailer(self.using, self.timeout),
        )

    def _has_readers(self) -> bool:
        if settings.ADMINS:
            return True
        # A subclass that sends reports itself may know others.
        return getattr(self.send_mail, "__func__", None) is not AdminEmailHandler.send_mail

    def _write(self, record: logging.LogRecord, admitted: Admission) -> tuple[str, str, str | None]:
        """Return the subject, the text and the HTML of the report."""
        request = getattr(record, "request", None)
        if not hasattr(request, "META"):  # the development server's records have a socket there
            request = None
        origin = ""
        if request is not None:
            is_internal = request.META.get("REMOTE_ADDR") in settings.INTERNAL_IPS
            origin = f" ({'internal' if is_internal else 'EXTERNAL'} IP)"
        # Without the traceback, which the reporter gives.
        bare = with_message(record)
        bare.exc_info = bare.exc_text = None
        text = bare.getMessage()
        subject = self.format_subject(f"{record.levelname}{origin}: {text}")
        exc_type, error, tb = record.exc_info or (None, None, None)
        reported = printable(error) if record.exc_info else text
        notes = admitted.notes()
        with no_queries():
            formatted = self.format(bare)
            trace, html_message = self._report(request, exc_type, reported, tb)
        message = "\n\n".join([formatted, *notes, trace])
        return subject, message, html_message and with_notes(html_message, notes)

    def _report(self, request: Any, exc_type: Any, error: Any, tb: Any) -> tuple[str, str | None]:
        """Return the traceback as text and, if that is wanted, as HTML."""
        reporter = self.reporter_class(request, exc_type, error, tb, is_email=True)
        try:
            text = reporter.get_traceback_text()
            return text, reporter.get_traceback_html() if self.include_html else None
        except Exception as failure:
            # A variable, or something of the request. But a project whose apps are not loaded, or
            # whose own reporter fails, has to be mended, and so that is told instead.
            is_djangos = self.reporter_class is ExceptionReporter
            if not is_djangos or isinstance(failure, AppRegistryNotReady):
                raise
            return plain_traceback(error if exc_type else None), None

    def _has_connection_hook(self) -> bool:
        """Whether a subclass has the method that Django called for a backend before 6.1 (H20)."""
        hook = getattr(type(self), "connection", None)
        return callable(hook) and hook is not getattr(
            django_log.AdminEmailHandler, "connection", None
        )

    def _warn_about_connection_hook(self) -> None:
        from .deprecation import warn_about_definition

        # The caller is logging.config, where there is nothing to change.
        warn_about_definition(
            f"{type(self).__qualname__}.connection() is deprecated: Django 6.1 refuses it in "
            "subclasses of its own AdminEmailHandler. Use 'using' with a MAILERS alias instead.",
            type(self).connection,
        )
