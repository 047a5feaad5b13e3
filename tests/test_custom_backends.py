"""Backends as projects and packages have written them for twenty years, as mailers.

Django 6.1 says what becomes of each style (H15 to H18); where it raises, the error is the same.
"""

import io
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.core.mail.backends import console, locmem, smtp
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, TestCase, override_settings

from .support.backends import HandsFailSilentlyOn, Recorder, TenArguments
from .support.projects import ProjectMixin
from .support.utils import ExactErrors, ignore_deprecations, legacy_settings


class PassOn(Recorder, BaseEmailBackend):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class PassOnSmtp(smtp.EmailBackend):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class NoKwargs(Recorder, BaseEmailBackend):
    def __init__(self, fail_silently=False):
        super().__init__(fail_silently=fail_silently)


class NoArguments(Recorder, BaseEmailBackend):
    def __init__(self):
        super().__init__()


class Duck(Recorder):
    """Not of Django's family."""

    def __init__(self, **kwargs):
        self.kwargs = kwargs


class DuckWithoutArguments(Recorder):
    pass


class NoSuper(Recorder, BaseEmailBackend):
    """Never calls the base class's __init__()."""

    def __init__(self, **kwargs):
        self.kwargs = kwargs


class KeepsFailSilently(Recorder, BaseEmailBackend):
    """As Django 6.1 asks of a backend that supports it."""

    def __init__(self, *, fail_silently=False, **kwargs):
        super().__init__(**kwargs)
        self.fail_silently = fail_silently


class DropsKwargs(Recorder, BaseEmailBackend):
    def __init__(self, api_key=None, **kwargs):
        super().__init__()
        self.api_key = api_key


class ReadsDatabase(Recorder, BaseEmailBackend):
    """Takes its configuration from a row."""

    def __init__(self, *, username, **kwargs):
        super().__init__(**kwargs)
        self.user = User.objects.get(username=username)


class Returns(BaseEmailBackend):
    def __init__(self, *, result, **kwargs):
        super().__init__(**kwargs)
        self.result = result

    def send_messages(self, email_messages):
        return self.result


class Transport:
    """Stands where smtplib.SMTP would."""

    def __init__(self):
        self.events = []

    def sendmail(self, from_addr, to_addrs, msg):
        self.events.append(("sendmail", from_addr, to_addrs))

    def quit(self):
        self.events.append("quit")


