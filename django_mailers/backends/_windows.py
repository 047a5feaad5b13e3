"""Render messages, no more at a time than may be held in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django_mailers.smtp import Envelope, Result, is_injected
from django_mailers.types import Message

# The most messages that are rendered at a time, and their size in bytes, unless one is larger. The
# iterable that they are taken from may be larger than memory.
WINDOW_MESSAGES = 1000
WINDOW_SIZE = 4 * 1024 * 1024


def windows(
    messages: Iterable[Message], render: Callable[[Message], Envelope | Result]
) -> Iterator[list[Envelope | Result]]:
    """Render the messages; yield no more of them at a time than may be held in memory.

    An exception of `messages` is raised after the messages before it have been sent.
    """
    window: list[Envelope | Result] = []
    size = 0
    failure: Exception | None = None
    remaining = iter(messages)
    while True:
        try:
            message = next(remaining)
        except StopIteration:
            break
        except Exception as error:
            # The caller's own iterator may raise anything.
            if is_injected(error):
                raise
            failure = error
            break
        item = render(message)
        more = len(item.content) if isinstance(item, Envelope) else 0
        if window and (size + more > WINDOW_SIZE or len(window) >= WINDOW_MESSAGES):
            yield window
            window, size = [], 0
        window.append(item)
        size += more
    if window:
        yield window
    if failure is not None:
        raise failure
