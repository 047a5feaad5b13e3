"""django-anymail: its test backend, which is its base class without a service behind it.

The package itself knows MAILERS. What its users wrote before has backends mixed as its
documentation said, with `get_connection(path, **options)`, which Django 6.1 refuses.
"""

from datetime import datetime, timezone

from anymail.exceptions import AnymailInvalidMailer
from anymail.message import AnymailMessage
from django.core import mail
from django.test import override_settings

from ..support.caches import cache
from ..support.servers import enter
from ..support.tasks import QueueTestCase, background, needs_tasks
from .cases import CONNECTION_ARGUMENT, GET_CONNECTION, NO_PATH, PackageTestCase, without_bridge

PNG = b"\x89PNG\r\n\x1a\n"
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


@needs_tasks
class QueuedTests(QueueTestCase):
    """What Anymail's users set on a message is there when a worker sends it."""

    def message(self):
        message = AnymailMessage(
            *("S", "B", "from@example.com", ["to@example.com", "other@example.com"]),
            reply_to=["reply@example.com"],
            headers={"X-Order": "7"},
        )
        message.attach_alternative("<b>B</b>", "text/html")
        message.attach_inline_image(PNG, "logo.png", idstring="logo", domain="example.com")
        message.attach("terms.bin", bytes(range(256)), "application/octet-stream")
        message.metadata = {"order": 7, "total": 1.5}
        message.tags = ["receipt", "é"]
        message.track_opens, message.track_clicks = True, False
        message.send_at = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
        message.template_id = "receipt"
        message.merge_data = {"to@example.com": {"name": "To"}, "other@example.com": {}}
        message.merge_global_data = {"shop": "Quay Books"}
        message.merge_metadata = {"to@example.com": {"customer": 1}}
        message.merge_headers = {"to@example.com": {"X-Customer": "1"}}
        message.envelope_sender = "bounces@example.com"
        message.esp_extra = {"ip_pool": "1", "nested": {"list": [1, None, True]}}
        return message

    def params(self, message):
        """What Anymail would give to the service, as values that can be compared."""
        params = dict(message.anymail_test_params)
        # Fixed when it was queued.
        headers = {key: params["extra_headers"][key] for key in params["extra_headers"]}
        params["extra_headers"] = {
            key: value for key, value in headers.items() if key not in {"Message-ID", "Date"}
        }
        params["attachments"] = [
            # The Content-ID of the image is another one for each message.
            (
                one.name,
                one.content,
                one.mimetype,
                one.inline,
                (one.content_id or "").startswith("<logo."),
            )
            for one in params["attachments"]
        ]
        return {key: repr(value) for key, value in params.items()}

    def test_attributes(self):
        anymail = {"BACKEND": BACKEND, "OPTIONS": {"ignore_recipient_status": True}}
        with (
            background("anymail", others={"anymail": anymail}),
            override_settings(CACHES=cache("Shared")),
        ):
            self.message().send(using="anymail")
            self.message().send(using="background")
            self.assertEqual(self.queued.pop().run(), {"status": "sent", "attempt": 1})
        direct, queued = mail.outbox
        self.assertIs(type(queued), AnymailMessage)
        self.assertEqual(self.params(queued), self.params(direct))
        self.assertEqual(queued.anymail_test_params["metadata"], {"order": 7, "total": 1.5})
