"""The report on an exception that ends a call after some messages were sent."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from django_mailers.delivery import SendReport, SendResult


def attach_report(error: BaseException, results: Sequence[SendResult], alias: str | None) -> None:
    """Set a `report` of the messages sent before on `error`, such as a job's time limit."""
    # A class with slots has no place for it.
    with contextlib.suppress(AttributeError):
        error.report = SendReport(results, using=alias)  # type: ignore[attr-defined]
