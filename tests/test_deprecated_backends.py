"""What Django 6.1 deprecates about making email backends, and in backends written before it."""

# Without a lambda around it, what is called would have no line of this file to be called from.
# ruff: noqa: PLW0108

from django.core import mail
from django.core.mail import mailers
from django.core.mail.backends import console, dummy, filebased, locmem, smtp
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings

from .support.backends import HandsFailSilentlyOn
from .support.deprecations import (
    AUTH,
    FAIL_SILENTLY,
    FAIL_SILENTLY_READ,
    GET_CONNECTION,
    ONE,
    SMTP_CREATED,
    DeprecationTestCase,
    unsupported,
)
from .support.utils import LOCMEM, legacy_settings


class ReadsFailSilently(BaseEmailBackend):
    def send_messages(self, messages):
        return self.fail_silently


class HandsOnToSmtp(smtp.EmailBackend):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class DropsAlias(smtp.EmailBackend):
    def __init__(self, alias=None):
        super().__init__(host="192.0.2.1", port=25)


class BackendTests(DeprecationTestCase):
    def test_smtp_made_by_hand(self):
        with legacy_settings(EMAIL_HOST="192.0.2.1"):
            self.assertDeprecated(lambda: smtp.EmailBackend(), SMTP_CREATED)
            self.assertDeprecated(
                lambda: smtp.EmailBackend(host="192.0.2.2", fail_silently=True), SMTP_CREATED
            )
            self.assertDeprecated(
                lambda: smtp.EmailBackend("192.0.2.2", 25, x=1),
                SMTP_CREATED,
                unsupported(smtp.EmailBackend, "'x'"),
            )

    def test_smtp_made_by_django(self):
        with override_settings(MAILERS={"default": {"OPTIONS": {"host": "192.0.2.1"}}}):
            self.assertDeprecated(lambda: mailers.default)
        with legacy_settings(EMAIL_HOST="192.0.2.1"):
            self.assertDeprecated(lambda: mailers.default)

    def test_subclass_of_smtp(self):
        path = f"{__name__}.HandsOnToSmtp"
        entry = {"BACKEND": path, "OPTIONS": {"host": "192.0.2.1"}}
        with override_settings(MAILERS={"default": entry}):
            self.assertDeprecated(lambda: mailers.default)
        with override_settings(MAILERS={"default": {"BACKEND": f"{__name__}.DropsAlias"}}):
            # Without an alias it looks for what is missing in the EMAIL_* settings.
            self.assertDeprecated(self.make_default, SMTP_CREATED, line_of=DropsAlias.__init__)
        with legacy_settings(EMAIL_BACKEND=path):
            self.assertDeprecated(
                lambda: mailers.default, SMTP_CREATED, line_of=HandsOnToSmtp.__init__
            )

    def make_default(self):
        with self.assertRaises(AttributeError):
            mailers.default  # noqa: B018

    def test_fail_silently_read(self):
        for cls in (locmem.EmailBackend, dummy.EmailBackend, BaseEmailBackend):
            with self.subTest(cls=cls):
                backend = cls()
                self.assertDeprecated(lambda b=backend: b.fail_silently, FAIL_SILENTLY_READ)
                self.assertDeprecated(
                    lambda b=backend: getattr(b, "fail_silently", True), FAIL_SILENTLY_READ
                )
        self.assertDeprecated(
            lambda: ReadsFailSilently().send_messages([]),
            FAIL_SILENTLY_READ,
            line_of=ReadsFailSilently.send_messages,
        )

    def test_fail_silently_of_their_own(self):
        entries = {
            "console": {"BACKEND": "django.core.mail.backends.console.EmailBackend"},
            "smtp": {"OPTIONS": {"host": "192.0.2.1"}},
        }
        with override_settings(MAILERS=entries):
            for alias in entries:
                self.assertDeprecated(lambda alias=alias: mailers[alias].fail_silently)
        self.assertDeprecated(lambda: console.EmailBackend(fail_silently=True).fail_silently)
        self.assertDeprecated(lambda: self.assertIs(hasattr(dummy.EmailBackend(), "other"), False))

    def test_unknown_keywords(self):
        for cls in (locmem.EmailBackend, dummy.EmailBackend, console.EmailBackend):
            with self.subTest(cls=cls):
                self.assertDeprecated(
                    lambda cls=cls: cls(username=None, x=1), unsupported(cls, "'username', 'x'")
                )
        for cls in (locmem.EmailBackend, dummy.EmailBackend):
            with self.subTest(cls=cls):
                self.assertDeprecated(
                    lambda cls=cls: cls(fail_silently=False), unsupported(cls, "'fail_silently'")
                )
                self.assertDeprecated(
                    lambda cls=cls: cls(fail_silently=True, x=1),
                    unsupported(cls, "'x', 'fail_silently'"),
                )
        self.assertDeprecated(
            lambda: filebased.EmailBackend(file_path="/tmp", x=1),
            unsupported(filebased.EmailBackend, "'x'"),
        )
        self.assertDeprecated(
            lambda: BaseEmailBackend(True), unsupported(BaseEmailBackend, "'fail_silently'")
        )

    def test_handed_on_by_a_custom_backend(self):
        """Whoever made it: it is the backend that has to change."""
        text = unsupported(HandsFailSilentlyOn, "'fail_silently'")
        line_of = HandsFailSilentlyOn.__init__
        self.assertDeprecated(lambda: HandsFailSilentlyOn(), text, line_of=line_of)
        with legacy_settings(EMAIL_BACKEND="tests.support.backends.HandsFailSilentlyOn"):
            self.assertDeprecated(lambda: mailers.default, text, line_of=line_of)
            self.assertDeprecated(lambda: mail.send_mail(*ONE), text, line_of=line_of)

    def test_keywords_of_callers_that_django_hands_on(self):
        """H16: a caller's keywords are not the backend's fault, and he is told once, of his own."""
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.assertDeprecated(lambda: mail.get_connection(username="user"), GET_CONNECTION)
            self.assertDeprecated(
                lambda: mail.send_mail(*ONE, auth_user="user", fail_silently=True),
                FAIL_SILENTLY,
                AUTH,
            )
