"""The install: once in a process, in place, wherever names have got to before it."""

from unittest import skipIf, skipUnless

from django.test import tag

from .support.processes import ProcessTestCase, run_python
from .support.utils import NATIVE


@skipUnless(NATIVE, "this Django has no MAILERS of its own")
class NativeTests(ProcessTestCase):
    def test_nothing_is_changed(self):
        self.assertRuns(
            """
            import sys
            from django.core import mail
            from types import FunctionType
            before = dict(vars(mail))
            functions = {n: f for n, f in before.items() if type(f) is FunctionType}
            codes = {name: function.__code__ for name, function in functions.items()}
            finders = list(sys.meta_path)
            configure()
            from django_mailers import install, polyfill
            install()
            assert polyfill.installed() == ()
            assert vars(mail).keys() == before.keys()
            assert all(getattr(mail, name) is value for name, value in before.items())
            assert "send_mail" in codes
            assert all(getattr(mail, name).__code__ is code for name, code in codes.items())
            assert sys.meta_path == finders
            assert not [name for name in sys.modules if name.startswith("django_mailers.backport")]
            """
        )


class ReferenceTests(ProcessTestCase):
    """Names that were imported before the install (H4, H6, H8)."""

    def test_functions_held_elsewhere(self):
        self.assertRuns(
            """
            import copy, functools, pickle
            from django.core import mail
            from django.core.mail import send_mail, send_mass_mail, mail_admins, mail_managers
            from django.core.mail import get_connection
            bound = functools.partial(send_mail, using="b")
            def default(send=send_mail): send("default", "", None, ["a@example.com"], using="b")
            class Holder:
                send = staticmethod(send_mail)
            held = [send_mail, send_mass_mail, mail_admins, mail_managers, get_connection]
            configure(ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
            send_mail("name", "", None, ["a@example.com"], using="b")
            bound("partial", "", None, ["a@example.com"])
            default()
            Holder.send("staticmethod", "", None, ["a@example.com"], using="b")
            send_mass_mail([("mass", "", None, ["a@example.com"])], using="b")
            mail_admins("admins", "", using="b")
            mail_managers("managers", "", using="b")
            assert [(m.subject, m.sent_using) for m in mail.outbox] == [
                ("name", "b"), ("partial", "b"), ("default", "b"), ("staticmethod", "b"),
                ("mass", "b"), ("[Django] admins", "b"), ("[Django] managers", "b"),
            ], mail.outbox
            # One object under every name: a task queue that pickles it by name gets it back.
            for function in held:
                assert getattr(mail, function.__name__) is function
                assert pickle.loads(pickle.dumps(function)) is function
            """
        )

    def test_classes_keep_their_identity(self):
        self.assertRuns(
            """
            from django.core import mail
            from django.core.mail import EmailMessage, EmailMultiAlternatives
            from django.core.mail.backends.base import BaseEmailBackend
            from django.core.mail.backends.smtp import EmailBackend
            class Early(EmailMultiAlternatives):
                def __init__(self, *args, **kwargs):
                    super().__init__(*args, **kwargs)
                    self.early = True
            class EarlyBackend(BaseEmailBackend):
                def send_messages(self, messages):
                    return len(messages)
            class EarlySMTP(EmailBackend):
                def __init__(self, *args, **kwargs):
                    super().__init__(*args, **kwargs)
            old_send = EmailMessage.send
            configure(MAILERS={
                "default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"},
                "early": {"BACKEND": "__main__.EarlyBackend"},
                "smtp": {"BACKEND": "__main__.EarlySMTP", "OPTIONS": {"host": "localhost"}},
            })
            class Late(mail.EmailMessage):
                pass
            message = Early("early", "text", None, ["a@example.com"])
            assert message.early and isinstance(message, mail.EmailMultiAlternatives)
            message.attach_alternative("<p>text</p>", "text/html")
            assert message.send(using="default") == 1
            assert Late("late", "", None, ["a@example.com"]).send() == 1
            assert old_send(Late("held", "", None, ["a@example.com"]), using="early") == 1
            assert [m.subject for m in mail.outbox] == ["early", "late"]
            assert [type(m) for m in mail.outbox] == [Early, Late]
            assert isinstance(mail.mailers["early"], EarlyBackend)
            smtp = mail.mailers["smtp"]
            assert isinstance(smtp, EmailBackend) and (smtp.alias, smtp.port) == ("smtp", 25)
            """
        )

    def test_modules_of_django_loaded_before(self):
        """contrib.auth, the middleware and the log handler have their own references."""
        self.assertRuns(
            """
            import logging
            from django.core import mail
            from django.middleware.common import BrokenLinkEmailsMiddleware
            from django.utils.log import AdminEmailHandler
            configure(
                INSTALLED_APPS=[
                    "django.contrib.auth", "django.contrib.contenttypes", "django_mailers",
                ],
                ADMINS=["admin@example.com"],
                MANAGERS=["manager@example.com"],
                ALLOWED_HOSTS=["*"],
            )
            from django.contrib.auth.models import User
            User(email="user@example.com").email_user("hello", "", using="b")
            AdminEmailHandler(using="b").emit(
                logging.LogRecord("x", logging.ERROR, "f", 1, "broken", (), None)
            )
            from django.http import HttpRequest, HttpResponseNotFound
            class Reporter(BrokenLinkEmailsMiddleware):
                using = "b"
            request = HttpRequest()
            request.META = {"HTTP_HOST": "here.example", "HTTP_REFERER": "http://there.example/"}
            Reporter(lambda request: HttpResponseNotFound())(request)
            assert [(m.subject, m.sent_using) for m in mail.outbox] == [
                ("hello", "b"), ("[Django] ERROR: broken", "b"),
                ("[Django] Broken link on here.example", "b"),
            ], [m.subject for m in mail.outbox]
            """
        )

    def test_handler_made_before_any_app_was_loaded(self):
        """Django's DEFAULT_LOGGING makes an AdminEmailHandler before the install (H4)."""
        self.assertRuns(
            """
            import logging
            from django.core import mail
            configure(ADMINS=["admin@example.com"], DEBUG=False)
            logging.getLogger("django.request").error("broken")
            assert [(m.subject, m.sent_using) for m in mail.outbox] == [
                ("[Django] ERROR: broken", "default")
            ]
            """
        )


