"""Batches of any length: some messages at a time, and what became of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django_mailers.smtp import is_injected

from .report import SendResult

logger = logging.getLogger("django_mailers.delivery")

# Enough that the ways to send many at a time pay off, and not so many that they take up memory.
WINDOW = 250


def in_windows(
    messages: Iterable[Any], send: Callable[[list[Any]], Sequence[SendResult]]
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


def _windows(messages: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield up to WINDOW messages at a time; and what is there of them when `messages` fails."""
    window: list[Any] = []
    try:
        for message in messages:
            window.append(message)
            if len(window) == WINDOW:
                yield window
                window = []
    except Exception as error:
        # Whatever it is, it is the caller's, who gets it when the messages before it are sent.
        if window and not is_injected(error):
            yield window
        raise
    if window:
        yield window
