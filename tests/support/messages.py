"""The message that most tests send."""

import django
from django.core.mail import EmailMessage

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"


def message(subject="Hello", body="Text", from_email=ADA, to=(BOB,), **kwargs):
    return EmailMessage(subject, body, from_email, list(to), **kwargs)


# Django 5.2 with the app: what is written for 5.2's legacy classes has to go on working.
LEGACY = django.VERSION < (6, 0)
