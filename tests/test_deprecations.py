"""What Django 6.1's mail framework deprecates: the text, the category, the line, and how often.

Where the backport does better than Django 6.1.3 itself, or 6.0 in its own code, a test says so in
both its halves. See test_deprecated_backends.py and test_deprecated_settings.py for those, and
test_deprecations_in_projects.py for the same in projects that start and run.
"""

# Without a lambda around it, what is called would have no line of this file to be called from.
# ruff: noqa: PLW0108

import logging
import logging.config
from email.message import MIMEPart
from email.mime.base import MIMEBase
from functools import partial

from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, mailers, message
from django.test import SimpleTestCase, override_settings
from django.utils.log import AdminEmailHandler

from django_mailers import RemovedInDjango2028Warning

from .support.deprecations import (
    AUTH,
    CONNECTION,
    CONNECTION_READ,
    CONNECTION_SET,
    EMAIL_BACKEND_ARGUMENT,
    FAIL_SILENTLY,
    FORBID,
    GET_CONNECTION,
    MIMEBASE,
    ONE,
    RESULT,
    SANITIZE,
    TO,
    DeprecationTestCase,
    is_django_own,
    positional,
    recorded,
)
from .support.utils import LOCMEM, NATIVE, SMTP, legacy_settings


class CategoryTests(SimpleTestCase):
    def test_is_pending(self):
        """`-W error::DeprecationWarning` leaves a project alone that has only installed the app."""
        self.assertTrue(issubclass(RemovedInDjango2028Warning, PendingDeprecationWarning))
        self.assertFalse(issubclass(RemovedInDjango2028Warning, DeprecationWarning))

    def test_is_djangos(self):
        from django.utils import deprecation

        self.assertIs(RemovedInDjango2028Warning, deprecation.RemovedInDjango2028Warning)
        self.assertIs(RemovedInDjango2028Warning, deprecation.RemovedInDjango70Warning)
        self.assertEqual(RemovedInDjango2028Warning.__module__, "django.utils.deprecation")
        self.assertEqual(RemovedInDjango2028Warning.__name__, "RemovedInDjango2028Warning")


class GetConnectionTests(DeprecationTestCase):
    def test_under_mailers(self):
        for use in (
            lambda: mail.get_connection(),
            lambda: mail.get_connection(None),
            lambda: mail.get_connection(fail_silently=False),
            lambda: mail.get_connection(fail_silently=True),
            lambda: mail.get_connection(username="user", password=None),
        ):
            with self.subTest(line=use.__code__.co_firstlineno):
                self.assertDeprecated(use, GET_CONNECTION)

    def test_without_mailers(self):
        with legacy_settings(EMAIL_BACKEND=SMTP):
            for use in (
                lambda: mail.get_connection(),
                lambda: mail.get_connection(SMTP),
                lambda: mail.get_connection(backend=LOCMEM, fail_silently=True),
                lambda: mail.get_connection(LOCMEM, username="user", timeout=5),
            ):
                with self.subTest(line=use.__code__.co_firstlineno):
                    self.assertDeprecated(use, GET_CONNECTION)

    def test_path_under_mailers(self):
        text = "get_connection(backend, ...) is not supported with MAILERS."

        def use():
            mail.get_connection(LOCMEM)

        def refused():
            with self.assertRaisesExactly(RuntimeError, text):
                use()

        self.assertDeprecated(refused, GET_CONNECTION, line_of=use)

    def test_none_for_credentials(self):
        """H12: on 6.1.3 the mailer then logs in nowhere, without a word; the backport keeps them.

        Wagtail 8.0.1 calls it like that.
        """
        options = {"host": "192.0.2.1", "username": "configured", "password": "secret"}
        with override_settings(MAILERS={"default": {"OPTIONS": options}}):
            backends = []

            def use():
                backends.append(mail.get_connection(username=None, password=None))

            self.assertDeprecated(use, GET_CONNECTION)
            self.assertDeprecated(
                lambda: backends.append(mail.get_connection(username="", password="")),
                GET_CONNECTION,
            )
        self.assertEqual(
            [(backend.username, backend.password) for backend in backends],
            [(None, None) if NATIVE else ("configured", "secret"), ("", "")],
        )


