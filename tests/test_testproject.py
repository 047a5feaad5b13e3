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


@tag("slow")
class DemoTests(ManageMixin, SimpleTestCase):
    def assertPrintsTable(self, output, rows):
        """Compare the table of the demo, but for the times in its last column."""
        lines = [re.sub(r" +(ms|\d+)$", "", line) for line in output.splitlines()]
        self.assertRegex(lines[1], r"^SMTP server on 127\.0\.0\.1:\d+: ")
        lines[1] = re.sub(r":\d+:", ":PORT:", lines[1])
        expected = [
            f"django_mailers {django_mailers.__version__}, Django {django.__version__}, "
            f"Python {platform.python_version()}",
            "SMTP server on 127.0.0.1:PORT: STARTTLS and AUTH required",
            "",
            *rows,
        ]
        self.assertEqual(lines, expected)

    def test_demo(self):
        before = files(TESTPROJECT)

        process = self.manage("demo")

        self.assertPrintsTable(
            process.stdout,
            textwrap.dedent("""\
                What             API                                  Alias       Backend    Arrived
                welcome          send_mail()                          default     smtp       1 at the server, as shop, TLSv1.3
                pick-up notices  send_mass_mail()                     default     smtp       2 at the server, as shop, TLSv1.3
                contact form     EmailMessage.send()                  default     smtp       1 at the server, as shop, TLSv1.3
                password reset   PasswordResetView                    default     smtp       1 at the server, as shop, TLSv1.3
                newsletter       EmailMultiAlternatives.send(using=)  newsletter  smtp       1 at the server, as bulk, TLSv1.3
                error report     AdminEmailHandler(using=)            errors      smtp       1 at the server, as monitor, TLSv1.3
                note on screen   send_mail(using=)                    screen      console    1 on the stream
                note on disk     send_mail(using=)                    disk        filebased  1 in a file
                notes in memory  send_mass_mail(using=)               memory      locmem     2 in mail.outbox

                Everything arrived.
            """).splitlines(),  # noqa: E501
        )
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

        self.assertPrintsTable(
            process.stdout,
            textwrap.dedent("""\
                What             API                                  Alias       Backend    Arrived
                welcome          send_mail()                          default     smtp       MISSING; LookupError: No template.
                pick-up notices  send_mass_mail()                     default     smtp       2 at the server, as shop, TLSv1.3
                contact form     EmailMessage.send()                  default     smtp       1 at the server, as shop, TLSv1.3
                password reset   PasswordResetView                    default     smtp       1 at the server, as shop, TLSv1.3
                newsletter       EmailMultiAlternatives.send(using=)  newsletter  smtp       MISSING; found at the server, as shop, TLSv1.3
                error report     AdminEmailHandler(using=)            errors      smtp       MISSING
                note on screen   send_mail(using=)                    screen      console    1 on the stream
                note on disk     send_mail(using=)                    disk        filebased  1 in a file
                notes in memory  send_mass_mail(using=)               memory      locmem     2 in mail.outbox
            """).splitlines(),  # noqa: E501
        )
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
