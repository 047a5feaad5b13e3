"""The worker's part: deliver a message from the queue."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_mailers.delivery import SendReport, SendResult, send_over
from django_mailers.delivery.codec import UnreadableMessage, load
from django_mailers.delivery.faults import Fault, fault_of
from django_mailers.delivery.identity import for_mailer
from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.signals import mail_finished
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from . import claims, frameworks
from .queueing import enqueue
from .tickets import Ticket, read_ticket

logger = logging.getLogger("django_mailers.tasks")


class NotDelivered(Exception):
    """A message from the queue was not delivered, or may not have been: its task has failed.

    The text has neither addresses nor a reply, as engines store it.
    """


class Wait(NamedTuple):
    """When a message is tried again, and whether the run before it counts as an attempt."""

    seconds: float
    counts: bool = True
    is_alarming: bool = False
    # The token of a claim that the cache has not confirmed.
    doubt: str | None = None


def run(context: Any, stored_ticket: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Deliver the message `text` through the mailer that its ticket names, or queue it again.

    Returns what became of it, for the engine. Raises NotDelivered if it was refused for good, was
    tried often enough, or may have been sent without that being known; UnreadableMessage if it, or
    its ticket, cannot be read. The engine keeps a failed task together with the message.
    """
    try:
        ticket = read_ticket(stored_ticket)
    except UnreadableMessage as error:
        _unreadable(stored_ticket.get("id"), stored_ticket.get("alias"), error)
        raise
    try:
        message = load(text)
    except UnreadableMessage as error:
        _unreadable(ticket.id, ticket.alias, error)
        raise
    except Exception as error:
        # Importing the class of a message may raise anything.
        if not is_injected(error):
            _unreadable(ticket.id, ticket.alias, error)
        raise
    run = _Run(ticket, message, text, context)
    result, wait = run.deliver()
    if wait is not None:
        return run.again(result, wait)
    return run.finish(result)


class _Run:
    """One attempt to deliver one message."""

    def __init__(self, ticket: Ticket, message: Message, text: str, context: Any) -> None:
        self._ticket = ticket
        self._message = message
        self._text = text
        self._context = context
        # How the engine is to run it again: as this time.
        self._task = context.task_result.task

    def deliver(self) -> tuple[SendResult, Wait | None]:
        """Return what became of the message, and when to try it again if it was not handed over."""
        ticket, message = self._ticket, self._message
        try:
            mailer = mail.mailers[ticket.using]
        except ImproperlyConfigured as error:
            # A worker may run with older settings than the process that has queued the message.
            return self._judge(SendResult(message, "failed", error=error))
        if self._context.attempt > 1 and not claims.guards(ticket):
            return SendResult(message, "unknown", reason="a run before this one has died"), None
        # Not before: a worker that dies while it makes the mailer has sent nothing (H58).
        token = secrets.token_hex(8)
        claim = claims.claim(ticket, token)
        if claim == "taken":
            return SendResult(message, "unknown", reason="another run has claimed it"), None
        if claim == "revoked":
            return SendResult(message, "failed", reason="it was reported as not queued"), None
        if claim == "broken":
            result = SendResult(message, "failed", reason="the cache with the claims failed")
            return result, Wait(ticket.wait, doubt=token)
        return self._judge(self._send(mailer))

    def _send(self, mailer: Any) -> SendResult:
        message = self._message
        try:
            report = send_over(mailer, [for_mailer(message, mailer)], using=self._ticket.using)
        except ImproperlyConfigured as error:
            report = getattr(error, "report", None) or SendReport(
                [SendResult(message, "failed", error=error)]
            )
        except BaseException:
            # A job's time limit, the end of the worker, or a backend that does not keep to its
            # contract: in the middle of it, perhaps.
            self._told(SendResult(message, "unknown", reason="the delivery was interrupted"))
            raise
        return report[0].about(message)

    def _judge(self, result: SendResult) -> tuple[SendResult, Wait | None]:
        fault = fault_of(result)
        return result, None if fault is None else _wait(self._ticket, result, fault)

    def again(self, result: SendResult, wait: Wait) -> dict[str, Any]:
        """Queue the message again, if there is an attempt left and the engine can do that."""
        can_defer = frameworks.can_defer(self._task.backend)
        # A task that cannot wait must not be tried over and over again.
        counts = wait.counts or not can_defer
        following = self._ticket.next(counts=counts, doubt=wait.doubt)
        if following.tries >= self._ticket.attempts or (wait.is_alarming and not can_defer):
            return self.finish(result)
        outcome, error = self._enqueue(following, wait.seconds if can_defer else None)
        if outcome == "unknown":
            return self.finish(result._replace(status="unknown", error=error))
        if outcome == "failed":
            return self.finish(result)
        logger.log(
            logging.ERROR if wait.is_alarming or wait.doubt else logging.WARNING,
            "%s: %s. It is tried again%s.",
            self._name(),
            _outcome(result),
            f" in {wait.seconds:.0f} seconds" if can_defer else "",
        )
        return {"status": "again", "attempt": following.attempt}

    def _enqueue(self, ticket: Ticket, seconds: float | None) -> tuple[str, Exception | None]:
        old = self._task
        after = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
        from . import make_task

        database = frameworks.database_of(frameworks.engine(old.backend))
        try:
            task = make_task(old.backend, old.queue_name, old.priority, after)
        except ImproperlyConfigured as error:
            outcome: tuple[str, Exception | None] = ("failed", error)
        else:
            outcome = enqueue(task, ticket, self._text, database)
        if outcome[0] != "queued":
            logger.error("%s could not be queued again: %s.", self._name(), _type(outcome[1]))
        return outcome

    def finish(self, result: SendResult) -> dict[str, Any]:
        """Report the final result of the message. Raises NotDelivered unless it was sent."""
        self._told(result)
        if result.status not in {"sent", "queued", "skipped"}:
            # Without a cause, whose text may be the server's, and name anybody.
            raise NotDelivered(f"{self._name()}: {_outcome(result)}.") from None
        return {"status": result.status, "attempt": self._ticket.attempt}

    def _told(self, result: SendResult) -> None:
        logger.log(
            logging.INFO if result.is_success else logging.ERROR,
            "%s: %s.",
            self._name(),
            _outcome(result),
        )
        mail_finished.send_robust(
            sender=_sender(self._ticket.alias),
            alias=self._ticket.alias,
            message=self._message,
            result=result,
        )

    def _name(self) -> str:
        ticket = self._ticket
        return (
            f"Message {ticket.id} from {ticket.alias!r} through {ticket.using!r}, "
            f"attempt {ticket.attempt}"
        )