class WhenTests(ProcessTestCase):
    """When the install happens, and what it needs."""

    def test_from_settings(self):
        folder = self.project(
            project="""
            import django_mailers
            django_mailers.install()
            from django.conf import settings as lazy
            assert not lazy.configured
            from django.core.mail import mailers
            INSTALLED_APPS = ["django_mailers"]
            ADMINS = ["admin@example.com"]
            SECRET_KEY = "x"
            USE_TZ = True
            locmem = "django.core.mail.backends.locmem.EmailBackend"
            MAILERS = {"default": {"BACKEND": locmem}, "errors": {"BACKEND": locmem}}
            LOGGING = {
                "version": 1,
                "handlers": {
                    "mail": {"class": "django.utils.log.AdminEmailHandler", "using": "errors"}
                },
                "loggers": {"shop": {"handlers": ["mail"]}},
            }
            """
        )
        self.assertRuns(
            """
            import logging
            import django
            django.setup()
            logging.getLogger("shop").error("broken")
            from django.core import mail
            assert [m.sent_using for m in mail.outbox] == ["errors"]
            """,
            folder=folder,
            settings_module="project",
        )

    @skipIf(NATIVE, "Django's own handler knows `using` without any install")
    def test_using_in_logging_needs_the_install_in_settings(self):
        """Django configures logging before it loads an app (H5); the documentation says so."""
        result = run_python(
            """
            configure(LOGGING={
                "version": 1,
                "handlers": {
                    "mail": {"class": "django.utils.log.AdminEmailHandler", "using": "errors"}
                },
            })
            """
        )
        self.assertIn(
            "TypeError: AdminEmailHandler.__init__() got an unexpected keyword argument 'using'",
            result.stderr,
        )

    @tag("slow")
    def test_wherever_the_app_stands(self):
        folder = self.project(
            early__apps="""
            from django.apps import AppConfig
            from django.core.mail import send_mail
            class EarlyConfig(AppConfig):
                name = "early"
                def ready(self):
                    send_mail("ready", "", None, ["a@example.com"], using="b")
            """
        )
        for apps in (["early", "django_mailers"], ["django_mailers", "early"]):
            with self.subTest(apps=apps):
                self.assertRuns(
                    f"""
                    configure(INSTALLED_APPS={apps!r})
                    from django.core import mail
                    assert [(m.subject, m.sent_using) for m in mail.outbox] == [("ready", "b")]
                    """,
                    folder=folder,
                )

    def test_apps_loaded_again(self):
        """`override_settings(INSTALLED_APPS=...)` imports no app twice."""
        self.assertRuns(
            """
            configure()
            from django.apps import apps
            from django.core import mail
            from django_mailers import polyfill
            before = polyfill.installed()
            apps.set_installed_apps(["django_mailers"])
            apps.unset_installed_apps()
            assert polyfill.installed() == before
            mail.send_mail("again", "", None, ["a@example.com"], using="b")
            assert mail.outbox[0].sent_using == "b"
            """
        )

    def test_reads_no_settings(self):
        self.assertRuns(
            """
            import django_mailers
            django_mailers.install()
            assert not settings.configured
            """
        )

    @skipIf(NATIVE, "nothing is installed")
    def test_once_whoever_calls_it(self):
        self.assertRuns(
            """
            import sys, threading
            from django_mailers import install, polyfill
            from django_mailers.polyfill import imports, trampolines
            count = 16
            barrier = threading.Barrier(count)
            def call():
                barrier.wait()
                install()
            threads = [threading.Thread(target=call) for _ in range(count)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            replaced = dict(trampolines._replacements)
            finders = [f for f in sys.meta_path if isinstance(f, imports.AfterImport)]
            assert len(finders) == 1
            install()
            assert trampolines._replacements == replaced
            configure()
            from django.core import mail
            assert mail.send_mail("s", "", None, ["a@example.com"], using="b") == 1
            """
        )

    @skipIf(NATIVE, "nothing is installed")
    def test_record(self):
        self.assertRuns(
            """
            import django_mailers
            django_mailers.install()
            from django_mailers import polyfill
            targets = [patch.target for patch in polyfill.PATCHES]
            assert [entry.target for entry in polyfill.installed()] == targets
            def outcome(target):
                return {e.outcome for e in polyfill.installed() if e.target == target}
            assert outcome("django.core.mail:send_mail") == {"installed"}
            assert outcome("django.test.utils:setup_test_environment") == {"waits for import"}
            import django.test.utils
            assert outcome("django.test.utils:setup_test_environment") == {"installed"}
            assert all(entry.reason for entry in polyfill.installed())
            """
        )

    @skipIf(NATIVE, "nothing is installed")
    def test_modules_nobody_imported_are_left_unimported(self):
        self.assertRuns(
            """
            import sys
            import django_mailers
            django_mailers.install()
            late = ["django.test.utils", "django.middleware.common", "smtplib"]
            assert not [name for name in late if name in sys.modules]
            import importlib.machinery
            import django.test.utils as utils
            assert utils.setup_test_environment.__code__.co_filename == "<django_mailers>"
            # Loaders of Django's modules stay what they were: pkgutil and others ask for them.
            assert type(utils.__loader__) is importlib.machinery.SourceFileLoader
            assert utils.__spec__.loader is utils.__loader__
            """
        )


