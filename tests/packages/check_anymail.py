"""django-anymail: its test backend, which is its base class without a service behind it.

The package itself knows MAILERS. What its users wrote before has backends mixed as its
documentation said, with `get_connection(path, **options)`, which Django 6.1 refuses.
"""

from anymail.exceptions import AnymailInvalidMailer
from django.core import mail
from django.test import override_settings

from ..support.servers import enter
from .cases import CONNECTION_ARGUMENT, GET_CONNECTION, NO_PATH, PackageTestCase, without_bridge

BACKEND = "anymail.backends.test.EmailBackend"
MESSAGE = {
    "subject": "S",
    "message": "B",
    "from_email": "from@example.com",
    "recipient_list": ["to@example.com"],
}


class AnymailTests(PackageTestCase):
    def setUp(self):
        super().setUp()
        entry = {"BACKEND": BACKEND, "OPTIONS": {"ignore_recipient_status": True}}
        entries = {"default": self.smtp("first"), "anymail": entry}
        enter(self, override_settings(MAILERS=entries))

    def test_sends_by_alias(self):
        mail.send_mail(**MESSAGE, using="anymail")
        (message,) = mail.outbox
        self.assertEqual(message.anymail_test_params["text_body"], "B")

    def test_get_connection(self):
        with self.deprecations() as deprecations:
            connection = mail.get_connection(BACKEND, username=None, password=None)
            mail.send_mail(**MESSAGE, connection=connection)
        self.assertEqual((connection.alias, connection.ignore_recipient_status), ("anymail", True))
        self.assertEqual([sent.anymail_test_params["subject"] for sent in mail.outbox], ["S"])
        self.assertEqual(self.arrived(), [])
        file = "packages/check_anymail.py"
        self.assertEqual(
            deprecations,
            [
                (
                    file,
                    "connection = mail.get_connection(BACKEND, username=None, password=None)",
                    GET_CONNECTION,
                ),
                (file, "mail.send_mail(**MESSAGE, connection=connection)", CONNECTION_ARGUMENT),
            ],
        )

    def test_get_connection_with_options(self):
        with self.deprecations():
            connection = mail.get_connection(BACKEND, ignore_unsupported_features=True)
        self.assertEqual((connection.alias, connection.ignore_recipient_status), ("anymail", True))
        self.assertIs(connection.ignore_unsupported_features, True)

    def test_get_connection_to_a_backend_that_is_in_no_mailer(self):
        with (
            override_settings(MAILERS={"default": self.smtp("first")}),
            self.deprecations(),
        ):
            connection = mail.get_connection(BACKEND, ignore_unsupported_features=True)
        self.assertEqual((connection.alias, connection.ignore_recipient_status), (None, False))
        self.assertIs(connection.ignore_unsupported_features, True)

    def test_error(self):
        """Anymail takes Django's exceptions when it is imported, or makes its own (H2)."""
        self.assertTrue(issubclass(AnymailInvalidMailer, mail.InvalidMailer))

    @without_bridge()
    def test_without_bridge(self):
        with self.deprecations(), self.assertRaisesExactly(RuntimeError, NO_PATH):
            mail.get_connection(BACKEND, username=None, password=None)
