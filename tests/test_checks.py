"""The system checks: those of Django 6.1 on every Django, and the app's own."""

from __future__ import annotations

import copy
import json
import re
import socket
import tempfile
import textwrap
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import registry
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings, tag
from django.test.utils import extend_sys_path

from django_mailers import polyfill
from django_mailers.checks.table import PROBLEMS, check_message

from .support.checked import (
    GOOD,
    HERE,
)
from .support.checks import (
    CASES,
    FINE,
    SAID_AT_USE,
    WARNED_OF,
    message,
    run,
    settings_of,
)
from .support.processes import run_python
from .support.utils import (
    CONSOLE,
    DUMMY,
    FILEBASED,
    LOCMEM,
    SMTP,
    ignore_deprecations,
    legacy_settings,
)


@ignore_deprecations()
class CheckTests(SimpleTestCase):
    maxDiff = None

    def test_messages(self):
        for case in CASES:
            with self.subTest(entries=case.entries, settings=case.settings), settings_of(case):
                self.assertEqual(run(), case.messages)

    def test_errors_are_those_of_use(self):
        """What the checks say is what Django says, word for word, when it makes the mailer."""
        for case in SAID_AT_USE:
            with (
                self.subTest(entries=case.entries),
                settings_of(case),
                self.assertRaises(InvalidMailer) as caught,
            ):
                mailers["bulk"]
            self.assertEqual([str(caught.exception)], [message.msg for message in case.messages])

    def test_no_error_for_what_works(self):
        """Each mailer that is fine, or no more than warned of, can be made."""
        for case in [*WARNED_OF, *FINE]:
            if case.settings.get("MAILERS_BRIDGE"):
                continue  # on 6.1 it would have to be built when the process starts
            with self.subTest(entries=case.entries), settings_of(case):
                for alias in mailers:
                    self.assertTrue(callable(mailers[alias].send_messages))

    def test_an_exception_of_the_module_is_reported_without_its_text(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "failing_backend.py").write_text("raise ValueError('s3cr3t')\n")
            entries = {"bulk": {"BACKEND": "failing_backend.EmailBackend"}}
            with extend_sys_path(folder), self.settings(MAILERS=entries):
                found = run()
        text = (
            "MAILERS['bulk']: Importing BACKEND 'failing_backend.EmailBackend' raised ValueError."
        )
        hint = "Import it in `manage.py shell` to see the traceback."
        self.assertEqual(found, [message("E004", text, hint)])

    def test_values_of_options_are_not_shown(self):
        for case in CASES:
            with self.subTest(entries=case.entries), settings_of(case):
                shown = " ".join(f"{m.msg} {m.hint}" for m in run())
                self.assertEqual(re.findall("s3cr3t|example[.]com|192.0.2.1", shown), [])

    def test_without_mailers(self):
        with legacy_settings(EMAIL_BACKEND=CONSOLE, EMAIL_HOST="smtp.example.com"):
            self.assertEqual(run(deploy=True), [])

    def test_a_deleted_setting_is_not_defined(self):
        with override_settings(MAILERS={"default": GOOD}, EMAIL_PORT=25):
            del settings.EMAIL_PORT
            self.assertEqual(run(), [])

    def test_nothing_is_made_or_touched(self):
        """No backend is made, no folder, no connection. SimpleTestCase forbids any query."""
        with (
            tempfile.TemporaryDirectory() as folder,
            socket.create_server(("127.0.0.1", 0)) as server,
        ):
            server.setblocking(False)
            path = Path(folder, "mail")
            options = {"host": "127.0.0.1", "port": server.getsockname()[1]}
            entries = {
                "default": {"OPTIONS": options},
                "files": {"BACKEND": FILEBASED, "OPTIONS": {"file_path": path}},
                "made": {"BACKEND": f"{HERE}.NeverMade", "OPTIONS": options},
            }
            with self.settings(MAILERS=entries):
                self.assertEqual([m.id for m in run(deploy=True)], ["mailers.W003"])
            self.assertFalse(path.exists())
            with self.assertRaises(BlockingIOError):
                server.accept()

    def test_settings_are_read_at_each_run(self):
        for entries, ids in [({"bulk": {}}, ["mailers.E009"]), ({"bulk": GOOD}, [])] * 2:
            with self.settings(MAILERS=entries):
                self.assertEqual([m.id for m in run()], ids)


