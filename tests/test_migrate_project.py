"""A real migration: tests/legacy_project from EMAIL_* to MAILERS, sending before and after."""

import email
import email.policy
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from django.test import SimpleTestCase, tag

from .support.processes import REPOSITORY
from .support.servers import SMTPServer, enter, trusting_the_ca

PROJECT = Path(__file__).parent / "legacy_project"
USERS = {"tickets": "aboard", "timetable": "hourly"}
EVERYTHING_IS_AN_ERROR = ("-W", "error::PendingDeprecationWarning")

# What --write leaves to a human: file, old text, new text.
BY_HAND = [
    ("harbour/settings.py", r"EMAIL_(?!SUBJECT).*\n", ""),
    (
        "harbour/settings.py",
        r"import os\n",
        "import os\nimport django_mailers\n\ndjango_mailers.install()\n\n",
    ),
    (
        "harbour/settings.py",
        r'"email_backend": "ferries.backends.LogBookBackend"',
        '"using": "logbook"',
    ),
    (
        "ferries/backends.py",
        r"\(fail_silently=fail_silently, \*\*kwargs\)",
        "(**kwargs)\n        self.fail_silently = fail_silently",
    ),
    (
        "ferries/mail.py",
        r"        for passenger in passengers:\n(?s:.*?)\.send\(\)\n",
        """\
        connection.send_messages(
            [
                EmailMessage("Your ferry is late", "By an hour.", to=[passenger])
                for passenger in passengers
            ]
        )
""",
    ),
    (
        "ferries/mail.py",
        r"auth_user=settings.TIMETABLE_SMTP_USER,\n\s+auth_password=.*\n",
        'using="timetable",\n',
    ),
    ("ferries/mail.py", r"from django.conf import settings\n", ""),
    ("ferries/mail.py", r".* as open_log_book\n", ""),
    ("ferries/mail.py", r" +book = open_log_book.*\n", ""),
    ("ferries/mail.py", r", connection=book\)\.send\(\)", ').send(using="logbook")'),
    (
        "ferries/views.py",
        r"from django.conf import settings",
        "from django.core.mail import mailers",
    ),
    ("ferries/views.py", r"settings.EMAIL_HOST_USER", "mailers.default.username"),
    (
        "ferries/tests.py",
        r"EMAIL_BACKEND=(\".*\")\)",
        r'MAILERS={"default": {"BACKEND": \1}})',
    ),
]
MORE_MAILERS = """
MAILERS["timetable"] = {
    "OPTIONS": {
        **MAILERS["default"]["OPTIONS"],
        "username": TIMETABLE_SMTP_USER,
        "password": TIMETABLE_SMTP_PASSWORD,
    },
}
MAILERS["logbook"] = {"BACKEND": "ferries.backends.LogBookBackend"}
"""


def finish_by_hand(folder):
    """Make the changes that a developer makes after `--write`; each must be there to be made."""
    for name, old, new in BY_HAND:
        path = folder / name
        text, count = re.subn(old, new, path.read_text())
        if not count:
            raise AssertionError(f"{name} has nothing like {old!r}.")
        path.write_text(text)


@tag("slow")
class MigrationTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        enter(self, trusting_the_ca())
        self.server = enter(self, SMTPServer(tls="starttls", users=USERS))
        self.folder = Path(enter(self, tempfile.TemporaryDirectory()), "project")
        shutil.copytree(PROJECT, self.folder, ignore=shutil.ignore_patterns("__pycache__"))

    def manage(self, *arguments, status=0):
        """Run manage.py; with `-W` options in front they are Python's."""
        options = arguments[:2] if arguments[0] == "-W" else ()
        environment = {
            "PYTHONPATH": str(REPOSITORY),
            "SMTP_HOST": self.server.host,
            "SMTP_PORT": str(self.server.port),
            "SMTP_USER": "tickets",
            "SMTP_PASSWORD": "aboard",
            "TIMETABLE_SMTP_USER": "timetable",
            "TIMETABLE_SMTP_PASSWORD": "hourly",
            "NO_COLOR": "1",
        }
        inherited = {
            name: os.environ[name] for name in os.environ if name != "DJANGO_SETTINGS_MODULE"
        }
        process = subprocess.run(
            [sys.executable, *options, "manage.py", *arguments[len(options) :]],
            cwd=self.folder,
            env=inherited | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        return process.stdout

    def sail(self, *options):
        """What arrives when the project sends one of everything, and its log book."""
        book = self.folder / "logbook"
        book.unlink(missing_ok=True)
        self.server.messages.clear()
        before = len(self.server.sessions)
        self.manage(*options, "sail")
        sessions = self.server.sessions[before:]
        arrived = []
        for message in self.server.messages:
            content = email.message_from_bytes(message.content, policy=email.policy.default)
            parts = [part.get_content() for part in content.walk() if not part.is_multipart()]
            route = (
                sessions.index(message.session),
                message.session.user,
                bool(message.session.tls),
            )
            arrived.append((route, message.mail_from, message.rcpt_tos, content["Subject"], parts))
        return arrived, book.read_text()

    def test_migration(self):
        before = self.sail()
        self.assertEqual(
            [(route, recipients, subject) for route, _, recipients, subject, _ in before[0]],
            [
                ((0, "tickets", True), ["ann@example.com"], "Your ticket"),
                ((1, "tickets", True), ["ann@example.com"], "Your invoice"),
                ((2, "tickets", True), ["ann@example.com"], "Tomorrow you sail"),
                ((2, "tickets", True), ["bob@example.com"], "Tomorrow you sail"),
                ((3, "tickets", True), ["ann@example.com"], "Your ferry is late"),
                ((3, "tickets", True), ["bob@example.com"], "Your ferry is late"),
                ((4, "timetable", True), ["carol@example.com"], "Timetable"),
            ],
        )
        self.assertEqual(
            before[1],
            "Booked from tickets -> logbook@harbour.example\n"
            "[Django] ERROR (EXTERNAL IP): Internal Server Error: /broken/ -> "
            "engine-room@harbour.example\n",
        )

        listing = self.manage("migratemailers", "--check", status=1)
        self.assertTrue(listing.endswith("20 places in 5 files; --write changes 6 of them.\n"))
        printed = self.manage("migratemailers")
        block, _, _ = printed.partition("\n\nferries/")
        self.assertNotIn("aboard", printed)
        self.manage("migratemailers", "--write")
        finish_by_hand(self.folder)
        with (self.folder / "harbour/settings.py").open("a") as settings_file:
            settings_file.write(f"\n{block}\n{MORE_MAILERS}")

        self.assertEqual(
            self.manage("migratemailers", "--check"), "Nothing in the code has to change.\n"
        )
        self.assertEqual(
            self.manage("migratemailers"),
            "MAILERS is defined, and no EMAIL_* setting is left.\n\n"
            "Nothing in the code has to change.\n",
        )
        self.assertEqual(self.sail(*EVERYTHING_IS_AN_ERROR), before)
        self.manage(*EVERYTHING_IS_AN_ERROR, "test")

    def test_write_changes_nothing_that_is_sent(self):
        """Before there is any MAILERS, what --write has made does the same as what was there."""
        before = self.sail()
        self.manage("migratemailers", "--write")
        changed = (self.folder / "ferries/mail.py").read_text()
        self.assertNotIn("get_connection()", changed)
        self.assertEqual(self.sail(), before)
        self.manage("test")
        self.manage("migratemailers", "--write")
        self.assertEqual((self.folder / "ferries/mail.py").read_text(), changed)
