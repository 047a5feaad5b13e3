"""Backends, and the classes for error reports, of a project."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from django_mailers import SendResult
from django_mailers.backends.base import ReportingBackend, Wrapper
from django_mailers.backends.smtp import EmailBackend
from django_mailers.log import AdminEmailHandler
from django_mailers.middleware import BrokenLinkEmailsMiddleware
from django_mailers.options import ALIAS, COUNT, Option


class CountingBackend(BaseEmailBackend):
    """One that Django has everything for."""

    # django-stubs 6.1.2 do not have this attribute of BaseEmailBackend.
    alias: str | None

    def __init__(self, *, limit: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        if self.alias == "nowhere":
            return 0
        return min(len(email_messages), self.limit)


class APIBackend(ReportingBackend):
    """One that can tell what became of each message."""

    option_kinds = {"limit": Option(COUNT, 100)}

    limit: int

    def send_many(self, messages: Sequence[EmailMessage]) -> list[SendResult]:
        return [SendResult(message, "sent", code=202, text="Queued") for message in messages]


class Greeting(Wrapper):
    """One that changes messages on their way through another mailer."""

    option_kinds = {"using": Option(ALIAS, is_required=True)}

    def outgoing(self, message: EmailMessage) -> EmailMessage | SendResult:
        if not message.subject:
            return SendResult(message, "skipped", reason="no subject")
        changed = self.copy(message)
        changed.subject = f"[Shop] {message.subject}"
        return changed


class TeapotSMTP(EmailBackend):
    """One that changes messages on their way."""

    def send_messages(self, email_messages: Iterable[EmailMessage]) -> int:
        messages = list(email_messages)
        for message in messages:
            message.extra_headers["X-Shop"] = "Teapots"
        return super().send_messages(messages)


reporting: ReportingBackend = APIBackend(limit=3)
wrapping: ReportingBackend = Greeting(alias="greeting", using="default")


class OneReportPerLogger(AdminEmailHandler):
    def site(self, record: logging.LogRecord) -> str:
        return record.name


handler = OneReportPerLogger(using="reports", timeout=5, window=60, rate="10/hour")


class BrokenLinks(BrokenLinkEmailsMiddleware):
    using = "reports"
    timeout = 5
    rate = "10/hour"
