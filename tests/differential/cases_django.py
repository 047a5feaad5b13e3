"""What Django sends itself, and its helpers."""

import io
import logging
from unittest import mock

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import PasswordResetForm
from django.core import mail
from django.core.mail import make_msgid, send_mail
from django.core.mail.message import DNS_NAME, forbid_multi_line_headers, sanitize_address
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseNotFound
from django.middleware.common import BrokenLinkEmailsMiddleware
from django.test import RequestFactory, override_settings
from django.test.utils import setup_test_environment, teardown_test_environment
from django.utils.functional import lazystr
from django.utils.log import AdminEmailHandler

from .world import case

TO = ["to@example.com"]


def user():
    model = get_user_model()
    model.objects.all().delete()
    return model.objects.create_user("ann", "ann@example.com", "secret")


@case()
def user_email_user():
    return user().email_user("Hi", "Text.")


@case()
def user_email_user_arguments():
    return user().email_user("Hi", "Text.", "a@example.com", fail_silently=True, html_message="<p>")


@case()
def password_reset():
    user()
    form = PasswordResetForm({"email": "ann@example.com"})
    assert form.is_valid()
    factory = mock.Mock()
    factory.make_token.return_value = "token"
    templates = {
        "subject_template_name": "differential/subject.txt",
        "email_template_name": "differential/body.txt",
    }
    with override_settings(
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        (
                            "django.template.loaders.locmem.Loader",
                            {
                                "differential/subject.txt": "Reset\n",
                                "differential/body.txt": "{{ token }}\n",
                            },
                        )
                    ]
                },
            }
        ]
    ):
        return form.save(domain_override="example.com", token_generator=factory, **templates)


@case()
def sendtestemail():
    # The time is in the subject.
    with mock.patch("django.utils.timezone.now", return_value="now"):
        return call_command("sendtestemail", "a@example.com", "b@example.com")


@case()
def sendtestemail_everybody():
    return call_command("sendtestemail", managers=True, admins=True)


@case()
def sendtestemail_nobody():
    return call_command("sendtestemail", stdout=io.StringIO())


def report(handler, text="Broken %s", *arguments, exc_info=None):
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, text, arguments, exc_info)
    handler.emit(record)


class Short(AdminEmailHandler):
    def format_subject(self, subject):
        return super().format_subject(f"Short: {subject}")


@case()
def handler():
    return report(AdminEmailHandler(), "Broken")


@case()
def handler_html():
    return report(AdminEmailHandler(include_html=False), "Broken %s", "pipe")


@case()
def handler_lines_in_subject():
    return report(AdminEmailHandler(), "Broken\nline\r\nend")


@case()
def handler_pasted_characters():
    return [
        report(AdminEmailHandler(), f"Broken{character}line")
        for character in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    ]


@case()
def handler_server_email_full_stop():
    with override_settings(SERVER_EMAIL="Acme Inc. <root@example.com>"):
        return report(AdminEmailHandler(), "Broken")


@case()
def handler_format_subject():
    return report(Short(), "Broken")


class OwnConnection(AdminEmailHandler):
    def connection(self):
        return mail.get_connection(username="other", password="other's password")


@case()
def handler_connection():
    return report(OwnConnection(), "Broken")


class OwnSendMail(AdminEmailHandler):
    """With what Django 5.2 has there itself."""

    def send_mail(self, subject, message, *args, **kwargs):
        mail.mail_admins(subject, message, *args, connection=self.connection(), **kwargs)


@case()
def handler_send_mail_with_connection():
    return report(OwnSendMail(), "Broken")


class ConnectionOfSuper(AdminEmailHandler):
    def connection(self):
        connection = super().connection()
        connection.timeout = 5
        return connection


@case()
def handler_connection_of_super():
    return report(ConnectionOfSuper(), "Broken")


class OwnSendMailSuper(AdminEmailHandler):
    def send_mail(self, subject, message, *args, **kwargs):
        super().send_mail(f"Own: {subject}", message, *args, **kwargs)


@case()
def handler_send_mail_super():
    return report(OwnSendMailSuper(), "Broken")


class OwnSendMailElsewhere(AdminEmailHandler):
    def send_mail(self, subject, message, *args, **kwargs):
        send_mail(subject, message, None, ["elsewhere@example.com"], fail_silently=True)


@case()
def handler_send_mail_elsewhere():
    with override_settings(ADMINS=[]):
        return report(OwnSendMailElsewhere(), "Broken")


