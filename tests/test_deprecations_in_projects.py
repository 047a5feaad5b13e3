"""Deprecations as a project meets them: each in a process of its own, from its start on.

And who is not told: nothing that Django itself does, in a project with MAILERS or without, warns.
"""

from django.core.mail.backends import locmem
from django.test import SimpleTestCase, tag

from .support.deprecations import (
    AUTH,
    CONNECTION,
    CONNECTION_READ,
    CONNECTION_SET,
    EMAIL_BACKEND_ARGUMENT,
    EMAIL_SETTINGS,
    FAIL_SILENTLY,
    FAIL_SILENTLY_READ,
    GET_CONNECTION,
    OTHER_SETTINGS,
    SMTP_CREATED,
    deprecated,
    positional,
    unsupported,
)
from .support.projects import MANAGE, ProjectMixin
from .support.utils import LOCMEM, NATIVE

PROJECT = {
    "INSTALLED_APPS": ["django.contrib.contenttypes", "django.contrib.auth", "django_mailers"],
    "ROOT_URLCONF": "urls",
    "USE_TZ": True,
    "ADMINS": ["admin@example.com"],
    "MANAGERS": ["manager@example.com"],
    "MIDDLEWARE": ["django.middleware.common.BrokenLinkEmailsMiddleware"],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"text": "text"})]},
        }
    ],
}

# A file of a project: a run of it prints where each warning points to, as the text of the line.
RECORD = """
    import json
    import linecache
    import warnings

    caught = warnings.catch_warnings(record=True)
    log = caught.__enter__()
    warnings.simplefilter("always")


    def report():
        caught.__exit__(None, None, None)
        print(json.dumps(sorted(
            [w.category.__name__, str(w.message), linecache.getline(w.filename, w.lineno).strip()]
            for w in log
        )))


"""


class RecordingMixin(ProjectMixin):
    def assertRecorded(self, source, *expected):
        """Running `source` gives a warning per (text, line), and no other."""
        self.write("run.py", RECORD, source, "report()\n")
        self.assertEqual(
            self.script("import runpy\nrunpy.run_path('run.py')\n"),
            sorted(["RemovedInDjango2028Warning", text, line] for text, line in expected),
        )


