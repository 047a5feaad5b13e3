"""The messages that background mailers have queued, as the engines tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_mailers.backends.tasks import EmailBackend
from django_mailers.tasks import frameworks, make_task

# A task that is running for longer has probably lost its worker.
LONG = timedelta(hours=1)


class QueuedMessage(NamedTuple):
    """A message whose task has failed, or has not ended yet.

    id        its name in the log; "" if it cannot be read.
    task      the id of the task, by which the engine knows it.
    alias     the alias of the background mailer.
    state     the state of the task: "READY", "RUNNING" or "FAILED".
    age       how long it is in this state; if it is not running, since it was queued.
    attempts  how often it was tried, this time included if it is running.
    """

    id: str
    task: str
    alias: str | None
    state: str
    age: timedelta
    attempts: int

    @property
    def may_have_been_sent(self) -> bool:
        """Whether its worker has probably died: it may have sent the message before."""
        return self.state == "RUNNING" and self.age > LONG


class Queue(NamedTuple):
    """The messages that an engine has; `messages` is None if it cannot list them."""

    engine: str
    messages: Iterator[QueuedMessage] | None
    problem: str = ""


def find_queues() -> list[Queue]:
    """Return a queue for each engine that a background mailer in MAILERS names."""
    queues: dict[str, Queue] = {}
    for alias in mail.mailers.settings:
        try:
            mailer = mail.mailers[alias]
        except ImproperlyConfigured:
            continue  # The system checks say why.
        if isinstance(mailer, EmailBackend) and mailer.task_backend not in queues:
            queues[mailer.task_backend] = _queue(mailer)
    return [*queues.values()]


def _queue(mailer: EmailBackend) -> Queue:
    alias = mailer.task_backend
    try:
        model = frameworks.table_of(frameworks.engine(alias))
        path = make_task(alias, mailer.queue_name).module_path
    except ImproperlyConfigured as error:
        return Queue(alias, None, str(error))
    return Queue(alias, None if model is None else _rows(model, alias, path))


def _rows(model: Any, engine: str, path: str) -> Iterator[QueuedMessage]:
    # Not whole tasks, which have the messages in them.
    rows = (
        model.objects.filter(task_path=path, backend_name=engine)
        .exclude(status="SUCCESSFUL")
        .order_by("enqueued_at")
        .values_list("id", "status", "enqueued_at", "started_at", "args_kwargs__kwargs__ticket")
    )
    now = timezone.now()
    for name, status, enqueued, started, ticket in rows.iterator():
        known = ticket if isinstance(ticket, dict) else {}
        since: datetime = started if status == "RUNNING" and started else enqueued
        yield QueuedMessage(
            str(known.get("id", "")),
            str(name),
            known.get("alias"),
            str(status),
            now - since,
            int(known.get("attempt", 1)) - (status == "READY"),
        )
