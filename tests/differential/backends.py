"""Backends as projects and packages have written them before Django 6.1 (H17)."""

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends import smtp
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.console import EmailBackend as Console
from django.core.mail.backends.locmem import EmailBackend as Locmem

from .world import keep


class Keeping(BaseEmailBackend):
    def send_messages(self, email_messages):
        for message in email_messages:
            keep(type(self).__name__, message)
        return len(email_messages)


class FailSilentlyOnly(Keeping):
    def __init__(self, fail_silently=False):
        super().__init__(fail_silently)


class FailSilentlyAndMore(Keeping):
    def __init__(self, fail_silently=False, **kwargs):
        super().__init__(fail_silently=fail_silently, **kwargs)
        self.more = kwargs


class Anything(Keeping):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class NothingForTheBase(Keeping):
    def __init__(self, *args, **kwargs):
        super().__init__()
        self.key = kwargs.get("key", getattr(settings, "EMAIL_HOST", None) and "from settings")


class NoBase:
    def __init__(self, fail_silently=False, **kwargs):
        self.fail_silently = fail_silently

    def send_messages(self, email_messages):
        for message in email_messages:
            keep("NoBase", message)
        return len(email_messages)


class NoneBack(Keeping):
    def send_messages(self, email_messages):
        super().send_messages(email_messages)


class Queue(BaseEmailBackend):
    """Hands on to the backend that a setting names, as queues do."""

    def send_messages(self, email_messages):
        path = "django.core.mail.backends.smtp.EmailBackend"
        return get_connection(path, fail_silently=self.fail_silently).send_messages(email_messages)


class OtherLogin(smtp.EmailBackend):
    def __init__(self, *args, **kwargs):
        kwargs["username"] = "other"
        kwargs["password"] = "other's password"
        super().__init__(*args, **kwargs)


class OwnSend(smtp.EmailBackend):
    """As code for Django 5.2 sends, over the names it has in its module."""

    def _send(self, email_message):
        from django.core.mail.message import sanitize_address

        encoding = email_message.encoding or settings.DEFAULT_CHARSET
        from_email = sanitize_address(email_message.from_email, encoding)
        recipients = [sanitize_address(a, encoding) for a in email_message.recipients()]
        message = email_message.message()
        self.connection.sendmail(from_email, recipients, message.as_bytes(linesep="\r\n"))
        return True


class Tagging(smtp.EmailBackend):
    def send_messages(self, email_messages):
        for message in email_messages:
            message.extra_headers["X-Tag"] = "tagged"
        return super().send_messages(email_messages)


class OwnOpen(smtp.EmailBackend):
    def open(self):
        opened = super().open()
        if opened:
            self.connection.noop()
        return opened


class Loud(Console):
    def write_message(self, message):
        self.stream.write("loud\n")
        super().write_message(message)


class Listed(Locmem):
    def send_messages(self, messages):
        return super().send_messages([message for message in messages if message.to])
