"""The functions of `django.core.mail` and `EmailMessage.send()`: which mailer gets the message."""

from unittest.mock import MagicMock, call, patch

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailAlternative, EmailAttachment, MailerDoesNotExist, mailers
from django.test import SimpleTestCase, override_settings
from django.utils.functional import lazystr

from .support.utils import (
    LOCMEM,
    RECORDING,
    ExactErrors,
    RecordingBackend,
    ignore_deprecations,
    legacy_settings,
)

TO = ["to@example.com"]
ONE = ("subject", "body", None, TO)

CONNECTION_WITH_USING = "'connection' is not compatible with 'using'."
SILENT_WITH_USING = "'fail_silently' is not compatible with 'using'."
AUTH_WITH_USING = (
    "'auth_user' and 'auth_password' are not compatible with 'using'. "
    "Set 'username' and 'password' OPTIONS in MAILERS instead."
)
SILENT_WITH_CONNECTION = (
    "fail_silently cannot be used with a connection. "
    "Pass fail_silently to get_connection() instead."
)
AUTH_WITH_CONNECTION = (
    "auth_user and auth_password cannot be used with a connection. "
    "Pass auth_user and auth_password to get_connection() instead."
)


def send_mail(**kwargs):
    return mail.send_mail(*ONE, **kwargs)


def send_mass_mail(**kwargs):
    return mail.send_mass_mail([ONE], **kwargs)


def mail_admins(**kwargs):
    return mail.mail_admins("subject", "body", **kwargs)


def mail_managers(**kwargs):
    return mail.mail_managers("subject", "body", **kwargs)


def message_send(*, connection=None, **kwargs):
    return mail.EmailMessage(*ONE, connection=connection).send(**kwargs)


FUNCTIONS = [send_mail, send_mass_mail, mail_admins, mail_managers, message_send]
WITH_AUTH = [send_mail, send_mass_mail]


def outbox():
    return [(message.subject, message.sent_using) for message in mail.outbox]


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
