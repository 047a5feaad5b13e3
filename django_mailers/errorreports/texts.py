"""Texts that can be mailed, of whatever an error is made of.

Messages, arguments and exceptions come from the code that has just failed. They may raise when they
are printed, or contain characters that a header cannot have.
"""

from __future__ import annotations

import copy
import logging
import re
import traceback
from typing import Any

# As Python's own tracebacks have it, from 3.11 on.
UNPRINTABLE = "<exception str() failed>"
# Line ends of str.splitlines(), for which Python's email package refuses a header, and characters
# that are invisible.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """Return `text` with its control characters escaped, so that it can be a subject."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def encodable(text: str) -> str:
    """Return `text` with lone surrogates escaped: file names may contain them, mail cannot."""
    return text.encode("utf-8", "backslashreplace").decode()


def with_message(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of `record` whose `getMessage()` works; others get the record as it is."""
    made = copy.copy(record)
    try:
        record.getMessage()
    except Exception as error:
        # Messages and arguments are any objects, which may raise anything when they are printed.
        message, arguments = _shown(record.msg, str), _shown(record.args, repr)
        made.msg = f"{message} <{type(error).__name__}, arguments: {arguments}>"
        made.args = None
    return made


def _shown(value: Any, form: Any) -> str:
    try:
        return str(form(value))
    except Exception:  # the same
        return f"<unprintable {type(value).__name__} object>"


def printable(error: BaseException | None) -> BaseException | None:
    """Return `error`, or a stand-in if `str()` of it, or of one of its causes, fails."""
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
    except Exception:  # a __str__() that fails
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
    """Return the traceback of `error` without variables, which always works; "" for None."""
    error = printable(error)
    if error is None:
        return ""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
