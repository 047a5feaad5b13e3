"""django-celery-email: a task of celery that sends, here at once.

It passes `fail_silently` on to BaseEmailBackend, reads `EmailMessage.mixed_subtype`, and makes the
connection of its task with `get_connection(backend=path)`. Django 6.1 has none of that.
"""

from email import message_from_bytes, policy

# When the first task is wanted it would be too late: the package's settings would be those of the
# `override_settings` around it.
import djcelery_email.tasks  # noqa: F401
from django.core import mail
from django.test import override_settings

from .cases import GET_CONNECTION, HAS_SUBTYPES, NO_PATH, PackageTestCase, without_bridge

QUEUE = "djcelery_email.backends.CeleryEmailBackend"


class CeleryEmailTests(PackageTestCase):
    def mailers(self, **options):
        """The settings with a default mailer that is the package's, and has these options."""
        queue = {"BACKEND": QUEUE, "OPTIONS": options}
        return override_settings(MAILERS={"default": queue, "smtp": self.smtp("second")})

    def send(self, **arguments):
        message = mail.EmailMultiAlternatives("S", "text", "from@example.com", ["to@example.com"])
        message.attach_alternative("<p>html</p>", "text/html")
        message.attach("a.txt", "attached", "text/plain")
        message.send(**arguments)

    def test_sends_through_the_mailer_with_its_backend(self):
        with self.mailers(), self.deprecations() as deprecations:
            self.send()
        self.assertEqual(self.arrived(), [("second", "second", "to@example.com")])
        passes_fail_silently = (
            "djcelery_email/backends.py",
            "super(CeleryEmailBackend, self).__init__(fail_silently)",
            f"{QUEUE}.__init__() does not support 'fail_silently'. In Django 2028, "
            "BaseEmailBackend will raise a TypeError for unknown keyword arguments.",
        )
        reads_subtype = (
            "djcelery_email/utils.py",
            "if message.mixed_subtype != EmailMessage.mixed_subtype:",
            "django.core.mail.message.EmailMultiAlternatives.mixed_subtype does not exist "
            "since Django 6.0.",
        )
        connects = (
            "djcelery_email/tasks.py",
            "conn = get_connection(backend=settings.CELERY_EMAIL_BACKEND, **combined_kwargs)",
            GET_CONNECTION,
        )
        expected = [passes_fail_silently, reads_subtype, connects]
        if HAS_SUBTYPES:
            expected.remove(reads_subtype)
        self.assertEqual(deprecations, expected)

    def test_content(self):
        """Nothing is lost on the way through JSON."""
        with self.mailers(), self.deprecations():
            self.send()
        (sent,) = self.servers["second"].messages
        message = message_from_bytes(sent.content, policy=policy.default)
        self.assertEqual(
            [
                (part.get_content_type(), part.get_filename(), part.get_content().strip())
                for part in message.walk()
                if not part.is_multipart()
            ],
            [
                ("text/plain", None, "text"),
                ("text/html", None, "<p>html</p>"),
                ("text/plain", "a.txt", "attached"),
            ],
        )

    def test_by_alias(self):
        with self.mailers(), self.deprecations():
            self.send(using="default")
        self.assertEqual(self.arrived(), [("second", "second", "to@example.com")])

    def test_fail_silently(self):
        with self.mailers(), self.deprecations():
            self.send(fail_silently=True)
        self.assertEqual(self.arrived(), [("second", "second", "to@example.com")])

    def test_options_are_those_of_the_delivery(self):
        """What the default mailer has of them goes before those of the mailer that delivers."""
        with self.mailers(**self.smtp("first")["OPTIONS"]), self.deprecations():
            self.send()
        self.assertEqual(self.arrived(), [("first", "first", "to@example.com")])

    @without_bridge()
    def test_without_bridge(self):
        error, text = RuntimeError, NO_PATH
        if not HAS_SUBTYPES:
            error = AttributeError
            text = "'EmailMultiAlternatives' object has no attribute 'mixed_subtype'"
        with self.mailers(), self.deprecations(), self.assertRaisesExactly(error, text):
            self.send()
        self.assertEqual(self.arrived(), [])
