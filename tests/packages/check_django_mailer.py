"""django-mailer: a queue in the database, delivered by `send_all()`.

It compares `settings.EMAIL_BACKEND` and makes its connection with `get_connection(backend=path)`.
Django 6.1 has neither with MAILERS.
"""

import tempfile
from pathlib import Path

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from mailer.engine import send_all
from mailer.models import RESULT_SUCCESS, Message, MessageLog

from ..support.servers import enter
from .cases import (
    GET_CONNECTION,
    NO_SETTING,
    SET_CONNECTION,
    SETTING,
    PackageTestCase,
    without_bridge,
)

QUEUE = "mailer.backend.DbBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"


class DjangoMailerTests(PackageTestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory()))
        files = {"BACKEND": FILES, "OPTIONS": {"file_path": str(self.folder)}}
        entries = {"default": {"BACKEND": QUEUE}, "files": files, "smtp": self.smtp("second")}
        enter(self, override_settings(MAILERS=entries))

    def queue(self):
        self.assertEqual(mail.send_mail("S", "B", "from@example.com", ["to@example.com"]), 1)
        self.assertEqual(Message.objects.count(), 1)
        self.assertEqual(mail.outbox, [])

    def test_sends_through_the_mailer_with_its_backend(self):
        self.queue()
        with self.deprecations() as deprecations:
            send_all()
        self.assertEqual(self.arrived(), [("second", "second", "to@example.com")])
        self.assertEqual(Message.objects.count(), 0)
        self.assertEqual([log.result for log in MessageLog.objects.all()], [RESULT_SUCCESS])
        self.assertEqual(
            deprecations,
            [
                (
                    "mailer/engine.py",
                    f'if mailer_email_backend == settings.EMAIL_BACKEND == "{QUEUE}":',
                    SETTING.format("EMAIL_BACKEND"),
                ),
                (
                    "mailer/engine.py",
                    "connection = get_connection(backend=mailer_email_backend)",
                    GET_CONNECTION,
                ),
                ("mailer/engine.py", "email.connection = connection", SET_CONNECTION),
                ("mailer/engine.py", "email.connection = None", SET_CONNECTION),
            ],
        )

    @override_settings(MAILER_EMAIL_BACKEND=FILES)
    def test_sends_through_another_backend(self):
        self.queue()
        with self.deprecations():
            send_all()
        self.assertEqual(self.arrived(), [])
        (file,) = self.folder.iterdir()
        self.assertIn("\nTo: to@example.com\n", file.read_text())

    @override_settings(MAILER_EMAIL_BACKEND=QUEUE)
    def test_guard_against_a_loop(self):
        """It compares the paths, so EMAIL_BACKEND has to read as the real one (H3)."""
        self.queue()
        with (
            self.deprecations(),
            self.assertRaisesExactly(
                ImproperlyConfigured,
                "EMAIL_BACKEND and MAILER_EMAIL_BACKEND should not both be set to "
                f'"{QUEUE}" at the same time',
            ),
        ):
            send_all()
        self.assertEqual(Message.objects.count(), 1)

    @without_bridge()
    def test_without_bridge(self):
        self.queue()
        with self.assertRaisesExactly(AttributeError, NO_SETTING.format("EMAIL_BACKEND")):
            send_all()
        self.assertEqual(self.arrived(), [])
