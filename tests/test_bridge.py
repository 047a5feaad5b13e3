"""The legacy bridge: what MAILERS_BRIDGE makes work again under MAILERS, and that it does so alone.

In processes of their own, since the bridge is built when the app is loaded. Each behaviour is tried
with the bridge on and off, on every Django: off is Django 6.1's error.
"""

from unittest import skipUnless

from .support.bridge import BridgeTestCase
from .support.forks import ForkingTestCase
from .support.processes import ProcessTestCase, run_python
from .support.utils import NATIVE


class SwitchTests(ForkingTestCase):
    def test_default(self):
        """On where the backport is, off where MAILERS is Django's own."""
        self.assertRunsForked(
            f"""
            locmem = "django.core.mail.backends.locmem.EmailBackend"
            settings.configure(
                MAILERS={{"default": {{"BACKEND": locmem}}}}, INSTALLED_APPS=["django_mailers"]
            )
            import django
            django.setup()
            from django_mailers import bridge
            assert bridge.is_wanted() is {not NATIVE}
            assert bridge._bridge.is_done is {not NATIVE}
            """
        )

    @skipUnless(NATIVE, "below 6.1 the backport changes Django in any case")
    def test_native_django_is_left_alone_unless_asked(self):
        self.assertRunsForked(
            """
            from django.conf import LazySettings
            from django.core import mail
            code = LazySettings.__getattr__.__code__, mail.send_mail.__code__
            configure()
            assert code == (LazySettings.__getattr__.__code__, mail.send_mail.__code__)
            """
        )
        self.assertRunsForked(
            """
            from django.core import mail
            code = mail.send_mail.__code__
            configure(MAILERS_BRIDGE=True)
            assert mail.send_mail.__code__ is not code
            assert mail.send_mail("s", "", None, ["a@example.com"], using="b") == 1
            """
        )

    def test_off_for_a_while(self):
        self.assertRunsForked(
            """
            configure(MAILERS_BRIDGE=True)
            import warnings
            warnings.simplefilter("ignore")
            from django.test import override_settings
            assert settings.EMAIL_HOST == "localhost"
            with override_settings(MAILERS_BRIDGE=False):
                assert not hasattr(settings, "EMAIL_HOST")
            with override_settings():
                del settings.MAILERS
                assert settings.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
            assert settings.EMAIL_BACKEND == "django.core.mail.backends.locmem.EmailBackend"
            """
        )