class OwnOpen(smtp.EmailBackend):
    """open() written anew, without the attributes that Django's keeps its half-open session in."""

    def __init__(self, *args, transport, opens=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.transport = transport
        self.opens = opens

    def open(self):
        self.connection = self.transport
        return self.opens


class LoudConsole(console.EmailBackend):
    def __init__(self, *args, prefix="", **kwargs):
        super().__init__(*args, **kwargs)
        self.prefix = prefix

    def write_message(self, message):
        self.stream.write(f"{self.prefix}{message.subject}\n")


def path(backend):
    return f"{backend.__module__}.{backend.__name__}"


def mailer(backend, **options):
    """Settings whose default mailer is `backend` with these options."""
    return override_settings(MAILERS={"default": {"BACKEND": path(backend), "OPTIONS": options}})


def send():
    return mail.send_mail("subject", "body", "from@example.com", ["to@example.com"])


class ConstructionTests(ExactErrors, SimpleTestCase):
    @contextmanager
    def assertInvalid(self, text):
        with self.assertRaisesExactly(InvalidMailer, f"MAILERS['default']: {text}"):
            yield

    def test_args_and_kwargs_passed_on(self):
        with mailer(PassOn):
            self.assertIs(type(mailers.default), PassOn)
            self.assertEqual(mailers.default.alias, "default")
            self.assertEqual(send(), 1)
        with mailer(PassOn, api_key="k"), self.assertInvalid("Unknown options 'api_key'."):
            mailers["default"]

    def test_args_and_kwargs_passed_on_to_smtp(self):
        with mailer(PassOnSmtp, host="127.0.0.1", use_tls=True):
            backend = mailers.default
            self.assertIs(type(backend), PassOnSmtp)
            self.assertEqual(
                (backend.alias, backend.host, backend.port), ("default", "127.0.0.1", 587)
            )
        with mailer(PassOnSmtp), self.assertInvalid("OPTIONS must define 'host'."):
            mailers["default"]

    def test_ten_arguments_by_position(self):
        with mailer(TenArguments, host="127.0.0.1", password="p", use_ssl=True, timeout=3):
            backend = mailers.default
            self.assertEqual(backend.alias, "default")
            self.assertEqual(
                (backend.host, backend.port, backend.username, backend.password),
                ("127.0.0.1", 465, None, "p"),
            )
            self.assertEqual(
                (backend.use_tls, backend.use_ssl, backend.timeout, backend.fail_silently),
                (False, True, 3, False),
            )
        with mailer(TenArguments, port=25), self.assertInvalid("OPTIONS must define 'host'."):
            mailers["default"]

    def test_without_kwargs(self):
        for backend, options, text in (
            (
                NoKwargs,
                {},
                "NoKwargs.__init__() got an unexpected keyword argument 'alias'",
            ),
            (
                NoKwargs,
                {"fail_silently": True},
                "NoKwargs.__init__() got an unexpected keyword argument 'alias'",
            ),
            (
                NoArguments,
                {},
                "NoArguments.__init__() got an unexpected keyword argument 'alias'",
            ),
            (DuckWithoutArguments, {}, "DuckWithoutArguments() takes no arguments"),
        ):
            with (
                self.subTest(backend=backend.__name__, **options),
                mailer(backend, **options),
                self.assertRaisesExactly(TypeError, text),
            ):
                mailers["default"]

    def test_not_of_the_family(self):
        with mailer(Duck, api_key="k"):
            backend = mailers.default
            self.assertIs(type(backend), Duck)
            self.assertEqual(backend.kwargs, {"alias": "default", "api_key": "k"})
            self.assertEqual(send(), 1)

    def test_base_init_never_called(self):
        with mailer(NoSuper, api_key="k"):
            self.assertEqual(mailers.default.kwargs, {"alias": "default", "api_key": "k"})
            self.assertEqual(send(), 1)
            with mailers.default as backend:
                self.assertIs(type(backend), NoSuper)

    def test_kwargs_dropped(self):
        with mailer(DropsKwargs, api_key="k", misspelt=1):
            self.assertEqual(mailers.default.api_key, "k")
            self.assertIsNone(mailers.default.alias)

    def test_unknown_option_of_a_backend_with_options(self):
        with (
            mailer(LoudConsole, prefix="> ", suffix=" <"),
            self.assertInvalid("Unknown options 'suffix'."),
        ):
            mailers["default"]

    def test_required_option_missing(self):
        with (
            mailer(Returns),
            self.assertRaisesExactly(
                TypeError, "Returns.__init__() missing 1 required keyword-only argument: 'result'"
            ),
        ):
            mailers["default"]

    def test_fail_silently_of_its_own(self):
        with mailer(KeepsFailSilently):
            self.assertIs(mailers.default.fail_silently, False)
        with mailer(KeepsFailSilently, fail_silently=True):
            self.assertIs(mailers.default.fail_silently, True)
            self.assertEqual(send(), 1)

    def test_fail_silently_handed_on(self):
        for options in ({}, {"fail_silently": True}):
            with (
                self.subTest(**options),
                mailer(HandsFailSilentlyOn, **options),
                self.assertInvalid("Unknown options 'fail_silently'."),
            ):
                mailers["default"]

    @ignore_deprecations()
    def test_fail_silently_of_the_caller_handed_on(self):
        """The one way in which the style above still makes a mailer."""
        with mailer(HandsFailSilentlyOn):
            backend = mail.get_connection(fail_silently=True)
            self.assertEqual((backend.alias, backend.fail_silently), ("default", True))

    @ignore_deprecations()
    def test_keywords_of_a_caller_are_not_unknown_options(self):
        """H16"""
        with mailer(KeepsFailSilently):
            backend = mail.get_connection(username=None, password=None, fail_silently=True)
            self.assertEqual((backend.alias, backend.fail_silently), ("default", True))
        with mailer(DropsKwargs):
            self.assertEqual(mail.get_connection(api_key="k").api_key, "k")
        with (
            mailer(KeepsFailSilently, api_key="k"),
            self.assertInvalid("Unknown options 'api_key'."),
        ):
            mail.get_connection(username=None)


class WithoutMailersTests(SimpleTestCase):
    """The same backends as EMAIL_BACKEND: none of them fails."""

    def test_each_is_built_and_used(self):
        for backend in (
            PassOn,
            NoKwargs,
            NoArguments,
            Duck,
            DuckWithoutArguments,
            NoSuper,
            KeepsFailSilently,
            HandsFailSilentlyOn,
            DropsKwargs,
        ):
            with self.subTest(backend.__name__), legacy_settings(EMAIL_BACKEND=path(backend)):
                self.assertIs(type(mailers.default), backend)
                self.assertIs(type(mail.get_connection()), backend)
                self.assertEqual(send(), 1)

    def test_fail_silently(self):
        for backend in (NoKwargs, KeepsFailSilently, HandsFailSilentlyOn, PassOn):
            with self.subTest(backend.__name__), legacy_settings(EMAIL_BACKEND=path(backend)):
                self.assertIs(mail.get_connection().fail_silently, False)
                self.assertIs(mail.get_connection(fail_silently=True).fail_silently, True)

    def test_smtp_subclasses_read_the_settings(self):
        for backend in (PassOnSmtp, TenArguments):
            with (
                self.subTest(backend.__name__),
                legacy_settings(
                    EMAIL_BACKEND=path(backend), EMAIL_HOST="192.0.2.1", EMAIL_HOST_USER="user"
                ),
            ):
                built = mail.get_connection(password="other")
                self.assertEqual(
                    (built.alias, built.host, built.port, built.username, built.password),
                    (None, "192.0.2.1", 25, "user", "other"),
                )


class SendMessagesTests(SimpleTestCase):
    def test_result_is_passed_through(self):
        for result in (None, 0, 3, ["id-1"], [], True):
            with self.subTest(result=result), mailer(Returns, result=result):
                self.assertIs(send(), result)
                self.assertIs(mail.send_mass_mail([("s", "b", None, ["to@example.com"])]), result)
                self.assertIs(mail.EmailMessage(to=["to@example.com"]).send(), result)

    def test_method_of_a_subclass_is_used(self):
        stream = io.StringIO()
        with mailer(LoudConsole, prefix="> ", stream=stream):
            self.assertEqual(send(), 1)
        self.assertEqual(stream.getvalue(), "> subject\n")


class OpenTests(SimpleTestCase):
    """smtp.EmailBackend around an open() that is not its own."""

    sent = ("sendmail", "from@example.com", ["to@example.com"])

    def test_true_means_close_afterwards(self):
        transport = Transport()
        with mailer(OwnOpen, host="127.0.0.1", transport=transport):
            self.assertEqual(send(), 1)
            self.assertEqual(send(), 1)
        self.assertEqual(transport.events, [self.sent, "quit"] * 2)

    def test_false_means_leave_open(self):
        transport = Transport()
        with mailer(OwnOpen, host="127.0.0.1", transport=transport, opens=False):
            backend = mailers.default
            message = mail.EmailMessage("s", "b", "from@example.com", ["to@example.com"])
            self.assertEqual(backend.send_messages([message, message]), 2)
            self.assertIs(backend.connection, transport)
            backend.close()
            self.assertIsNone(backend.connection)
        self.assertEqual(transport.events, [self.sent, self.sent, "quit"])

    def test_false_without_a_connection_sends_nothing(self):
        with mailer(OwnOpen, host="127.0.0.1", transport=None, opens=False):
            self.assertEqual(send(), 0)

    def test_none_means_failed(self):
        transport = Transport()
        with mailer(OwnOpen, host="127.0.0.1", transport=transport, opens=None):
            self.assertEqual(send(), 0)
        self.assertEqual(transport.events, [])

    def test_as_a_context_manager(self):
        transport = Transport()
        with mailer(OwnOpen, host="127.0.0.1", transport=transport), mailers.default as backend:
            self.assertIs(backend.connection, transport)
        self.assertEqual(transport.events, ["quit"])


class InstanceTests(SimpleTestCase):
    """H18: callers hold real backends, and reach into them."""

    @ignore_deprecations()
    def test_isinstance(self):
        for backend, parent in (
            (PassOnSmtp, smtp.EmailBackend),
            (TenArguments, smtp.EmailBackend),
        ):
            with self.subTest(backend.__name__), mailer(backend, host="127.0.0.1"):
                for built in (mailers.default, mailers["default"], mail.get_connection()):
                    self.assertIs(type(built), backend)
                    self.assertIsInstance(built, parent)
                    self.assertIsInstance(built, BaseEmailBackend)
        self.assertIsInstance(mailers["bulk"], locmem.EmailBackend)
        self.assertNotIsInstance(mailers["bulk"], smtp.EmailBackend)

    def test_attributes_can_be_set(self):
        with mailer(PassOnSmtp, host="127.0.0.1"):
            backend = mailers.default
            backend.timeout = 15
            backend.host = "192.0.2.1"
            backend.own = "attribute"
            self.assertEqual(
                (backend.timeout, backend.host, backend.own), (15, "192.0.2.1", "attribute")
            )
            self.assertIsNone(mailers.default.timeout)

    def test_lock_is_reentrant(self):
        transport = Transport()
        with mailer(OwnOpen, host="127.0.0.1", transport=transport):
            backend = mailers.default
            with backend._lock, backend._lock:
                message = mail.EmailMessage("s", "b", "from@example.com", ["to@example.com"])
                self.assertEqual(backend.send_messages([message]), 1)
            self.assertIsNot(mailers.default._lock, backend._lock)

    def test_connection_put_in_from_outside(self):
        transport = Transport()
        with mailer(PassOnSmtp, host="127.0.0.1"):
            backend = mailers.default
            self.assertIsNone(backend.connection)
            backend.connection = transport
            self.assertIs(backend.open(), False)
            backend.close()
        self.assertEqual(transport.events, ["quit"])


class DatabaseTests(TestCase):
    """H17: a backend may ask the database while it is built; only an access builds one."""

    def test_each_access_asks_anew(self):
        with mailer(ReadsDatabase, username="relay"):
            with self.assertNumQueries(0):
                self.assertEqual(list(mailers), ["default"])
            with self.assertRaises(User.DoesNotExist):
                mailers["default"]
            relay = User.objects.create(username="relay")
            with self.assertNumQueries(1):
                self.assertEqual(mailers.default.user, relay)
            with self.assertNumQueries(1):
                self.assertEqual(send(), 1)


class BeforeTheInstallTests(ProjectMixin, SimpleTestCase):
    def test_classes_made_before_it(self):
        """Imported by hand before the apps are loaded, as a settings helper may."""
        self.write_settings(
            MAILERS={
                "default": {"BACKEND": "early.Backend"},
                "misspelt": {"BACKEND": "early.Backend", "OPTIONS": {"hots": "127.0.0.1"}},
                "smtp": {
                    "BACKEND": "early.Smtp",
                    "OPTIONS": {"host": "127.0.0.1", "use_tls": True, "fail_silently": True},
                },
            }
        )
        self.write(
            "early.py",
            """
            from django.core.mail import EmailMultiAlternatives, send_mail
            from django.core.mail.backends import smtp
            from django.core.mail.backends.base import BaseEmailBackend

            sent = []


            class Backend(BaseEmailBackend):
                def __init__(self, *args, **kwargs):
                    super().__init__(*args, **kwargs)

                def send_messages(self, email_messages):
                    sent.extend((self.alias, message.subject) for message in email_messages)


            class Smtp(smtp.EmailBackend):
                def __init__(self, *args, **kwargs):
                    super().__init__(*args, **kwargs)


            class Message(EmailMultiAlternatives):
                def send(self, *args, **kwargs):
                    return super().send(*args, **kwargs)


            def notify(**kwargs):
                send_mail("notified", "body", None, ["to@example.com"], **kwargs)
            """,
        )
        said = self.script(
            """
            import json

            import early

            import django

            django.setup()

            from django.core import mail
            from django.core.mail.backends import base, smtp

            relay = mail.mailers["smtp"]
            try:
                mail.mailers["misspelt"]
            except mail.InvalidMailer as error:
                refused = str(error)
            early.notify(using="default")
            early.Message("message", "body", to=["to@example.com"]).send(using="default")
            early.Message("message", "body", to=["to@example.com"]).send()
            print(
                json.dumps(
                    [
                        [relay.alias, relay.host, relay.port, relay.username, relay.fail_silently],
                        isinstance(relay, smtp.EmailBackend),
                        issubclass(early.Backend, base.BaseEmailBackend),
                        issubclass(early.Message, mail.EmailMessage),
                        refused,
                        early.sent,
                    ]
                )
            )
            """
        )
        self.assertEqual(
            said,
            [
                ["smtp", "127.0.0.1", 587, None, True],
                True,
                True,
                True,
                "MAILERS['misspelt']: Unknown options 'hots'.",
                [["default", "notified"], ["default", "message"], ["default", "message"]],
            ],
        )
