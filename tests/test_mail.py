"""The functions of `django.core.mail` and `EmailMessage.send()`: which mailer gets the message."""

from unittest.mock import patch

from django.core import mail
from django.core.mail import EmailAlternative, EmailAttachment, MailerDoesNotExist, mailers
from django.test import SimpleTestCase, override_settings

from .support.functions import (
    AUTH_WITH_CONNECTION,
    AUTH_WITH_USING,
    CONNECTION_WITH_USING,
    FUNCTIONS,
    ONE,
    SILENT_WITH_CONNECTION,
    SILENT_WITH_USING,
    TO,
    WITH_AUTH,
    mail_admins,
    mail_managers,
    outbox,
    send_mail,
)
from .support.utils import (
    LOCMEM,
    RECORDING,
    ExactErrors,
    RecordingBackend,
    ignore_deprecations,
)


@override_settings(ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
class UsingTests(ExactErrors, SimpleTestCase):
    def test_using(self):
        for function in FUNCTIONS:
            for kwargs, alias in (
                ({}, "default"),
                ({"using": None}, "default"),
                ({"using": "default"}, "default"),
                ({"using": "bulk"}, "bulk"),
            ):
                with self.subTest(function.__name__, **kwargs):
                    mail.outbox.clear()
                    returned = function(**kwargs)
                    [message] = mail.outbox
                    self.assertEqual(message.sent_using, alias)
                    counted = function not in (mail_admins, mail_managers)
                    self.assertEqual(returned, 1 if counted else None)

    def test_unknown_alias(self):
        for function in FUNCTIONS:
            for alias in ("nowhere", ""):
                with (
                    self.subTest(function.__name__, alias=alias),
                    self.assertRaisesExactly(
                        MailerDoesNotExist, f"The mailer '{alias}' is not configured."
                    ),
                ):
                    function(using=alias)
        self.assertEqual(mail.outbox, [])

    def test_one_instance_is_made_for_a_call_and_none_is_kept(self):
        log = []
        entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log}}
        with override_settings(MAILERS={"default": entry, "bulk": entry}):
            for function in FUNCTIONS:
                for kwargs in ({}, {"using": "bulk"}):
                    with self.subTest(function.__name__, **kwargs):
                        log.clear()
                        function(**kwargs)
                        function(**kwargs)
                        self.assertEqual([len(backend.sent) for backend in log], [1, 1])

    def test_using_conflicts_with_connection(self):
        for function in FUNCTIONS:
            with (
                self.subTest(function.__name__),
                ignore_deprecations(),
                self.assertRaisesExactly(TypeError, CONNECTION_WITH_USING),
            ):
                function(using="bulk", connection=mailers["bulk"])

    def test_using_conflicts_with_fail_silently(self):
        for function in FUNCTIONS:
            with (
                self.subTest(function.__name__),
                ignore_deprecations(),
                self.assertRaisesExactly(TypeError, SILENT_WITH_USING),
            ):
                function(using="bulk", fail_silently=True)

    def test_using_conflicts_with_auth_arguments(self):
        for function in WITH_AUTH:
            for kwargs in (
                {"auth_user": "user"},
                {"auth_password": "secret"},
                {"auth_user": "user", "auth_password": "secret"},
                {"auth_user": ""},
                {"auth_password": ""},
            ):
                with (
                    self.subTest(function.__name__, **kwargs),
                    ignore_deprecations(),
                    self.assertRaisesExactly(TypeError, AUTH_WITH_USING),
                ):
                    function(using="bulk", **kwargs)

    def test_the_first_of_several_conflicts_is_reported(self):
        for function in WITH_AUTH:
            with self.subTest(function.__name__), ignore_deprecations():
                rest = {"using": "bulk", "fail_silently": True, "auth_user": "user"}
                with self.assertRaisesExactly(TypeError, SILENT_WITH_USING):
                    function(**rest)
                with self.assertRaisesExactly(TypeError, CONNECTION_WITH_USING):
                    function(connection=mailers.default, **rest)

    def test_a_conflict_is_reported_before_a_missing_mailer(self):
        for function in FUNCTIONS:
            with (
                self.subTest(function.__name__),
                ignore_deprecations(),
                self.assertRaisesExactly(TypeError, SILENT_WITH_USING),
            ):
                function(using="nowhere", fail_silently=True)

    def test_defaults_given_in_full_are_no_conflict(self):
        for function in FUNCTIONS:
            with self.subTest(function.__name__):
                mail.outbox.clear()
                auth = {"auth_user": None, "auth_password": None} if function in WITH_AUTH else {}
                function(using="bulk", connection=None, fail_silently=False, **auth)
                self.assertEqual([message.sent_using for message in mail.outbox], ["bulk"])


