"""django-post-office: a queue in the database, with names of its own for backends.

It goes by MAILERS where `django.VERSION` says 6.1, whatever else there is (H1). Before that it asks
for `settings.EMAIL_BACKEND`, with SMTP for a default, and makes connections with
`get_connection(path)`, which is Django 6.1's error: without the bridge nothing is sent.
"""

import tempfile
from email import message_from_bytes, policy
from pathlib import Path
from unittest import skipIf, skipUnless

from django.core import mail
from django.test import override_settings
from post_office import mail as post_office
from post_office.models import STATUS, Email, EmailTemplate

from ..support.servers import enter
from ..support.utils import LOCMEM, NATIVE, SMTP
from .cases import (
    GET_CONNECTION,
    HAS_SUBTYPES,
    NO_PATH,
    SETTING,
    PackageTestCase,
    without_bridge,
)

QUEUE = "post_office.EmailBackend"
CONNECTS = ("post_office/connections.py", "connection = get_connection(backend)", GET_CONNECTION)


class PostOfficeTestCase(PackageTestCase):
    def queue(self):
        """Queue a message through the default mailer, which must be the package's."""
        mail.send_mail("S", "B", "from@example.com", ["to@example.com"])
        self.assertEqual(Email.objects.count(), 1)
        self.assertEqual(self.arrived(), [])

    def deliver(self):
        """Send what is in the queue; return the status that each email has then."""
        post_office.send_queued(processes=1)
        return list(Email.objects.order_by("pk").values_list("status", flat=True))


@skipIf(NATIVE, "On Django 6.1 django-post-office uses MAILERS.")
class LegacyTests(PostOfficeTestCase):
    def mailers(self):
        return override_settings(
            MAILERS={"default": {"BACKEND": QUEUE}, "smtp": self.smtp("second")}
        )

    def test_queue_is_the_default_mailer(self):
        """It delivers by SMTP then: by the account that MAILERS has."""
        with self.mailers(), self.deprecations() as deprecations:
            self.queue()
            self.assertEqual(self.deliver(), [STATUS.sent])
        self.assertEqual(self.arrived(), [("second", "second", "to@example.com")])
        reads_setting = (
            "post_office/settings.py",
            "backends['default'] = getattr(settings, 'EMAIL_BACKEND', "
            "'django.core.mail.backends.smtp.EmailBackend')",
            SETTING.format("EMAIL_BACKEND"),
        )
        self.assertEqual(deprecations, [reads_setting, CONNECTS])

    def test_queue_is_apart(self):
        """Of two accounts it is the default one's that EMAIL_BACKEND stands for."""
        entries = {"another": self.smtp("second"), "default": self.smtp("first")}
        with override_settings(MAILERS=entries), self.deprecations():
            post_office.send("to@example.com", "from@example.com", subject="S", message="B")
            self.assertEqual(self.deliver(), [STATUS.sent])
        self.assertEqual(self.arrived(), [("first", "first", "to@example.com")])

    def test_backends_of_its_own(self):
        entries = {"default": {"BACKEND": LOCMEM}, "account": self.smtp("second")}
        backends = {"default": LOCMEM, "important": SMTP}
        with (
            override_settings(MAILERS=entries, POST_OFFICE={"BACKENDS": backends}),
            self.deprecations() as deprecations,
        ):
            for name in backends:
                to, sender = f"{name}@example.com", "from@example.com"
                post_office.send(to, sender, subject="S", message="B", backend=name)
            self.assertEqual(self.deliver(), [STATUS.sent, STATUS.sent])
        self.assertEqual(self.arrived(), [("second", "second", "important@example.com")])
        self.assertEqual([sent.to for sent in mail.outbox], [["default@example.com"]])
        self.assertEqual(deprecations, [CONNECTS, CONNECTS])

    @skipUnless(HAS_SUBTYPES, "From Django 6.0 on django-post-office leaves the type alone.")
    def test_inline_images(self):
        """They come in a multipart/related, because of `mixed_subtype` (H20)."""
        image = Path(enter(self, tempfile.TemporaryDirectory()), "dot.gif")
        image.write_bytes(b"GIF89a")
        template = EmailTemplate.objects.create(
            name="picture",
            subject="S",
            html_content='{% load post_office %}<img src="{% inline_image path %}">',
        )
        with (
            override_settings(
                MAILERS={"default": self.smtp("first")},
                POST_OFFICE={"TEMPLATE_ENGINE": "post_office"},
            ),
            self.deprecations() as deprecations,
        ):
            post_office.send(
                "to@example.com",
                "from@example.com",
                template=template,
                context={"path": str(image)},
                render_on_delivery=True,
            )
            self.assertEqual(self.deliver(), [STATUS.sent])
        (sent,) = self.servers["first"].messages
        message = message_from_bytes(sent.content, policy=policy.default)
        types = [part.get_content_type() for part in message.walk()]
        self.assertEqual(types, ["multipart/related", "text/html", "image/gif"])
        renders = (
            "post_office/models.py",
            "connection.send_messages([msg])",
            "django.core.mail.message.EmailMultiAlternatives.mixed_subtype is an error "
            "since Django 6.0.",
        )
        self.assertEqual(deprecations[-2:], [CONNECTS, renders])

    @without_bridge()
    def test_without_bridge(self):
        with self.mailers(), self.deprecations():
            self.queue()
            self.assertEqual(self.deliver(), [STATUS.failed])
        self.assertEqual(self.arrived(), [])
        (log,) = Email.objects.get().logs.all()
        self.assertEqual((log.exception_type, log.message), ("RuntimeError", NO_PATH))


@skipUnless(NATIVE, "Before Django 6.1 django-post-office does not look for MAILERS.")
class PortedTests(PostOfficeTestCase):
    def mailers(self):
        return override_settings(
            MAILERS={"default": {"BACKEND": QUEUE}, "smtp": self.smtp("second")},
            POST_OFFICE={"DEFAULT_MAILER": "smtp"},
        )

    def test_sends_through_its_mailer(self):
        """The bridge leaves it as it is: there is nothing to warn about."""
        with self.mailers(), self.deprecations() as deprecations:
            self.queue()
            self.assertEqual(self.deliver(), [STATUS.sent])
        self.assertEqual(self.arrived(), [("second", "second", "to@example.com")])
        self.assertEqual(deprecations, [])

    test_without_bridge = without_bridge()(test_sends_through_its_mailer)
