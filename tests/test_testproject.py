"""The test project runs unchanged on every Django: its checks, its tests and its demo.

Each of them in a process of its own, as a user would start it, with every warning an error.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
import textwrap
from importlib.util import find_spec
from pathlib import Path

import django
from django.test import SimpleTestCase, tag

import django_mailers

from .support.processes import STRICT
from .support.servers import enter

ROOT = Path(__file__).resolve().parent.parent
TESTPROJECT = ROOT / "testproject"


def files(folder):
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


class ManageMixin:
    """Runs testproject/manage.py."""

    maxDiff = None

    def setUp(self):
        # What manage.py can import besides the project, and where its temporary files go.
        self.modules = Path(enter(self, tempfile.TemporaryDirectory()))
        self.temporary = Path(enter(self, tempfile.TemporaryDirectory()))

    def manage(self, *arguments, settings="quaybooks.settings"):
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": settings,
            "PYTHONPATH": os.pathsep.join([str(self.modules), str(ROOT)]),
            "PYTHONWARNINGS": STRICT,
            "TMPDIR": str(self.temporary),
        }
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=TESTPROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def write_module(self, name, source):
        (self.modules / f"{name}.py").write_text(textwrap.dedent(source))


@tag("slow")
class SiteTests(ManageMixin, SimpleTestCase):
    def test_check(self):
        process = self.manage("check")

        self.assertEqual(process.stderr, "")
        self.assertEqual(process.stdout, "System check identified no issues (0 silenced).\n")
        self.assertEqual(process.returncode, 0)

    def test_its_own_tests(self):
        process = self.manage("test", "--verbosity=2")

        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(
            re.findall(r"^test_(\w+) .* \.\.\. ok$", process.stderr, re.MULTILINE),
            [
                "a_forgotten_password",
                "a_form_with_errors_sends_nothing",
                "a_question_goes_to_the_shop",
                "an_error_is_reported",
                "signing_up_is_answered",
                "the_newsletter_has_its_own_mailer",
            ],
        )


AS_SHOP = "at the server, as shop, TLSv1.3"
AS_BULK = "at the server, as bulk, TLSv1.3"
HEADING = ("What", "API", "Alias", "Backend", "Via", "Arrived")
ROWS = [
    ("welcome", "send_mail()", "default", "smtp", "default", f"1 {AS_SHOP}"),
    ("pick-up notices", "send_mass_mail()", "default", "smtp", "default", f"2 {AS_SHOP}"),
    ("contact form", "EmailMessage.send()", "default", "smtp", "default", f"1 {AS_SHOP}"),
    ("password reset", "PasswordResetView", "default", "smtp", "default", f"1 {AS_SHOP}"),
    (
        *("newsletter", "EmailMultiAlternatives.send(using=)"),
        *("newsletter", "smtp", "newsletter", f"1 {AS_BULK}"),
    ),
    (
        *("error report", "AdminEmailHandler(using=)", "errors", "smtp", "errors"),
        "1 at the server, as monitor, TLSv1.3",
    ),
    ("note on screen", "send_mail(using=)", "screen", "console", "screen", "1 on the stream"),
    ("note on disk", "send_mail(using=)", "disk", "filebased", "disk", "1 in a file"),
    (
        *("notes in memory", "send_mass_mail(using=)", "memory", "locmem", "memory"),
        "2 in mail.outbox",
    ),
    ("first one is down", "send_mail(using=)", "reliable", "failover", "default", f"1 {AS_SHOP}"),
    ("staging", "send_mail(using=)", "staging", "redirect", "default", f"2 {AS_SHOP}"),
    (
        *("three of two", "send_many(using=)", "limited", "ratelimit", "newsletter"),
        f"2 {AS_BULK}, 1 held back (RateLimited)",
    ),
]
END = ["", "Everything arrived."]
if find_spec("django_tasks_db") and (find_spec("django.tasks") or find_spec("django_tasks")):
    ROWS.append(("receipt", "send_mail(using=)", "background", "tasks", "default", f"1 {AS_SHOP}"))
else:
    END.insert(
        1,
        "Nothing was sent in the background, as django-tasks-db is not installed. "
        'Install it with: pip install "django-mailers[demo]"',
    )


@tag("slow")
class DemoTests(ManageMixin, SimpleTestCase):
    def assertPrintsTable(self, output, rows, end):
        """Compare the cells of the demo's table, but for the times in its last column."""
        lines = output.splitlines()
        self.assertRegex(lines[1], r"^SMTP server on 127\.0\.0\.1:\d+: ")
        self.assertEqual(
            [lines[0], lines[1].partition(": ")[2], lines[2]],
            [
                f"django_mailers {django_mailers.__version__}, Django {django.__version__}, "
                f"Python {platform.python_version()}",
                "STARTTLS and AUTH required",
                "",
            ],
        )
        table = [re.split(" {2,}", line) for line in lines[3 : 4 + len(rows)]]
        self.assertEqual([cells.pop() for cells in table[:1]], ["ms"])
        for cells in table[1:]:
            self.assertRegex(cells.pop(), r"^\d+$")
        self.assertEqual([tuple(filter(None, cells)) for cells in table], [HEADING, *rows])
        self.assertEqual(lines[4 + len(rows) :], end)

    def test_demo(self):
        before = files(TESTPROJECT)

        process = self.manage("demo")

        self.assertPrintsTable(process.stdout, ROWS, END)
        self.assertEqual(process.stderr, "")
        self.assertEqual(process.returncode, 0)
        self.assertEqual(files(TESTPROJECT), before)
        self.assertEqual(files(self.temporary), set())

    def test_demo_sees_what_is_missing(self):
        # Mistakes that a project can make: a subclass that forgets `using`, a send() that raises,
        # and nobody to report errors to.
        self.write_module(
            "mistakes",
            """
            from quaybooks.settings import *

            import shop.mail
            from django.core.mail import EmailMessage, EmailMultiAlternatives

            class Newsletter(EmailMultiAlternatives):
                def send(self, fail_silently=False, using=None):
                    return super().send()

            def send_welcome(user):
                raise LookupError("No template.")

            shop.mail.EmailMultiAlternatives = Newsletter
            shop.mail.send_welcome = send_welcome
            ADMINS = []
            """,
        )

        process = self.manage("demo", settings="mistakes")

        found = dict(zip((row[0] for row in ROWS), ROWS, strict=True))
        for name, shown in [
            ("welcome", ("MISSING; LookupError: No template.",)),
            ("newsletter", ("default", f"MISSING; found {AS_SHOP}")),
            ("error report", ("MISSING",)),
        ]:
            # Without what has arrived, there is no mailer that brought it.
            found[name] = (*found[name][:4], *shown)
        self.assertPrintsTable(process.stdout, [*found.values()], [])
        self.assertEqual(
            process.stderr,
            "CommandError: Missing: welcome, newsletter, error report.\n",
        )
        self.assertEqual(process.returncode, 1)

    def test_demo_without_a_server_to_embed(self):
        self.write_module("trustme", "raise ModuleNotFoundError('No such module', name='trustme')")
        process = self.manage("demo")
        self.assertEqual(process.stdout, "")
        self.assertEqual(
            process.stderr,
            "CommandError: The demo's SMTP server needs trustme, which is not installed. "
            'Install it with: pip install "django-mailers[demo]"\n',
        )
        self.assertEqual(process.returncode, 1)
