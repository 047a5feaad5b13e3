"""The lines of the log about queued messages, which a handler may send as mail: through the queue.

A report that the queue fails would be put into it, and be a message that fails, of which there is a
line in the log, and so on (H63). So while a line is written, background mailers deliver at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from django_mailers.smtp import is_injected

logger = logging.getLogger("django_mailers.tasks")

# "writing"    a line is being written.
# "reporting"  a handler is sending it as mail.
State = Literal["", "writing", "reporting"]
_state: ContextVar[State] = ContextVar("state", default="")


def write(level: int, text: str, *arguments: object) -> None:
    """Write a line. What a handler raises, as Django's does for mail, goes to sys.stderr."""
    try:
        with being("writing"):
            logger.log(level, text, *arguments, stacklevel=2)
    except Exception as error:
        # It must not change what becomes of the message that the line is about.
        if is_injected(error):
            raise
        if logging.lastResort is not None:
            record = logger.makeRecord(logger.name, level, "", 0, text, arguments, None)
            logging.lastResort.handle(record)


def state() -> State:
    return _state.get()


@contextmanager
def being(current: State) -> Iterator[None]:
    token = _state.set(current)
    try:
        yield
    finally:
        _state.reset(token)
