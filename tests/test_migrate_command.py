"""The command `migratemailers`: its output, its exit status, and where it can be run."""

import os
import subprocess
import sys
import tempfile
import textwrap
from io import StringIO
from pathlib import Path
from unittest import mock

from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import SimpleTestCase, tag

from .support.migrate import inside
from .support.processes import REPOSITORY
from .support.servers import enter
from .support.utils import SMTP, legacy_settings

SOURCE = "from django.core.mail import get_connection\nget_connection()\nget_connection('a.B')\n"
WRITTEN = (
    "from django.core.mail import get_connection, mailers\nmailers.default\nget_connection('a.B')\n"
)
SURE = (
    "shop.py:2:1: get-connection: get_connection() is deprecated; use mailers.default [--write]\n"
)
LEFT = (
    "shop.py:3:1: get-connection: get_connection(backend) raises RuntimeError once MAILERS is "
    "defined; give "
    "the backend an alias, such as MAILERS['b'], and use mailers['b']\n"
)
BLOCK = f"""\
# Define this, and delete EMAIL_BACKEND and EMAIL_HOST.

MAILERS = {{
    "default": {{
        "BACKEND": "{SMTP}",
        "OPTIONS": {{
            "host": "mail",
        }},
    }},
}}

"""
NEEDS_LIBCST = '--diff and --write need LibCST: python -m pip install "django-mailers[migrate]"'


class CommandTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        folder = enter(self, tempfile.TemporaryDirectory())
        enter(self, inside(Path(folder)))
        self.file = Path("shop.py")
        self.file.write_text(SOURCE)

    def run_command(self, *arguments):
        """What the command writes to stdout and stderr, and its exit status."""
        stdout, stderr = StringIO(), StringIO()
        status = 0
        with legacy_settings(EMAIL_BACKEND=SMTP, EMAIL_HOST="mail"):
            try:
                call_command(
                    "migratemailers", *arguments, stdout=stdout, stderr=stderr, no_color=True
                )
            except SystemExit as error:
                status = error.code
            except CommandError as error:
                status = (error.returncode, str(error))
        return stdout.getvalue(), stderr.getvalue(), status

    def test_without_options(self):
        self.assertEqual(
            self.run_command("shop.py"),
            (f"{BLOCK}{SURE}{LEFT}\n2 places in 1 file; --write changes 1 of them.\n", "", 0),
        )
        self.assertEqual(self.file.read_text(), SOURCE)

    def test_nothing_to_do(self):
        self.file.write_text("")
        self.assertEqual(
            self.run_command("shop.py"), (f"{BLOCK}Nothing in the code has to change.\n", "", 0)
        )

    def test_check(self):
        listing = f"{SURE}{LEFT}\n2 places in 1 file; --write changes 1 of them.\n"
        self.assertEqual(self.run_command("--check", "shop.py"), (listing, "", 1))
        self.file.write_text("")
        self.assertEqual(
            self.run_command("--check", "shop.py"), ("Nothing in the code has to change.\n", "", 0)
        )

    def test_diff(self):
        patch = textwrap.dedent(
            """\
            --- a/shop.py
            +++ b/shop.py
            @@ -1,3 +1,3 @@
            -from django.core.mail import get_connection
            -get_connection()
            +from django.core.mail import get_connection, mailers
            +mailers.default
             get_connection('a.B')
            """
        )
        self.assertEqual(
            self.run_command("--diff", "shop.py"),
            (patch, f"{LEFT}1 place left for you to change.\n", 0),
        )
        self.assertEqual(self.file.read_text(), SOURCE)

    def test_a_diff_can_be_applied(self):
        """With the line ends and the encoding of the file, and without a newline at its end."""
        for content in (
            SOURCE.encode(),
            SOURCE.replace("\n", "\r\n").encode(),
            b"# coding: latin-1\n'\xe4'\n\x0c\nfrom django.core import mail\nmail.get_connection()",
        ):
            with self.subTest(content=content):
                self.file.write_bytes(content)
                patch, *_ = self.run_command("--diff", "shop.py")
                encoding = "latin-1" if b"latin" in content else "utf-8"
                self.run_command("--write", "shop.py")
                written = self.file.read_bytes()
                self.assertNotEqual(written, content)
                self.file.write_bytes(content)
                subprocess.run(
                    ["git", "apply", "--whitespace=nowarn", "-"],
                    input=patch.encode(encoding),
                    env=os.environ | {"GIT_CEILING_DIRECTORIES": str(Path.cwd().parent)},
                    check=True,
                    timeout=60,
                )
                self.assertEqual(self.file.read_bytes(), written)

    def test_write(self):
        self.file.chmod(0o640)
        self.assertEqual(
            self.run_command("--write", "shop.py"),
            ("shop.py: 2 changes\n", f"{LEFT}1 place left for you to change.\n", 0),
        )
        self.assertEqual(self.file.read_text(), WRITTEN)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o640)
        self.assertEqual(
            self.run_command("--write", "shop.py"),
            ("Nothing to write.\n", f"{LEFT}1 place left for you to change.\n", 0),
        )
        self.assertEqual(self.file.read_text(), WRITTEN)

    def test_a_file_that_libcst_cannot_reproduce(self):
        content = "from django.core.mail import get_connection\nget_connection()\n\n\t\n"
        self.file.write_text(content)
        refused = SURE.replace("[--write]", "[not by --write: LibCST would change its white space]")
        self.assertEqual(
            self.run_command("--write", "shop.py"),
            ("Nothing to write.\n", f"{refused}1 place left for you to change.\n", 0),
        )
        self.assertEqual(self.file.read_text(), content)

    def test_refusals_are_told(self):
        self.file.write_text("from django.core.mail import *\nget_connection()\n")
        stdout, _, status = self.run_command("--check", "shop.py")
        self.assertEqual(status, 1)
        refused = "[not by --write: line 1 imports * from django.core.mail]"
        self.assertEqual(stdout.split("\n")[0], SURE.strip().replace("[--write]", refused))

    def test_files_that_cannot_be_read(self):
        Path("bad.py").write_text("# coding: martian\n")
        listing = f"{SURE}{LEFT}\n2 places in 1 file; --write changes 1 of them.\n"
        error = "Not audited:\nbad.py: unknown encoding: martian"
        self.assertEqual(self.run_command("--check", "."), (listing, "", (2, error)))

    def test_mistakes(self):
        for arguments, error in [
            (["--write", "--installed"], "--installed cannot be combined with --diff or --write."),
            (["nowhere", "shop.py", "else"], "No such file or folder: nowhere, else"),
        ]:
            with self.subTest(arguments):
                self.assertEqual(self.run_command(*arguments), ("", "", (2, error)))

    def test_without_libcst(self):
        """The audit needs nothing; only what rewrites does."""
        with (
            mock.patch.dict(sys.modules, {"libcst": None}),
            mock.patch("django_mailers.migrate.rewrite.find_spec", return_value=None),
        ):
            for option in ("--diff", "--write"):
                self.assertEqual(self.run_command(option, "shop.py"), ("", "", (2, NEEDS_LIBCST)))
            self.assertEqual(self.run_command("--check", "shop.py")[2], 1)
            self.assertEqual(self.run_command("shop.py")[2], 0)

    @tag("slow")
    def test_installed(self):
        stdout, _, status = self.run_command("--check", "--installed", "shop.py")
        self.assertEqual(status, 1)
        self.assertTrue(stdout.startswith(f"{SURE}{LEFT}"))
        self.assertNotIn(f"{os.sep}django{os.sep}core{os.sep}mail", stdout)


