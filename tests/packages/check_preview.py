"""django-mail-preview: a backend that keeps mail, and pages that show it while DEBUG is on.

It goes by MAILERS on every Django. `tee` gives it copies of what another mailer has delivered.
"""

import tempfile
from pathlib import Path

from django.core.checks import run_checks
from django.core.mail import EmailMultiAlternatives
from django.test import override_settings
from django.urls import include, path
from django_mail_preview.storage import get_storage

from django_mailers import send_many

from ..support.servers import enter
from .cases import PackageTestCase

PREVIEW = "django_mail_preview.backends.EmailBackend"
TEE = "django_mailers.backends.tee.EmailBackend"
SCRIPT = "<script>alert()</script>"

urlpatterns = [path("__mail-preview__/", include("django_mail_preview.urls"))]


class PreviewTests(PackageTestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory()), "preview")
        entries = {
            "default": {"BACKEND": TEE, "OPTIONS": {"using": "smtp", "also": ["preview"]}},
            "smtp": self.smtp("first"),
            "preview": {"BACKEND": PREVIEW},
        }
        settings = {"DEBUG": True, "ROOT_URLCONF": __name__, "MAIL_PREVIEW_ROOT": self.folder}
        enter(self, override_settings(MAILERS=entries, **settings))

    def message(self):
        message = EmailMultiAlternatives(
            "Your order",
            "It is on its way.",
            "shop@example.com",
            ["ann@example.com"],
            bcc=["archive@example.com"],
        )
        message.attach_alternative(f"<p>It is on its way.</p>{SCRIPT}", "text/html")
        return message

    def shown(self):
        """Return the alias, the subject and the recipients of each message in the preview."""
        stored = [one.meta for one in get_storage().list()]
        return [(meta.alias, meta.subject, meta.to, meta.bcc) for meta in stored]

    def assertDelivered(self):
        to = ["ann@example.com", "archive@example.com"]
        self.assertEqual(self.arrived(), [("first", "first", address) for address in to])

    def assertShown(self):
        expected = ("preview", "Your order", ("ann@example.com",), ("archive@example.com",))
        self.assertEqual(self.shown(), [expected])

    def test_delivered_and_shown(self):
        with self.deprecations() as deprecations:
            self.assertEqual(self.message().send(), 1)
        self.assertDelivered()
        self.assertShown()
        self.assertEqual(deprecations, [])

    def test_by_its_alias_it_is_only_shown(self):
        report = send_many([self.message()], using="preview")
        self.assertEqual(report.summary(), "1 sent")
        self.assertEqual(self.arrived(), [])
        self.assertShown()

    def test_not_delivered_and_not_shown(self):
        self.servers["first"].__exit__(None, None, None)
        with self.assertRaises(OSError):
            self.message().send()
        self.assertEqual(self.shown(), [])

    def test_delivered_where_it_cannot_be_shown(self):
        self.folder.touch()
        with self.assertLogs("django_mailers.backends", "WARNING") as logs:
            self.assertEqual(self.message().send(), 1)
        self.assertDelivered()
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            [
                "MAILERS['default']: Messages were sent. Of their copies through 'preview': "
                "1 unknown (FileExistsError)."
            ],
        )

    def test_pages(self):
        self.message().send()
        [stored] = get_storage().list()
        page = self.client.get(f"/__mail-preview__/sent/{stored.meta.id}/")
        self.assertContains(page, "bcc archive@example.com")
        self.assertNotContains(page, SCRIPT)
        frame = self.client.get(f"/__mail-preview__/sent/{stored.meta.id}/html/")
        self.assertContains(frame, SCRIPT)
        rules = frame.headers["Content-Security-Policy"].split("; ")
        self.assertEqual(rules[0], "default-src 'none'")
        self.assertEqual([rule for rule in rules if rule.startswith("script-src")], [])
        with override_settings(DEBUG=False):
            self.assertEqual(self.client.get("/__mail-preview__/").status_code, 404)

    def test_checks(self):
        def problems():
            return [one.id for one in run_checks() if one.id.partition(".")[0] in rooms]

        rooms = {"mailers", "django_mail_preview"}
        self.assertEqual(problems(), [])
        with override_settings(DEBUG=False):
            self.assertEqual(problems(), ["django_mail_preview.W001"])
