"""django-tasks-db, in SQLite and in PostgreSQL."""

from django.test import SimpleTestCase

from .cases import EngineCase


class DatabaseCase(EngineCase):
    engine = "database"

    def test_a_rollback(self):
        """The table is an outbox."""
        self.project.run(
            """
from django.db import transaction
with transaction.atomic():
    mailers["default"].send_messages([message("kept")])
    try:
        with transaction.atomic():
            mailers["default"].send_messages([message("lost")])
            raise ValueError
    except ValueError:
        pass
try:
    with transaction.atomic():
        mailers["default"].send_messages([message("lost, too")])
        raise ValueError
except ValueError:
    pass
"""
        )
        self.assertEqual(self.states(), "READY\n")
        self.project.start_worker()
        self.wait_for(lambda: self.told("kept"), "the message")
        self.assertEqual([*self.arrived()], ["kept"])

    def test_the_list(self):
        self.kill_in("after claim", self.project.start_worker())
        lines = self.project.manage("mailers", "queued").splitlines()
        self.assertEqual((lines[0], lines[2:]), ("TASKS['default']", ["  1 message"]))
        self.assertRegex(lines[1], r"^  \w{32}  crash +RUNNING +\d+ s  attempts: 1  task [\w-]+$")
        self.project.run(
            """
from datetime import timedelta
from django.db.models import F
from django_tasks_db.models import DBTaskResult
DBTaskResult.objects.update(started_at=F("started_at") - timedelta(hours=2))
"""
        )
        lines = self.project.manage("mailers", "queued").splitlines()
        self.assertEqual(lines[2:], ["  1 message, which may have been sent"])
        self.assertRegex(lines[1], r"RUNNING +2 h 0 min .* may have been sent$")


class SQLiteChecks(DatabaseCase, SimpleTestCase):
    pass


class PostgreSQLChecks(DatabaseCase, SimpleTestCase):
    uses_postgres = True
