"""Batches of any length, sent some messages at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from django_mailers.smtp import is_injected
from django_mailers.types import Message

from .report import SendResult

logger = logging.getLogger("django_mailers.delivery")

# Enough for sending many at a time to pay off, and few enough to be held in memory.
WINDOW = 250


def in_windows(
    messages: Iterable[Message], send: Callable[[list[Message]], Sequence[SendResult]]
) -> Iterator[SendResult]:
    """Yield the results of `send` for some of the `messages` at a time. See `send_each()`."""
    for window in _windows(messages):
        # A list's: `yield from` would close a generator when the caller leaves.
        results = iter([*send(window)])
        try:
            yield from results
        finally:
            # Empty, unless the caller has left.
            lost = Counter(result.status for result in results)
            if lost:
                counts = ", ".join(f"{count} {status}" for status, count in lost.items())
                logger.warning(
                    "send_each() was left before %d results were taken: %s.", lost.total(), counts
                )
        # Not until the next window is there: that would make two.
        del window, results


def _windows(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yield up to WINDOW messages at a time, and those that are left when `messages` fails."""
    window: list[Message] = []
    try:
        for message in messages:
            window.append(message)
            if len(window) == WINDOW:
                yield window
                window = []
    except Exception as error:
        # The caller's own code: it gets its error once the messages before it are sent.
        if window and not is_injected(error):
            yield window
        raise
    if window:
        yield window
