"""The log book: what is mailed to it is kept in a file."""

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend


class LogBookBackend(BaseEmailBackend):
    def __init__(self, fail_silently=False, **kwargs):
        super().__init__(fail_silently=fail_silently, **kwargs)

    def send_messages(self, email_messages):
        with open(settings.LOG_BOOK, "a") as book:
            for message in email_messages:
                book.write(f"{message.subject} -> {', '.join(message.recipients())}\n")
        return len(email_messages)