class SettingsTests(BridgeTestCase):
    def test_projections(self):
        self.on(
            """
            start()
            assert settings.EMAIL_BACKEND == SMTP
            assert settings.EMAIL_HOST == "smtp.example.com"
            assert settings.EMAIL_HOST_USER == "user"
            assert settings.EMAIL_HOST_PASSWORD == "secret"
            assert settings.EMAIL_USE_TLS is True
            # Options the mailer does not have: Django's global defaults, and the port it uses.
            assert settings.EMAIL_PORT == 587
            assert settings.EMAIL_USE_SSL is False
            assert settings.EMAIL_TIMEOUT is None
            assert settings.EMAIL_SSL_KEYFILE is settings.EMAIL_SSL_CERTFILE is None
            assert not hasattr(settings, "EMAIL_FILE_PATH")
            assert lines()[0] == (
                "The EMAIL_BACKEND setting is deprecated. With MAILERS defined it reads as what "
                "the default mailer has."
            )
            """
        )

    def test_one_warning_for_each_line(self):
        self.on(
            """
            start()
            warnings.resetwarnings()
            for _ in range(3):
                settings.EMAIL_HOST
            assert len(lines()) == 1
            """
        )

    def test_no_secret_of_another_mailer(self):
        self.on(
            """
            start(MAILERS={
                "default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"},
                "relay": MAILERS["default"],
            })
            assert settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend"
            assert (settings.EMAIL_HOST, settings.EMAIL_PORT) == ("localhost", 25)
            assert (settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD) == ("", "")
            """
        )

    def test_no_default_mailer(self):
        text = "The EMAIL_HOST setting is not available when MAILERS is defined."
        self.on(
            f"""
            start(MAILERS={{"memory": {{"BACKEND": LOCMEM}}}})
            raises(AttributeError, {text!r}, getattr, settings, "EMAIL_HOST")
            """
        )

    def test_reports_do_not_show_them_and_do_not_warn(self):
        """H9"""
        self.on(
            """
            start()
            from django.views.debug import SafeExceptionReporterFilter
            safe = SafeExceptionReporterFilter().get_safe_settings()
            hidden = [name for name in safe if name.startswith("EMAIL_")]
            assert hidden == ["EMAIL_SUBJECT_PREFIX", "EMAIL_USE_LOCALTIME"], hidden
            assert lines() == []
            """
        )

    def test_off(self):
        text = "The EMAIL_HOST setting is not available when MAILERS is defined."
        self.off(
            f"""
            start()
            raises(AttributeError, {text!r}, getattr, settings, "EMAIL_HOST")
            """
        )

    @skipUnless(not NATIVE, "from 6.1 on Django refuses them before any app is loaded")
    def test_leftovers_lose(self):
        self.on(
            """
            start(EMAIL_HOST="old.example.com", EMAIL_PORT=26)
            texts = [str(w.message) for w in recorded]
            assert [text for text in texts if "no effect" in text] == [
                "The EMAIL_HOST setting has no effect when MAILERS is defined. Remove it from the "
                "settings.",
                "The EMAIL_PORT setting has no effect when MAILERS is defined. Remove it from the "
                "settings.",
            ], texts
            assert (settings.EMAIL_HOST, settings.EMAIL_PORT) == ("smtp.example.com", 587)
            """
        )

    LEFTOVERS = """
    import django_mailers
    django_mailers.install(bridge=True)
    django_mailers.install(bridge=True)
    INSTALLED_APPS = ["django_mailers"]
    MAILERS = {"default": {"OPTIONS": {"host": "smtp.example.com"}}}
    MAILERS_BRIDGE = %s
    EMAIL_HOST = "old.example.com"
    """

    def test_leftovers_in_a_settings_module(self):
        """Django 6.1 refuses them while the settings are loaded, unless these ask first."""
        self.assertRuns(
            """
            import warnings
            warnings.simplefilter("always")
            with warnings.catch_warnings(record=True) as recorded:
                import django
                django.setup()
            texts = [str(warning.message) for warning in recorded]
            assert (
                "The EMAIL_HOST setting has no effect when MAILERS is defined. Remove it from the "
                "settings."
            ) in texts, texts
            warnings.simplefilter("ignore")
            assert settings.EMAIL_HOST == "smtp.example.com"
            """,
            folder=self.project(project=self.LEFTOVERS % True),
            settings_module="project",
        )

    def test_leftovers_in_a_settings_module_off(self):
        result = run_python(
            """
            import warnings
            warnings.simplefilter("ignore")
            import django
            django.setup()
            """,
            folder=self.project(project=self.LEFTOVERS % False),
            settings_module="project",
        )
        self.assertEqual(
            result.stderr.splitlines()[-1],
            "django.core.exceptions.ImproperlyConfigured: Deprecated email settings are not "
            "allowed when MAILERS is defined: EMAIL_HOST.",
        )


class GetConnectionTests(BridgeTestCase):
    def test_path_of_a_mailer(self):
        self.on(
            """
            start()
            from django.core import mail
            backend = mail.get_connection(LOCMEM)
            assert backend.alias == "memory"
            backend = mail.get_connection(SMTP)
            assert (backend.alias, backend.host, backend.username) == (
                "default", "smtp.example.com", "user"
            )
            assert lines() == [
                "get_connection() is deprecated. See 'Migrating email to mailers' in Django's "
                "documentation for recommended replacements."
            ] * 2
            """
        )

    def test_options_over_those_of_the_mailer(self):
        """None does not take credentials away (H12), unknown options are no error (H16)."""
        self.on(
            """
            start()
            from django.core import mail
            backend = mail.get_connection(SMTP, host="other", username=None, password=None)
            assert (backend.alias, backend.host) == ("default", "other")
            assert (backend.username, backend.password) == ("user", "secret")
            assert mail.get_connection(LOCMEM, username="x", fail_silently=True).alias == "memory"
            assert mail.get_connection(SMTP, True).fail_silently is True
            assert mail.get_connection(SMTP, False).fail_silently is False
            """
        )

    def test_path_of_several_mailers(self):
        """EMAIL_* was about the default one."""
        self.on(
            """
            start(MAILERS={"other": MAILERS["default"], "default": MAILERS["default"]})
            from django.core import mail
            assert mail.get_connection(SMTP).alias == "default"
            """
        )

    def test_no_path_and_no_credentials(self):
        self.on(
            """
            start()
            from django.core import mail
            backend = mail.get_connection(username=None, password=None, host="other")
            assert (backend.host, backend.username, backend.password) == ("other", "user", "secret")
            """
        )

    def test_path_of_no_mailer(self):
        self.on(
            """
            start()
            from django.core import mail
            from django.core.mail.backends.console import EmailBackend
            backend = mail.get_connection("django.core.mail.backends.console.EmailBackend")
            assert type(backend) is EmailBackend and backend.alias is None
            """
        )

    def test_off(self):
        self.off(
            """
            start()
            from django.core import mail
            text = "get_connection(backend, ...) is not supported with MAILERS."
            raises(RuntimeError, text, mail.get_connection, LOCMEM)
            """
        )