@case()
def handler_email_backend():
    return report(AdminEmailHandler(email_backend="tests.differential.backends.Keeping"), "Broken")


@case()
def handler_email_backend_smtp():
    path = "django.core.mail.backends.smtp.EmailBackend"
    return report(AdminEmailHandler(False, path), "Broken")


@case()
def handler_connection_called():
    return type(AdminEmailHandler().connection()).__name__ in {"EmailBackend"}


class OwnEmit(AdminEmailHandler):
    def emit(self, record):
        mail.mail_admins("Own", record.getMessage(), fail_silently=True, html_message=None)


@case()
def handler_emit():
    return report(OwnEmit(), "Broken")


@case("settings")
def handler_dead_server():
    from .world import dead_port

    with override_settings(EMAIL_PORT=dead_port()):
        return report(AdminEmailHandler(), "Broken")


def missing(request):
    return HttpResponseNotFound()


class OwnIgnorable(BrokenLinkEmailsMiddleware):
    def is_ignorable_request(self, request, uri, domain, referer):
        return "ignored" in uri


def broken(middleware=BrokenLinkEmailsMiddleware, path="/missing"):
    request = RequestFactory().get(path, headers={"referer": "http://testserver/page"})
    response = middleware(missing)(request)
    assert isinstance(response, HttpResponse)
    return response.status_code


@case()
def broken_link():
    return broken()


@case()
def broken_link_subclass():
    return broken(OwnIgnorable), broken(OwnIgnorable, "/ignored")


@case()
def broken_link_no_managers():
    with override_settings(MANAGERS=[]):
        return broken()


@case("settings")
def broken_link_dead_server():
    from .world import dead_port

    with override_settings(EMAIL_PORT=dead_port()):
        return broken()


@case()
def forbid_multi_line_headers_called():
    return [
        forbid_multi_line_headers("Subject", "Hi", "utf-8"),
        forbid_multi_line_headers("X-A", "Gr\xfc\xdfe", "utf-8"),
        forbid_multi_line_headers("To", "\xc4nn <a@example.com>", None),
    ]


@case()
def forbid_multi_line_headers_refuses():
    return forbid_multi_line_headers("Subject", "Hi\nthere", "utf-8")


@case()
def forbid_multi_line_headers_of_mail():
    from django.core.mail import forbid_multi_line_headers as function

    return function("Subject", "Hi", "utf-8")


@case()
def sanitize_address_called():
    return [
        sanitize_address("Ann <a@example.com>", "utf-8"),
        sanitize_address(("\xc4nn", "a@\xfc.example"), "utf-8"),
        sanitize_address(lazystr("Acme Inc. <a@example.com>"), "utf-8"),
    ]


@case()
def sanitize_address_refuses():
    return sanitize_address("a@example.com, b@example.com", "utf-8")


@case()
def bad_header_error_caught():
    from django.core.mail import BadHeaderError

    try:
        send_mail("Hi\nthere", "Text.", None, TO)
    except BadHeaderError:
        return "caught"
    return "sent"


@case()
def bad_header_error_of_message_caught():
    from django.core.mail.message import BadHeaderError

    try:
        send_mail("Hi", "Text.", None, TO, html_message="<p>")
        send_mail("Hi", "Text.", "a@example.com\nX: y", TO)
    except BadHeaderError:
        return "caught"
    return "sent"


@case()
def names_of_mail():
    from django.core.mail import SafeMIMEMultipart, SafeMIMEText

    return SafeMIMEText.__name__, SafeMIMEMultipart.__name__, mail.DEFAULT_ATTACHMENT_MIME_TYPE


@case()
def make_msgid_called():
    return make_msgid(domain="example.com").endswith("@example.com>")


@case()
def dns_name_replaced():
    with mock.patch("django.core.mail.message.DNS_NAME", "fake.example"):
        return send_mail("Hi", "Text.", None, TO)


@case()
def dns_name_of_mail():
    return str(mail.DNS_NAME) == str(DNS_NAME) == DNS_NAME.get_fqdn()


@case()
def test_environment():
    setup_test_environment()
    try:
        sent = send_mail("Hi", "Text.", None, TO)
        kept = [[message.subject, message.to] for message in mail.outbox]
    finally:
        teardown_test_environment()
    mail.outbox = []
    return sent, kept, send_mail("Hi", "After.", None, TO)


@case("settings")
def override_backend_in_test():
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        sent = send_mail("Hi", "Text.", None, TO)
    return sent, len(mail.outbox)
