"""What `migratemailers` finds, where it says it is, and what it says to do."""

import re
import sys

from django.test import SimpleTestCase

from django_mailers.migrate import files, sources
from django_mailers.migrate.audit import audit
from django_mailers.migrate.rules import RULES

from .support.migrate import KEYWORDS, SILENT, USING, SourceMixin

CONNECTION = "get-connection: get_connection() is deprecated;"


class AuditTests(SourceMixin, SimpleTestCase):
    def assertFound(self, source, *expected, settings=False):
        """The findings in a module are `expected`, "line:column: code: text" each."""
        with self.subTest(source=source):
            [path] = self.write({"module.py": source})
            found = self.audit([path], "module" if settings else None).findings
            self.assertEqual(
                [str(finding).removeprefix("module.py:") for finding in found], list(expected)
            )

    def test_get_connection(self):
        for call, replacement in [
            ("get_connection()", "use mailers.default"),
            (
                "get_connection(fail_silently=True)",
                "use mailers[alias] with an alias whose OPTIONS have 'fail_silently': True",
            ),
            (
                "get_connection(username='news@example.com', password=NEWS_PASSWORD, timeout=3)",
                "move 'username', 'password' and 'timeout' to an alias, such as "
                "MAILERS['news'], and use mailers['news']",
            ),
            (
                "get_connection(host='a')",
                "move 'host' to an alias, such as MAILERS['other'], and use mailers['other']",
            ),
            ("get_connection(**options)", "use mailers[alias]"),
        ]:
            self.assertFound(
                f"from django.core.mail import get_connection\nc = {call}\n",
                f"2:5: {CONNECTION} {replacement}",
            )

    def test_get_connection_with_a_backend(self):
        for backend, alias in [
            ('"django.core.mail.backends.console.EmailBackend"', "console"),
            ('backend="anymail.backends.mailgun.EmailBackend"', "mailgun"),
            ('"shop.mail.LogBookBackend", fail_silently=True', "logbook"),
            ("settings.BULK_EMAIL_BACKEND", "bulk"),
            ("path()", "other"),
        ]:
            self.assertFound(
                f"from django.core.mail import get_connection\nget_connection({backend})\n",
                "2:1: get-connection: get_connection(backend) raises RuntimeError once MAILERS is "
                "defined; "
                f"give the backend an alias, such as MAILERS[{alias!r}], and use "
                f"mailers[{alias!r}]",
            )

    def test_positional_arguments(self):
        for name, arguments, expected in [
            ("get_connection", "None, True", "'fail_silently' by keyword only"),
            ("send_mail", "1, 2, 3, 4, False", "'fail_silently' by keyword only"),
            (
                "send_mail",
                "1, 2, 3, 4, False, None, None, None, 'h'",
                "'fail_silently', 'auth_user', 'auth_password', 'connection' and 'html_message' "
                "by keyword only",
            ),
            ("mail_admins", "1, 2, False", "'fail_silently' by keyword only"),
            ("mail_managers", "1, 2, False", "'fail_silently' by keyword only"),
            ("send_mass_mail", "[], False", "'fail_silently' by keyword only"),
            ("EmailMessage", "1, 2, 3, 4, []", "'bcc' by keyword only"),
            (
                "EmailMultiAlternatives",
                "1, 2, 3, 4, [], None, []",
                "'bcc', 'connection' and 'attachments' by keyword only",
            ),
        ]:
            also = (
                [
                    f"2:1: {CONNECTION} use mailers[alias] with an alias whose OPTIONS have "
                    "'fail_silently': True"
                ]
                if name == "get_connection"
                else []
            )
            self.assertFound(
                f"from django.core.mail import {name}\n{name}({arguments})\n",
                *also,
                f"2:1: positional-arguments: {name}() takes {expected}; {KEYWORDS}",
            )

    def test_arguments(self):
        for arguments, expected in [
            ("fail_silently=True", f"2:31: {SILENT}"),
            ("fail_silently=not DEBUG", f"2:31: {SILENT}"),
            (
                "fail_silently=False",
                "2:31: fail-silently: fail_silently=False is deprecated; leave it out",
            ),
            ("connection=c", f"2:31: connection-argument: 'connection' is deprecated; {USING}"),
            (
                "auth_user=settings.NEWS_USER, auth_password='x'",
                "2:1: auth-arguments: 'auth_user' and 'auth_password' are deprecated; move "
                "'username' and 'password' to an alias, such as MAILERS['news'], and pass "
                "using='news'",
            ),
        ]:
            self.assertFound(
                "from django.core.mail import send_mail\n"
                f"send_mail('s', 'b', None, [], {arguments})",
                expected,
            )

    def test_no_password_is_printed(self):
        [path] = self.write(
            {
                "settings.py": """\
                from django.core.mail import get_connection, send_mail
                EMAIL_HOST_PASSWORD = "hunter2"
                get_connection(password="hunter2")
                send_mail("s", "b", None, [], auth_password="hunter2")
                send_mail("s", "b", None, [], False, "ann", "hunter2")
                """
            }
        )
        found = self.audit([path], "settings").findings
        self.assertEqual([finding.line for finding in found], [2, 3, 4, 5, 5])
        self.assertNotIn("hunter2", repr(found))

    def test_one_connection_for_several_messages(self):
        for connect in ("get_connection('x.B')", "mailers.default", "mailers['bulk']"):
            [path] = self.write(
                {
                    "module.py": f"""\
                    from django.core.mail import EmailMessage, get_connection, mailers
                    with {connect} as c:
                        EmailMessage(connection=c).send()
                    """
                }
            )
            *_, finding = (
                finding
                for finding in self.audit([path]).findings
                if finding.code == "connection-argument"
            )
            self.assertEqual(
                str(finding),
                "module.py:3:18: connection-argument: 'connection' is deprecated; collect the "
                "messages and call c.send_messages(messages)",
            )

    def test_messages(self):
        self.assertFound(
            """\
            from email.mime.image import MIMEImage
            from django.core.mail import EmailMessage, EmailMultiAlternatives

            class Letter(EmailMultiAlternatives):
                mixed_subtype = "related"
                alternative_subtype: str = "mixed"

                def get_connection(self, fail_silently=False):
                    return self.connection

            def f(picture):
                message = Letter(attachments=[MIMEImage(picture), ("a.txt", "a", "text/plain")])
                image = MIMEImage(picture)
                message.attach(image)
                message.attach("a.txt", "a", "text/plain")
                message.connection = None
                message.mixed_subtype = "related"
                message.send(True)
            """,
            "5:5: hook: Letter.mixed_subtype makes Django 6.1 raise AttributeError; change what "
            "message() returns instead",
            "6:5: hook: Letter.alternative_subtype makes Django 6.1 raise AttributeError; change "
            "what message() returns instead",
            "8:5: hook: Letter.get_connection makes Django 6.1 raise AttributeError; pass using= "
            "to send()",
            "9:16: message-connection: EmailMessage.connection is deprecated; pass using= to "
            "send()",
            "12:35: mime-attachment: an attachment of a class of email.mime is deprecated; attach "
            "(filename, content, mimetype) or an email.message.MIMEPart",
            "14:20: mime-attachment: an attachment of a class of email.mime is deprecated; attach "
            "(filename, content, mimetype) or an email.message.MIMEPart",
            "16:5: message-connection: EmailMessage.connection is deprecated; pass using= to "
            "send()",
            "17:5: hook: EmailMessage.mixed_subtype makes Django 6.1 raise AttributeError; change "
            "what message() returns instead",
            f"18:18: {SILENT}",
        )

    def test_settings_that_are_read(self):
        for imports, name in [
            ("from django.conf import settings", "settings"),
            ("from django.conf import settings as s", "s"),
            ("import django.conf", "django.conf.settings"),
            ("from django import conf", "conf.settings"),
        ]:
            self.assertFound(
                f"{imports}\nx = {name}.EMAIL_HOST\nx = getattr({name}, 'EMAIL_TIMEOUT', 1)\n",
                "2:5: setting-read: EMAIL_HOST does not exist once MAILERS is defined; "
                "use mailers.default.host",
                "3:5: setting-read: EMAIL_TIMEOUT does not exist once MAILERS is defined; "
                "use mailers.default.timeout",
            )
        self.assertFound(
            "from django.conf import settings\nsettings.EMAIL_HOST_USER; hasattr(settings, "
            "'EMAIL_BACKEND')",
            "2:1: setting-read: EMAIL_HOST_USER does not exist once MAILERS is defined; use "
            "DEFAULT_FROM_EMAIL if it is a sender, mailers.default.username if it is the login",
            "2:27: setting-read: EMAIL_BACKEND does not exist once MAILERS is defined; "
            "use settings.MAILERS['default']['BACKEND']",
        )

    def test_settings_that_are_overridden(self):
        def no_effect(place, name):
            return (
                f"{place}: setting-overridden: overriding {name} has no effect once MAILERS is "
                "defined; override MAILERS"
            )

        self.assertFound(
            """\
            import pytest
            from django.conf import settings
            from django.test import SimpleTestCase, override_settings, utils

            @override_settings(EMAIL_BACKEND="a", DEBUG=True)
            class Tests(SimpleTestCase):
                def test(self):
                    with self.settings(EMAIL_HOST="a"), utils.override_settings(EMAIL_PORT=1):
                        settings.EMAIL_USE_TLS = True

            def test_with_pytest(settings):
                settings.EMAIL_HOST = "a"

            @pytest.fixture
            def mail(settings):
                settings.EMAIL_PORT = 1
            """,
            no_effect("5:20", "EMAIL_BACKEND"),
            no_effect("8:28", "EMAIL_HOST"),
            no_effect("8:69", "EMAIL_PORT"),
            no_effect("9:13", "EMAIL_USE_TLS"),
            no_effect("12:5", "EMAIL_HOST"),
            no_effect("16:5", "EMAIL_PORT"),
        )

    def test_settings_that_are_defined(self):
        self.assertFound(
            """\
            EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
            if DEBUG:
                EMAIL_PORT: int = 25
            DEFAULT_FROM_EMAIL = EMAIL_HOST_USER
            ADMINS = [("Ann", "ann@example.com")]
            MANAGERS = ["bob@example.com"]
            """,
            "1:1: setting-defined: EMAIL_BACKEND is deprecated; make it 'BACKEND' of a mailer in "
            "MAILERS",
            "3:5: setting-defined: EMAIL_PORT is deprecated; make it the option 'port' of a mailer "
            "in MAILERS",
            "4:22: setting-read: EMAIL_HOST_USER does not exist once MAILERS is defined; use "
            "DEFAULT_FROM_EMAIL if it is a sender, mailers.default.username if it is the login",
            "5:1: address-pairs: (name, address) pairs in ADMINS are deprecated; 'django-upgrade "
            "--target-version 6.0 --only settings_admins_managers' writes addresses",
            settings=True,
        )
        self.assertFound(
            """\
            from django.conf import settings
            from django.test import override_settings
            settings.configure(EMAIL_HOST="a")
            override_settings(MANAGERS=[("Bob", "bob@example.com")])
            """,
            "3:20: setting-defined: EMAIL_HOST is deprecated; make it the option 'host' of a "
            "mailer in MAILERS",
            "4:19: address-pairs: (name, address) pairs in MANAGERS are deprecated; "
            "'django-upgrade --target-version 6.0 --only settings_admins_managers' writes "
            "addresses",
        )

    def test_the_family_of_the_settings(self):
        """Files that settings import * from, and those that import * from the settings."""
        paths = self.write(
            {
                "site/settings/base.py": "EMAIL_HOST = 'a'\n",
                "site/settings/production.py": "from .base import *\nEMAIL_PORT = 1\n",
                "site/settings/tests.py": "from .production import *\nEMAIL_BACKEND = 'x.B'\n",
                "site/settings/other.py": "from .production import DEBUG\nEMAIL_HOST = 'b'\n",
            }
        )
        (self.folder / "site/__init__.py").touch()
        report = self.audit(paths, "site.settings.production")
        self.assertEqual(
            [str(finding).partition(": setting")[0] for finding in report.findings],
            [
                "site/settings/base.py:1:1",
                "site/settings/production.py:2:1",
                "site/settings/tests.py:2:1",
            ],
        )

    def test_settings_that_are_defined_out_of_sight(self):
        paths = self.write({"settings.py": "EMAIL_PORT = 1\nvars().update(EMAIL_HOST='a')\n"})
        report = self.audit(paths, "settings", {"EMAIL_HOST", "EMAIL_PORT"})
        self.assertEqual(
            [str(finding) for finding in report.findings],
            [
                "settings.py:1:1: setting-defined: EMAIL_PORT is deprecated; make it the option "
                "'port' of a mailer in MAILERS",
                "settings.py:1:1: setting-defined: EMAIL_HOST is deprecated; make it the option "
                "'host' of a mailer in MAILERS",
            ],
        )

    def test_names(self):
        self.assertFound(
            """\
            from django.core import mail
            from django.core.mail import BadHeaderError as Bad, SMTPConnection
            from django.core.mail.message import SafeMIMEText, sanitize_address
            mail.SafeMIMEMultipart, mail.message.forbid_multi_line_headers
            """,
            "2:30: deprecated-name: BadHeaderError is deprecated; catch ValueError",
            "2:53: deprecated-name: SMTPConnection was removed; use mailers.default; the class was "
            "removed in Django 1.4",
            "3:38: deprecated-name: SafeMIMEText is deprecated; EmailMessage.message() returns an "
            "email.message.EmailMessage",
            "3:52: deprecated-name: sanitize_address is deprecated; use "
            "email.headerregistry.Address",
            "4:1: deprecated-name: SafeMIMEMultipart is deprecated; EmailMessage.message() returns "
            "an email.message.EmailMessage",
            "4:25: deprecated-name: forbid_multi_line_headers is deprecated; give headers to "
            "EmailMessage or to email.message.EmailMessage, which refuse line breaks",
        )
        self.assertFound(
            "from django.core.mail import get_connection\n",
            f"1:30: {CONNECTION} nothing in this module uses it: remove the import",
        )

    def test_short_names_of_backends(self):
        self.assertFound(
            "from django.core.mail import get_connection\nget_connection('console')\n",
            "2:1: short-backend: the short backend name 'console' was removed before Django 1.2; "
            "give django.core.mail.backends.console.EmailBackend an alias and use mailers[alias]",
        )
        self.assertFound(
            "EMAIL_BACKEND = 'file'\n",
            "1:1: short-backend: the short backend name 'file' was removed before Django 1.2; "
            "write "
            '"BACKEND": "django.core.mail.backends.filebased.EmailBackend" in MAILERS',
            settings=True,
        )

    def test_backends_made_by_hand(self):
        self.assertFound(
            """\
            from django.core.mail.backends import console, smtp
            from django.core.mail.backends.smtp import EmailBackend as SMTP
            class Own(SMTP): pass
            smtp.EmailBackend(host="a")
            SMTP(alias="a", host="b")
            Own(host="a")
            console.EmailBackend()
            SMTP(**options)
            """,
            "4:1: smtp-direct: smtp.EmailBackend() is made without an alias, which no longer works "
            "once MAILERS is defined; give it an alias and use mailers[alias]",
            "6:1: smtp-direct: Own() is made without an alias, which no longer works once MAILERS "
            "is defined; give it an alias and use mailers[alias]",
        )

    def test_handlers(self):
        """In LOGGING, wherever that is assigned, and built by hand."""
        paths = self.write(
            {
                "shop/log.py": """\
                    from django.utils.log import AdminEmailHandler

                    class Handler(AdminEmailHandler):
                        def connection(self):
                            return None

                    AdminEmailHandler(email_backend="x.B")
                    """,
                "shop/settings.py": """\
                    LOGGING = {"handlers": {
                        "a": {"class": "django.utils.log.AdminEmailHandler",
                              "email_backend": "x.B"},
                        "b": {"()": "shop.log.Handler", "email_backend": "x.B"},
                        "c": {"class": "logging.Handler", "email_backend": "x.B"},
                        "d": {"class": "django.utils.log.AdminEmailHandler", "using": "b"},
                    }}
                    """,
            }
        )
        refused = (
            "log-handler: AdminEmailHandler does not accept 'email_backend' once MAILERS is "
            "defined; give "
            'the backend an alias, such as MAILERS[\'errors\'], and write "using": "errors"'
        )
        self.assertEqual(
            [str(finding) for finding in self.audit(paths).findings],
            [
                "shop/log.py:4:5: hook: Handler.connection makes Django 6.1 raise AttributeError; "
                "override send_mail(), or pass using=",
                "shop/log.py:7:1: log-handler: AdminEmailHandler(email_backend=...) raises an "
                "error once MAILERS is defined; give the backend an alias and pass using=",
                f"shop/settings.py:3:11: {refused}",
                f"shop/settings.py:4:37: {refused}",
            ],
        )

    def test_backends_of_the_project(self):
        self.assertFound(
            """\
            from django.core.mail.backends.base import BaseEmailBackend
            from django.core.mail.backends.locmem import EmailBackend as Locmem
            from django.core.mail.backends.smtp import EmailBackend as SMTP

            class Old(BaseEmailBackend):
                def __init__(self, fail_silently=False):
                    super().__init__(fail_silently)

            class Handing(Locmem):
                def __init__(self, fail_silently=False, **kwargs):
                    super(Handing, self).__init__(fail_silently=fail_silently, **kwargs)

            class Reading(BaseEmailBackend):
                def send_messages(self, messages):
                    return 0 if self.fail_silently else 1

            class Good(BaseEmailBackend):
                def __init__(self, fail_silently=False, **kwargs):
                    super().__init__(**kwargs)
                    self.fail_silently = fail_silently

                def send_messages(self, messages):
                    return 0 if self.fail_silently else 1

            class AlsoGood(SMTP):
                def __init__(self, *args, fail_silently=True, **kwargs):
                    super().__init__(*args, fail_silently=fail_silently, **kwargs)
            """,
            "6:5: backend-options: Old does not take 'alias', which every backend in MAILERS is "
            "passed; "
            "take **kwargs and pass them to super().__init__()",
            "7:9: backend-options: Old passes 'fail_silently' to BaseEmailBackend, which does not "
            "accept it in MAILERS; keep it in an attribute of its own and pass only **kwargs",
            "11:9: backend-options: Handing passes 'fail_silently' to BaseEmailBackend, which does "
            "not accept it in MAILERS; keep it in an attribute of its own and pass only **kwargs",
            "15:21: backend-options: Reading reads BaseEmailBackend.fail_silently, which is "
            "deprecated; take the option and keep it in an attribute of its own",
        )

    def test_classes_of_other_modules(self):
        """What a class derives from is followed through the project, over its packages too."""
        paths = self.write(
            {
                "shop/letters.py": "from django.core.mail import EmailMessage\n"
                "class Letter(EmailMessage): pass\n",
                "shop/__init__.py": "from .letters import Letter\n",
                "shop/views.py": "from . import Letter\nfrom shop import letters\n"
                "Letter(connection=c).send(fail_silently=True)\nletters.Letter().connection\n",
            }
        )
        self.assertEqual(
            [str(finding) for finding in self.audit(paths).findings],
            [
                f"shop/views.py:3:8: connection-argument: 'connection' is deprecated; {USING}",
                f"shop/views.py:3:27: {SILENT}",
                "shop/views.py:4:1: message-connection: EmailMessage.connection is deprecated; "
                "pass using= to send()",
            ],
        )

    def test_star_imports(self):
        self.assertFound(
            "from django.core.mail import *\nsend_mail('s', 'b', None, [], fail_silently=True)\n",
            f"2:31: {SILENT}",
        )


