"""A worker in a process of its own: `python -m benchmarks.background COUNT MAILER`, as JSON.

Queues so many usual messages for django-tasks-db, in an SQLite database of its own, and prints how
many seconds its worker takes for them: until it finds the queue empty, with all that a worker does
(it takes a task, claims the message in a table, and stores the result). Django is set up before.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .sending import check
from .work import USUAL, set_up

WORKER = {"batch": True, "interval": 0, "startup_delay": False, "verbosity": 0}


def settings(folder: str, mailer: dict[str, Any]) -> dict[str, Any]:
    tasks = {"BACKEND": "django_mailers.backends.tasks.EmailBackend", "OPTIONS": {"using": "smtp"}}
    return {
        "INSTALLED_APPS": ["django_tasks_db"],
        "MAILERS": {"default": tasks, "smtp": mailer},
        "TASKS": {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": Path(folder, "db.sqlite3"),
            },
        },
        "CACHES": {
            "default": {
                "BACKEND": "django.core.cache.backends.db.DatabaseCache",
                "LOCATION": "cache",
                "OPTIONS": {"MAX_ENTRIES": 1_000_000},
            },
        },
        "USE_TZ": True,
    }


def worker(count: int) -> float:
    """Return how long a worker takes for so many messages, which are queued first."""
    from django.core.mail import EmailMessage, mailers
    from django.core.management import call_command

    check(mailers["default"].send_messages([EmailMessage(**USUAL) for _ in range(count)]), count)
    start = time.perf_counter()
    call_command("db_worker", **WORKER)
    seconds = time.perf_counter() - start

    from django_tasks_db.models import DBTaskResult

    check(DBTaskResult.objects.successful().count(), count)
    return seconds


def main() -> None:
    count, mailer = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        set_up(**settings(folder, json.loads(mailer)))

        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        print(worker(int(count)))


if __name__ == "__main__":
    main()
