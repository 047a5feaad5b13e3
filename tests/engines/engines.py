"""The engines: how their workers run, and what they say of their tasks."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

from ..support.processes import REPOSITORY

MANAGE = [sys.executable, "-m", "django"]
CELERY = [sys.executable, "-m", "celery", "-A", "django_tasks_fennel.app", "worker"]
WORKERS = {
    "database": [*MANAGE, "db_worker", "--queue-name", "*", "--interval", "0.1"],
    "rq": [
        *(*MANAGE, "rqworker", "default", "--with-scheduler"),
        *("--job-class", "django_tasks_rq.Job"),
    ],
    "celery": [*CELERY, "--concurrency", "1", "--loglevel", "WARNING"],
    "celery-late": [*CELERY, "--concurrency", "1", "--loglevel", "WARNING"],
    "redis": [*MANAGE, "run_redis_tasks", "--continuous", "--claim-interval", "2"],
}
PACKAGES = {
    "database": "django_tasks_db",
    "rq": "django_tasks_rq",
    "celery": "django_tasks_fennel",
    "celery-late": "django_tasks_fennel",
    "redis": "django_tasks_redis",
}
PATIENCE = int(os.environ.get("PATIENCE", "60"))


def wait_for(condition, what, patience=PATIENCE):
    """Ask again and again: engines tell nobody when they have done something."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience} seconds")
        time.sleep(0.05)


class Engine:
    """A project with one of the engines, in processes of its own.

    Arguments: `folder`, for what they share; `environment`, where the servers are.
    """

    def __init__(self, name, folder, **environment):
        if find_spec(PACKAGES[name]) is None:
            raise SkipTest(f"The package {PACKAGES[name]} is not installed.")
        self.name = name
        self.folder = Path(folder)
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.engines.settings",
            "PYTHONPATH": str(REPOSITORY),
            "ENGINE": name,
            "FOLDER": str(folder),
            **{key: str(value) for key, value in environment.items()},
        }
        self.workers = []

    def run(self, source):
        """Run Python code of the project, with `mailers` and `message()`; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", f"import django\ndjango.setup()\n{PRELUDE}\n{source}"],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout

    def manage(self, *arguments):
        return subprocess.run(
            [*MANAGE, *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout

    def start_worker(self):
        """Start a worker in a session of its own, as whatever kills it kills all of that."""
        log = (self.folder / "worker.txt").open("ab")
        with log:
            worker = subprocess.Popen(
                WORKERS[self.name],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def kill(self):
        for worker in self.workers:
            for pid in _session(worker.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            worker.wait()
        del self.workers[:]

    def results(self):
        """What `mail_finished` has said: subjects, statuses and names of errors."""
        return self.lines("results.txt")

    def attempts(self, subject):
        """The engine's count of attempts in each run of the message, `context.attempt`."""
        return [attempt for name, attempt in self.lines("attempts.txt") if name == subject]

    def lines(self, name):
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def log(self):
        return "\n".join(
            f"{name}:\n{(self.folder / name).read_text()[-5000:]}"
            for name in ("log.txt", "worker.txt")
            if (self.folder / name).exists()
        )


PRELUDE = """
import json
from django.core.mail import EmailMessage, mailers
def message(subject, to="bob@example.com"):
    return EmailMessage(subject, "Text", "ada@example.com", [to])
"""


def _session(leader):
    """The processes of the session whose leader has this id, the leader first."""
    found = [leader]
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) == leader:
                    found.append(int(folder.name))
            except ProcessLookupError:
                continue
    return found
