"""The EMAIL_* settings that MAILERS replaces: who is told of them, where, and how often.

What a project starts with is in test_deprecations_in_projects.py.
"""

# Without a lambda around it, what is called would have no line of this file to be called from.
# ruff: noqa: PLW0108

import unittest
from unittest.mock import patch

from django.conf import settings
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import mailers
from django.core.mail.backends import locmem, smtp
from django.test import SimpleTestCase, override_settings

from .support.deprecations import (
    CONNECTION,
    EMAIL_SETTINGS,
    GET_CONNECTION,
    NO_DEFAULT_MAILER,
    ONE,
    OTHER_SETTINGS,
    TO,
    DeprecationTestCase,
    deprecated,
)
from .support.servers import enter
from .support.utils import LOCMEM, NATIVE, ignore_deprecations, legacy_settings

# How often 6.1.3 says it to who sets a setting over others, and how often the backport does.
TIMES = 2 if NATIVE else 1


class WithoutMailersTests(DeprecationTestCase):
    """In a project that starts with neither; `settings` are those of `override_settings` here."""

    def setUp(self):
        super().setUp()
        enter(self, legacy_settings())

    def test_read(self):
        for name in EMAIL_SETTINGS.keys() - {"EMAIL_FILE_PATH"}:
            with self.subTest(name):
                self.assertDeprecated(lambda name=name: getattr(settings, name), deprecated(name))

    def test_read_as_attribute(self):
        self.assertDeprecated(lambda: settings.EMAIL_HOST, deprecated("EMAIL_HOST"))
        self.assertDeprecated(lambda: hasattr(settings, "EMAIL_PORT"), deprecated("EMAIL_PORT"))

    def test_read_again(self):
        """Django keeps the values it has read, and warns as it reads."""
        self.assertDeprecated(lambda: settings.EMAIL_HOST, deprecated("EMAIL_HOST"))
        self.assertDeprecated(lambda: settings.EMAIL_HOST)

    def test_missing_one(self):
        self.assertDeprecated(lambda: getattr(settings, "EMAIL_FILE_PATH", None))

    def test_override_settings(self):
        """On 6.1.3 once more at the end, where it reads what has become of the setting."""
        for name, value in EMAIL_SETTINGS.items():
            with self.subTest(name):
                override = override_settings(**{name: value})

                def use(override=override):
                    with override:
                        pass

                # There is no default of this one to go back to.
                ends = NATIVE and name != "EMAIL_FILE_PATH"
                self.assertDeprecated(use, *[deprecated(name)] * (2 if ends else 1))

    def test_override_settings_as_a_method(self):
        def use():
            with self.settings(EMAIL_HOST="192.0.2.1", EMAIL_PORT=25):
                pass

        both = [deprecated("EMAIL_HOST"), deprecated("EMAIL_PORT")]
        self.assertDeprecated(use, *both * TIMES)

    def test_override_settings_as_a_decorator(self):
        """The line is that of what calls the test: Django's decorator is code for settings."""

        @override_settings(EMAIL_HOST="192.0.2.1")
        def test():
            self.assertEqual(settings.DEBUG, False)

        def use():
            test()

        self.assertDeprecated(use, *[deprecated("EMAIL_HOST")] * TIMES)

    def test_override_settings_of_a_class(self):
        """As with 6.1, the line is unittest's, which sets the class up."""

        @override_settings(EMAIL_HOST="192.0.2.1")
        class Decorated(SimpleTestCase):
            def test(self):
                pass

        def use():
            unittest.TestSuite([Decorated("test")]).run(unittest.TestResult())

        # Before Python 3.11 unittest cannot, and Django does it itself: that warns nobody.
        times = TIMES if hasattr(unittest, "enterModuleContext") else 0
        self.assertDeprecatedInside(unittest.case, use, *[deprecated("EMAIL_HOST")] * times)

    def test_set(self):
        """On 6.1.3 once by the object that everybody holds and once by the one it holds."""
        texts = [deprecated("EMAIL_HOST")] * TIMES
        self.assertDeprecated(lambda: setattr(settings, "EMAIL_HOST", "192.0.2.1"), *texts)

        def use():
            settings.EMAIL_HOST = "192.0.2.2"

        self.assertDeprecated(use, *texts)

    def test_deleted(self):
        with ignore_deprecations(), override_settings(EMAIL_HOST="192.0.2.1"):

            def use():
                del settings.EMAIL_HOST

            self.assertDeprecated(use)

    def test_others(self):
        def use():
            with override_settings(**OTHER_SETTINGS):
                for name in OTHER_SETTINGS:
                    setattr(settings, name, getattr(settings, name))

        self.assertDeprecated(use)

    def test_sending(self):
        """Who has EMAIL_* settings was told of them, and not of the missing MAILERS as well."""
        with ignore_deprecations(), override_settings(EMAIL_BACKEND=LOCMEM):
            self.assertDeprecated(lambda: mail.send_mail(*ONE))
            self.assertDeprecated(lambda: mail.send_mass_mail([ONE, ONE]))
            self.assertDeprecated(lambda: mail.EmailMessage(*ONE).send())
            self.assertDeprecated(lambda: mailers.default)
        self.assertEqual(len(mail.outbox), 4)


class BesideMailersTests(DeprecationTestCase):
    def test_reading(self):
        """An error, and no warning before it."""
        for name in EMAIL_SETTINGS:
            with self.subTest(name):
                self.assertDeprecated(
                    lambda name=name: self.assertIs(hasattr(settings, name), False)
                )

    def test_override_settings(self):
        def use():
            with override_settings(EMAIL_HOST="192.0.2.1"):
                pass

        self.assertDeprecated(use, deprecated("EMAIL_HOST"))


class NothingConfiguredTests(DeprecationTestCase):
    """Neither MAILERS nor EMAIL_*: mail goes to localhost, until 2028."""

    def setUp(self):
        super().setUp()
        self.connection = locmem.EmailBackend()
        enter(self, legacy_settings())

    def test_get_connection(self):
        self.assertDeprecated(lambda: mail.get_connection(), GET_CONNECTION, NO_DEFAULT_MAILER)
        self.assertDeprecated(
            lambda: mail.get_connection(LOCMEM), GET_CONNECTION, NO_DEFAULT_MAILER
        )

    def test_default_mailer(self):
        self.assertDeprecated(lambda: mailers.default, NO_DEFAULT_MAILER)
        self.assertDeprecated(lambda: mailers["default"], NO_DEFAULT_MAILER)

    def test_sending(self):
        def send_mail():
            mail.send_mail(*ONE)

        def send():
            mail.EmailMessage(*ONE).send()

        def send_mass_mail():
            mail.send_mass_mail([ONE, ONE])

        def mail_admins():
            mail.mail_admins("subject", "body")

        def email_user():
            User(email="to@example.com").email_user("subject", "body")

        for use in (send_mail, send, send_mass_mail, mail_admins, email_user):
            with (
                self.subTest(use.__name__),
                override_settings(ADMINS=TO),
                # Where it would go is localhost, port 25.
                patch.object(smtp.EmailBackend, "send_messages", autospec=True) as send_messages,
            ):
                self.assertDeprecated(use, NO_DEFAULT_MAILER)
                [call] = send_messages.call_args_list
                self.assertEqual((call.args[0].host, call.args[0].port), ("localhost", 25))

    def test_not_where_a_connection_is_given(self):
        self.assertDeprecated(lambda: mail.send_mail(*ONE, connection=self.connection), CONNECTION)
