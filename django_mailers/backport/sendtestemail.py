"""`sendtestemail` of Django's commands, with `--using`. (Django 6.0: this whole file.)"""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core import mail
from django.utils import timezone


def add_arguments(original: Callable[..., None], self: Any, parser: ArgumentParser) -> None:
    """`Command.add_arguments()`, with `--using`."""
    original(self, parser)
    what = "Specify the MAILERS alias to use for sending the test email."
    parser.add_argument("--using", default=None, help=f"{what} Defaults to 'default'.")


def handle(self: Any, *args: Any, using: str | None = None, **kwargs: Any) -> None:
    """Send a message that says it arrived, through the mailer that `using` names."""
    subject = f"Test email from {socket.gethostname()} on {timezone.now()}"
    body = "If you're reading this, it was successful."
    mail.send_mail(subject, body, None, kwargs["email"], using=using)
    if kwargs["managers"]:
        mail.mail_managers(subject, "This email was sent to the site managers.", using=using)
    if kwargs["admins"]:
        mail.mail_admins(subject, "This email was sent to the site admins.", using=using)