@tag("slow")
class ProcessTests(SimpleTestCase):
    """Whole projects, as only a process of its own can show them."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory())).resolve()

    def run_process(self, *arguments, **environment):
        process = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ
            | {"PYTHONPATH": str(REPOSITORY), "DJANGO_SETTINGS_MODULE": "made", "NO_COLOR": "1"}
            | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return process.returncode, process.stdout, process.stderr

    def write_settings(self, *lines):
        first = [
            "SECRET_KEY = 'x'",
            "INSTALLED_APPS = ['django_mailers']",
            "MAILERS_BRIDGE = False",
        ]
        (self.folder / "made.py").write_text("\n".join([*first, *lines, ""]))

    def test_a_project_that_cannot_start(self):
        """With both kinds of settings no command of an app is found; -m finds this one."""
        self.write_settings("MAILERS = {}", "EMAIL_HOST = 'mail'")
        status, _, stderr = self.run_process("-m", "django", "migratemailers")
        conflict = "Deprecated email settings are not allowed when MAILERS is defined: EMAIL_HOST."
        self.assertEqual(status, 1)
        self.assertEqual(stderr.strip().split("\n")[-1].partition(": ")[2], conflict)

        status, stdout, stderr = self.run_process(
            "-W", "ignore::PendingDeprecationWarning", "-m", "django_mailers.migrate"
        )
        self.assertEqual((status, stderr), (0, ""))
        first, second, *rest = stdout.split("\n")
        self.assertEqual(first, "# Put this at the end of made.py, and delete EMAIL_HOST.")
        self.assertIn(
            second,
            {
                # From 6.1 on; before that it is the app that objects, when it is loaded.
                f"# Django cannot load the settings as they are: {conflict}",
                "# MAILERS is already defined, and Django does not allow EMAIL_* settings with it: "
                "compare the two.",
            },
        )
        self.assertEqual(
            rest,
            [
                "",
                "MAILERS = {",
                '    "default": {',
                f'        "BACKEND": "{SMTP}",',
                '        "OPTIONS": {',
                '            "host": "mail",',
                "        },",
                "    },",
                "}",
                "",
                "made.py:5:1: setting-defined: EMAIL_HOST is deprecated; make it the option 'host' "
                "of a mailer in MAILERS",
                "",
                "1 place in 1 file; --write changes 0 of them.",
                "",
            ],
        )

    def test_a_project_that_is_through(self):
        self.write_settings("MAILERS = {'default': {'OPTIONS': {'host': 'mail'}}}")
        self.assertEqual(
            self.run_process("-W", "error", "-m", "django", "migratemailers"),
            (
                0,
                "MAILERS is defined, and no EMAIL_* setting is left.\n\n"
                "Nothing in the code has to change.\n",
                "",
            ),
        )

    def test_a_project_that_is_through_but_for_a_branch(self):
        self.write_settings(
            "MAILERS = {'default': {'OPTIONS': {'host': 'mail'}}}", "if 0:\n    EMAIL_HOST = 'a'"
        )
        self.assertEqual(
            self.run_process("-W", "error", "-m", "django", "migratemailers"),
            (
                0,
                "MAILERS is defined. Also delete the assignments that are not in force now: "
                "EMAIL_HOST.\n\n"
                "made.py:6:5: setting-defined: EMAIL_HOST is deprecated; make it the option 'host' "
                "of a mailer in MAILERS\n\n1 place in 1 file; --write changes 0 of them.\n",
                "",
            ),
        )

    def test_no_settings(self):
        status, stdout, stderr = self.run_process(
            "-m", "django_mailers.migrate", DJANGO_SETTINGS_MODULE=""
        )
        self.assertEqual((status, stdout), (2, ""))
        self.assertEqual(
            stderr,
            "CommandError: There are no settings. Name their module with --settings, or in the "
            "environment variable DJANGO_SETTINGS_MODULE.\n",
        )

    def test_settings_that_fail(self):
        """They are not audited; what can be read is."""
        self.write_settings("EMAIL_HOST = {}['HOST']")
        defined = (
            "made.py:4:1: setting-defined: EMAIL_HOST is deprecated; make it the option 'host' of "
            "a mailer in MAILERS\n\n1 place in 1 file; --write changes 0 of them.\n"
        )
        self.assertEqual(
            self.run_process("-m", "django_mailers.migrate", "--check"),
            (
                2,
                defined,
                "CommandError: Not audited:\nmade cannot be imported: KeyError: 'HOST' "
                "(made.py:4)\n",
            ),
        )
        for name, why in [
            ("nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
            ("leaves", "SystemExit: no settings here (leaves.py:1)"),
            ("wrong", "SyntaxError: invalid syntax (wrong.py, line 1)"),
            ("refuses", "ImproperlyConfigured: Set SMTP. (refuses.py:2)"),
        ]:
            (self.folder / "leaves.py").write_text("raise SystemExit('no settings here')\n")
            (self.folder / "wrong.py").write_text("EMAIL_HOST = = 1\n")
            (self.folder / "refuses.py").write_text(
                "from django.core.exceptions import ImproperlyConfigured\n"
                "raise ImproperlyConfigured('Set SMTP.')\n"
            )
            (self.folder / "other.py").write_text("")
            with self.subTest(name):
                self.assertEqual(
                    self.run_process(
                        "-m", "django_mailers.migrate", "--settings", name, "other.py"
                    ),
                    (
                        2,
                        "",
                        f"CommandError: Not audited:\n{name} cannot be imported: {why}\n",
                    ),
                )

    def test_apps_of_the_project(self):
        """Without paths: the project's own apps and settings, once each."""
        self.write_settings("INSTALLED_APPS += ['shop', 'django.contrib.sites']")
        (self.folder / "shop").mkdir()
        (self.folder / "shop/__init__.py").touch()
        (self.folder / "shop/mail.py").write_text(SOURCE)
        (self.folder / "other.py").write_text(SOURCE)
        for way in (["-m", "django", "migratemailers"], ["-m", "django_mailers.migrate"]):
            status, stdout, stderr = self.run_process(*way, "--check")
            self.assertEqual((status, stderr), (1, ""))
            self.assertEqual(
                [line.partition(":")[0] for line in stdout.split("\n")[:2]], ["shop/mail.py"] * 2
            )
            self.assertIn("2 places in 1 file;", stdout)
