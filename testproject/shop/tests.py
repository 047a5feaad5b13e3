"""Tests of a project's mail. Django's test runner puts all of it into mail.outbox."""

import re

from django.contrib.auth.models import User
from django.core import mail
from django.test import TestCase, override_settings
from django.urls import reverse

from shop.mail import send_newsletter


# The default hasher is slow on purpose, and these tests would do little else.
@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class MailTests(TestCase):
    def test_a_question_goes_to_the_shop(self):
        response = self.client.post(
            reverse("contact"),
            {
                "name": "Ada\nBcc: all@example.com",
                "email": "ada@example.com",
                "question": "Verne?",
            },
        )

        self.assertRedirects(response, reverse("home"))
        [message] = mail.outbox
        self.assertEqual(message.sent_using, "default")
        self.assertEqual(message.subject, "A question from the web site")
        self.assertEqual(message.to, ["counter@quaybooks.example"])
        self.assertEqual(message.reply_to, ["ada@example.com"])
        self.assertEqual(message.recipients(), ["counter@quaybooks.example"])

    def test_a_form_with_errors_sends_nothing(self):
        response = self.client.post(reverse("contact"), {"name": "Ada", "email": "ada"})

        self.assertEqual(list(response.context["form"].errors), ["email", "question"])
        self.assertEqual(mail.outbox, [])

    def test_signing_up_is_answered(self):
        response = self.client.post(
            reverse("sign_up"),
            {
                "username": "ada",
                "email": "ada@example.com",
                "password1": "quay-side-3",
                "password2": "quay-side-3",
            },
        )

        self.assertRedirects(response, reverse("home"))
        [message] = mail.outbox
        self.assertEqual(message.sent_using, "default")
        self.assertEqual(message.subject, "Welcome to Quay Books")
        self.assertEqual(message.from_email, "Quay Books <shop@quaybooks.example>")
        self.assertEqual(message.to, ["ada@example.com"])

    def test_a_forgotten_password(self):
        User.objects.create_user("ada", "ada@example.com", "quay-side-3")

        self.client.post(reverse("password_reset"), {"email": "ada@example.com"})
        [message] = mail.outbox
        self.assertEqual(message.sent_using, "default")
        self.assertEqual(message.subject, "A new password for Quay Books")
        self.assertEqual(message.to, ["ada@example.com"])

        [link] = re.findall(r"http://testserver(/\S+)", message.body)
        form = self.client.get(link, follow=True)
        self.client.post(
            form.request["PATH_INFO"],
            {"new_password1": "sea-side-4", "new_password2": "sea-side-4"},
        )
        self.assertTrue(self.client.login(username="ada", password="sea-side-4"))

    def test_the_newsletter_has_its_own_mailer(self):
        send_newsletter("July", "New: Verne.", "<p>New: Verne.</p>", ["ada@example.com"])

        [message] = mail.outbox
        self.assertEqual(message.sent_using, "newsletter")
        self.assertEqual(message.bcc, ["ada@example.com"])

    def test_an_error_is_reported(self):
        self.client.raise_request_exception = False

        response = self.client.get(reverse("broken"))

        self.assertEqual(response.status_code, 500)
        [report] = mail.outbox
        self.assertEqual(report.sent_using, "errors")
        self.assertEqual(
            report.subject,
            "[Quay Books] ERROR (EXTERNAL IP): Internal Server Error: /broken/",
        )
        self.assertEqual(report.to, ["admin@quaybooks.example"])
        self.assertIn("LookupError at /broken/\nThis shelf is empty.\n", report.body)