@override_settings(ADMINS=TO, MANAGERS=TO)
class ArgumentTests(DeprecationTestCase):
    def assertEachDeprecated(self, text, *uses):
        for use in uses:
            with self.subTest(line=use.__code__.co_firstlineno):
                self.assertDeprecated(use, text)

    def test_fail_silently(self):
        self.assertEachDeprecated(
            FAIL_SILENTLY,
            lambda: mail.send_mail(*ONE, fail_silently=True),
            lambda: mail.send_mass_mail([ONE, ONE], fail_silently=True),
            lambda: mail.mail_admins("subject", "body", fail_silently=True),
            lambda: mail.mail_managers("subject", "body", fail_silently=True),
            lambda: EmailMessage(*ONE).send(fail_silently=True),
            lambda: EmailMessage(*ONE).send(True),
            lambda: EmailMultiAlternatives(*ONE).send(fail_silently=True),
        )

    def test_auth_arguments(self):
        self.assertEachDeprecated(
            AUTH,
            lambda: mail.send_mail(*ONE, auth_user="user"),
            lambda: mail.send_mail(*ONE, auth_password="secret"),
            lambda: mail.send_mail(*ONE, auth_user="user", auth_password="secret"),
            lambda: mail.send_mail(*ONE, auth_user=""),
            lambda: mail.send_mass_mail([ONE], auth_user="user"),
            lambda: mail.send_mass_mail([ONE, ONE], auth_user="user", auth_password="secret"),
        )

    def test_connection(self):
        connection = mailers["bulk"]
        self.assertEachDeprecated(
            CONNECTION,
            lambda: mail.send_mail(*ONE, connection=connection),
            lambda: mail.send_mail(*ONE, html_message="<p>", connection=connection),
            lambda: mail.send_mass_mail([ONE, ONE], connection=connection),
            lambda: mail.mail_admins("subject", "body", connection=connection),
            lambda: mail.mail_managers("subject", "body", connection=connection),
            lambda: EmailMessage(*ONE, connection=connection),
        )

    def test_connection_of_email_multi_alternatives(self):
        """Django 6.1.3 takes its own super().__init__() for the caller, and says nothing."""
        self.assertDeprecated(
            lambda: EmailMultiAlternatives(*ONE, connection=mailers["bulk"]),
            *([] if NATIVE else [CONNECTION]),
        )

    def test_several_at_once(self):
        self.assertDeprecated(
            lambda: mail.send_mail(*ONE, fail_silently=True, auth_user="user"), FAIL_SILENTLY, AUTH
        )

    def test_of_a_subclass(self):
        """The line that has to change is the one that hands the argument on."""

        class Message(EmailMessage):
            def __init__(self, connection):
                super().__init__(*ONE, connection=connection)

            def send(self, *args, **kwargs):
                return super().send(fail_silently=True)

        self.assertDeprecated(
            lambda: Message(mailers["bulk"]), CONNECTION, line_of=Message.__init__
        )
        self.assertDeprecated(lambda: Message(None).send(), FAIL_SILENTLY, line_of=Message.send)

    def test_refused_combinations_warn_first(self):
        def use():
            mail.send_mail(*ONE, connection=self, using="bulk")

        def refused():
            with self.assertRaisesExactly(
                TypeError, "'connection' is not compatible with 'using'."
            ):
                use()

        self.assertDeprecated(refused, CONNECTION, line_of=use)

    def test_the_defaults_given_in_full_are_fine(self):
        nothing = {"fail_silently": False, "connection": None}
        auth = {"auth_user": None, "auth_password": None}

        def use():
            mail.send_mail(*ONE, **nothing, **auth)
            mail.send_mass_mail([ONE], **nothing, **auth)
            mail.mail_admins("subject", "body", **nothing)
            mail.mail_managers("subject", "body", **nothing)
            EmailMessage(*ONE, connection=None).send(fail_silently=False)
            EmailMultiAlternatives(*ONE, connection=None).send(False)

        self.assertDeprecated(use)
        self.assertEqual(len(mail.outbox), 6)

    def test_handed_on_by_django(self):
        """Nobody is told of what he passes through a function of Django's, on 6.1 neither."""
        user = User(email="to@example.com")
        self.assertDeprecated(lambda: user.email_user("subject", "body", fail_silently=True))