@skipIf(NATIVE, "nothing is installed")
class ForeignPatchTests(ProcessTestCase):
    """What others put in the place of Django's functions (H7)."""

    def test_patched_after_the_install(self):
        self.assertRuns(
            """
            import django_mailers
            django_mailers.install()
            from django.core import mail
            def mine(*args, **kwargs):
                return "mine"
            mail.send_mail = mail.EmailMessage.send = mine
            django_mailers.install()
            configure()
            assert mail.send_mail() == "mine"
            assert mail.EmailMessage().send() == "mine"
            """
        )

    def test_wrapped_before_the_install(self):
        """What functools.wraps() marked leads on to Django's function, which is ours by then."""
        self.assertRuns(
            """
            import functools
            from django.core import mail
            calls = []
            def retry(function):
                @functools.wraps(function)
                def wrapper(*args, **kwargs):
                    calls.append(function.__name__)
                    return function(*args, **kwargs)
                return wrapper
            mail.EmailMessage.send = retry(mail.EmailMessage.send)
            mail.send_mail = retry(mail.send_mail)
            configure()
            assert mail.send_mail("s", "", None, ["a@example.com"], using="b") == 1
            assert calls == ["send_mail", "send"]
            assert mail.outbox[0].sent_using == "b"
            """
        )

    def test_replaced_before_the_install(self):
        self.assertRuns(
            """
            from django.core import mail
            def mine(*args, **kwargs):
                return "mine"
            mail.send_mail = mine
            def hook(self):
                return "mine"
            mail.EmailMessage.get_connection = hook
            configure()
            assert mail.send_mail() == "mine"
            assert mail.EmailMessage().get_connection() == "mine"
            from django_mailers import polyfill
            outcomes = {entry.target: entry.outcome for entry in polyfill.installed()}
            line = mine.__code__.co_firstlineno
            assert outcomes["django.core.mail:send_mail"] == f"left alone: mine (<string>:{line})"
            assert outcomes["django.core.mail.message:EmailMessage.get_connection"] == (
                f"left alone: hook (<string>:{hook.__code__.co_firstlineno})"
            )
            """
        )

    def test_method_replaced_before_the_install(self):
        self.assertRuns(
            """
            from django.core.mail import EmailMessage, message
            def send(self, fail_silently=False):
                return "mine"
            message.EmailMessage.send = send
            configure()
            assert EmailMessage().send() == "mine"
            from django_mailers import polyfill
            outcomes = [
                entry.outcome
                for entry in polyfill.installed()
                if entry.target == "django.core.mail.message:EmailMessage"
            ]
            line = send.__code__.co_firstlineno
            assert f"left alone: send (<string>:{line})" in outcomes, outcomes
            """
        )


