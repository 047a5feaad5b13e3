"""The mail of `django.contrib.auth` goes through the mailers, with no change to it."""

from unittest.mock import patch

from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import EmailAlternative, MailerDoesNotExist
from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import include, path

from .support.utils import LOCMEM, ExactErrors, ignore_deprecations, legacy_settings

urlpatterns = [path("accounts/", include("django.contrib.auth.urls"))]

# The ones of django.contrib.admin need the whole of it.
PAGES = {
    "registration/password_reset_form.html": "{{ form }}",
    "registration/password_reset_done.html": "Look into your mailbox.",
    "registration/password_reset_confirm.html": "{{ form }}",
    "registration/password_reset_email.html": (
        "{{ protocol }}://{{ domain }}{% url 'password_reset_confirm' uidb64=uid token=token %}"
    ),
    "registration/password_reset_subject.txt": "Password of {{ user.username }}\n",
    "reset.html": "<p>Hello {{ user.username }}</p>",
}


@override_settings(
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", PAGES)]},
        }
    ],
)
class PasswordResetTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = User.objects.create_user("ann", "ann@example.com", "old password")

    def save(self, **kwargs):
        form = PasswordResetForm({"email": "ann@example.com"})
        self.assertTrue(form.is_valid())
        form.save(domain_override="example.com", **kwargs)

    def test_view(self):
        response = self.client.post("/accounts/password_reset/", {"email": "ann@example.com"})
        self.assertRedirects(response, "/accounts/password_reset/done/")
        [message] = mail.outbox
        self.assertEqual(
            (message.subject, message.from_email, message.to, message.sent_using),
            ("Password of ann", "webmaster@localhost", ["ann@example.com"], "default"),
        )
        self.assertTrue(message.body.startswith("http://testserver/accounts/reset/"))
        response = self.client.get(message.body, follow=True)
        self.assertTrue(response.context["validlink"])

    def test_form(self):
        self.save(from_email="from@example.com", html_email_template_name="reset.html")
        [message] = mail.outbox
        self.assertIs(type(message), mail.EmailMultiAlternatives)
        self.assertEqual((message.from_email, message.sent_using), ("from@example.com", "default"))
        self.assertEqual(message.alternatives, [EmailAlternative("<p>Hello ann</p>", "text/html")])

    def test_nobody_of_that_address(self):
        self.client.post("/accounts/password_reset/", {"email": "bob@example.com"})
        self.assertEqual(mail.outbox, [])

    @override_settings(MAILERS={})
    def test_mail_is_disabled(self):
        self.assertLogsFailure("The mailer 'default' is not configured.")

    def test_failure_to_send(self):
        with patch(f"{LOCMEM}.send_messages", side_effect=OSError("no route")):
            self.assertLogsFailure("no route")

    def assertLogsFailure(self, text):
        """It must not tell by an error whose address is known: see CVE-2024-45231."""
        with self.assertLogs("django.contrib.auth", "ERROR") as logs:
            self.save()
        self.assertEqual(
            [(record.getMessage(), record.exc_info[1].args) for record in logs.records],
            [(f"Failed to send password reset email to {self.user.pk}", (text,))],
        )

    def test_without_mailers(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.save()
        self.assertEqual([message.sent_using for message in mail.outbox], [None])

    def test_form_with_a_mailer_of_its_own(self):
        class Form(PasswordResetForm):
            def send_mail(self, subject, body, context, from_email, to_email, **kwargs):
                mail.send_mail("Reset", "body", from_email, [to_email], using="bulk")

        form = Form({"email": "ann@example.com"})
        self.assertTrue(form.is_valid())
        form.save(domain_override="example.com")
        self.assertEqual(
            [(message.subject, message.sent_using) for message in mail.outbox],
            [("Reset", "bulk")],
        )


class EmailUserTests(ExactErrors, SimpleTestCase):
    user = User(username="ann", email="ann@example.com")

    def test_using(self):
        self.user.email_user("one", "body")
        self.user.email_user("two", "body", "from@example.com", using="bulk")
        self.user.email_user("three", "body", using="bulk", html_message="<p>body</p>")
        self.assertEqual(
            [
                (message.subject, message.to, message.from_email, message.sent_using)
                for message in mail.outbox
            ],
            [
                ("one", ["ann@example.com"], "webmaster@localhost", "default"),
                ("two", ["ann@example.com"], "from@example.com", "bulk"),
                ("three", ["ann@example.com"], "webmaster@localhost", "bulk"),
            ],
        )
        self.assertEqual(
            mail.outbox[2].alternatives, [EmailAlternative("<p>body</p>", "text/html")]
        )

    def test_errors(self):
        with self.assertRaisesExactly(
            MailerDoesNotExist, "The mailer 'nowhere' is not configured."
        ):
            self.user.email_user("s", "b", using="nowhere")
        with (
            ignore_deprecations(),
            self.assertRaisesExactly(TypeError, "'fail_silently' is not compatible with 'using'."),
        ):
            self.user.email_user("s", "b", using="bulk", fail_silently=True)
