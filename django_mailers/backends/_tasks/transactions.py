"""Whether a transaction is under way."""

from __future__ import annotations

from django.core.mail import InvalidMailer


def is_in_transaction(database: str, alias: str | None) -> bool:
    """Whether this thread is within an `atomic()` of `database`; `alias` is that of the mailer."""
    from django.db import connections

    if database not in connections.settings:
        raise InvalidMailer(
            f"OPTIONS 'database' names {database!r}, which is not in DATABASES.", alias=alias
        )
    return connections[database].in_atomic_block
