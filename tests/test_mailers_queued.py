"""`manage.py mailers queued`. With a real table: tests/engines/check_database.py."""

from datetime import timedelta
from io import StringIO
from unittest import mock

from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import SimpleTestCase, override_settings

from django_mailers.diagnosis import queued
from django_mailers.diagnosis.queued import Queue, QueuedMessage
from django_mailers.management.commands.mailers import _age

from .support.tasks import BACKEND, IT, background, needs_tasks
from .support.utils import LOCMEM


class Broken(BaseEmailBackend):
    def __init__(self, **kwargs):
        raise KeyError("REGION")


def output(*arguments):
    stream = StringIO()
    call_command("mailers", *arguments, stdout=stream)
    return stream.getvalue()


class BrokenBackend(BaseEmailBackend):
    def __init__(self, **kwargs):
        raise ValueError


@needs_tasks
class QueuedTests(SimpleTestCase):
    def test_no_background_mailer(self):
        with override_settings(MAILERS={"default": {"BACKEND": LOCMEM}, "broken": {}}):
            self.assertEqual(output("queued"), "No mailer in MAILERS sends in the background.\n")

    def test_an_engine_without_a_list(self):
        with background():
            self.assertEqual(
                output("queued"),
                "TASKS['default']\n  This engine cannot list its tasks. Use its own tools.\n",
            )

    def test_a_problem(self):
        entry = {"BACKEND": BACKEND, "OPTIONS": {"using": "memory", "task_backend": "x"}}
        with background(others={IT: entry}):
            self.assertEqual(output("queued"), "TASKS['x']\n  'x' is not in TASKS.\n")

    def test_other_mailers_that_cannot_be_made(self):
        broken = {"BACKEND": f"{__name__}.BrokenBackend"}
        with background(others={"broken": broken}):
            self.assertIn("This engine cannot list its tasks.", output("queued"))

    def test_messages(self):
        def row(name, state, **age):
            return QueuedMessage(name, "1", IT, state, timedelta(**age), 1)

        rows = [
            row("a" * 32, "READY", seconds=5),
            row("b" * 32, "RUNNING", minutes=59),
            row("c" * 32, "RUNNING", minutes=61),
            row("", "FAILED", days=2, hours=3),
        ]
        self.assertEqual([one.may_have_been_sent for one in rows], [False, False, True, False])
        queue = Queue("default", iter(rows))
        with mock.patch.object(queued, "find_queues", return_value=[queue]):
            lines = output("queued").splitlines()
        self.assertEqual(lines[0], "TASKS['default']")
        self.assertEqual(
            [line.split() for line in lines[1:]],
            [
                [*("a" * 32, IT, "READY", "5", "s", "attempts:", "1", "task", "1")],
                [*("b" * 32, IT, "RUNNING", "59", "min", "0", "s", "attempts:", "1", "task", "1")],
                [
                    *("c" * 32, IT, "RUNNING", "1", "h", "1", "min", "attempts:", "1", "task", "1"),
                    *("may", "have", "been", "sent"),
                ],
                [
                    *(
                        "(unreadable)",
                        IT,
                        "FAILED",
                        "2",
                        "d",
                        "3",
                        "h",
                        "attempts:",
                        "1",
                        "task",
                        "1",
                    )
                ],
                [*["4", "messages,", "1", "may", "have", "been", "sent"]],
            ],
        )

    def test_a_table_that_is_not_there(self):
        def rows():
            raise OperationalError("no such table: tasks")
            yield

        queue = Queue("default", rows())
        text = "The tasks of 'default' cannot be read: no such table: tasks"
        with (
            mock.patch.object(queued, "find_queues", return_value=[queue]),
            self.assertRaisesMessage(CommandError, text),
        ):
            output("queued")

    def test_what_is_not_a_mailer(self):
        for mailers in ([], 5, {"default": 5}, {"default": {"BACKEND": f"{__name__}.Broken"}}):
            with self.subTest(mailers=mailers), override_settings(MAILERS=mailers):
                self.assertEqual(
                    output("queued"), "No mailer in MAILERS sends in the background.\n"
                )

    def test_a_ticket_of_somebody_else(self):
        for ticket, attempts in [({"attempt": "x"}, 1), ({}, 1), ({"attempt": 3}, 3)]:
            with self.subTest(ticket):
                self.assertEqual(queued._attempts(ticket), attempts)

    def test_ages(self):
        for age, text in [
            ({"seconds": 0}, "0 s"),
            ({"seconds": -1}, "0 s"),
            ({"minutes": 2}, "2 min 0 s"),
            ({"hours": 1}, "1 h 0 min"),
            ({"days": 1, "minutes": 5}, "1 d 0 h"),
        ]:
            self.assertEqual(_age(timedelta(**age)), text)
