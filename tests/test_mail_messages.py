"""Messages to ADMINS and MANAGERS, EmailMessage.send(), get_connection(), and doubles of them."""

from unittest.mock import MagicMock, call, patch

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailAlternative, MailerDoesNotExist
from django.test import SimpleTestCase, override_settings
from django.utils.functional import lazystr

from .support.functions import (
    ONE,
    SILENT_WITH_USING,
    mail_admins,
    mail_managers,
    message_send,
    outbox,
    send_mail,
    send_mass_mail,
)
from .support.utils import (
    LOCMEM,
    RECORDING,
    ExactErrors,
    RecordingBackend,
    ignore_deprecations,
    legacy_settings,
)


class ServerMessageTests(ExactErrors, SimpleTestCase):
    """mail_admins() and mail_managers()."""

    cases = [("ADMINS", mail_admins), ("MANAGERS", mail_managers)]

    def test_message(self):
        for setting, function in self.cases:
            with (
                self.subTest(setting),
                override_settings(
                    **{setting: ["a@example.com", '"B, C" <b@example.com>']},
                    SERVER_EMAIL="server@example.com",
                    EMAIL_SUBJECT_PREFIX="[site] ",
                ),
            ):
                mail.outbox.clear()
                self.assertIsNone(function(html_message="<p>body</p>", using="bulk"))
                [message] = mail.outbox
                self.assertIs(type(message), mail.EmailMultiAlternatives)
                self.assertEqual(
                    (message.subject, message.body, message.from_email, message.sent_using),
                    ("[site] subject", "body", "server@example.com", "bulk"),
                )
                self.assertEqual(message.to, ["a@example.com", '"B, C" <b@example.com>'])
                self.assertEqual(
                    message.alternatives, [EmailAlternative("<p>body</p>", "text/html")]
                )

    def test_addresses(self):
        for setting, function in self.cases:
            for value in (
                ["a@example.com"],
                ("a@example.com", "b@example.com"),
                [lazystr("a@example.com"), "b@example.com"],
                ["not an address"],
            ):
                with self.subTest(setting, value=value), override_settings(**{setting: value}):
                    with patch(f"{LOCMEM}.send_messages") as send_messages:
                        function(using="bulk")
                    [message] = send_messages.call_args.args[0]
                    self.assertEqual(message.to, list(value))

    def test_lazy_addresses_are_sent_to(self):
        for setting, function in self.cases:
            with (
                self.subTest(setting),
                override_settings(**{setting: [lazystr("a@example.com")]}),
            ):
                mail.outbox.clear()
                function()
                self.assertEqual(mail.outbox[0].message()["To"], "a@example.com")

    @ignore_deprecations()
    def test_pairs_of_name_and_address(self):
        for setting, function in self.cases:
            for value in (
                [("A", "a@example.com"), ("B", "b@example.com")],
                (["A", "a@example.com"], ("", "b@example.com")),
            ):
                with self.subTest(setting, value=value), override_settings(**{setting: value}):
                    mail.outbox.clear()
                    function(using="bulk")
                    self.assertEqual(mail.outbox[0].to, ["a@example.com", "b@example.com"])

    def test_wrong_types(self):
        for setting, function in self.cases:
            for value in (
                "a@example.com",
                lazystr("a@example.com"),
                [b"a@example.com"],
                [1],
                [None, "a@example.com"],
                [("A", "a@example.com", "more")],
                [("A", "a@example.com"), "b@example.com"],
                {"A": "a@example.com"},
                {"a@example.com"},
            ):
                with (
                    self.subTest(setting, value=value),
                    override_settings(**{setting: value}),
                    self.assertRaisesExactly(
                        ImproperlyConfigured,
                        f"The {setting} setting must be a list of email address strings.",
                    ),
                ):
                    function()
        self.assertEqual(mail.outbox, [])

    def test_empty(self):
        for setting, function in self.cases:
            for value in ([], (), None, ""):
                with self.subTest(setting, value=value), override_settings(**{setting: value}):
                    self.assertIsNone(function())
                    self.assertIsNone(function(using="nowhere"))
                    with (
                        ignore_deprecations(),
                        self.assertRaisesExactly(TypeError, SILENT_WITH_USING),
                    ):
                        function(using="bulk", fail_silently=True)
        self.assertEqual(mail.outbox, [])


