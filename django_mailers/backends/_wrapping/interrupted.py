"""What an exception that ends a call has to say of the messages that were sent before it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from django_mailers.delivery import SendReport, SendResult


def note_results(error: BaseException, results: Sequence[SendResult], alias: str | None) -> None:
    """Let `error`, a job's time limit for example, tell what became of the messages before.

    They are its `report`, and a note says it where the traceback is printed (Python 3.11).
    """
    report = SendReport(results, using=alias)
    with contextlib.suppress(AttributeError):
        error.report = report  # type: ignore[attr-defined]
    if hasattr(error, "add_note"):
        error.add_note(f"MAILERS[{alias!r}], before that: {report.summary()}.")
