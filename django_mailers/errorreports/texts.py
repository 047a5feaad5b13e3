"""What a report by mail says: whatever an error is made of, there is something to say of it.

Messages, arguments and exceptions come from the code that has just failed. They may raise when they
are looked at, or hold characters that no header can have.
"""

from __future__ import annotations

import copy
import logging
import re
import traceback
from typing import Any

# As Python's own tracebacks say it, from 3.11 on.
UNPRINTABLE = "<exception str() failed>"
# Line ends of str.splitlines(), by which Python's email package refuses a header, and what cannot
# be seen in one.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_TRACEBACK = "Traceback (most recent call last):\n"
_PLACE = re.compile(r'^  File "(.+?)", line ([0-9]+)', re.MULTILINE)
_KIND = re.compile(r"^[^\s:]+(?=:|$)", re.MULTILINE)


def one_line(text: str) -> str:
    """Return `text` as a subject can have it: control characters are escaped."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def encodable(text: str) -> str:
    """Return `text` with its lone surrogates escaped: file names have them, mail cannot."""
    return text.encode("utf-8", "backslashreplace").decode()


def with_message(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of `record`, which other handlers get, with a message that can be had."""
    made = copy.copy(record)
    try:
        record.getMessage()
    except Exception as error:
        # Whatever a message or an argument does when it is looked at.
        message, arguments = _shown(record.msg, str), _shown(record.args, repr)
        made.msg = f"{message} <{type(error).__name__}, arguments: {arguments}>"
        made.args = None
    return made


def _shown(value: Any, form: Any) -> str:
    try:
        return str(form(value))
    except Exception:
        return f"<unprintable {type(value).__name__} object>"


def printable(error: BaseException | None) -> Any:
    """Return `error`, or one like it if its text, or that of one it came of, cannot be had."""
    chain: list[BaseException] = []
    part = error
    while part is not None and part not in chain:
        chain.append(part)
        part = part.__cause__ or part.__context__
    if all(_text(part) is not None for part in chain):
        return error
    like = None
    for part in reversed(chain):
        like = _StandIn.of(part, like)
    return like


def _text(error: BaseException) -> str | None:
    try:
        return str(error)
    except Exception:
        return None


class _StandIn(Exception):
    """An exception with the name, the traceback and, if possible, the text of another."""

    @classmethod
    def of(cls, error: BaseException, cause: BaseException | None) -> BaseException:
        text = _text(error)
        kind = type(type(error).__name__, (cls,), {"__module__": type(error).__module__})
        made: BaseException = kind(UNPRINTABLE if text is None else text)
        made.__traceback__ = error.__traceback__
        if error.__cause__ is not None:
            made.__cause__ = cause
        else:
            made.__context__ = cause
            made.__suppress_context__ = error.__suppress_context__
        return made


def plain_traceback(error: BaseException | None) -> str:
    """Return a traceback without variables, where there is to be one in any case."""
    if error is None:
        return ""
    error = printable(error)
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def written_traceback(record: logging.LogRecord) -> tuple[str, list[str]]:
    """Return the type and the places ("file:line") of a traceback that is only text any more.

    `logging.handlers.QueueHandler` puts it into the message, and takes the exception away.
    """
    text = record.exc_text or (record.msg if isinstance(record.msg, str) else "")
    trace = text.rpartition(_TRACEBACK)[2] if _TRACEBACK in text else ""
    places = [f"{path}:{line}" for path, line in _PLACE.findall(trace)]
    kind = _KIND.search(trace)
    return (kind[0] if kind else "", places)