def _wait(ticket: Ticket, result: SendResult, fault: Fault) -> Wait | None:
    """Return when a message with this fault is tried again; None if it is not."""
    if result.status not in {"failed", "refused"}:
        return None
    if fault.repeats:
        seconds = ticket.wait if fault.retry_after is None else fault.retry_after
        return Wait(seconds, counts=not _is_limited(result.error))
    if fault.kind in {"account", "configuration"}:
        # Somebody has to correct the settings. Until then, the queue must not be lost.
        return Wait(ticket.max_delay, is_alarming=True)
    return None


def _is_limited(error: Exception | None) -> bool:
    """Whether a rate limit of the project's own was all that was in the way.

    It lets a few messages pass at a time. A long queue would run out of attempts while it waits.
    """
    if isinstance(error, MailersFailed):
        return bool(error.errors) and all(map(_is_limited, error.errors.values()))
    return isinstance(error, RateLimited)


def _outcome(result: SendResult) -> str:
    """Say what became of a message, with neither an address nor a text of the server's."""
    details = []
    if result.code is not None:
        details.append(str(result.code))
    refused = len(result.refused_recipients)
    if refused:
        details.append(f"{refused} of {len(result.recipients)} recipients refused")
    if result.error is not None:
        details.append(_type(result.error))
    if result.reason and result.status != "skipped":
        details.append(result.reason)
    status = f"{result.status} (it may have been sent)" if result.status == "unknown" else ""
    return f"{status or result.status}{': ' if details else ''}{', '.join(details)}"


def _type(error: Exception | None) -> str:
    return type(error).__name__


def _unreadable(name: object, alias: object, error: Exception) -> None:
    logger.error("Message %s from %r cannot be read: %s", name, alias, error)
    # There is no message. The type says that there is one, for all other results.
    nothing: Any = None
    mail_finished.send_robust(
        sender=_sender(alias),
        alias=alias,
        message=None,
        result=SendResult(nothing, "failed", error=error),
    )


def _sender(alias: Any) -> Any:
    """Return the class of the background mailer `alias`; None if the settings here lack it."""
    try:
        return type(mail.mailers[alias])
    except ImproperlyConfigured:
        return None