@override_settings(ADMINS=TO, MANAGERS=TO)
class PositionalArgumentsTests(DeprecationTestCase):
    def test_functions(self):
        bulk = mailers["bulk"]
        for use, *texts in (
            (
                lambda: mail.get_connection(None, False),
                positional("'fail_silently'", "get_connection"),
                GET_CONNECTION,
            ),
            (lambda: mail.send_mail(*ONE, False), positional("'fail_silently'", "send_mail")),
            (
                lambda: mail.send_mail(*ONE, True, None, None, None, "<p>"),
                positional(
                    "'fail_silently', 'auth_user', 'auth_password', 'connection', 'html_message'",
                    "send_mail",
                ),
                FAIL_SILENTLY,
            ),
            (
                lambda: mail.send_mass_mail([ONE], False, "user", "secret", None),
                positional(
                    "'fail_silently', 'auth_user', 'auth_password', 'connection'", "send_mass_mail"
                ),
                AUTH,
            ),
            (
                lambda: mail.mail_admins("subject", "body", False, None, "<p>"),
                positional("'fail_silently', 'connection', 'html_message'", "mail_admins"),
            ),
            (
                lambda: mail.mail_managers("subject", "body", False, bulk),
                positional("'fail_silently', 'connection'", "mail_managers"),
                CONNECTION,
            ),
        ):
            with self.subTest(line=use.__code__.co_firstlineno):
                self.assertDeprecated(use, *texts)

    def test_messages(self):
        names = "'bcc', 'connection', 'attachments', 'headers', 'cc', 'reply_to'"
        self.assertDeprecated(
            lambda: EmailMessage(*ONE, TO, None, None, {"X-A": "1"}, TO, TO),
            positional(names, "EmailMessage"),
        )
        self.assertDeprecated(
            lambda: EmailMultiAlternatives(*ONE, TO, None, None, None, [("<p>", "text/html")]),
            positional(
                "'bcc', 'connection', 'attachments', 'headers', 'alternatives'",
                "EmailMultiAlternatives",
            ),
        )

    def test_subclass(self):
        class Message(EmailMultiAlternatives):
            def __init__(self, *args):
                super().__init__(*args)

        self.assertDeprecated(
            lambda: Message(*ONE, TO),
            positional("'bcc'", "EmailMultiAlternatives"),
            line_of=Message.__init__,
        )


class ConnectionAttributeTests(DeprecationTestCase):
    def test_read(self):
        for cls in (EmailMessage, EmailMultiAlternatives):
            with self.subTest(cls=cls.__name__):
                self.assertDeprecated(lambda cls=cls: cls(*ONE).connection, CONNECTION_READ)
                self.assertDeprecated(
                    lambda cls=cls: getattr(cls(*ONE), "connection", None), CONNECTION_READ
                )

    def test_written(self):
        email = EmailMessage(*ONE)

        def use():
            email.connection = mailers["bulk"]

        self.assertDeprecated(use, CONNECTION_SET)
        self.assertDeprecated(lambda: setattr(email, "connection", None), CONNECTION_SET)

    def test_sending_uses_it_quietly(self):
        email = EmailMessage(*ONE)
        recorded(lambda: setattr(email, "connection", mailers["default"]))
        self.assertDeprecated(lambda: email.send())
        self.assertDeprecated(lambda: mailers["default"].send_messages([email]))


class AttachmentTests(DeprecationTestCase):
    def assertAttachingDeprecated(self, use):
        """Django, which has this from 6.0 on, points at itself."""
        if is_django_own("django.core.mail.message:EmailMessage.attach"):
            self.assertDeprecatedInside(message, use, MIMEBASE)
        else:
            self.assertDeprecated(use, MIMEBASE)

    def test_mimebase(self):
        part = MIMEBase("text", "plain")
        self.assertAttachingDeprecated(lambda: EmailMessage(*ONE).attach(part))
        self.assertAttachingDeprecated(lambda: EmailMessage(*ONE, attachments=[part]))
        self.assertAttachingDeprecated(lambda: EmailMultiAlternatives(*ONE, attachments=[part]))

    def test_others(self):
        def use():
            email = EmailMultiAlternatives(*ONE, attachments=[("a.txt", "a", None)])
            email.attach(MIMEPart())
            email.attach("b.txt", "b", "text/plain")
            email.attach_alternative("<p>", "text/html")
            email.message()

        self.assertDeprecated(use)


def pairs(setting):
    return (
        f"Using (name, address) pairs in the {setting} setting is deprecated. "
        "Replace with a list of email address strings."
    )


class RecipientsTests(DeprecationTestCase):
    """(name, address) pairs in ADMINS and MANAGERS."""

    PAIRS = [("Ann", "ann@example.com"), ("Bob", "bob@example.com")]

    def test_pairs(self):
        """Django points at mail_admins() itself, the backport at who calls it."""
        for setting, use in (
            ("ADMINS", lambda: mail.mail_admins("subject", "body")),
            ("MANAGERS", lambda: mail.mail_managers("subject", "body", using="bulk")),
        ):
            text = pairs(setting)
            with self.subTest(setting), override_settings(**{setting: self.PAIRS}):
                if NATIVE:
                    self.assertDeprecatedInside(mail, use, text)
                else:
                    self.assertDeprecated(use, text)

    @override_settings(ADMINS=PAIRS)
    def test_pairs_in_an_error_report(self):
        """H32: the one warning of 6.1.3 that comes of what Django itself does."""
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "boom", (), None)
        handler = AdminEmailHandler()
        if NATIVE:
            self.assertDeprecatedInside(mail, lambda: handler.emit(record), pairs("ADMINS"))
        else:
            self.assertDeprecated(lambda: handler.emit(record))
        [report] = mail.outbox
        self.assertEqual(report.to, ["ann@example.com", "bob@example.com"])

    @override_settings(ADMINS=TO, MANAGERS=TO)
    def test_addresses(self):
        self.assertDeprecated(lambda: mail.mail_admins("subject", "body"))
        self.assertDeprecated(lambda: mail.mail_managers("subject", "body"))


