"""The demo's queue, a table of django-tasks-db, and its worker, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection

# Without it the demo does the rest.
IS_INSTALLED = "django_tasks_db" in settings.INSTALLED_APPS
NOT_INSTALLED = (
    "Nothing was sent in the background, as django-tasks-db is not installed. "
    'Install it with: pip install "django-mailers[demo]"'
)
# Processes share it, as they share the queue. It has the claims of messages.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    },
}
MAILER = {
    "BACKEND": "django_mailers.backends.tasks.EmailBackend",
    "OPTIONS": {"using": "default"},
}
MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


def run_worker() -> None:
    """Run a worker until the queue is empty. Raises RuntimeError if it fails."""
    overridden = {
        "CACHES": CACHES,
        "DATABASES": {
            "default": {
                "ENGINE": settings.DATABASES["default"]["ENGINE"],
                "NAME": str(connection.settings_dict["NAME"]),
            },
        },
        # All but the one whose stream is in this process.
        "MAILERS": {
            alias: settings.MAILERS[alias] for alias in settings.MAILERS if alias != "screen"
        },
    }
    done = subprocess.run(
        [sys.executable, MANAGE, "db_worker", "--batch", "--no-startup-delay", "--no-reload"],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "demo.worker_settings",
            "DEMO_SETTINGS": json.dumps(overridden),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The worker failed: {''.join(done.stderr.splitlines()[-1:])}")
