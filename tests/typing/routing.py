"""Mailers that are chosen at run time."""

from collections.abc import Mapping
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from typing_extensions import assert_type

from django_mailers import CancelSend, MailersFailed, RateLimited, build_mailer, use_mailer

LOGINS: dict[str, Mapping[str, Any]] = {"acme": {"OPTIONS": {"host": "smtp.example.com"}}}


def mailer_of(message: EmailMessage) -> str | Mapping[str, Any] | None:
    """A resolver for the backend `route`."""
    tenant = message.extra_headers.get("X-Tenant", "")
    return LOGINS.get(tenant)


def send(tenant: str) -> int:
    mailer = build_mailer(LOGINS[tenant], alias=tenant)
    assert_type(mailer, BaseEmailBackend)
    with use_mailer("acme"), use_mailer(None), use_mailer(LOGINS[tenant]), mailer:
        return mailer.send_messages([EmailMessage("Hello")])


@use_mailer("acme")
def remind(reader: str, *, days: int = 1) -> bool:
    return EmailMessage("Hello", to=[reader]).send() == days


@use_mailer("acme")
async def aremind(reader: str) -> bool:
    return remind(reader)


assert_type(remind("ann@example.com", days=2), bool)


async def main() -> None:
    assert_type(await aremind("ann@example.com"), bool)


def retry_after(error: Exception) -> float:
    if isinstance(error, CancelSend):
        return 0
    if isinstance(error, MailersFailed):
        return max(map(retry_after, error.errors.values()), default=0)
    return error.retry_after if isinstance(error, RateLimited) else 0
