"""wagtail: mail with what was entered into a form of a site.

It calls `get_connection(username=None, password=None)`, which on Django 6.1.3 silently sends
without the credentials that MAILERS has (H12).
"""

from django.test import override_settings
from wagtail.admin.mail import send_mail
from wagtail.models import Locale, Page

from ..support.utils import NATIVE
from .cases import CONNECTION_ARGUMENT, GET_CONNECTION, PackageTestCase, without_bridge
from .models import FormPage


class FormMailTests(PackageTestCase):
    def setUp(self):
        super().setUp()
        Locale.objects.create(language_code="en")
        root = Page.add_root(instance=Page(title="Root", slug="root"))
        self.page = FormPage(title="Contact", subject="S", to_address="to@example.com")
        root.add_child(instance=self.page)
        self.page.form_fields.create(label="Your name", field_type="singleline")

    def mailers(self):
        """The settings with the first account for the default one, though it is not named first."""
        return override_settings(
            MAILERS={"second": self.smtp("second"), "default": self.smtp("first")}
        )

    def submit(self):
        form = self.page.get_form({"your_name": "Ada"}, page=self.page, user=None)
        self.assertTrue(form.is_valid(), form.errors)
        self.page.process_form_submission(form)

    def test_sends_with_the_credentials(self):
        with self.mailers(), self.deprecations() as deprecations:
            self.submit()
        self.assertEqual(self.arrived(), [("first", "first", "to@example.com")])
        self.assertIn(b"Your name: Ada", self.servers["first"].messages[0].content)
        connects = 'connection = kwargs.get("connection", False) or get_connection('
        expected = [("admin/mail.py", connects, GET_CONNECTION)]
        # Django 6.1.3 overlooks the argument when it is given to a subclass of EmailMessage.
        if not NATIVE:
            message = "mail = EmailMultiAlternatives("
            expected.append(("admin/mail.py", message, CONNECTION_ARGUMENT))
        self.assertEqual(deprecations, expected)

    def test_credentials_of_the_call(self):
        self.servers["first"].users["someone"] = "else"
        with self.mailers(), self.deprecations():
            send_mail("S", "B", ["to@example.com"], auth_user="someone", auth_password="else")
        self.assertEqual(self.arrived(), [("first", "someone", "to@example.com")])

    @without_bridge()
    def test_without_bridge(self):
        """Nothing is refused, but Django 6.1.3 does not log in."""
        with self.mailers(), self.deprecations():
            self.submit()
        user = None if NATIVE else "first"
        self.assertEqual(self.arrived(), [("first", user, "to@example.com")])
