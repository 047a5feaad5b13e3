"""Exceptions that come from outside: from a signal handler, wherever the program is.

A job's time limit is a plain `Exception` in Celery and RQ, and often a `TimeoutError`, an `OSError`
as the network raises them. Only its traceback shows whether an error is about a message, or about
the code that sends it.
"""

from __future__ import annotations

import functools
import re
import signal
import sys
from collections.abc import Iterator
from types import CodeType, TracebackType

SENT = r"(\d+) of \d+ messages of this batch were sent\."


def is_injected(error: BaseException) -> bool:
    """Whether a signal handler has raised `error`, or an error in whose place it stands.

    Such an exception is not ours to handle, and has to propagate. See `injected()`.
    """
    return injected(error) is not None


def injected(error: BaseException) -> BaseException | None:
    """Return the exception that a signal handler has raised: `error`, or one that it replaced.

    smtplib raises "Server not connected" in place of any OSError, for example. The handler is found
    by its code in the traceback, and must still be installed. An exception that is injected in
    another way (`PyThreadState_SetAsyncExc()`), or raised by a handler written in C, looks like any
    other error.
    """
    codes = set(handlers())
    if codes:
        for candidate in _chain(error):
            if any(code in codes for code in _codes(candidate.__traceback__)):
                return candidate
    return None


def note_sent(error: BaseException, sent: int, total: int) -> None:
    """Note on `error`, which ends a batch of `total` messages, how many were sent before.

    `sent` does not include messages that an inner call has noted already: they are added. Before
    Python 3.11 an exception has no notes, and nothing is done.
    """
    notes: list[str] = getattr(error, "__notes__", [])
    for number, note in enumerate(notes):
        if (found := re.fullmatch(SENT, note)) is not None:
            notes[number] = _note(sent + int(found[1]), total)
            return
    if hasattr(error, "add_note"):
        error.add_note(_note(sent, total))


def _note(sent: int, total: int) -> str:
    return f"{sent} of {total} messages of this batch were sent."


def handlers() -> Iterator[CodeType]:
    """Yield the code of each signal handler that is installed and written in Python."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        if not callable(handler):
            continue  # SIG_DFL or SIG_IGN; or None: it was not installed by Python.
        # A function or a method; or else an instance that can be called.
        for function in (handler, type(handler).__call__):
            code = getattr(function, "__code__", None)
            if isinstance(code, CodeType):
                yield code
                break


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error`, and the exceptions that it came from.

    Mail is sent in the `except` block of a time limit, too. The exception that a caller is handling
    there is the context of everything that happens to the mail, but not a part of it: a function
    that is still running has caught it.
    """
    yield error
    running, frame = set(), sys._getframe()
    while frame is not None:
        running.add(frame)
        frame = frame.f_back  # type: ignore[assignment]
    seen, left = {id(error)}, [error.__cause__, error.__context__]
    while left:
        inner = left.pop()
        if inner is None or id(inner) in seen:
            continue
        seen.add(id(inner))
        if inner.__traceback__ is None or inner.__traceback__.tb_frame in running:
            continue
        yield inner
        left += [inner.__cause__, inner.__context__]


def _codes(traceback: TracebackType | None) -> Iterator[CodeType]:
    while traceback is not None:
        yield traceback.tb_frame.f_code
        traceback = traceback.tb_next
