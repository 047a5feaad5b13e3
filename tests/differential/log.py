"""Handlers of a project's own, imported while Django configures logging."""

from django.core import mail
from django.utils.log import AdminEmailHandler


class Reporter:
    """Says of an error only what two processes would both say."""

    def __init__(self, request, exc_type, exc_value, tb, is_email=False):
        self.text = f"{exc_type and exc_type.__name__}: {exc_value}"

    def get_traceback_text(self):
        return self.text

    def get_traceback_html(self):
        return f"<p>{self.text}"


class Connection(AdminEmailHandler):
    def connection(self):
        return mail.get_connection(
            backend="django.core.mail.backends.smtp.EmailBackend",
            username="other",
            password="other's password",
            fail_silently=True,
        )


class SendMail(AdminEmailHandler):
    def send_mail(self, subject, message, *args, **kwargs):
        kwargs["fail_silently"] = True
        mail.mail_managers(subject, message, *args, connection=self.connection(), **kwargs)


class Positional(AdminEmailHandler):
    def __init__(self, include_html=False, email_backend=None):
        super().__init__(include_html, email_backend)
