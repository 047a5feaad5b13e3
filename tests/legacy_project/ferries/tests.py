from django.core import mail
from django.test import SimpleTestCase, override_settings

from .mail import confirm


class MailTests(SimpleTestCase):
    def test_confirm(self):
        confirm("ann@example.com")

        [message] = mail.outbox
        self.assertEqual(message.subject, "Your ticket")

    @override_settings(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend")
    def test_nothing_is_kept(self):
        confirm("ann@example.com")

        self.assertEqual(mail.outbox, [])
