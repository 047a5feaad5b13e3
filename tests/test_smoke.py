from django.core import mail
from django.test import SimpleTestCase


class Smoke(SimpleTestCase):
    def test_it(self):
        mail.send_mail("s", "m", None, ["a@example.com"], using="bulk")
        self.assertEqual(mail.outbox[0].sent_using, "bulk")