class DeploymentTests(SimpleTestCase):
    def test_backends_for_development(self):
        entries = {
            "printed": {"BACKEND": CONSOLE},
            "stored": {"BACKEND": FILEBASED, "OPTIONS": {"file_path": "/srv/mail"}},
            "kept": {"BACKEND": LOCMEM},
            "dropped": {"BACKEND": DUMMY},
            "sent": GOOD,
            "own": {"BACKEND": f"{HERE}.Plain"},
            # The same class by another path.
            "default": {"BACKEND": f"{HERE}.ReexportedConsole"},
            "broken": {"BACKEND": "nowhere.EmailBackend"},
        }
        backends = {
            "printed": CONSOLE,
            "stored": FILEBASED,
            "kept": LOCMEM,
            "dropped": DUMMY,
            "default": CONSOLE,
        }
        with self.settings(MAILERS=entries):
            found = [m for m in run(deploy=True) if m not in run()]
        self.assertEqual(
            found,
            [
                message("W003", f"MAILERS[{alias!r}]: {path} does not send mail.")
                for alias, path in backends.items()
            ],
        )

    def test_the_default_mailer_is_left_to_django(self):
        for path in [CONSOLE, DUMMY, FILEBASED, LOCMEM]:
            options = {"file_path": "/srv/mail"} if path == FILEBASED else {}
            entries = {"default": {"BACKEND": path, "OPTIONS": options}}
            with self.subTest(path=path), self.settings(MAILERS=entries):
                self.assertEqual(run(deploy=True), [])

    def test_what_is_no_dict_is_reported_once(self):
        with self.settings(MAILERS=None):
            self.assertEqual([m.id for m in run(deploy=True)], ["mailers.E001"])


class DjangosChecksTests(SimpleTestCase):
    """mail.W001 and mail.E001: Django's own on 6.1, the backport's on 5.2 and 6.0."""

    def run_djangos(self, *, deploy):
        found = checks.run_checks(tags=["mail"], include_deployment_checks=deploy)
        return [message for message in found if message.id.startswith("mail.")]

    def test_default_alias(self):
        text = (
            "Your MAILERS setting has no 'default' entry. Sending email without a valid mailer "
            "will fail."
        )
        for entries, hint in [
            (
                {"bulk": GOOD},
                "Add a 'default' entry to MAILERS, or pass 'using' when sending email.",
            ),
            ({}, "Add a 'default' entry to MAILERS."),
        ]:
            for deploy in [False, True]:
                with self.subTest(entries=entries, deploy=deploy), self.settings(MAILERS=entries):
                    self.assertEqual(
                        self.run_djangos(deploy=deploy),
                        [checks.Warning(text, hint=hint, id="mail.W001")],
                    )

    def test_production_backend(self):
        hint = (
            "Use a production-ready email backend, such as the SMTP backend, otherwise email will "
            "not be sent."
        )
        for path in [CONSOLE, DUMMY, FILEBASED, LOCMEM]:
            text = (
                "Your MAILERS setting uses a development-only email backend in the 'default' entry "
                f"({path})."
            )
            with self.subTest(path=path), self.settings(MAILERS={"default": {"BACKEND": path}}):
                self.assertEqual(self.run_djangos(deploy=False), [])
                self.assertEqual(
                    self.run_djangos(deploy=True), [checks.Error(text, hint=hint, id="mail.E001")]
                )

    def test_no_message(self):
        for entries in [
            {"default": GOOD},
            {"default": {"BACKEND": SMTP}},
            {"default": {"BACKEND": f"{HERE}.ReexportedConsole"}},
            {"default": {}, "bulk": {"BACKEND": CONSOLE}},
        ]:
            with self.subTest(entries=entries), self.settings(MAILERS=entries):
                self.assertEqual(self.run_djangos(deploy=True), [])

    def test_tag(self):
        self.assertEqual(checks.Tags.mail, "mail")


