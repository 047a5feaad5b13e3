"""Broken link reports by mail that never raise, never flood and never hang."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.middleware import common

from .errorreports.limits import Admission
from .errorreports.reporting import SafeReports


class BrokenLinkEmailsMiddleware(SafeReports, common.BrokenLinkEmailsMiddleware):
    """Django's `BrokenLinkEmailsMiddleware` for production: the visitor gets the 404, whether or
    not the mail to MANAGERS about it can be sent.

    Subclass it to set other values, which `django_mailers.log.AdminEmailHandler` explains. A report
    is about a path and the page that links to it, and so is `window`.

    If a report cannot be sent, that is logged to "django_mailers.log".
    """

    _readers = "MANAGERS"
    _kind = "broken link reports"

    using: ClassVar[str | None] = None
    timeout: float | None = 10
    window: float | None = 24 * 3600
    rate: str | None = "30/hour"
    cache: str | None = None

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._set_limits(window=self.window, rate=self.rate, cache=self.cache)
        # By thread, as all threads share this object: what the report being sent has to contain.
        self._current = threading.local()

    def process_response(self, request: Any, response: Any) -> Any:
        """Report a 404 that another page links to, if the limits allow; return `response`."""
        if response.status_code == 404 and not settings.DEBUG:
            report_as_django = super().process_response

            def send(admitted: Admission) -> None:
                self._current.admission = admitted
                try:
                    report_as_django(request, response)
                finally:
                    self._current.admission = Admission()

            self._report(lambda: self._site(request), send)
        return response

    def _site(self, request: Any) -> str | None:
        """Return the path and the page that links to it, or None if that is not to be reported."""
        path, referer = request.get_full_path(), request.META.get("HTTP_REFERER", "")
        try:
            host = request.get_host()
            # Django's method asks this again, but ignored requests must not use up the limits.
            is_ignorable = self.is_ignorable_request(request, path, host, referer)
        except SuspiciousOperation:
            return None  # a host that is not in ALLOWED_HOSTS: too common to be logged
        return None if is_ignorable else f"{path}\n{referer}"

    def send_mail(
        self,
        subject: str,
        message: str,
        fail_silently: bool = False,
        connection: Any = None,
        html_message: str | None = None,
    ) -> None:
        """Send a report to MANAGERS. A subclass may override this to send it elsewhere.

        `fail_silently` has no effect: the middleware handles all errors. `connection` is a backend
        to use instead of the mailer.
        """
        admitted = getattr(self._current, "admission", Admission())
        text = "\n".join([message, *admitted.notes("broken link")])
        self._send_report(subject, text, html_message, connection)
