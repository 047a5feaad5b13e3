"""django-health-check shows whether a mailer works."""

import datetime

from django.test import SimpleTestCase, override_settings
from health_check.exceptions import ServiceUnavailable

from django_mailers.diagnosis.health import MailerCheck

from ..support.servers import TIMEOUT, SMTPServer
from ..support.utils import OURS


class HealthTests(SimpleTestCase):
    def check(self, **options):
        entry = {"BACKEND": OURS, "OPTIONS": {"timeout": TIMEOUT, **options}}
        with override_settings(MAILERS={"bulk": entry}):
            check = MailerCheck("bulk", timeout=datetime.timedelta(seconds=5))
            self.assertEqual(repr(check), "MailerCheck(alias='bulk')")
            check.run()

    def test_a_mailer_that_works(self):
        with SMTPServer() as server:
            self.check(host=server.host, port=server.port)
            self.assertEqual(server.messages, [])
            self.assertEqual(len(server.sessions), 1)

    def test_one_that_does_not(self):
        with self.assertRaisesMessage(
            ServiceUnavailable, "The mailer 'bulk' failed at the step 'address'."
        ):
            self.check(host="nobody.invalid")
