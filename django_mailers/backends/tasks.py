"""`BACKEND = "django_mailers.backends.tasks.EmailBackend"`: send in the background.

Messages are handed to an engine of Django's tasks framework. Its workers deliver them through the
mailer `using`, each message at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.mail import InvalidMailer

from django_mailers.delivery import SendResult
from django_mailers.delivery.report import COUNTED
from django_mailers.errors import NotQueued
from django_mailers.options import ALIAS, COUNT, DELAY, NAME, PRIORITY, SWITCH, Option
from django_mailers.tasks import frameworks, lines, make_task
from django_mailers.tasks.tickets import WEEK, Ticket, new_id
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
        "claims": Option(NAME, "default", takes_none=True),
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

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        delay, max_delay = (
            EmailBackend.all_options[name].default if options.get(name) is None else options[name]
            for name in ("delay", "max_delay")
        )
        if delay > max_delay:
            return f"OPTIONS 'delay' must not be greater than 'max_delay', which is {max_delay}."
        if max_delay > WEEK:
            return f"OPTIONS 'max_delay' must not be greater than {WEEK} seconds, a week."
        return None

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        """Queue `messages`, now or when the transaction is committed."""
        if lines.state():
            return self._report_at_once(messages)
        task, database = self._task()
        batch = Batch(self, task, database, [self.ticket() for _ in messages])
        if not self._waits(database):
            return batch.enqueue(messages)
        from django.db import transaction

        results, later = batch.store(messages)
        if later:
            # Not a partial: Django 5.2 wants the name of one that fails.
            def queue() -> None:
                batch.enqueue_stored(later)

            # The project's other callbacks run even if this one fails.
            transaction.on_commit(queue, using=self.database, robust=True)
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
            task_backend=self.task_backend,
            queue_name=self.queue_name,
            priority=self.priority,
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

    def _report_at_once(self, messages: Sequence[Message]) -> list[SendResult]:
        """Deliver mail about a line of the log of ours, which may say that the queue fails."""
        if lines.state() == "reporting":
            # This is about the delivery of such mail.
            return [SendResult(message, "failed", error=NotQueued(1, 1)) for message in messages]
        with lines.being("reporting"):
            return self.hand_on(self.using, messages)

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