@ignore_deprecations()
@override_settings(ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
class DeprecatedArgumentsTests(ExactErrors, SimpleTestCase):
    """What the arguments of old do while they last, under MAILERS."""

    def test_connection(self):
        for function in FUNCTIONS:
            with self.subTest(function.__name__):
                connection = RecordingBackend(log=[])
                function(connection=connection)
                self.assertEqual(len(connection.sent), 1)
        self.assertEqual(mail.outbox, [])

    def test_connection_conflicts_with_fail_silently(self):
        for function in FUNCTIONS:
            connection = RecordingBackend(log=[])
            with (
                self.subTest(function.__name__),
                self.assertRaisesExactly(TypeError, SILENT_WITH_CONNECTION),
            ):
                function(connection=connection, fail_silently=True)
            self.assertEqual(connection.sent, [])

    def test_connection_conflicts_with_auth_arguments(self):
        for function in WITH_AUTH:
            for kwargs in ({"auth_user": "user"}, {"auth_password": ""}):
                with (
                    self.subTest(function.__name__, **kwargs),
                    self.assertRaisesExactly(TypeError, AUTH_WITH_CONNECTION),
                ):
                    function(connection=mailers.default, **kwargs)

    def test_fail_silently_becomes_an_option_of_the_default_mailer(self):
        for function in FUNCTIONS:
            log = []
            entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log, "region": "eu"}}
            with self.subTest(function.__name__), override_settings(MAILERS={"default": entry}):
                function(fail_silently=True)
                function(fail_silently=False)
                self.assertEqual(
                    [backend.options for backend in log],
                    [{"region": "eu", "fail_silently": True}, {"region": "eu"}],
                )

    def test_auth_arguments_become_options_of_the_default_mailer(self):
        for function in WITH_AUTH:
            log = []
            configured = {"username": "configured", "password": "too"}
            entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log, **configured}}
            with self.subTest(function.__name__), override_settings(MAILERS={"default": entry}):
                function()
                function(auth_user=None, auth_password=None)
                function(auth_user="user")
                function(auth_user="", auth_password="secret")
                self.assertEqual(
                    [backend.options for backend in log],
                    [
                        configured,
                        configured,
                        {"username": "user", "password": "too"},
                        {"username": "", "password": "secret"},
                    ],
                )

    def test_unsupported_ones_are_ignored_by_a_builtin_backend(self):
        self.assertEqual(send_mail(fail_silently=True, auth_user="user"), 1)
        self.assertEqual(outbox(), [("subject", "default")])


