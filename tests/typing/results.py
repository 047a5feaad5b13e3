"""Results, and sending from asyncio."""

from collections.abc import Iterator

from django.core.mail import EmailMessage
from typing_extensions import assert_type

from django_mailers import (
    SendError,
    SendReport,
    SendResult,
    asend,
    asend_mail,
    asend_many,
    send_each,
    send_many,
)


def newsletter() -> Iterator[EmailMessage]:
    for address in ("ann@example.com", "bob@example.com"):
        yield EmailMessage("News", "Teapots!", to=[address])


def send_news() -> list[str]:
    report = send_many(newsletter(), using="newsletter")
    assert_type(report, SendReport)
    assert_type(report[0], SendResult)
    assert_type(report.counts["sent"], int)
    try:
        report.raise_for_failures()
    except SendError as error:
        assert_type(error.report, SendReport)
    return [
        recipient.address
        for result in report.failures
        for recipient in result.refused_recipients
        if recipient.code >= 500
    ]


def count_failures() -> int:
    return sum(not result.is_success for result in send_each(newsletter()))


async def welcome(address: str) -> int:
    sent = await asend_mail("Hello", "Welcome.", None, [address], using="default")
    sent += await asend(EmailMessage("Hello", "Again.", to=[address]))
    report = await asend_many(newsletter())
    return sent + report.counts["sent"]