class FilesTests(SourceMixin, SimpleTestCase):
    def test_files_that_cannot_be_read(self):
        for name, content, why in [
            ("a.py", b"def f(:\n", "a.py:1: invalid syntax"),
            ("b.py", b"# coding: martian\n", "b.py: unknown encoding: martian"),
            ("c.py", b"x = '\xe4'\n", "c.py: invalid or missing encoding declaration"),
            ("d.py", b"# coding: ascii\n\nx = '\xe4'\n", "d.py: 'ascii' codec can't decode byte"),
        ]:
            path = self.folder / name
            path.write_bytes(content)
            with self.subTest(name), self.assertRaises(sources.Unreadable) as caught:
                sources.read(path)
            self.assertIn(f"{self.folder}/{why}", str(caught.exception))
        missing = self.folder / "missing.py"
        self.assertEqual(audit([missing]).unreadable, [f"{missing}: No such file or directory"])

    def test_code_that_no_human_wrote(self):
        path = self.folder / "generated.py"
        path.write_text(
            f"from django.core.mail import get_connection as c\nx = {'1 + ' * 2000}c()\n"
        )
        [finding] = audit([path]).findings
        self.assertEqual((finding.line, finding.column), (2, 8005))
        path.write_text(f"x = {'[' * 190}{']' * 190}\n")
        limit = sys.getrecursionlimit()
        self.addCleanup(sys.setrecursionlimit, limit)
        sys.setrecursionlimit(300)
        report = audit([path])
        self.assertEqual(report.unreadable, [f"{path}: the code is nested too deeply"])

    def test_a_file_that_cannot_be_read_does_not_stop_the_others(self):
        good, bad = self.folder / "good.py", self.folder / "bad.py"
        good.write_text("from django.core.mail import get_connection\nget_connection()\n")
        bad.write_text("print 'x'\n")
        report = audit([bad, good])
        self.assertEqual([finding.path for finding in report.findings], [good])
        self.assertEqual(len(report.unreadable), 1)

    def test_which_files(self):
        for name in (
            "shop/__init__.py",
            "shop/mail.py",
            "shop/mail.txt",
            "shop/.git/hook.py",
            "shop/node_modules/x.py",
            "shop/env/lib/x.py",
            "shop/lib/x.py",
            "manage.py",
        ):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).touch()
        (self.folder / "shop/env/pyvenv.cfg").touch()
        manage, shop = self.folder / "manage.py", self.folder / "shop"
        self.assertEqual(
            [
                path.relative_to(self.folder).as_posix()
                for path in files.python_files([manage, shop, shop / "mail.py"])
            ],
            ["manage.py", "shop/__init__.py", "shop/mail.py", "shop/lib/x.py"],
        )

    def test_whose_files(self):
        import asgiref
        import django

        import django_mailers
        from django_mailers import apps

        own = self.folder / "shop"
        installed = [files.Path(module.__path__[0]) for module in (django, asgiref, django_mailers)]
        self.assertEqual(files.own_paths(None, [own, own / "sub", *installed]), [own])
        # asgiref stands for an app that somebody has installed.
        found = files.installed_paths([own, *installed])
        folder = installed[1].resolve()
        self.assertIn(folder / "sync.py", found)
        self.assertNotIn(files.Path(apps.__file__), found)
        self.assertEqual([path for path in found if installed[0] in path.parents], [])

    def test_folders_of_apps(self):
        self.assertEqual(
            [path.name for path in files.app_folders(["tests.apps.Config", "nowhere.at.all"])],
            ["tests"],
        )
        self.assertEqual(files.app_folders([]), [])


class RulesTests(SimpleTestCase):
    def test_one_file_is_one_rule(self):
        """Named for the code of its findings, and with a link to Django's documentation on top."""
        folder = files.Path(files.__file__).parent / "rules"
        self.assertEqual(
            sorted(f"{rule.CODE.replace('-', '_')}.py" for rule in RULES),
            sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py"),
        )
        for rule in RULES:
            with self.subTest(rule=rule.CODE):
                _, link = rule.__doc__.strip().split("\n\n")
                self.assertRegex(link, r"^https://docs\.djangoproject\.com/en/6\.[01]/\S+$")

    def test_every_code_is_documented(self):
        """In the table of docs/migrating.rst, which names no other."""
        page = files.Path(__file__).parent.parent / "docs" / "migrating.rst"
        section = page.read_text().partition(".. _migrating-codes:")[2].partition("\n.. _")[0]
        codes = re.findall(r"^   \* - ``([\w-]+)``$", section, re.MULTILINE)
        self.assertEqual(codes, sorted(rule.CODE for rule in RULES))
