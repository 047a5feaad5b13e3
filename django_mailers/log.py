"""Error reports by mail that never raise, never flood and never hang: see docs/errorreporting.rst.

LOGGING is read before the apps are loaded. On Django 5.2 and 6.0 the handler of Django, from which
this one inherits, has its old methods then and gets new ones later; so this one relies on nothing
in which the two differ.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.utils import log as django_log
from django.utils.module_loading import import_string

from .errorreports import describe
from .errorreports.limits import Admission
from .errorreports.reporting import SafeReports
from .errorreports.texts import encodable, one_line
from .errorreports.writing import write


class AdminEmailHandler(SafeReports, django_log.AdminEmailHandler):
    """Django's `AdminEmailHandler` for production: mails errors to ADMINS, and does no harm.

    include_html, email_backend, reporter_class   As in Django.
    using     The alias in MAILERS of the mailer; None is "default".
    timeout   The longest time, in seconds, that the mailer waits for the connection and then for
              each reply. None leaves it to the mailer's own options.
    window    Seconds after a report in which no other is sent about an error at the same place.
    rate      How many reports are sent in any minute or hour: "10/minute", "30/hour".
    cache     An alias of CACHES through which processes share `window` and `rate`.

    `window` and `rate` may be None, for no limit. Errors that they suppress are counted, and the
    next report contains the count. A wrong value is a `ValueError`.

    If a report cannot be sent, that is logged to "django_mailers.log", and `handleError()` is
    called, as for any handler of logging.
    """

    _readers = "ADMINS"
    _kind = "error reports"

    using: str | None
    timeout: float | None

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
            # Django 2028: the hook goes.
            self._warn_about_connection_hook()
            # Django's __init__() refuses the hook since 6.1, and otherwise does what follows here.
            super(django_log.AdminEmailHandler, self).__init__()
            self.include_html = include_html
            self.email_backend = email_backend
            self.reporter_class = import_string(
                reporter_class or settings.DEFAULT_EXCEPTION_REPORTER
            )
        else:
            super().__init__(include_html, email_backend, reporter_class)
        self.using = using
        self.timeout = timeout
        self._set_limits(window=window, rate=rate, cache=cache)

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit `record` if the filters let it pass, without the lock that handlers have for that.

        Nothing here needs the lock, and an error in another thread would wait for the mail server.
        """
        passed = self.filter(record)
        if passed:
            # Since Python 3.12 a filter may return another record.
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Send a report of `record`, if the limits allow; raise nothing."""

        def find_site() -> str | None:
            return self.site(record) if self._has_readers() else None

        def send(admitted: Admission) -> None:
            subject, message, html_message = write(self, record, admitted.notes())
            self.send_mail(subject, message, html_message=html_message)

        # handleError() prints to stderr, unless logging.raiseExceptions is off.
        self._report(find_site, send, on_error=lambda: self.handleError(record))

    def site(self, record: logging.LogRecord) -> str:
        """Return a text that is the same for records that one report is enough for.

        For an exception: its type, the line that raised it and, if a library did, the last line
        before it that is not a library's. This includes exceptions that a `QueueHandler` has
        turned into text. Without a traceback: the logger, the line that logs and the level. A
        subclass may override this.
        """
        return describe.site(record)

    def format_subject(self, subject: str) -> str:
        """Escape line breaks, as Django does, and other control characters."""
        return one_line(super().format_subject(subject))

    def send_mail(  # type: ignore[override]
        self,
        subject: str,
        message: str,
        fail_silently: bool = False,
        connection: Any = None,
        html_message: str | None = None,
    ) -> None:
        """Send a report to ADMINS. A subclass may override this to send it elsewhere.

        `fail_silently` has no effect: `emit()` handles all errors. `connection` is a backend to use
        instead of the mailer.
        """
        if connection is None and self._has_connection_hook():  # Django 2028: the hook goes.
            connection = self.connection()  # type: ignore[attr-defined]
        if connection is None and self.email_backend:
            # Django 2028: without MAILERS, Django's own way. With MAILERS it refused the argument.
            super().send_mail(
                encodable(subject),
                encodable(message),
                html_message=html_message and encodable(html_message),
            )
            return
        self._send_report(subject, message, html_message, connection)

    def _has_readers(self) -> bool:
        if settings.ADMINS:
            return True
        # A subclass that overrides send_mail() may have readers of its own.
        return getattr(self.send_mail, "__func__", None) is not AdminEmailHandler.send_mail

    # Django 2028: these two methods.

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
            type(self).connection,  # type: ignore[attr-defined]
        )
