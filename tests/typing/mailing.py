"""Sending with Django 6.1's API."""

from django.core.mail import (
    EmailMessage,
    EmailMultiAlternatives,
    InvalidMailer,
    MailerDoesNotExist,
    mail_admins,
    mailers,
    send_mail,
    send_mass_mail,
)
from typing_extensions import assert_type

assert_type(send_mail("Hello", "Welcome.", None, ["ann@example.com"], using="newsletter"), int)
assert_type(send_mass_mail([("Hello", "Welcome.", None, ["ann@example.com"])], using="news"), int)
mail_admins("Stock", "No teapots are left.", html_message="<p>No teapots.</p>", using="errors")


def send_invoice(to: str, pdf: bytes) -> bool:
    message = EmailMessage("Your invoice", "Thank you.", to=[to], reply_to=["help@example.com"])
    message.attach("invoice.pdf", pdf, "application/pdf")
    return message.send(using="invoices") == 1


def send_news(readers: list[str]) -> int:
    messages = [EmailMultiAlternatives("News", "Teapots!", to=[reader]) for reader in readers]
    for message in messages:
        message.attach_alternative("<h1>Teapots!</h1>", "text/html")
    with mailers["newsletter"] as mailer:
        return mailer.send_messages(messages)


def exists(alias: str) -> bool:
    try:
        mailers[alias]
    except MailerDoesNotExist:
        return False
    except InvalidMailer:
        return True
    return alias in mailers