class MessageSendTests(ExactErrors, SimpleTestCase):
    def test_each_send_chooses_anew(self):
        """H22: the mailer of one send() is not remembered for the next."""
        message = mail.EmailMessage(*ONE)
        for using in ("bulk", None, "bulk", "default"):
            self.assertEqual(message.send(using=using), 1)
        message.send()
        self.assertEqual(
            [sent.sent_using for sent in mail.outbox],
            ["bulk", "default", "bulk", "default", "default"],
        )
        with ignore_deprecations():
            self.assertIsNone(message.connection)

    @legacy_settings(EMAIL_BACKEND=LOCMEM)
    def test_no_connection_is_stored_without_mailers_either(self):
        message = mail.EmailMessage(*ONE)
        message.send()
        message.send(fail_silently=True)
        self.assertIsNone(message.connection)

    @ignore_deprecations()
    def test_a_connection_of_its_own_is_used_and_kept(self):
        connection = RecordingBackend(log=[])
        for message in (
            mail.EmailMessage(*ONE, connection=connection),
            mail.EmailMultiAlternatives(*ONE, connection=connection),
        ):
            with self.subTest(type=type(message).__name__):
                connection.sent.clear()
                message.send()
                message.send()
                self.assertEqual(connection.sent, [message, message])
                self.assertIs(message.connection, connection)

    @ignore_deprecations()
    def test_connection_attribute_can_be_set(self):
        connection = RecordingBackend(log=[])
        message = mail.EmailMessage(*ONE)
        message.connection = connection
        message.send()
        self.assertEqual(connection.sent, [message])
        message.connection = None
        message.send(using="bulk")
        self.assertEqual(outbox(), [("subject", "bulk")])

    @ignore_deprecations()
    def test_fail_silently_by_position(self):
        """H11: packages that override send() pass it on like this."""

        class Templated(mail.EmailMultiAlternatives):
            def send(self, fail_silently=False):
                self.body = "rendered"
                return super().send(fail_silently)

        log = []
        entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log}}
        with override_settings(MAILERS={"default": entry}):
            Templated(*ONE).send()
            Templated(*ONE).send(True)
            Templated(*ONE).send(fail_silently=True)
        self.assertEqual(
            [backend.options for backend in log],
            [{}, {"fail_silently": True}, {"fail_silently": True}],
        )
        self.assertEqual([backend.sent[0].body for backend in log], ["rendered"] * 3)

    def test_get_connection_method_is_gone(self):
        class Old(mail.EmailMessage):
            def get_connection(self, fail_silently=False):
                raise AssertionError("called")

        self.assertFalse(hasattr(mail.EmailMessage, "get_connection"))
        for kwargs in ({}, {"using": "bulk"}):
            with (
                self.subTest(**kwargs),
                self.assertRaisesExactly(
                    AttributeError,
                    "EmailMessage no longer supports the undocumented get_connection() method.",
                ),
            ):
                Old(*ONE).send(**kwargs)
        self.assertEqual(Old("s", "b").send(), 0)


@ignore_deprecations()
class GetConnectionTests(ExactErrors, SimpleTestCase):
    """get_connection() under MAILERS."""

    def test_without_arguments(self):
        first, second = mail.get_connection(), mail.get_connection()
        self.assertEqual((first.alias, second.alias), ("default", "default"))
        self.assertIsNot(first, second)

    def test_keywords_go_on_top_of_the_options(self):
        options = {"host": "192.0.2.1", "username": "configured", "password": "secret"}
        with override_settings(MAILERS={"default": {"OPTIONS": options}}):
            backend = mail.get_connection(username="other", timeout=5, fail_silently=True)
            self.assertEqual(
                (backend.host, backend.port, backend.username, backend.password),
                ("192.0.2.1", 25, "other", "secret"),
            )
            self.assertEqual((backend.timeout, backend.fail_silently), (5, True))
            self.assertEqual(backend.alias, "default")

    def test_unknown_keywords_are_ignored(self):
        """H16: callers pass SMTP's keywords to whatever the backend is."""
        for path in (
            LOCMEM,
            "django.core.mail.backends.dummy.EmailBackend",
            "django.core.mail.backends.console.EmailBackend",
        ):
            with (
                self.subTest(path),
                override_settings(MAILERS={"default": {"BACKEND": path}}),
            ):
                backend = mail.get_connection(username=None, password=None, fail_silently=True)
                self.assertEqual(backend.alias, "default")

    def test_unknown_options_are_not(self):
        entry = {"BACKEND": LOCMEM, "OPTIONS": {"username": "user"}}
        with override_settings(MAILERS={"default": entry}):
            for kwargs in ({}, {"fail_silently": True}, {"password": "secret"}):
                with (
                    self.subTest(**kwargs),
                    self.assertRaisesExactly(
                        mail.InvalidMailer, "MAILERS['default']: Unknown options 'username'."
                    ),
                ):
                    mail.get_connection(**kwargs)

    def test_no_path(self):
        for path in (LOCMEM, "default", ""):
            with (
                self.subTest(path),
                self.assertRaisesExactly(
                    RuntimeError, "get_connection(backend, ...) is not supported with MAILERS."
                ),
            ):
                mail.get_connection(path)
        with override_settings(MAILERS={}), self.assertRaises(RuntimeError):
            mail.get_connection(backend=LOCMEM)

    @override_settings(MAILERS={"bulk": {"BACKEND": LOCMEM}})
    def test_no_default_mailer(self):
        for kwargs in ({}, {"fail_silently": True}, {"username": "user"}):
            with (
                self.subTest(**kwargs),
                self.assertRaisesExactly(
                    MailerDoesNotExist, "The mailer 'default' is not configured."
                ),
            ):
                mail.get_connection(**kwargs)


