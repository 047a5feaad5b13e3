"""In tests nothing is sent by mailers that are not in MAILERS, either."""

import unittest
from importlib.util import find_spec

from django.core import mail
from django.core.mail.backends import locmem
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import build_mailer
from django_mailers.backends.smtp import EmailBackend

from .support.messages import message
from .support.projects import MAILERS, MANAGE, ProjectMixin
from .support.utils import DUMMY, LOCMEM, OURS, ExactErrors, legacy_settings

REAL = {"BACKEND": OURS, "OPTIONS": {"host": "192.0.2.1"}}
ROUTE = "django_mailers.backends.route.EmailBackend"


class ThisSuiteTests(ExactErrors, SimpleTestCase):
    """Runs in the test environment itself."""

    def test_build_mailer(self):
        mailer = build_mailer(REAL, "acme")
        self.assertIs(type(mailer), locmem.EmailBackend)
        self.assertEqual(mailer.send_messages([message()]), 1)
        self.assertEqual([one.sent_using for one in mail.outbox], ["acme"])

    def test_a_configuration_with_a_wrong_form(self):
        with self.assertRaisesExactly(
            mail.InvalidMailer,
            "MAILERS['tenant']: Unknown keys 'host'. 'BACKEND' and 'OPTIONS' are known.",
        ):
            build_mailer({"host": "192.0.2.1"})

    def test_settings_that_a_test_overrides(self):
        memory, dummy = {"BACKEND": LOCMEM}, {"BACKEND": DUMMY}
        for mailers, is_memory in [
            ({"default": memory, "news": dummy}, True),
            ({"news": memory, "other": memory}, True),
            ({"news": memory, "other": dummy}, False),
            ({"default": dummy, "news": memory}, False),
            ({}, True),
        ]:
            with self.subTest(mailers), override_settings(MAILERS=mailers):
                built = build_mailer(REAL)
                self.assertIs(type(built), locmem.EmailBackend if is_memory else EmailBackend)

    def test_without_mailers(self):
        for backend, expected in [(LOCMEM, locmem.EmailBackend), (DUMMY, EmailBackend)]:
            with self.subTest(backend), legacy_settings(EMAIL_BACKEND=backend):
                self.assertIs(type(build_mailer(REAL)), expected)


TESTS = """
    from django.conf import settings
    from django.core import mail
    from django.core.mail import send_mail
    from django.test import SimpleTestCase, override_settings

    from django_mailers import build_mailer, use_mailer
    from tenants import config

    LETTER = ("s", "b", None, ["to@example.com"])
    ROUTE = settings.REAL["tenants"]
    MEMORY = {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}


    def sent_using():
        return [message.sent_using for message in mail.outbox]


    class RouteTests(SimpleTestCase):
        def test_build_mailer(self):
            message = mail.EmailMessage(*LETTER)
            self.assertEqual(build_mailer(config(message), "acme").send_messages([message]), 1)
            self.assertEqual(sent_using(), ["acme"])

        def test_the_alias_that_was_asked_for(self):
            send_mail(*LETTER, using="tenants")
            with use_mailer("bulk"):
                send_mail(*LETTER, using="current")
            self.assertEqual(sent_using(), ["tenants", "current"])

        def test_the_route_itself(self):
            mailers = {"default": MEMORY, "tenants": ROUTE}
            with override_settings(MAILERS=mailers):
                send_mail(*LETTER, using="tenants")
            self.assertEqual(sent_using(), ["tenants"])
"""


class ProjectTests(ProjectMixin, SimpleTestCase):
    """Projects with tenants, in processes of their own."""

    def write_project(self, **mailers):
        def route(path):
            return {"BACKEND": ROUTE, "OPTIONS": {"resolver": path}}

        real = {
            **MAILERS,
            "tenants": route("tenants.config"),
            "current": route("django_mailers.routing.current_mailer"),
        }
        self.write_settings(MAILERS=real, REAL=real)
        self.write("tenants.py", f"def config(message):\n    return {REAL!r}\n")
        self.write("test_project.py", TESTS)

    @tag("slow")
    def test_djangos_runner(self):
        self.write_project()
        self.write("manage.py", MANAGE)
        for options in ([], ["--parallel", "2"]):
            with self.subTest(options):
                output = self.command("manage.py", "test", *options)
                self.assertIn("\nRan 3 tests in ", output)
                self.assertIn("\nOK\n", output)

    @tag("slow")
    @unittest.skipUnless(find_spec("pytest_django"), "pytest-django is not installed")
    def test_pytest(self):
        self.write_project()
        output = self.command("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_project.py")
        self.assertRegex(output, r"\n3 passed in [0-9.]+s\n$")

    @tag("slow")
    def test_in_production(self):
        """Nothing is replaced, even if somebody has made a mailer for memory."""
        self.write_project()
        found = self.script(
            """
            import json

            import django

            django.setup()

            from django.core.mail.backends.locmem import EmailBackend

            from django_mailers import build_mailer
            from tenants import config

            EmailBackend(alias="x")
            print(json.dumps(type(build_mailer(config(None))).__module__))
            """
        )
        self.assertEqual(found, "django_mailers.backends.smtp")
