"""Broken link reports by mail that never raise, never flood and never hang."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.middleware import common

from .errorreports.limits import Admission, ReportLimiter, check_seconds
from .errorreports.sending import Failures, open_mailer, reporting, send


class BrokenLinkEmailsMiddleware(common.BrokenLinkEmailsMiddleware):
    """Django's `BrokenLinkEmailsMiddleware` for production: the visitor gets the 404, whatever
    becomes of the mail to MANAGERS about it.

    To set other values, subclass it; see `django_mailers.log.AdminEmailHandler` for what they are.
    A report is about a path and the page that links to it: `window` is for the two together.

    What goes wrong is logged to "django_mailers.log".
    """

    using: str | None = None
    timeout: float | None = 10
    window: float | None = 24 * 3600
    rate: str | None = "30/hour"
    cache: str | None = None

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        check_seconds("timeout", self.timeout)
        scope = f"{type(self).__module__}.{type(self).__qualname__}:{self.using}"
        self.limiter = ReportLimiter(
            window=self.window, rate=self.rate, cache=self.cache, scope=scope
        )
        self._failures = Failures("broken link reports")
        # What the report that a thread is at has to tell: all threads share this object.
        self._current = threading.local()

    def process_response(self, request: Any, response: Any) -> Any:
        """Report a 404 that another page led to, if the limits allow; return `response`."""
        if response.status_code == 404 and not settings.DEBUG:
            with reporting() as is_free:
                if is_free:
                    self._report(request, response)
        return response

    def _report(self, request: Any, response: Any) -> None:
        site, admitted = "", None
        try:
            path, referer = request.get_full_path(), request.META.get("HTTP_REFERER", "")
            # Django's method asks this again; but what is ignored must not use the limits up.
            if self.is_ignorable_request(request, path, request.get_host(), referer):
                return
            site = f"{path}\n{referer}"
            admitted = self.limiter.admit(site)
            if admitted is not None:
                self._current.admission = admitted
                super().process_response(request, response)
        except SuspiciousOperation:
            pass  # a host that is not in ALLOWED_HOSTS: nobody's link, and too common to log
        except Exception as error:
            if admitted is not None:
                with suppress(Exception):
                    self.limiter.failed(site, admitted, error)
            self._failures.log(error, self.using)
        finally:
            self._current.admission = Admission()

    def send_mail(
        self,
        subject: str,
        message: str,
        fail_silently: bool = False,
        connection: Any = None,
        html_message: str | None = None,
    ) -> None:
        """Send a report to MANAGERS. A subclass may override this to send it elsewhere.

        `fail_silently` has no effect: what is raised here gets no further than the middleware.
        `connection` is a backend to send through instead of the mailer.
        """
        admitted = getattr(self._current, "admission", Admission())
        send(
            "MANAGERS",
            subject,
            "\n".join([message, *admitted.notes("broken link")]),
            html_message,
            lambda: connection or open_mailer(self.using, self.timeout),
        )