@ignore_deprecations()
@override_settings(ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
class PositionalArgumentsTests(ExactErrors, SimpleTestCase):
    """Arguments that are keyword-only now are still taken by position, in the order of old."""

    def test_send_mail(self):
        with self.assertRaisesExactly(TypeError, SILENT_WITH_USING):
            mail.send_mail(*ONE, True, using="bulk")
        with self.assertRaisesExactly(TypeError, AUTH_WITH_USING):
            mail.send_mail(*ONE, False, "user", using="bulk")
        with self.assertRaisesExactly(TypeError, AUTH_WITH_USING):
            mail.send_mail(*ONE, False, None, "secret", using="bulk")
        connection = RecordingBackend(log=[])
        self.assertEqual(mail.send_mail(*ONE, False, None, None, connection, "<p>body</p>"), 1)
        [message] = connection.sent
        self.assertEqual(message.alternatives, [EmailAlternative("<p>body</p>", "text/html")])

    def test_send_mass_mail(self):
        with self.assertRaisesExactly(TypeError, SILENT_WITH_USING):
            mail.send_mass_mail([ONE], True, using="bulk")
        with self.assertRaisesExactly(TypeError, AUTH_WITH_USING):
            mail.send_mass_mail([ONE], False, "user", using="bulk")
        with self.assertRaisesExactly(TypeError, AUTH_WITH_USING):
            mail.send_mass_mail([ONE], False, None, "secret", using="bulk")
        connection = RecordingBackend(log=[])
        self.assertEqual(mail.send_mass_mail([ONE], False, None, None, connection), 1)
        self.assertEqual([message.subject for message in connection.sent], ["subject"])

    def test_mail_admins_and_managers(self):
        for function in (mail.mail_admins, mail.mail_managers):
            with self.subTest(function.__name__):
                with self.assertRaisesExactly(TypeError, SILENT_WITH_USING):
                    function("subject", "body", True, using="bulk")
                connection = RecordingBackend(log=[])
                function("subject", "body", False, connection, "<p>body</p>")
                [message] = connection.sent
                self.assertEqual(
                    message.alternatives, [EmailAlternative("<p>body</p>", "text/html")]
                )

    def test_get_connection(self):
        log = []
        entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log}}
        with override_settings(MAILERS={"default": entry}):
            mail.get_connection(None, True)
        self.assertEqual([backend.options for backend in log], [{"fail_silently": True}])

    def test_email_message(self):
        connection = RecordingBackend(log=[])
        for message in (
            mail.EmailMessage(
                "subject",
                "body",
                "from@example.com",
                TO,
                ["bcc@example.com"],
                connection,
                [("a.txt", "text", "text/plain")],
                {"X-Test": "1"},
                ["cc@example.com"],
                ["reply@example.com"],
            ),
            mail.EmailMultiAlternatives(
                "subject",
                "body",
                "from@example.com",
                TO,
                ["bcc@example.com"],
                connection,
                [("a.txt", "text", "text/plain")],
                {"X-Test": "1"},
                [("<p>body</p>", "text/html")],
                ["cc@example.com"],
                ["reply@example.com"],
            ),
        ):
            with self.subTest(type=type(message).__name__):
                self.assertEqual(message.bcc, ["bcc@example.com"])
                self.assertIs(message.connection, connection)
                self.assertEqual(
                    message.attachments, [EmailAttachment("a.txt", "text", "text/plain")]
                )
                self.assertEqual(message.extra_headers, {"X-Test": "1"})
                self.assertEqual(message.cc, ["cc@example.com"])
                self.assertEqual(message.reply_to, ["reply@example.com"])
        self.assertEqual(message.alternatives, [EmailAlternative("<p>body</p>", "text/html")])

    def test_too_many(self):
        class Message(mail.EmailMessage):
            pass

        four, extra = ("subject", "body", None, TO), [None] * 8
        for function, args, text in (
            (mail.send_mail, (*four, False, None, None, None, None, "x"), (9, 5, 10)),
            (mail.send_mass_mail, ([], False, None, None, None, "x"), (5, 4, 6)),
            (mail.mail_admins, ("s", "b", False, None, None, "x"), (5, 3, 6)),
            (mail.mail_managers, ("s", "b", False, None, None, "x"), (5, 3, 6)),
            (mail.get_connection, (None, False, "x"), (2, 1, 3)),
            (mail.EmailMultiAlternatives, (*four, *extra), (12, 7, 13)),
            (mail.EmailMessage, (*four, *extra[:7]), (11, 6, 12)),
        ):
            most, deprecated, given = text
            with (
                self.subTest(function.__name__),
                self.assertRaisesExactly(
                    TypeError,
                    f"{function.__name__}() takes at most {most} positional argument(s) "
                    f"(including {deprecated} deprecated) but {given} were given.",
                ),
            ):
                function(*args)
        with self.assertRaisesExactly(
            TypeError,
            "EmailMessage() takes at most 11 positional argument(s) (including 6 deprecated) "
            "but 12 were given.",
        ):
            Message(*four, *extra[:7])

    def test_by_position_and_by_name(self):
        text = "{}() got both deprecated positional and keyword argument values for {}."
        for function, args, kwargs, names in (
            (mail.send_mail, (*ONE, False), {"fail_silently": False}, "'fail_silently'"),
            (
                mail.send_mail,
                (*ONE, False, None, None),
                {"auth_password": None, "fail_silently": True, "using": "bulk"},
                "'fail_silently', 'auth_password'",
            ),
            (mail.send_mass_mail, ([], False, "u"), {"auth_user": "u"}, "'auth_user'"),
            (mail.mail_admins, ("s", "b", False), {"fail_silently": 1}, "'fail_silently'"),
            (
                mail.mail_managers,
                ("s", "b", False, None, "h"),
                {"html_message": "h", "connection": None},
                "'connection', 'html_message'",
            ),
            (mail.get_connection, (None, True), {"fail_silently": True}, "'fail_silently'"),
            (mail.EmailMessage, (*ONE, []), {"bcc": []}, "'bcc'"),
            (
                mail.EmailMultiAlternatives,
                (*ONE, [], None, [], {}, []),
                {"alternatives": [], "connection": None},
                "'connection', 'alternatives'",
            ),
        ):
            name = function.__name__
            with (
                self.subTest(function=name, names=names),
                self.assertRaisesExactly(TypeError, text.format(name, names)),
            ):
                function(*args, **kwargs)

    def test_other_misuse_is_reported_under_the_name_of_the_function(self):
        with self.assertRaisesExactly(
            TypeError, "send_mail() got an unexpected keyword argument 'alias'"
        ):
            mail.send_mail(*ONE, alias="bulk")
        with self.assertRaisesExactly(
            TypeError, "mail_admins() missing 1 required positional argument: 'message'"
        ):
            mail.mail_admins("subject")
        with self.assertRaisesExactly(
            TypeError,
            "EmailMessage.send() takes from 1 to 2 positional arguments but 3 were given",
        ):
            mail.EmailMessage(*ONE).send(False, "bulk")


