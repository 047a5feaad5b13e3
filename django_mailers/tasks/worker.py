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
from django_mailers.delivery.codec import load
from django_mailers.delivery.faults import Fault, fault_of
from django_mailers.delivery.identity import for_mailer
from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.signals import mail_finished
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from . import claims, frameworks, lines
from .queueing import enqueue
from .tickets import WEEK, Ticket, read_ticket


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
    ticket = None
    try:
        ticket = read_ticket(stored_ticket)
        message = load(text)
    except BaseException as error:
        # Importing the class of a message may raise anything, and a job's time limit may end it.
        _unreadable(stored_ticket if ticket is None else ticket._asdict(), error)
        raise
    run = _Run(ticket, message, text, context)
    try:
        result, wait = run.deliver()
        return run.finish(result) if wait is None else run.again(result, wait)
    except BaseException:
        # NotDelivered; or a job's time limit, the end of the worker, or a backend that does not
        # keep to its contract, in the middle of it.
        run.tell_of_interruption()
        raise


class _Run:
    """One attempt to deliver one message."""

    def __init__(self, ticket: Ticket, message: Message, text: str, context: Any) -> None:
        self._ticket = ticket
        self._message = message
        self._text = text
        self._context = context
        # What is told if the run ends where it is; None if that was told.
        self._so_far: SendResult | None = SendResult(
            message, "failed", reason="the run was interrupted before the delivery"
        )

    def deliver(self) -> tuple[SendResult, Wait | None]:
        """Return what became of the message, and when to try it again if it was not handed over."""
        ticket, message = self._ticket, self._message
        mailer, problem = self._mailer()
        if self._context.attempt > 1 and not claims.guards(ticket):
            return SendResult(message, "unknown", reason="a run before this one has died"), None
        # Not before: a worker that dies while it makes the mailer has sent nothing. And also if
        # there is no mailer, as another run of this task may find one (H58).
        token = secrets.token_hex(8)
        claim = claims.claim(ticket, token)
        if claim == "taken":
            return SendResult(message, "unknown", reason="another run has claimed it"), None
        if claim == "revoked":
            return SendResult(message, "failed", reason="it was reported as not queued"), None
        if claim == "broken":
            result = SendResult(message, "failed", reason="the cache with the claims failed")
            return result, Wait(ticket.wait, doubt=token)
        if problem is not None:
            return problem, Wait(ticket.max_delay, is_alarming=True)
        result = self._send(mailer)
        fault = fault_of(result)
        return result, None if fault is None else _wait(ticket, result, fault)

    def _mailer(self) -> tuple[Any, SendResult | None]:
        """Return the mailer that delivers, or None and a result that says why there is not one."""
        try:
            return mail.mailers[self._ticket.using], None
        except Exception as error:
            # A worker may run with older settings than the process that has queued the message. And
            # what makes a backend may raise anything.
            if is_injected(error):
                raise
            return None, SendResult(self._message, "failed", error=error, phase="connecting")

    def _send(self, mailer: Any) -> SendResult:
        message = self._message
        self._so_far = SendResult(message, "unknown", reason="the delivery was interrupted")
        try:
            report = send_over(mailer, [for_mailer(message, mailer)], using=self._ticket.using)
        except ImproperlyConfigured as error:
            report = getattr(error, "report", None) or SendReport(
                [SendResult(message, "failed", error=error)]
            )
        self._so_far = report[0].about(message)
        return self._so_far

    def again(self, result: SendResult, wait: Wait) -> dict[str, Any]:
        """Queue the message again, if there is an attempt left and the engine can do that."""
        self._so_far = result
        can_defer = frameworks.can_defer(self._ticket.task_backend)
        # A task that cannot wait must not be tried over and over again.
        counts = wait.counts or not can_defer
        following = self._ticket.next(counts=counts, doubt=wait.doubt)
        if following.tries >= self._ticket.attempts or (wait.is_alarming and not can_defer):
            return self.finish(result)
        seconds = min(WEEK, wait.seconds)
        self._so_far = SendResult(
            self._message,
            "unknown",
            reason="the run was interrupted while it queued the message again",
        )
        outcome, error = self._enqueue(following, seconds if can_defer else None)
        if outcome == "unknown":
            return self.finish(result._replace(status="unknown", error=error))
        if outcome == "failed":
            return self.finish(result)
        lines.write(
            logging.ERROR if wait.is_alarming or wait.doubt else logging.WARNING,
            "%s: %s. It is tried again%s.",
            self._name(),
            _outcome(result),
            f" in {seconds:.0f} seconds" if can_defer else "",
        )
        self._so_far = None
        return {"status": "again", "attempt": following.attempt}

    def _enqueue(self, ticket: Ticket, seconds: float | None) -> tuple[str, Exception | None]:
        after = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
        from . import make_task

        try:
            task = make_task(ticket.task_backend, ticket.queue_name, ticket.priority, after)
        except ImproperlyConfigured as error:
            outcome: tuple[str, Exception | None] = ("failed", error)
        else:
            database = frameworks.database_of(frameworks.engine(ticket.task_backend))
            outcome = enqueue(task, ticket, self._text, database)
        if outcome[0] != "queued":
            text = "%s could not be queued again: %s."
            lines.write(logging.ERROR, text, self._name(), _type(outcome[1]))
        return outcome

    def finish(self, result: SendResult) -> dict[str, Any]:
        """Report the final result of the message. Raises NotDelivered unless it was sent."""
        self._told(result)
        if result.status not in {"sent", "queued", "skipped"}:
            # Without a cause, whose text may be the server's, and name anybody.
            raise NotDelivered(f"{self._name()}: {_outcome(result)}.") from None
        return {"status": result.status, "attempt": self._ticket.attempt}

    def tell_of_interruption(self) -> None:
        """Tell what is known of the message if this run did not come to its end."""
        if self._so_far is not None:
            self._told(self._so_far)

    def _told(self, result: SendResult) -> None:
        self._so_far = None
        lines.write(
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
        asked = fault.retry_after
        # An answer may ask for any time, and a rate limit of the project's own for a past one.
        seconds = ticket.wait if asked is None or not asked > 0 else asked
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


def _unreadable(ticket: object, error: BaseException) -> None:
    """Tell that a message was not delivered because it, or its `ticket`, could not be read."""
    known: Mapping[str, Any] = ticket if isinstance(ticket, Mapping) else {}
    name, alias = known.get("id"), known.get("alias")
    text = f"cannot be read: {error}"
    if not isinstance(error, Exception) or is_injected(error):
        text = f"was not read: {type(error).__name__}"
    lines.write(logging.ERROR, "Message %s from %r %s", name, alias, text)
    # There is no message. The type says that there is one, for all other results.
    nothing: Any = None
    mail_finished.send_robust(
        sender=_sender(alias),
        alias=alias,
        message=None,
        result=SendResult(
            nothing,
            "failed",
            error=error if isinstance(error, Exception) else None,
            reason="" if isinstance(error, Exception) else type(error).__name__,
        ),
    )


def _sender(alias: Any) -> Any:
    """Return the class of the background mailer `alias`; None if the settings here lack it."""
    try:
        return type(mail.mailers[alias])
    except Exception as error:
        # Whatever raises here, what became of the message is told.
        if is_injected(error):
            raise
        return None
