"""What can be said of an error without giving anything away: its type, its code and its place."""

from __future__ import annotations

import errno
import hashlib
import logging
import re
import sysconfig
import traceback
from types import TracebackType

import django

logger = logging.getLogger("django_mailers.log")

# Folders of code that is called from many places. Django may be elsewhere, in a checkout.
LIBRARIES = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    *django.__path__,
)

_TRACEBACK = "Traceback (most recent call last):\n"
_PLACE = re.compile(r'^  File "(.+?)", line ([0-9]+)', re.MULTILINE)
_KIND = re.compile(r"^[^\s:]+(?=:|$)", re.MULTILINE)


def describe(error: BaseException) -> str:
    """Return the type of `error`, its code (of SMTP or of the system), and where it was raised.

    The text of an error may contain addresses or replies of a server, so it is left out.
    """
    code = getattr(error, "smtp_code", None)
    if not isinstance(code, int):
        code = errno.errorcode.get(getattr(error, "errno", None) or 0)
    text = type(error).__name__ if code is None else f"{type(error).__name__} {code}"
    places = frames(error.__traceback__)
    return f"{text} in {places[-1]}" if places else text


def frames(tb: TracebackType | None) -> list[str]:
    """Return "file:line" for each frame of a traceback, the innermost last."""
    return [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(tb)]


def site(record: logging.LogRecord) -> str:
    """Return a text that is the same for records that one report is enough for.

    For an exception: its type, the line that raised it and, if a library did, the last line before
    it that is not a library's. Without a traceback: the logger, the line that logs and the level.
    """
    exc_type, _, tb = record.exc_info or (None, None, None)
    name = f"{exc_type.__module__}.{exc_type.__qualname__}" if exc_type else ""
    places = frames(tb)
    if not places and not name:
        name, places = written_traceback(record)
    if not places:
        line = f"{record.pathname}:{record.lineno}"
        return "\n".join([name, record.name, line, record.levelname])
    own = [place for place in places if not place.startswith(LIBRARIES)]
    return "\n".join([name, places[-1], *own[-1:]])


def written_traceback(record: logging.LogRecord) -> tuple[str, list[str]]:
    """Return the type and the places ("file:line") of a traceback that exists only as text.

    `logging.handlers.QueueHandler` writes it into the message and drops the exception.
    """
    text = record.exc_text or (record.msg if isinstance(record.msg, str) else "")
    trace = text.rpartition(_TRACEBACK)[2] if _TRACEBACK in text else ""
    places = [f"{path}:{line}" for path, line in _PLACE.findall(trace)]
    kind = _KIND.search(trace)
    return (kind[0] if kind else "", places)


def digest(text: str) -> str:
    """Return a short key for `text`, which may be of any length and contain any character."""
    data = text.encode("utf-8", "backslashreplace")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