# Backends as packages wrote them before `alias`.
BACKENDS = """
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
class NoAlias(BaseEmailBackend):
    def __init__(self, key=None):
        super().__init__()
        self.key = key
    def send_messages(self, messages):
        return len(messages)
class HandsOn(BaseEmailBackend):
    def __init__(self, fail_silently=False, **kwargs):
        super().__init__(fail_silently=fail_silently, **kwargs)
class ReadsSettings(BaseEmailBackend):
    def __init__(self, fail_silently=False, username=None):
        super().__init__()
        self.silent, self.username = fail_silently, username
        self.password = settings.EMAIL_HOST_PASSWORD
class Positional(EmailBackend):
    def __init__(self, host=None, **kwargs):
        super().__init__(host, None, None, None, None, False, None, None, None, None)
sys.modules["backends"] = sys.modules["__main__"]
LEGACY = {**MAILERS, "a": {"BACKEND": "backends.NoAlias", "OPTIONS": {"key": 1}},
    "b": {"BACKEND": "backends.HandsOn"},
    "d": {"BACKEND": "backends.ReadsSettings", "OPTIONS": {"username": "d"}},
    "c": {"BACKEND": "backends.Positional", "OPTIONS": {"host": "other.example.com"}}}
"""


class LegacyBackendTests(BridgeTestCase):
    def test_named_in_mailers(self):
        self.on(
            BACKENDS
            + self.dedent(
                """
                start(MAILERS=LEGACY)
                from django.core.mail import mailers
                assert (mailers["a"].alias, mailers["a"].key) == ("a", 1)
                assert (mailers["b"].alias, mailers["b"].fail_silently) == ("b", False)
                warned = lines()
                assert (
                    "backends.NoAlias.__init__() must accept 'alias', or **kwargs for its base "
                    "class."
                ) in warned, warned
                """
            )
        )

    def test_takes_nothing_from_another_account(self):
        """Built from EMAIL_* by itself, it would show the default's password to its host (H14)."""
        self.on(
            BACKENDS
            + self.dedent(
                """
                start(MAILERS=LEGACY)
                from django.core.mail import mailers
                backend = mailers["c"]
                assert (backend.alias, backend.host) == ("c", "other.example.com")
                assert (backend.username, backend.password) == ("", ""), backend.username
                assert (backend.port, backend.use_tls) == (25, False)
                # And the default is the default again afterwards.
                assert settings.EMAIL_HOST_USER == "user"
                """
            )
        )

    def test_by_path_with_options(self):
        """The alias's own entry, with the options over it, and still nobody else's password."""
        self.on(
            BACKENDS
            + self.dedent(
                """
                start(MAILERS=LEGACY)
                from django.core import mail
                path = "backends.ReadsSettings"
                backend = mail.get_connection(path, fail_silently=True)
                assert (backend.alias, backend.username, backend.silent) == ("d", "d", True)
                assert backend.password == ""
                assert mail.get_connection(path, username="x").username == "x"
                """
            )
        )

    def test_wrong_entries_are_djangos_to_report(self):
        self.on(
            """
            start(MAILERS={"default": {"BACKEND": "nowhere.EmailBackend"}, "smtp": {}})
            from django.core import mail
            text = "MAILERS['smtp']: OPTIONS must define 'host'."
            raises(mail.InvalidMailer, text, lambda: mail.mailers["smtp"])
            raises(mail.MailerDoesNotExist, "The mailer 'x' is not configured.",
                   lambda: mail.mailers["x"])
            try:
                mail.mailers.default
            except mail.InvalidMailer as error:
                assert "Could not find BACKEND 'nowhere.EmailBackend'" in str(error)
            """
        )

    def test_off(self):
        self.off(
            BACKENDS
            + self.dedent(
                """
                start(MAILERS=LEGACY)
                from django.core import mail
                text = "NoAlias.__init__() got an unexpected keyword argument 'alias'"
                raises(TypeError, text, lambda: mail.mailers["a"])
                text = "MAILERS['b']: Unknown options 'fail_silently'."
                raises(mail.InvalidMailer, text, lambda: mail.mailers["b"])
                """
            )
        )


