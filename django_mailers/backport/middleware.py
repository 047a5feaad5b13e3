"""`django.middleware.common`: broken link reports by a mailer. (Django 6.0: this whole file.)"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core import mail


class BrokenLinkEmailsMiddleware:
    """Members for `django.middleware.common.BrokenLinkEmailsMiddleware`."""

    # The alias that reports are sent through; None is the default mailer.
    using: str | None = None

    def process_response(self: Any, request: Any, response: Any) -> Any:
        """Report a 404 that another page led to, and return `response` as it is."""
        if response.status_code != 404 or settings.DEBUG:
            return response
        domain, path = request.get_host(), request.get_full_path()
        referer = request.META.get("HTTP_REFERER", "")
        if self.is_ignorable_request(request, path, domain, referer):
            return response
        kind = "INTERNAL " if self.is_internal_request(domain, referer) else ""
        facts = {
            "Referrer": referer,
            "Requested URL": path,
            "User agent": request.META.get("HTTP_USER_AGENT", "<none>"),
            "IP address": request.META.get("REMOTE_ADDR", "<none>"),
        }
        self.send_mail(
            f"Broken {kind}link on {domain}",
            "".join(f"{name}: {value}\n" for name, value in facts.items()),
        )
        return response

    def send_mail(self: Any, subject: str, message: str, *args: Any, **kwargs: Any) -> None:
        """Send a report to MANAGERS; nothing happens if the mailer for it does not exist."""
        if not mail.mailers._is_configured:
            mail.mail_managers(subject, message, *args, fail_silently=True, **kwargs)
            return
        with suppress(mail.MailerDoesNotExist):
            mail.mail_managers(subject, message, *args, using=self.using, **kwargs)
