"""`BACKEND = "django_mailers.backends.tasks.EmailBackend"`: send in the background.

Messages are handed to an engine of Django's tasks framework. Its workers deliver them through the
mailer `using`, each message at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.mail import InvalidMailer

from django_mailers.delivery import SendResult
from django_mailers.delivery.report import COUNTED
from django_mailers.errors import NotQueued
from django_mailers.options import ALIAS, COUNT, DELAY, NAME, PRIORITY, SWITCH, Option
from django_mailers.tasks import frameworks, make_task
from django_mailers.tasks.tickets import Ticket, new_id
from django_mailers.types import Message

from ._tasks.batches import Batch
from ._tasks.transactions import is_in_transaction
from .base import Wrapper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Outcome


class EmailBackend(Wrapper):
    """Hands messages to a task engine, whose workers send them through the mailer `using`.

    Options:

    using         the mailer that delivers.
    task_backend  the alias of the engine, in TASKS.
    queue_name    the queue of the engine.
    priority      the priority of the task, if the engine has priorities.
    on_commit     whether a message is queued when the transaction that is under way is committed.
                  By default it is, unless the engine has its tasks in the database of this
                  transaction, which keeps them or drops them together with everything else.
    database      the alias of the database whose transactions count.
    attempts      how often a message is tried, if it can be tried again without being sent twice.
    delay         the seconds after which it is tried again; doubled each time,
    max_delay     up to this.
    claims        the alias of the cache that keeps a message from being handed over twice. None to
                  rely on the engine.
    max_size      the bytes of JSON that a message may have.

    A message is rendered when it is sent, so that an error in it is raised there.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "using": Option(ALIAS, is_required=True),
        "task_backend": Option(NAME, "default"),
        "queue_name": Option(NAME, "default"),
        "priority": Option(PRIORITY, 0),
        "on_commit": Option(SWITCH),
        "database": Option(NAME, "default"),
        "attempts": Option(COUNT, 5, "attempts"),
        "delay": Option(DELAY, 60, "seconds"),
        "max_delay": Option(DELAY, 3600, "seconds"),
        "claims": Option(NAME, "default"),
        "max_size": Option(COUNT, 15_000_000, "bytes"),
    }
    task_backend: str
    queue_name: str
    priority: int
    on_commit: bool | None
    database: str
    attempts: int
    delay: float
    max_delay: float
    claims: str | None
    max_size: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        has_no_claims = kwargs.get("claims", "") is None
        super().__init__(*args, **kwargs)
        if has_no_claims:
            # Of this option None is a value, and not the default.
            self.claims = None

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        delay, max_delay = options.get("delay"), options.get("max_delay")
        if delay is not None and max_delay is not None and delay > max_delay:
            return "OPTIONS 'delay' must not be greater than 'max_delay'."
        return None

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        """Queue `messages`, now or when the transaction is committed."""
        task, database = self._task()
        batch = Batch(self, task, database, [self.ticket() for _ in messages])
        if not self._waits(database):
            return batch.enqueue(messages)
        from django.db import transaction

        results, later = batch.store(messages)
        if later:
            # The project's other callbacks run even if this one fails.
            transaction.on_commit(
                partial(batch.enqueue_stored, later), using=self.database, robust=True
            )
        return results

    def open(self) -> bool | None:
        """Do nothing: engines keep their own connections, and workers open the mailer's."""
        return None

    def ticket(self) -> Ticket:
        """Return what goes with a new message."""
        return Ticket(
            new_id(),
            self.alias,
            self.using,
            self.claims,
            self.attempts,
            self.delay,
            self.max_delay,
        )

    def count_sent(self, results: Iterable[Outcome]) -> int:
        """Return how many of `results` are queued; raise an error that counts those that are not.

        An error of a message itself, which was not given to the engine, is raised as it is.
        """
        total = queued = lost = 0
        first: Exception | None = None
        for result in results:
            total += 1
            queued += result.status in COUNTED
            lost += isinstance(result.error, NotQueued)
            first = first or result.error
        if first is None:
            return queued
        if isinstance(first, NotQueued):
            first = NotQueued(lost, total, first.__cause__)  # type: ignore[arg-type]
        try:
            raise first
        finally:
            # Otherwise its traceback would keep the messages until the garbage collector runs.
            del first, results, result

    def _task(self) -> tuple[Any, str | None]:
        """Return the task, and the database in which its engine has it; raises InvalidMailer."""
        try:
            task = make_task(self.task_backend, self.queue_name, self.priority)
        except frameworks.CannotQueue as error:
            raise InvalidMailer(str(error), alias=self.alias) from error
        return task, frameworks.database_of(frameworks.engine(self.task_backend))

    def _waits(self, engines_database: str | None) -> bool:
        """Whether messages are queued on commit: of a transaction that is under way (H61)."""
        if self.on_commit is False or not is_in_transaction(self.database, self.alias):
            return False
        return self.on_commit is True or engines_database != self.database