class RegistrationTests(SimpleTestCase):
    def registered(self):
        found = [
            (check.__name__, check.tags)
            for check in registry.registry.get_checks(include_deployment_checks=True)
            if check.__module__ == "django_mailers.apps"
        ]
        return sorted(found)

    def test_once_however_often_the_app_gets_ready(self):
        expected = [("check_deployment", ("mail",)), ("check_mailers", ("mail",))]
        self.assertEqual(self.registered(), expected)
        apps.get_app_config("django_mailers").ready()
        self.assertEqual(self.registered(), expected)


# Modules of a project, the first two imported before the app is installed.
PROJECT = {
    "early": """
        try:
            from django.core.mail import InvalidMailer, MailerDoesNotExist, mailers
        except ImportError:
            mailers = None
            class InvalidMailer(Exception):
                pass
            MailerDoesNotExist = KeyError
    """,
    "replacing": """
        from django.core import mail

        def custom(*args, **kwargs):
            pass

        mail.send_mail = custom
    """,
    "odd": """
        import importlib.util
        import sys
        import types

        class Claimant:
            # As cffi does it.
            __slots__ = ()
            __class__ = types.ModuleType

        sys.modules["claimant"] = Claimant()
        spec = importlib.util.find_spec("early")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        lazy = importlib.util.module_from_spec(spec)
        sys.modules["lazy"] = lazy
        spec.loader.exec_module(lazy)
    """,
    "late": """
        from django.core.mail import InvalidMailer, mailers as mail_senders

        # Something else.
        mailers = {}
    """,
}
REPLACED = message(
    "W006",
    "django.core.mail.send_mail was replaced by custom ({folder}/replacing.py:4) before "
    "django_mailers was installed.",
)
EARLY = message(
    "W007",
    "early was imported before django_mailers was installed, and has its own 'InvalidMailer' and "
    "'mailers'.",
)


class InstallationTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        for name, source in PROJECT.items():
            (self.folder / f"{name}.py").write_text(textwrap.dedent(source))

    def found_by(self, *parts):
        """What is found in a process that has run these lines."""
        source = "\n".join(
            [
                *parts,
                "import json",
                "from django.core.checks import run_checks",
                "found = run_checks(tags=['mail'])",
                "print(json.dumps([[m.level, m.msg, m.hint, m.id] for m in found]))",
            ]
        )
        process = run_python(source, folder=self.folder)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        return [
            {checks.WARNING: checks.Warning, checks.ERROR: checks.Error}[level](
                text, hint=hint, id=name
            )
            for level, text, hint, name in json.loads(process.stdout)
        ]

    def test_too_late(self):
        found = self.found_by("import early, replacing", "configure()", "import late")
        replaced = copy.copy(REPLACED)
        replaced.msg = replaced.msg.format(folder=self.folder)
        # Django 6.1 has had these names all along.
        self.assertEqual(found, [replaced, EARLY] if polyfill.installed() else [])

    def test_modules_that_are_none_or_not_loaded_are_left_alone(self):
        found = self.found_by(
            "import odd",
            "configure()",
            "from django.core.checks import run_checks",
            "run_checks(tags=['mail'])",
            "assert 'mailers' not in object.__getattribute__(odd.lazy, '__dict__')",
            "assert isinstance(odd.sys.modules['claimant'], odd.types.ModuleType)",
        )
        self.assertEqual(found, [])

    def test_in_time(self):
        found = self.found_by("configure()", "import early, replacing, late")
        self.assertEqual(found, [])


