"""django-tasks-db, in SQLite and in PostgreSQL."""

from django.test import SimpleTestCase

from .cases import EngineCase


class SQLiteChecks(EngineCase, SimpleTestCase):
    engine = "database"


class PostgreSQLChecks(EngineCase, SimpleTestCase):
    engine = "database"
    uses_postgres = True