class ArgumentTests(BridgeTestCase):
    """What `connection` makes pointless was accepted beside it."""

    CALLS = """
    start(ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
    from django.core import mail
    connection = mail.mailers["memory"]
    to = ["a@example.com"]
    calls = [
        lambda **kw: mail.send_mail("1", "", None, to, connection=connection, **kw),
        lambda **kw: mail.send_mass_mail([("2", "", None, to)], connection=connection, **kw),
    ]
    silent = [
        lambda **kw: mail.mail_admins("3", "", connection=connection, **kw),
        lambda **kw: mail.mail_managers("4", "", connection=connection, **kw),
        lambda **kw: mail.EmailMessage("5", "", None, to, connection=connection).send(**kw),
    ]
    """

    def test_accepted(self):
        self.on(
            self.dedent(self.CALLS)
            + self.dedent(
                """
                for call in calls:
                    call(auth_user="user", auth_password="password")
                for call in calls + silent:
                    call(fail_silently=True)
                subjects = [message.subject for message in mail.outbox]
                assert subjects == ["1", "2", "1", "2", "[Django] 3", "[Django] 4", "5"], subjects
                from django.core.mail import deprecation
                assert set(lines()) == {
                    deprecation.AUTH_ARGS_WARNING,
                    deprecation.CONNECTION_ARG_WARNING,
                    deprecation.FAIL_SILENTLY_ARG_WARNING,
                }
                """
            )
        )

    def test_off(self):
        self.off(
            self.dedent(self.CALLS)
            + self.dedent(
                """
                for call in calls + silent:
                    raises(
                        TypeError,
                        "fail_silently cannot be used with a connection. Pass fail_silently to "
                        "get_connection() instead.",
                        call,
                        fail_silently=True,
                    )
                """
            )
        )

    def test_using_still_excludes_them(self):
        self.on(
            """
            start()
            from django.core import mail
            raises(
                TypeError, "'fail_silently' is not compatible with 'using'.",
                mail.send_mail, "1", "", None, ["a@example.com"], using="memory",
                fail_silently=True,
            )
            """
        )