@tag("slow")
class CommandTests(SimpleTestCase):
    """`manage.py check` in a process of its own."""

    def check(self, *arguments, **settings):
        process = run_python(
            # First of all, for a handler with `using` in LOGGING (H5).
            f"""
            import django_mailers
            django_mailers.install()
            configure(**{settings!r})
            from django.core.management import execute_from_command_line
            execute_from_command_line(["manage.py", "check", *{arguments!r}])
            """
        )
        return process.returncode, process.stdout, process.stderr

    def test_a_clean_project(self):
        clean = {
            "ALLOWED_HOSTS": ["www.example.com"],
            "CSRF_COOKIE_SECURE": True,
            "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes"],
            "LOGGING": {
                "version": 1,
                "handlers": {
                    "mail": {"class": "django.utils.log.AdminEmailHandler", "using": "reports"}
                },
            },
            "MAILERS": {"default": GOOD, "reports": GOOD},
            "MIDDLEWARE": [
                "django.middleware.security.SecurityMiddleware",
                "django.middleware.common.BrokenLinkEmailsMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
                "django.middleware.clickjacking.XFrameOptionsMiddleware",
            ],
            "SECRET_KEY": "".join(map(chr, range(33, 127))),
            "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
            "SECURE_HSTS_PRELOAD": True,
            "SECURE_HSTS_SECONDS": 3600,
            "SECURE_SSL_REDIRECT": True,
        }
        clean["INSTALLED_APPS"].append("django_mailers")
        for arguments in [(), ("--deploy", "--fail-level", "DEBUG")]:
            with self.subTest(arguments=arguments):
                self.assertEqual(
                    self.check(*arguments, **clean),
                    (0, "System check identified no issues (0 silenced).\n", ""),
                )

    def test_a_project_without_mailers(self):
        process = run_python(
            """
            from django.conf import settings
            settings.configure(INSTALLED_APPS=["django_mailers"], SECRET_KEY="x", USE_TZ=True)
            from django.core.management import execute_from_command_line
            execute_from_command_line(["manage.py", "check", "--deploy", "--tag", "mail"])
            """
        )
        self.assertEqual(
            (process.returncode, process.stdout, process.stderr),
            (0, "System check identified no issues (0 silenced).\n", ""),
        )

    def test_errors_stop_it_and_can_be_silenced(self):
        mailers = {"default": GOOD, "bulk": {"OPTIONS": {"port": 25}}}
        status, output, errors = self.check(MAILERS=mailers)
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(
            errors,
            "SystemCheckError: System check identified some issues:\n\nERRORS:\n"
            "?: (mailers.E009) MAILERS['bulk']: OPTIONS must define 'host'.\n"
            "\tHINT: Add the option, or the intended BACKEND: an entry without BACKEND uses SMTP."
            "\n\nSystem check identified 1 issue (0 silenced).\n",
        )
        self.assertEqual(
            self.check(MAILERS=mailers, SILENCED_SYSTEM_CHECKS=["mailers.E009"]),
            (0, "System check identified no issues (1 silenced).\n", ""),
        )


CODE = re.compile("``([^`]+)``")


class TableTests(SimpleTestCase):
    maxDiff = None

    def test_every_id_is_emitted(self):
        """By these tests, or by those of what an id is about; there is no id outside the table."""
        elsewhere = {
            found
            for file in Path(__file__).parent.glob("test_*.py")
            if file.name != Path(__file__).name
            for found in re.findall(r'"(mailers\.[EW]\d{3})"', file.read_text())
        }
        emitted = {"mailers.W003", REPLACED.id, EARLY.id}.union(*(case.ids for case in CASES))
        self.assertEqual(sorted(emitted | elsewhere), sorted(problem.id for problem in PROBLEMS))
        self.assertEqual(len(PROBLEMS), len({problem.id for problem in PROBLEMS}))

    def test_markup(self):
        """The texts are reStructuredText for the documentation, and plain in messages."""
        for problem in PROBLEMS:
            with self.subTest(id=problem.id):
                self.assertEqual(
                    [text for text in problem if re.search("`", CODE.sub("", text))], []
                )
                self.assertEqual(problem.hint, CODE.sub(r"\1", problem.cure))
                self.assertEqual(
                    check_message(problem.id, "Text.").hint, CODE.sub(r"\1", problem.cure)
                )
