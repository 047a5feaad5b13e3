"""`manage.py sendtestemail --using`, as in Django 6.1."""

import io
import os
import re
import socket
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from django.core import mail
from django.core.mail import MailerDoesNotExist
from django.core.management import (
    CommandError,
    call_command,
    execute_from_command_line,
    get_commands,
    load_command_class,
)
from django.core.management.commands import sendtestemail
from django.test import SimpleTestCase, override_settings

from .support.utils import LOCMEM, ExactErrors, legacy_settings

TO = ["one@example.com", "two@example.com"]
SUBJECT = re.escape(f"Test email from {socket.gethostname()} on ") + r"\d{4}-\d\d-\d\d .+\+00:00"
BODY = "If you're reading this, it was successful."
MANAGERS_BODY = "This email was sent to the site managers."
ADMINS_BODY = "This email was sent to the site admins."


def outbox():
    return [(message.to, message.body, message.sent_using) for message in mail.outbox]


@override_settings(ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"])
class SendingTests(ExactErrors, SimpleTestCase):
    def test_addresses(self):
        call_command("sendtestemail", *TO)
        self.assertEqual(outbox(), [(TO, BODY, "default")])
        [message] = mail.outbox
        self.assertEqual(message.from_email, "webmaster@localhost")
        self.assertRegex(message.subject, f"^{SUBJECT}$")

    def test_using(self):
        for arguments, options in (
            (["--using", "bulk"], {}),
            (["--using=bulk"], {}),
            ([], {"using": "bulk"}),
        ):
            with self.subTest(arguments=arguments, **options):
                mail.outbox.clear()
                call_command("sendtestemail", *TO, *arguments, **options)
                self.assertEqual(outbox(), [(TO, BODY, "bulk")])

    def test_managers_and_admins(self):
        managers = (["manager@example.com"], MANAGERS_BODY)
        admins = (["admin@example.com"], ADMINS_BODY)
        for arguments, messages in (
            (["--managers"], [managers]),
            (["--admins"], [admins]),
            (["--admins", "--managers"], [managers, admins]),
            ([*TO, "--managers", "--admins"], [(TO, BODY), managers, admins]),
        ):
            for alias in (None, "bulk"):
                with self.subTest(arguments=arguments, using=alias):
                    mail.outbox.clear()
                    call_command("sendtestemail", *arguments, using=alias)
                    self.assertEqual(
                        outbox(), [(*message, alias or "default") for message in messages]
                    )

    def test_subject_to_managers_and_admins(self):
        call_command("sendtestemail", "--managers", "--admins")
        for message in mail.outbox:
            self.assertRegex(message.subject, rf"^\[Django\] {SUBJECT}$")
            self.assertEqual(message.from_email, "root@localhost")

    def test_nobody_to_send_to(self):
        with override_settings(ADMINS=[], MANAGERS=[]):
            call_command("sendtestemail", "--managers", "--admins", using="bulk")
        call_command("sendtestemail", "--using", "bulk")
        self.assertEqual(mail.outbox, [])

    def test_says_nothing(self):
        stdout, stderr = io.StringIO(), io.StringIO()
        call_command("sendtestemail", *TO, stdout=stdout, stderr=stderr)
        self.assertEqual((stdout.getvalue(), stderr.getvalue()), ("", ""))

    def test_from_the_command_line(self):
        execute_from_command_line(["manage.py", "sendtestemail", *TO, "--using", "bulk"])
        self.assertEqual(outbox(), [(TO, BODY, "bulk")])

    @legacy_settings(EMAIL_BACKEND=LOCMEM)
    def test_without_mailers(self):
        call_command("sendtestemail", *TO)
        self.assertEqual(outbox(), [(TO, BODY, None)])
        with self.assertRaises(MailerDoesNotExist):
            call_command("sendtestemail", *TO, using="bulk")

    def test_unknown_alias(self):
        for arguments in (TO, ["--managers"], ["--admins"]):
            with (
                self.subTest(arguments=arguments),
                self.assertRaisesExactly(
                    MailerDoesNotExist, "The mailer 'nowhere' is not configured."
                ),
            ):
                call_command("sendtestemail", *arguments, using="nowhere")

    def test_failure_to_send_comes_out(self):
        with (
            patch(f"{LOCMEM}.send_messages", side_effect=OSError("no route")),
            self.assertRaisesExactly(OSError, "no route"),
        ):
            call_command("sendtestemail", *TO)

    def test_no_arguments(self):
        text = "You must specify some email recipients, or pass the --managers or --admin options."
        with self.assertRaisesExactly(CommandError, f"Error: {text}"):
            call_command("sendtestemail")
        with redirect_stderr(io.StringIO()) as stderr, self.assertRaises(SystemExit) as caught:
            execute_from_command_line(["manage.py", "sendtestemail"])
        self.assertEqual(caught.exception.code, 2)
        self.assertEqual(
            stderr.getvalue().splitlines()[-1], f"manage.py sendtestemail: error: {text}"
        )

    def test_using_without_an_alias(self):
        with self.assertRaisesExactly(
            CommandError, "Error: argument --using: expected one argument"
        ):
            call_command("sendtestemail", *TO, "--using")

    def test_unknown_option(self):
        with self.assertRaisesExactly(
            TypeError,
            "Unknown option(s) for sendtestemail command: alias. Valid options are: admins, "
            "email, force_color, help, managers, no_color, pythonpath, settings, skip_checks, "
            "stderr, stdout, traceback, using, verbosity, version.",
        ):
            call_command("sendtestemail", *TO, alias="bulk")


class CommandTests(SimpleTestCase):
    def test_help(self):
        with (
            patch.dict(os.environ, {"COLUMNS": "80"}),
            redirect_stdout(io.StringIO()) as stdout,
            self.assertRaises(SystemExit) as caught,
        ):
            execute_from_command_line(["manage.py", "sendtestemail", "--help"])
        self.assertEqual(caught.exception.code, 0)
        usage, _, rest = stdout.getvalue().partition("\n\n")
        self.assertEqual(
            " ".join(usage.split()).partition(" [-v ")[0],
            "usage: manage.py sendtestemail [-h] [--managers] [--admins] [--using USING] "
            "[--version]",
        )
        # What follows is common to all commands, and Python's to lay out.
        self.assertEqual(
            rest.partition("  --version")[0],
            "Sends a test email to the email addresses specified as arguments.\n"
            "\n"
            "positional arguments:\n"
            "  email                 One or more email addresses to send a test email to.\n"
            "\n"
            "options:\n"
            "  -h, --help            show this help message and exit\n"
            "  --managers            Send a test email to the addresses specified in\n"
            "                        settings.MANAGERS.\n"
            "  --admins              Send a test email to the addresses specified in\n"
            "                        settings.ADMINS.\n"
            "  --using USING         Specify the MAILERS alias to use for sending the test\n"
            "                        email. Defaults to 'default'.\n",
        )

    def test_class(self):
        """Packages subclass Django's command: it stays the base, and is all there is on 6.1."""
        command = load_command_class(get_commands()["sendtestemail"], "sendtestemail")
        self.assertIsInstance(command, sendtestemail.Command)

    def test_subclass_of_the_command_of_django(self):
        class Command(sendtestemail.Command):
            def handle(self, *args, **kwargs):
                super().handle(*args, **kwargs | {"email": TO})

        call_command(Command(), "ignored@example.com")
        call_command(Command(), "ignored@example.com", using="bulk")
        self.assertEqual(outbox(), [(TO, BODY, "default"), (TO, BODY, "bulk")])