class HookTests(BridgeTestCase):
    """Undocumented hooks that older code overrides (H20)."""

    GET_CONNECTION = """
    start(MAILERS={"default": {"BACKEND": LOCMEM}, "memory": {"BACKEND": LOCMEM}})
    from django.core import mail
    class Hooked(mail.EmailMessage):
        calls = []
        def get_connection(self, fail_silently=False):
            self.calls.append(fail_silently)
            return mail.mailers["memory"]
    """

    def test_get_connection(self):
        self.on(
            self.dedent(self.GET_CONNECTION)
            + self.dedent(
                """
                message = Hooked("s", "", None, ["a@example.com"])
                assert message.send() == message.send(True) == 1
                assert Hooked.calls == [False, True]
                assert [m.sent_using for m in mail.outbox] == ["memory", "memory"]
                assert message.send(using="default") == 1
                assert mail.outbox[-1].sent_using == "default" and len(Hooked.calls) == 2
                assert Hooked("s", "", None, []).send() == 0
                assert (
                    "__main__.Hooked.get_connection() is no longer called since Django 6.1. Use "
                    "EmailMessage.send(using=...) with a MAILERS alias."
                ) in lines()
                """
            )
        )

    def test_get_connection_off(self):
        self.off(
            self.dedent(self.GET_CONNECTION)
            + self.dedent(
                """
                raises(
                    AttributeError,
                    "EmailMessage no longer supports the undocumented get_connection() method.",
                    Hooked("s", "", None, ["a@example.com"]).send,
                )
                """
            )
        )

    SUBTYPES = """
    start()
    from django.core import mail
    class Related(mail.EmailMultiAlternatives):
        mixed_subtype = "related"
        def _add_attachment(self, msg, filename, content, mimetype):
            super()._add_attachment(msg, "other.txt", content, mimetype)
    class Parallel(mail.EmailMultiAlternatives):
        alternative_subtype = "parallel"
    related = Related("s", "text", None, ["a@example.com"], attachments=[("a", "b", "text/plain")])
    parallel = Parallel("s", "text", None, ["a@example.com"])
    parallel.attach_alternative("<p>html</p>", "text/html")
    """

    def test_subtypes(self):
        self.on(
            self.dedent(self.SUBTYPES)
            + self.dedent(
                """
                rendered = related.message()
                assert rendered.get_content_type() == "multipart/related"
                assert [p.get_content_type() for p in rendered.iter_parts()] == ["text/plain"] * 2
                (attachment,) = [p for p in rendered.walk() if p.get_filename()]
                assert attachment.get_filename() == "other.txt"
                assert parallel.message().get_content_type() == "multipart/parallel"
                assert lines() == [
                    "__main__.Related.mixed_subtype is an error since Django 6.0.",
                    "__main__.Parallel.alternative_subtype is an error since Django 6.0.",
                ]
                plain = mail.EmailMultiAlternatives("s", "t", None, ["a@example.com"])
                plain.attach("a", "b", "text/plain")
                plain.attach_alternative("<p>html</p>", "text/html")
                types = [part.get_content_type() for part in plain.message().walk()]
                assert types[:2] == ["multipart/mixed", "multipart/alternative"] and lines() == []
                """
            )
        )

    def test_subtype_of_an_instance(self):
        """As post_office sets it for inline images."""
        self.on(
            """
            start()
            from django.core import mail
            message = mail.EmailMultiAlternatives("s", "text", None, ["a@example.com"])
            message.mixed_subtype = "related"
            message.attach("a", "b", "text/plain")
            assert message.message().get_content_type() == "multipart/related"
            assert message.mixed_subtype == "related"
            """
        )

    def test_subtype_of_djangos_own_classes(self):
        """django-celery-email copies it (H20)."""
        self.on(
            """
            start()
            from django.core import mail
            message = mail.EmailMultiAlternatives("s", "text", None, ["a@example.com"])
            assert message.mixed_subtype == "mixed"
            assert message.alternative_subtype == "alternative"
            message.attach("a", "b", "text/plain")
            assert message.message().get_content_type() == "multipart/mixed"
            """
        )

    def test_subtypes_off(self):
        self.off(
            self.dedent(self.SUBTYPES)
            + self.dedent(
                """
                raises(
                    AttributeError,
                    "EmailMessage no longer supports the undocumented `mixed_subtype` attribute",
                    related.message,
                )
                """
            )
        )

    HANDLER = """
    import logging
    start(
        ADMINS=["admin@example.com"],
        MAILERS={"default": {"BACKEND": LOCMEM}, "memory": {"BACKEND": LOCMEM}},
    )
    from django.core import mail
    from django.utils.log import AdminEmailHandler
    class Hooked(AdminEmailHandler):
        def connection(self):
            return mail.mailers["memory"]
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "broken", (), None)
    """

    def test_handler(self):
        self.on(
            self.dedent(self.HANDLER)
            + self.dedent(
                """
                handler = Hooked(include_html=True)
                assert type(handler) is Hooked and handler.include_html
                handler.emit(record)
                AdminEmailHandler(email_backend=LOCMEM).emit(record)
                AdminEmailHandler(using="memory").emit(record)
                assert [m.sent_using for m in mail.outbox] == ["memory", "default", "memory"]
                text = "is no longer called since Django 6.1. Use 'using'."
                assert f"__main__.Hooked.connection() {text}" in lines()
                """
            )
        )

    def test_handler_off(self):
        self.off(
            self.dedent(self.HANDLER)
            + self.dedent(
                """
                raises(
                    AttributeError,
                    "The undocumented AdminEmailHandler.connection() method is no longer used.",
                    Hooked,
                )
                """
            )
        )


class TestEnvironmentTests(ProcessTestCase):
    def test_mailers_are_swapped_and_restored(self):
        """Django 5.2's own set-up reads and writes EMAIL_BACKEND, which the bridge projects."""
        result = run_python(
            """
            smtp = "django.core.mail.backends.smtp.EmailBackend"
            before = {"default": {"BACKEND": smtp, "OPTIONS": {"host": "smtp.example.com"}}}
            configure(MAILERS=before, MAILERS_BRIDGE=True)
            from django.core import mail
            from django.test.utils import setup_test_environment, teardown_test_environment
            setup_test_environment()
            mail.send_mail("s", "", None, ["a@example.com"])
            assert [m.sent_using for m in mail.outbox] == ["default"]
            import warnings
            warnings.simplefilter("ignore")
            # Code that names the real backend sends nothing either.
            assert type(mail.get_connection(smtp)).__module__.endswith("locmem")
            teardown_test_environment()
            assert settings.MAILERS is before
            """
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