@tag("slow")
class StartTests(RecordingMixin, SimpleTestCase):
    """The settings that a project starts with."""

    def assertSettingsDeprecated(self, source, *expected):
        """Running `source` gives a warning per (name of a setting, line)."""
        self.assertRecorded(source, *((deprecated(name), line) for name, line in expected))

    def test_module(self):
        for install in (True, False):
            with self.subTest(install=install):
                self.write_settings(
                    install=install, MAILERS=None, **EMAIL_SETTINGS, **OTHER_SETTINGS
                )
                self.assertSettingsDeprecated(
                    """
                    import django

                    django.setup()
                    """,
                    *((name, "django.setup()") for name in EMAIL_SETTINGS),
                )

    def test_management_command(self):
        self.write_settings(MAILERS=None, EMAIL_HOST="192.0.2.1")
        self.write("manage.py", MANAGE)
        path = self.folder / "manage.py"
        lines = path.read_text().splitlines()
        number = lines.index("    execute_from_command_line(sys.argv)") + 1
        self.assertEqual(
            self.command("-Wdefault::PendingDeprecationWarning", str(path), "diffsettings"),
            f"{path}:{number}: RemovedInDjango2028Warning: {deprecated('EMAIL_HOST')}\n"
            "  execute_from_command_line(sys.argv)\n"
            "EMAIL_HOST = '192.0.2.1'\n"
            "INSTALLED_APPS = ['django_mailers']\n"
            "SECRET_KEY = 'x'\n"
            "SETTINGS_MODULE = 'settings'  ###\n",
        )

    def test_configure(self):
        """The backport, which comes with the apps, is told of it only then."""
        self.assertSettingsDeprecated(
            """
            import django
            from django.conf import settings

            settings.configure(EMAIL_HOST="192.0.2.1", INSTALLED_APPS=["django_mailers"])
            django.setup()
            """,
            (
                "EMAIL_HOST",
                'settings.configure(EMAIL_HOST="192.0.2.1", INSTALLED_APPS=["django_mailers"])'
                if NATIVE
                else "django.setup()",
            ),
        )

    def test_configure_after_the_install(self):
        self.assertSettingsDeprecated(
            """
            import django
            import django_mailers
            from django.conf import settings

            django_mailers.install()
            settings.configure(EMAIL_HOST="192.0.2.1", INSTALLED_APPS=["django_mailers"])
            django.setup()
            """,
            (
                "EMAIL_HOST",
                'settings.configure(EMAIL_HOST="192.0.2.1", INSTALLED_APPS=["django_mailers"])',
            ),
        )

    def test_set_after_the_start(self):
        """With the settings of a module, 6.1.3 too warns once."""
        self.write_settings(MAILERS=None)
        self.assertSettingsDeprecated(
            """
            import django
            from django.conf import settings

            django.setup()
            settings.EMAIL_HOST = "192.0.2.1"
            settings.EMAIL_PORT = 25
            """,
            ("EMAIL_HOST", 'settings.EMAIL_HOST = "192.0.2.1"'),
            ("EMAIL_PORT", "settings.EMAIL_PORT = 25"),
        )

    def test_sending_with_what_a_module_says(self):
        self.write_settings(MAILERS=None, EMAIL_BACKEND=LOCMEM)
        self.assertSettingsDeprecated(
            """
            import django
            from django.core import mail

            django.setup()
            mail.outbox = []
            mail.send_mail("subject", "body", None, ["to@example.com"])
            """,
            ("EMAIL_BACKEND", "django.setup()"),
        )

    def test_clean_project(self):
        self.write_settings(**OTHER_SETTINGS)
        self.assertSettingsDeprecated(
            """
            import django
            from django.conf import settings
            from django.core import mail

            django.setup()
            assert [getattr(settings, name) for name in dir(settings)]
            mail.send_mail("subject", "body", None, ["to@example.com"], using="bulk")
            mail.EmailMessage("subject", "body", None, ["to@example.com"]).send(using="bulk")
            mail.mailers["bulk"].send_messages([mail.EmailMessage("subject")])
            """,
        )


# Whatever the settings: the ways to send that are deprecated, each in a line of its own.
SENDING = """
    import django
    from django.core import mail
    from django.core.mail.backends import locmem, smtp

    django.setup()
    from django.contrib.auth.models import User
    from django.utils.log import AdminEmailHandler

    mail.outbox = []
    one = ("subject", "body", None, ["to@example.com"])
    message = mail.EmailMessage(*one)
    message.send()
    mail.send_mail(*one)
    User(email="user@example.com").email_user("subject", "body")
    connection = mail.get_connection(fail_silently=True)
    mail.send_mail(*one, fail_silently=True)
    mail.send_mail(*one, False)
    mail.send_mail(*one, connection=connection)
    mail.send_mass_mail([one, one], auth_user="user")
    mail.mail_admins("subject", "body", connection=connection)
    mail.mail_managers("subject", "body", fail_silently=True)
    message.send(fail_silently=True)
    message.connection
    message.connection = None
    mail.EmailMessage(*one, connection=connection)
    locmem.EmailBackend(x=1)
    locmem.EmailBackend().fail_silently
"""
SENDING_WITH_EMAIL_SETTINGS = """
    LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
    mail.get_connection(LOCMEM)
    smtp.EmailBackend()
    AdminEmailHandler(email_backend=LOCMEM)
"""
SENDING_WARNS = [
    (GET_CONNECTION, "connection = mail.get_connection(fail_silently=True)"),
    (FAIL_SILENTLY, "mail.send_mail(*one, fail_silently=True)"),
    (positional("'fail_silently'", "send_mail"), "mail.send_mail(*one, False)"),
    (CONNECTION, "mail.send_mail(*one, connection=connection)"),
    (AUTH, 'mail.send_mass_mail([one, one], auth_user="user")'),
    (CONNECTION, 'mail.mail_admins("subject", "body", connection=connection)'),
    (FAIL_SILENTLY, 'mail.mail_managers("subject", "body", fail_silently=True)'),
    (FAIL_SILENTLY, "message.send(fail_silently=True)"),
    (CONNECTION_READ, "message.connection"),
    (CONNECTION_SET, "message.connection = None"),
    (CONNECTION, "mail.EmailMessage(*one, connection=connection)"),
    (unsupported(locmem.EmailBackend, "'x'"), "locmem.EmailBackend(x=1)"),
    (FAIL_SILENTLY_READ, "locmem.EmailBackend().fail_silently"),
]