class SendMailTests(SimpleTestCase):
    def test_message(self):
        self.assertEqual(mail.send_mail(*ONE), 1)
        [message] = mail.outbox
        self.assertIs(type(message), mail.EmailMultiAlternatives)
        self.assertEqual(
            (message.subject, message.body, message.from_email, message.to),
            ("subject", "body", "webmaster@localhost", TO),
        )
        self.assertEqual(message.alternatives, [])

    def test_html_message(self):
        mail.send_mail(*ONE, html_message="<p>body</p>", using="bulk")
        [message] = mail.outbox
        self.assertEqual(message.alternatives, [EmailAlternative("<p>body</p>", "text/html")])

    def test_all_by_name(self):
        mail.send_mail(
            subject="s", message="b", from_email="f@example.com", recipient_list=TO, using="bulk"
        )
        self.assertEqual(outbox(), [("s", "bulk")])
        self.assertEqual(mail.outbox[0].from_email, "f@example.com")

    def test_without_recipients_no_mailer_is_needed(self):
        self.assertEqual(mail.send_mail("s", "b", None, [], using="nowhere"), 0)
        self.assertEqual(mail.EmailMessage("s", "b", to=[""]).send(using="nowhere"), 0)
        with override_settings(MAILERS={}):
            self.assertEqual(mail.EmailMessage("s", "b").send(), 0)

    def test_result_is_what_the_mailer_returned(self):
        with patch(f"{LOCMEM}.send_messages", return_value=(result := object())):
            self.assertIs(mail.send_mail(*ONE), result)
            self.assertIs(mail.send_mail(*ONE, using="bulk"), result)
            self.assertIs(mail.send_mass_mail([ONE], using="bulk"), result)
            self.assertIs(mail.EmailMessage(*ONE).send(using="bulk"), result)


class SendMassMailTests(SimpleTestCase):
    def test_all_messages_go_through_one_instance(self):
        log = []
        entry = {"BACKEND": RECORDING, "OPTIONS": {"log": log}}
        messages = [(f"subject {number}", "body", None, TO) for number in range(3)]
        with override_settings(MAILERS={"default": entry, "bulk": entry}):
            self.assertEqual(mail.send_mass_mail(messages), 3)
            self.assertEqual(mail.send_mass_mail(iter(messages), using="bulk"), 3)
        self.assertEqual([backend.alias for backend in log], ["default", "bulk"])
        for backend in log:
            self.assertEqual(
                [(type(message), message.subject) for message in backend.sent],
                [(mail.EmailMessage, subject) for subject, *rest in messages],
            )

    def test_no_messages(self):
        self.assertEqual(mail.send_mass_mail([], using="bulk"), 0)
        with self.assertRaises(MailerDoesNotExist):
            mail.send_mass_mail([], using="nowhere")
