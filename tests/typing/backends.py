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
from django_mailers.options import ALIAS, ALIASES, COUNT, NAME, Option


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
    """One that knows what became of each message."""

    option_kinds = {"account": Option(NAME, is_required=True), "limit": Option(COUNT, 100)}
    account: str
    limit: int

    def send_many(self, messages: Sequence[EmailMessage]) -> list[SendResult]:
        return [
            SendResult(message, "sent" if number < self.limit else "refused", code=202)
            for number, message in enumerate(messages)
        ]


class StagingBackend(Wrapper):
    """A wrapper that changes messages, or drops them."""

    option_kinds = {"using": Option(ALIAS, is_required=True), "prefix": Option(NAME, "[test] ")}
    prefix: str

    def outgoing(self, message: EmailMessage) -> EmailMessage | SendResult:
        if not message.to:
            return SendResult(message, "skipped", reason="nobody in To")
        changed = self.copy(message)
        changed.subject = f"{self.prefix}{message.subject}"
        return changed


class TwiceBackend(Wrapper):
    """A wrapper that tries a second mailer."""

    option_kinds = {"mailers": Option(ALIASES, is_required=True)}
    mailers: Sequence[str]

    def send_through(self, messages: Sequence[EmailMessage]) -> list[SendResult]:
        first, second = self.mailers
        results = self.hand_on(first, messages)
        return [
            self.hand_on(second, [result.message])[0] if result.status == "failed" else result
            for result in results
        ]


class TeapotSMTP(EmailBackend):
    """One that changes messages on their way."""

    def send_messages(self, email_messages: Iterable[EmailMessage]) -> int:
        messages = list(email_messages)
        for message in messages:
            message.extra_headers["X-Shop"] = "Teapots"
        return super().send_messages(messages)


backend = APIBackend(account="shop", alias="api")


class OneReportPerLogger(AdminEmailHandler):
    def site(self, record: logging.LogRecord) -> str:
        return record.name


handler = OneReportPerLogger(using="reports", timeout=5, window=60, rate="10/hour")


class BrokenLinks(BrokenLinkEmailsMiddleware):
    using = "reports"
    timeout = 5
    rate = "10/hour"