@tag("slow")
class ProjectTests(RecordingMixin, SimpleTestCase):
    """What a project is told; the same with the bridge and without."""

    def test_with_mailers(self):
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                mailers = {"default": {"BACKEND": LOCMEM}}
                self.write_settings(**PROJECT, MAILERS=mailers, MAILERS_BRIDGE=bridge)
                self.assertRecorded(SENDING, *SENDING_WARNS)

    def test_with_email_settings(self):
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                self.write_settings(
                    **PROJECT, MAILERS=None, MAILERS_BRIDGE=bridge, EMAIL_BACKEND=LOCMEM
                )
                self.assertRecorded(
                    SENDING + SENDING_WITH_EMAIL_SETTINGS,
                    *SENDING_WARNS,
                    (deprecated("EMAIL_BACKEND"), "django.setup()"),
                    (GET_CONNECTION, "mail.get_connection(LOCMEM)"),
                    (SMTP_CREATED, "smtp.EmailBackend()"),
                    (EMAIL_BACKEND_ARGUMENT, "AdminEmailHandler(email_backend=LOCMEM)"),
                )

    def test_reading_settings(self):
        """Before anything is sent: Django's own reads are silent, and so is what they cached."""
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                self.write_settings(MAILERS=None, MAILERS_BRIDGE=bridge, EMAIL_HOST="192.0.2.1")
                self.assertRecorded(
                    """
                    import django
                    from django.conf import settings

                    django.setup()
                    settings.EMAIL_HOST
                    settings.EMAIL_HOST
                    settings.EMAIL_PORT
                    settings.EMAIL_SUBJECT_PREFIX
                    """,
                    (deprecated("EMAIL_HOST"), "django.setup()"),
                    (deprecated("EMAIL_HOST"), "settings.EMAIL_HOST"),
                    (deprecated("EMAIL_PORT"), "settings.EMAIL_PORT"),
                )


# Everything of Django's that sends or reads the settings. Fails at the first warning.
DJANGO_ITSELF = """
    import json
    import sys

    from django.contrib.auth.forms import PasswordResetForm
    from django.contrib.auth.models import User
    from django.core import mail
    from django.core.management import call_command
    from django.test import Client, RequestFactory, override_settings
    from django.test.utils import setup_test_environment, teardown_test_environment
    from django.views.debug import technical_500_response


    class Form(PasswordResetForm):
        def get_users(self, email):
            return [User(id=1, email=email, password="!")]


    setup_test_environment()
    form = Form({"email": "reset@example.com"})
    assert form.is_valid()
    form.save(
        domain_override="example.com",
        subject_template_name="text",
        email_template_name="text",
        html_email_template_name="text",
    )
    User(email="user@example.com").email_user("subject", "body")
    client = Client(raise_request_exception=False)
    response = client.get("/fail/")
    assert response.status_code == 500, response.content
    response = client.get("/gone/", HTTP_REFERER="http://testserver/other/")
    assert response.status_code == 404, response.content
    call_command("sendtestemail", "test@example.com", "--admins", "--managers")
    try:
        1 / 0
    except ZeroDivisionError:
        with override_settings(DEBUG=True):
            page = technical_500_response(RequestFactory().get("/"), *sys.exc_info())
    sent = [message.to[0] for message in mail.outbox]
    teardown_test_environment()
    print(json.dumps([sent, b"EMAIL_SUBJECT_PREFIX" in page.content]))
"""
URLS = """
    from django.urls import path


    def fail(request):
        raise ValueError("boom")


    urlpatterns = [path("fail/", fail)]
"""
SENT = [
    "reset@example.com",
    "user@example.com",
    "admin@example.com",
    "manager@example.com",
    "test@example.com",
    "manager@example.com",
    "admin@example.com",
]


