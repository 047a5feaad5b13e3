"""A task engine for tests, and settings of background mailers."""

import json
import logging
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from importlib.util import find_spec
from unittest import skipUnless

import django
from django.core import mail
from django.core.cache import caches
from django.test import SimpleTestCase, override_settings
from django.utils.module_loading import import_string

from django_mailers.signals import mail_finished, mail_queued

from .utils import LOCMEM, ExactErrors

# Django 5.2: the package.
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
HAS_FRAMEWORK = find_spec(FRAMEWORK.partition(".")[0]) is not None
needs_tasks = skipUnless(HAS_FRAMEWORK, "Django 5.2 has no tasks; django-tasks is not installed.")

BACKEND = "django_mailers.backends.tasks.EmailBackend"
IMMEDIATE = f"{FRAMEWORK}.backends.immediate.ImmediateBackend"
DUMMY = f"{FRAMEWORK}.backends.dummy.DummyBackend"
QUEUE = f"{__name__}.QueueBackend"
TABLE = f"{__name__}.TableBackend"
IT = "background"

if HAS_FRAMEWORK:
    base = import_module(f"{FRAMEWORK}.base")
    DummyBackend = import_string(DUMMY)

    class QueueBackend(DummyBackend):
        """Keeps what is enqueued as JSON, as any engine does, until `work()` runs it.

        An engine that is `broken` raises that, before it has the task or, if it is `too_late`,
        after that.
        """

        queued = []
        broken = None
        is_too_late = False

        def enqueue(self, task, args, kwargs):
            if self.broken is not None and not self.is_too_late:
                raise self.broken
            self.validate_task(task)
            self.queued.append(Queued(task, json.dumps([args, kwargs])))
            if self.broken is not None:
                raise self.broken
            return super().enqueue(task, args, kwargs)

        def _store_result(self, result):
            pass

    class UndeferringBackend(QueueBackend):
        supports_defer = False
        supports_priority = False

    class TableBackend(QueueBackend):
        """Keeps tasks in a table; a message whose text has "twice" violates a constraint."""

        def enqueue(self, task, args, kwargs):
            from django.contrib.sessions.models import Session

            result = super(QueueBackend, self).enqueue(task, args, kwargs)
            key = "twice" if "twice" in kwargs["message"] else kwargs["ticket"]["id"]
            queued = Queued(task, json.dumps([args, kwargs]))
            row = Session(
                session_key=key,
                session_data=json.dumps([queued.path, queued.stored]),
                expire_date=datetime(2030, 1, 1, tzinfo=timezone.utc),
            )
            for _ in range(2 if key == "twice" else 1):
                row.save(force_insert=True)
            return result


class Queued:
    """A task that is in the queue. It may run more than once, as with some engines."""

    def __init__(self, task, stored):
        self.path = task.module_path
        self.changes = {
            "backend": task.backend,
            "queue_name": task.queue_name,
            "priority": task.priority,
            "run_after": task.run_after,
        }
        self.stored = stored
        self.workers = []

    @property
    def ticket(self):
        return json.loads(self.stored)[1]["ticket"]

    @property
    def run_after(self):
        return self.changes["run_after"]

    def run(self):
        """As a worker does; return what the task returns."""
        task = import_string(self.path).using(**self.changes)
        args, kwargs = json.loads(self.stored)
        self.workers.append("worker")
        result = base.TaskResult(
            task=task,
            id="1",
            status=base.TaskResultStatus.RUNNING,
            enqueued_at=None,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=task.backend,
            errors=[],
            worker_ids=[*self.workers],
        )
        return task.call(base.TaskContext(task_result=result), *args, **kwargs)


@needs_tasks
class QueueTestCase(ExactErrors, SimpleTestCase):
    """Tests whose tasks wait in `self.queued`."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.queued = QueueBackend.queued
        self.addCleanup(self.queued.clear)
        for name, value in (("broken", None), ("is_too_late", False)):
            self.addCleanup(setattr, QueueBackend, name, value)
        logger, handler = logging.getLogger("django_mailers.tasks"), logging.NullHandler()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        # Claims, in the memory of this process.
        caches["default"].clear()

    def subjects(self):
        """Run everything that is in the queue; return the subjects of what has arrived."""
        while self.queued:
            self.queued.pop(0).run()
        return [sent.subject for sent in mail.outbox]


def background(using="memory", task_backend=QUEUE, queues=("default",), others=None, **options):
    """Settings with the background mailer "background", and "memory", which keeps what it gets."""
    return override_settings(
        TASKS={"default": {"BACKEND": task_backend, "QUEUES": [*queues]}},
        MAILERS={
            "default": {"BACKEND": LOCMEM},
            "memory": {"BACKEND": LOCMEM},
            IT: {"BACKEND": BACKEND, "OPTIONS": {"using": using, **options}},
            **(others or {}),
        },
    )


@contextmanager
def told():
    """A list of what the signals say: their name, the subject, the alias and the result."""
    heard = []

    def queued(sender, message, alias, result, **kwargs):
        heard.append(("queued", message.subject, alias, result))

    def finished(sender, message, alias, result, **kwargs):
        heard.append(("finished", message and message.subject, alias, result))

    mail_queued.connect(queued)
    mail_finished.connect(finished)
    try:
        yield heard
    finally:
        mail_queued.disconnect(queued)
        mail_finished.disconnect(finished)
