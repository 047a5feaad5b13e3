"""Give a task to its engine, and find out whether the engine has it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal

from django_mailers.delivery.faults import fault_of_error
from django_mailers.smtp import is_injected

from . import claims
from .tickets import Ticket

# "unknown" is an engine that failed after it may have taken the task.
Outcome = Literal["queued", "failed", "unknown"]


def enqueue(
    task: Any, ticket: Ticket, message: str, database: str | None = None
) -> tuple[Outcome, Exception | None]:
    """Enqueue `task` with its arguments; return what became of it, and the exception.

    `database` is the one in which the engine has its tasks. If a query fails there, it is undone,
    so that a transaction that is under way stays usable.

    An engine that raises an exception may have the task even so: its reply was lost (H59). So the
    message is claimed, which keeps any run from sending it; then it has certainly "failed".
    """
    is_in_transaction, has_enqueued = False, False
    try:
        if database is not None:
            is_in_transaction = _is_in_transaction(database)
        with nullcontext() if database is None else _savepoint(database):
            task.enqueue(ticket=ticket.as_json(), message=message)
            has_enqueued = True
    except Exception as error:
        # Engines, and receivers of their signals, raise anything.
        if is_injected(error):
            raise
        is_undone = database is not None and (is_in_transaction or not has_enqueued)
        if is_undone or fault_of_error(error).kind != "unknown":
            return "failed", error
        return _after_doubt(ticket), error
    return "queued", None


def _after_doubt(ticket: Ticket) -> Outcome:
    outcome = claims.revoke(ticket)
    if outcome == "taken":
        return "queued"  # A worker has it already.
    return "failed" if outcome == "mine" else "unknown"


def _is_in_transaction(database: str) -> bool:
    from django.db import connections

    return connections[database].in_atomic_block


def _savepoint(database: str) -> Any:
    from django.db import transaction

    return transaction.atomic(using=database)
