"""What an exception that ends a call has to say of the messages that were sent before it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from django_mailers.delivery import SendReport, SendResult


def attach_report(error: BaseException, results: Sequence[SendResult], alias: str | None) -> None:
    """Let `error`, such as a job's time limit, have a `report` of the messages sent before it."""
    # A class with slots has no place for it.
    with contextlib.suppress(AttributeError):
        error.report = SendReport(results, using=alias)  # type: ignore[attr-defined]
