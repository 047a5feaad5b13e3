"""The message that most tests send."""

from django.core.mail import EmailMessage

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"


def message(subject="Hello", body="Text", from_email=ADA, to=(BOB,), **kwargs):
    return EmailMessage(subject, body, from_email, list(to), **kwargs)