class LegacyNamesTests(DeprecationTestCase):
    def assertImportDeprecated(self, use, text, asked):
        """Django points at itself, each time that Python asks it for the name."""
        if is_django_own("django.core.mail:__getattr__"):
            self.assertDeprecatedInside(mail, use, *[text] * asked)
        else:
            self.assertDeprecated(use, text)

    def test_imported(self):
        def bad_header_error():
            from django.core.mail import BadHeaderError  # noqa: F401

        def safe_mime_text():
            from django.core.mail import SafeMIMEText  # noqa: F401

        def safe_mime_multipart():
            from django.core.mail import SafeMIMEMultipart  # noqa: F401

        for use, text in (
            (bad_header_error, "BadHeaderError is deprecated. Replace with ValueError."),
            (safe_mime_text, f"SafeMIMEText is deprecated. {RESULT}"),
            (safe_mime_multipart, f"SafeMIMEMultipart is deprecated. {RESULT}"),
        ):
            with self.subTest(use.__name__):
                # Python looks whether the package has the name before it fetches it.
                self.assertImportDeprecated(use, text, asked=2)

    def test_read(self):
        self.assertImportDeprecated(
            lambda: mail.BadHeaderError,
            "BadHeaderError is deprecated. Replace with ValueError.",
            asked=1,
        )
        self.assertImportDeprecated(
            lambda: mail.SafeMIMEText, f"SafeMIMEText is deprecated. {RESULT}", asked=1
        )

    def test_are_what_they_were(self):
        found = []
        for name in ("BadHeaderError", "SafeMIMEText", "SafeMIMEMultipart"):
            recorded(lambda name=name: found.append(getattr(mail, name)))
        self.assertIs(found[0], ValueError)
        self.assertEqual(found[1:], [message.SafeMIMEText, message.SafeMIMEMultipart])

    def test_unknown_name(self):
        with self.assertRaisesExactly(
            AttributeError, "module 'django.core.mail' has no attribute 'SMTPConnection'"
        ):
            mail.SMTPConnection  # noqa: B018

    def test_functions(self):
        for target, use, text in (
            (
                "forbid_multi_line_headers",
                lambda: message.forbid_multi_line_headers("Subject", "text", "utf-8"),
                FORBID,
            ),
            (
                "forbid_multi_line_headers",
                lambda: mail.forbid_multi_line_headers("Subject", "text", "utf-8"),
                FORBID,
            ),
            (
                "sanitize_address",
                lambda: message.sanitize_address("to@example.com", "utf-8"),
                SANITIZE,
            ),
        ):
            with self.subTest(line=use.__code__.co_firstlineno):
                if is_django_own(f"django.core.mail.message:{target}"):
                    self.assertDeprecatedInside(message, use, text)
                else:
                    self.assertDeprecated(use, text)

    def test_one_through_the_other(self):
        """Django warns about both; the backport about what was called."""
        use = partial(message.forbid_multi_line_headers, "To", "Ännchen <to@example.com>", "utf-8")
        if is_django_own("django.core.mail.message:forbid_multi_line_headers"):
            self.assertDeprecatedInside(message, use, FORBID, SANITIZE)
        else:
            self.assertDeprecated(lambda: use(), FORBID)


class AdminEmailHandlerTests(DeprecationTestCase):
    def test_email_backend(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.assertDeprecated(
                lambda: AdminEmailHandler(email_backend=LOCMEM), EMAIL_BACKEND_ARGUMENT
            )
            self.assertDeprecated(lambda: AdminEmailHandler(False, LOCMEM), EMAIL_BACKEND_ARGUMENT)
            self.assertDeprecated(lambda: AdminEmailHandler(email_backend=None))

    def test_email_backend_in_logging(self):
        """What reads LOGGING is Python's, not Django's: as with 6.1, it points there."""
        config = {"class": "django.utils.log.AdminEmailHandler", "email_backend": LOCMEM}
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.assertDeprecatedInside(
                logging.config,
                lambda: logging.config.DictConfigurator({}).configure_handler(config),
                EMAIL_BACKEND_ARGUMENT,
            )

    @override_settings(ADMINS=TO)
    def test_reports(self):
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "boom", (), None)
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            handlers = []
            recorded(lambda: handlers.append(AdminEmailHandler(email_backend=LOCMEM)))
            self.assertDeprecated(lambda: handlers[0].emit(record))
            self.assertDeprecated(lambda: AdminEmailHandler().emit(record))
        self.assertDeprecated(lambda: AdminEmailHandler(using="default").emit(record))
        self.assertEqual(len(mail.outbox), 3)