@tag("slow")
class DjangoItselfTests(ProjectMixin, SimpleTestCase):
    """H32: 5.2 and 6.0 use the old arguments and settings themselves, and nobody could act on it.

    run_python() makes each PendingDeprecationWarning an error.
    """

    def setUp(self):
        super().setUp()
        self.write("urls.py", URLS)

    def test_with_mailers(self):
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                self.write_settings(**PROJECT, MAILERS_BRIDGE=bridge)
                self.assertEqual(
                    self.script("import django\ndjango.setup()\n", DJANGO_ITSELF), [SENT, True]
                )

    def test_without_mailers(self):
        start = """
            import warnings

            import django

            # Which EMAIL_* settings there are, a project is told at the start, and only then.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                django.setup()
        """
        for bridge in (False, True):
            with self.subTest(bridge=bridge):
                self.write_settings(
                    **PROJECT, MAILERS=None, MAILERS_BRIDGE=bridge, **EMAIL_SETTINGS
                )
                self.assertEqual(self.script(start, DJANGO_ITSELF), [SENT, True])


# As it was written for 5.2.
OLD = """
    import logging

    import django

    django.setup()

    from email.mime.text import MIMEText

    from django.conf import settings
    from django.core import mail
    from django.core.mail import BadHeaderError, SafeMIMEMultipart, SafeMIMEText
    from django.core.mail.backends import locmem, smtp
    from django.core.mail.backends.base import BaseEmailBackend
    from django.core.mail.message import forbid_multi_line_headers, sanitize_address
    from django.utils.log import AdminEmailHandler


    class Backend(BaseEmailBackend):
        def __init__(self, fail_silently=False, **kwargs):
            super().__init__(fail_silently=fail_silently, **kwargs)

        def send_messages(self, messages):
            return len(messages) if self.fail_silently else 0


    mail.outbox = []
    one = ("subject", "body", None, ["to@example.com"])
    connection = mail.get_connection(settings.EMAIL_BACKEND, fail_silently=True, username="u")
    mail.send_mail(*one, fail_silently=True, auth_user="u", auth_password="p")
    mail.send_mail(*one, False, None, None, connection)
    mail.send_mass_mail([one], True, "u", "p")
    mail.mail_admins("subject", "body", True)
    mail.mail_managers("subject", "body", connection=connection)
    message = mail.EmailMultiAlternatives(*one, ["bcc@example.com"], connection)
    message.attach(MIMEText("text"))
    message.connection = message.connection
    message.send()
    assert Backend(True).send_messages([message]) == 1
    smtp.EmailBackend(settings.EMAIL_HOST, fail_silently=True)
    locmem.EmailBackend(fail_silently=True)
    forbid_multi_line_headers("To", "to@example.com", "utf-8")
    sanitize_address(("To", "to@example.com"), "utf-8")
    AdminEmailHandler(email_backend=settings.EMAIL_BACKEND).emit(
        logging.LogRecord("x", logging.ERROR, "x.py", 1, "boom", (), None)
    )
    print("sent:", len(mail.outbox))
"""


@tag("slow")
class OldProjectTests(ProjectMixin, SimpleTestCase):
    def test_deprecation_warnings_are_errors(self):
        """A project that runs like this does not start to fail because it installs the app."""
        self.write_settings(
            MAILERS=None,
            EMAIL_BACKEND=LOCMEM,
            EMAIL_HOST="192.0.2.1",
            ADMINS=[("Ann", "ann@example.com")],
            MANAGERS=[("Bob", "bob@example.com")],
        )
        self.write("old.py", OLD)
        self.assertEqual(
            self.command(
                "-Wignore::PendingDeprecationWarning", "-Werror::DeprecationWarning", "old.py"
            ),
            "sent: 7\n",
        )