class DoublesTests(SimpleTestCase):
    """H13: projects replace names of Django's modules; they are looked up when they are needed."""

    def test_get_connection(self):
        with patch("django.core.mail.get_connection") as get_connection:
            send_mail()
            send_mass_mail()
            message_send()
            with ignore_deprecations():
                send_mail(auth_user="user", auth_password="secret", fail_silently=True)
            send_mail(using="bulk")
        self.assertEqual(
            get_connection.call_args_list,
            [
                call(fail_silently=False),
                call(fail_silently=False),
                call(fail_silently=False),
                call(fail_silently=True, username="user", password="secret"),
            ],
        )
        self.assertEqual(
            [
                message.subject
                for sent in get_connection.return_value.send_messages.call_args_list
                for message in sent.args[0]
            ],
            ["subject"] * 4,
        )
        self.assertEqual(outbox(), [("subject", "bulk")])

    def test_email_message(self):
        with patch("django.core.mail.EmailMessage", autospec=True) as EmailMessage:
            with patch(f"{LOCMEM}.send_messages") as send_messages:
                mail.send_mass_mail([ONE], using="bulk")
            message = mail.EmailMessage(*ONE, headers={"X-Test": "1"})
            message.send(using="bulk")
            with self.assertRaises(TypeError):
                message.send(False, "bulk")
            with self.assertRaises(TypeError):
                mail.EmailMessage(*ONE, ["bcc@example.com"])
        self.assertEqual(send_messages.call_args_list, [call([EmailMessage.return_value])])
        self.assertEqual(EmailMessage.return_value.send.call_args_list, [call(using="bulk")])
        self.assertEqual(EmailMessage.call_args_list[0].args, ONE)
        self.assertEqual(mail.outbox, [])

    @override_settings(ADMINS=["admin@example.com"])
    def test_email_multi_alternatives(self):
        with patch("django.core.mail.EmailMultiAlternatives", autospec=True) as double:
            mail.send_mail(*ONE, html_message="<p>body</p>", using="bulk")
            mail.mail_admins("subject", "body")
        self.assertEqual(
            double.return_value.method_calls,
            [
                call.attach_alternative("<p>body</p>", "text/html"),
                call.send(using="bulk"),
                call.send(using=None, fail_silently=False),
            ],
        )

    def test_send_messages_of_locmem(self):
        with patch(f"{LOCMEM}.send_messages", return_value=7) as send_messages:
            self.assertEqual(mail.send_mail(*ONE), 7)
            self.assertEqual(mail.send_mail(*ONE, using="bulk"), 7)
        self.assertEqual(
            [call_.args[0][0].subject for call_ in send_messages.call_args_list],
            ["subject", "subject"],
        )
        self.assertEqual(mail.outbox, [])

    def test_send_messages_of_locmem_failing(self):
        with patch(f"{LOCMEM}.send_messages", side_effect=OSError("no route")):
            for kwargs in ({}, {"using": "bulk"}):
                with self.subTest(**kwargs), self.assertRaises(OSError) as caught:
                    mail.send_mail(*ONE, **kwargs)
                self.assertEqual(caught.exception.args, ("no route",))

    def test_send(self):
        with patch("django.core.mail.EmailMessage.send", autospec=True, return_value=5) as send:
            self.assertEqual(mail.send_mail(*ONE, using="bulk"), 5)
        [sent] = send.call_args_list
        self.assertEqual((sent.args[0].subject, sent.kwargs), ("subject", {"using": "bulk"}))

    def test_mailers(self):
        backend = MagicMock(spec_set=["send_messages"])
        with patch("django.core.mail.mailers", {"bulk": backend}):
            mail.send_mail(*ONE, using="bulk")
            mail.send_mass_mail([ONE], using="bulk")
        self.assertEqual(
            [sent.args[0][0].subject for sent in backend.send_messages.call_args_list],
            ["subject", "subject"],
        )
