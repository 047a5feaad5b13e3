"""The base of the handler and the middleware: reports that are limited and never raise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django.core import mail

from .describe import describe, logger
from .limits import Admission, ReportLimiter, check_seconds
from .sending import open_mailer, send

_thread = threading.local()


@contextmanager
def reporting() -> Iterator[bool]:
    """Yield whether this thread may report now, which it may not while it sends a report.

    What goes wrong with a report is logged, by this package and perhaps by the mailer. If the
    handler listens to those loggers as well, each failure would cause the next.
    """
    if getattr(_thread, "is_reporting", False):
        yield False
        return
    _thread.is_reporting = True
    try:
        yield True
    finally:
        _thread.is_reporting = False


class SafeReports:
    """What the handler and the middleware have in common; stands before Django's class."""

    # The setting with the addresses, and what the log calls the reports.
    _readers: str
    _kind: str

    if TYPE_CHECKING:  # attributes of the instance in one class, and of the class in the other

        @property
        def using(self) -> str | None:
            """The alias of the mailer; None is the default."""

        @property
        def timeout(self) -> float | None:
            """The longest time, in seconds, that the mailer waits for the server, each time."""

    def _set_limits(self, *, window: float | None, rate: str | None, cache: str | None) -> None:
        """Check the values, which are those of `ReportLimiter`; raise `ValueError`."""
        check_seconds("timeout", self.timeout)
        scope = f"{type(self).__module__}.{type(self).__qualname__}:{self.using}"
        self.limiter = ReportLimiter(window=window, rate=rate, cache=cache, scope=scope)
        self._missing: set[str | None] = set()

    def _report(
        self,
        find_site: Callable[[], str | None],
        send: Callable[[Admission], None],
        on_error: Callable[[], None] | None = None,
    ) -> None:
        """Send a report by `send`, if the limits allow one about the site; raise nothing.

        `find_site` returns the site, or None if there is nothing to report. `on_error` is called in
        the exception handler of an error that was logged.
        """
        with reporting() as is_free:
            if not is_free:
                return
            site, admitted = None, None
            try:
                site = find_site()
                admitted = None if site is None else self.limiter.admit(site)
                if admitted is not None:
                    send(admitted)
            except Exception as error:  # of a mailer, a formatter, or whatever the report is about
                if site is not None and admitted is not None:
                    with suppress(Exception):
                        self.limiter.failed(site, admitted, error)
                if self._log_failure(error) and on_error is not None:
                    with suppress(Exception):
                        on_error()

    def _send_report(
        self, subject: str, message: str, html_message: str | None, connection: Any
    ) -> None:
        """Send a report through `connection` or else the mailer; raise what that raises."""
        send(
            self._readers,
            subject,
            message,
            html_message,
            lambda: connection or open_mailer(self.using, self.timeout),
        )

    def _log_failure(self, error: Exception) -> bool:
        """Log that a report could not be sent, without any text of the error or the report.

        A mailer that does not exist is logged once. Returns whether anything was logged; raises
        nothing, although other people's handlers are called, too.
        """
        alias = "default" if self.using is None else self.using
        # Django 6.0: the name is missing unless the app is loaded.
        is_missing = isinstance(error, getattr(mail, "MailerDoesNotExist", ()))
        if is_missing and self.using in self._missing:
            return False
        with suppress(Exception):
            if is_missing:
                self._missing.add(self.using)
                logger.error(
                    "%s are not sent: there is no mailer %r in MAILERS.", self._kind, alias
                )
            else:
                logger.error(
                    "One of the %s was not sent through the mailer %r: %s.",
                    self._kind,
                    alias,
                    describe(error),
                )
        return True