class SettingsTests(ProcessTestCase):
    """The EMAIL_* settings beside MAILERS."""

    MISSING = "The EMAIL_HOST setting is not available when MAILERS is defined."

    def test_missing_beside_mailers(self):
        self.assertRuns(
            f"""
            configure()
            try:
                settings.EMAIL_HOST
            except AttributeError as error:
                assert str(error) == {self.MISSING!r}, error
            else:
                raise AssertionError("EMAIL_HOST is there")
            assert not hasattr(settings, "EMAIL_BACKEND")
            assert getattr(settings, "EMAIL_PORT", "none") == "none"
            assert settings.EMAIL_SUBJECT_PREFIX == "[Django] "
            assert settings.EMAIL_USE_LOCALTIME is False
            from django_mailers.polyfill import installed
            hidden = [n for n in dir(settings) if n.startswith("EMAIL_")]
            assert sorted(hidden) == ["EMAIL_SUBJECT_PREFIX", "EMAIL_USE_LOCALTIME"], hidden
            # What error reports do with every setting (H9).
            from django.views.debug import SafeExceptionReporterFilter
            safe = SafeExceptionReporterFilter().get_safe_settings()
            assert "MAILERS" in safe and "EMAIL_HOST" not in safe
            """
        )

    def test_values_cached_before_mailers_was_set(self):
        self.assertRuns(
            """
            import warnings
            warnings.simplefilter("ignore")
            settings.configure(INSTALLED_APPS=["django_mailers"])
            assert settings.EMAIL_HOST == "localhost"
            assert "EMAIL_HOST" in vars(settings)
            import django
            django.setup()
            assert settings.EMAIL_HOST == "localhost"
            settings.MAILERS = {}
            assert not hasattr(settings, "EMAIL_HOST")
            """
        )

    CONFLICT = (
        "django.core.exceptions.ImproperlyConfigured: Deprecated email settings are not allowed "
        "when MAILERS is defined: EMAIL_HOST, EMAIL_PORT."
    )

    def test_conflict_in_a_settings_module(self):
        folder = self.project(
            project="""
            INSTALLED_APPS = ["django_mailers"]
            MAILERS = {}
            MAILERS_BRIDGE = False
            EMAIL_PORT = 26
            EMAIL_HOST = "localhost"
            """
        )
        result = run_python(
            "import django; django.setup()", folder=folder, settings_module="project"
        )
        self.assertEqual(result.stderr.splitlines()[-1], self.CONFLICT)

    def test_conflict_in_configure(self):
        result = run_python("configure(EMAIL_HOST='localhost', EMAIL_PORT=26)")
        self.assertEqual(result.stderr.splitlines()[-1], self.CONFLICT)

    def test_conflict_in_configure_after_the_install(self):
        result = run_python(
            """
            import django_mailers
            django_mailers.install()
            configure(EMAIL_HOST='localhost', EMAIL_PORT=26)
            """
        )
        self.assertEqual(result.stderr.splitlines()[-1], self.CONFLICT)


class ProcessTests(ProcessTestCase):
    def test_forked_child_sends(self):
        self.assertRuns(
            """
            import os
            configure()
            from django.core import mail
            child = os.fork()
            if child == 0:
                sent = mail.send_mail("s", "", None, ["a@example.com"], using="b")
                os._exit(0 if (sent, mail.outbox[0].sent_using) == (1, "b") else 1)
            _, status = os.waitpid(child, 0)
            assert status == 0
            """
        )
