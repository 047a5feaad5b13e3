"""django-health-check shows whether a mailer works."""

import datetime
import json

from asgiref.sync import async_to_sync
from django.test import RequestFactory, SimpleTestCase, override_settings
from health_check.exceptions import ServiceUnavailable
from health_check.views import HealthCheckView

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

    def test_an_alias_that_is_not_there(self):
        with self.assertRaisesMessage(ServiceUnavailable, "The mailer 'x' is not configured."):
            MailerCheck("x").run()

    def test_the_view(self):
        """As docs/verifying.rst has it."""
        path = "django_mailers.diagnosis.health.MailerCheck"
        gone = {"BACKEND": OURS, "OPTIONS": {"host": "nobody.invalid", "password": "s3cret"}}
        with SMTPServer() as server:
            good = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            mailers = {"default": {"BACKEND": OURS, "OPTIONS": good}, "bulk": gone}
            view = HealthCheckView.as_view(checks=[(path, {"alias": name}) for name in mailers])
            request = RequestFactory().get("/health/?format=json")
            with override_settings(MAILERS=mailers), self.assertLogs("health_check", "WARNING"):
                response = async_to_sync(view)(request)
        self.assertEqual(response.status_code, 500)
        found = json.loads(response.content)
        self.assertEqual(found["MailerCheck(alias='default')"], "OK")
        self.assertIn("failed at the step 'address'", found["MailerCheck(alias='bulk')"])
        self.assertNotIn(b"s3cret", response.content)
