"""`django.core.management.commands.sendtestemail`, with `--using`."""

from __future__ import annotations

import socket
from typing import Any

from django.core import mail
from django.core.management.base import CommandParser
from django.core.management.commands import sendtestemail
from django.utils import timezone


class Command(sendtestemail.Command):
    """Sends a message that says it arrived, through the mailer that `--using` names."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--using",
            default=None,
            help=(
                "Specify the MAILERS alias to use for sending the test email. "
                "Defaults to 'default'."
            ),
        )

    def handle(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        subject = f"Test email from {socket.gethostname()} on {timezone.now()}"
        body = "If you're reading this, it was successful."
        mail.send_mail(subject, body, None, kwargs["email"], using=using)
        if kwargs["managers"]:
            body = "This email was sent to the site managers."
            mail.mail_managers(subject, body, using=using)
        if kwargs["admins"]:
            mail.mail_admins(subject, "This email was sent to the site admins.", using=using)
