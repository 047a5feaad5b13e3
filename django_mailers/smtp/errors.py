"""Texts of errors: they say where it happened, and show nothing that is secret."""

from __future__ import annotations

import base64
import re
import smtplib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from .interrupts import handlers

Error = TypeVar("Error", bound=BaseException)
MASK = "***"
# Text that may be base64; a server may have cut off both ends.
BASE64 = "[A-Za-z0-9+/]{2,}=*"
# So many characters in common with a secret's base64 are not a coincidence (one in 2**36); a whole
# word is not one from four characters on, nor from two if the secret begins with it.
TELLING, WORD = 6, 4


class PoolTimeout(TimeoutError):
    """No session became free in time."""


class OutOfStepError(smtplib.SMTPServerDisconnected):
    """The server's reply does not fit the command; the session is closed."""


def endpoint(host: str, port: int) -> str:
    """Return the name of a server in errors and logs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_reply(error: BaseException) -> bool:
    """Whether `error` is a reply of the server: its arguments are for callers to read."""
    return isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused)


def add_endpoint(error: OSError, where: str, way_out: str = "") -> None:
    """Put `where` before the text of `error` and `way_out`, if there is one, behind it.

    Its type and other attributes stay as they are. A reply of the server is left alone.
    """
    texts = [argument for argument in error.args if isinstance(argument, str)]
    if is_reply(error) or len(texts) != 1:
        return
    told = texts[0] if where in texts[0] else f"{where}: {texts[0]}"
    if way_out and way_out not in told:
        told = f"{told} ({way_out})"
    if told == texts[0]:
        return
    error.args = tuple(told if argument is texts[0] else argument for argument in error.args)
    # str() of an OSError with a number is made of these two.
    if not isinstance(error, smtplib.SMTPException) and error.strerror is not None:
        error.strerror = told


def annotate(error: BaseException, note: str) -> None:
    """Add `note` to `error`, once, for tracebacks to show; before Python 3.11, do nothing."""
    # Python 3.10: no add_note().
    if hasattr(error, "add_note") and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


# --- Secrets -------------------------------------------------------------------------------------


def hide(error: BaseException, *secrets: str) -> None:
    """Mask `secrets` in the reply of a server: some repeat the command that they refuse.

    They are masked as they are, and in base64, whole or in part.
    """
    if isinstance(error, smtplib.SMTPResponseException):
        error.smtp_error = _masked(error.smtp_error, secrets)
    elif type(error) is not smtplib.SMTPException:
        # The texts of other errors are Python's and ours.
        return
    error.args = tuple(_masked(argument, secrets) for argument in error.args)


def _masked(text: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(text, bytes):
        # Any bytes there and back.
        return _masked(text.decode("latin-1"), secrets).encode("latin-1")
    if not isinstance(text, str):
        return text
    forms: list[str] = []
    for secret in filter(None, secrets):
        data = secret.encode()
        text = text.replace(secret, MASK).replace(data.decode("latin-1"), MASK)
        forms += _encoded(data)
    return re.sub(BASE64, lambda run: MASK if _tells(run[0].rstrip("="), forms) else run[0], text)


def _encoded(secret: bytes) -> Iterator[str]:
    """Yield the parts of any base64 that contains `secret`, wherever it begins."""
    for before in range(3):
        # The first characters depend on the bytes before it, too.
        encoded = base64.b64encode(bytes(before) + secret).decode().rstrip("=")
        yield encoded[before + 1 if before else 0 :]


def _tells(run: str, forms: list[str]) -> bool:
    """Whether `run` gives away a part of what has one of `forms` in base64."""
    parts = [run[start : start + TELLING] for start in range(len(run) - TELLING + 1)]
    return any(
        form.startswith(run)
        or (len(run) >= WORD and run in form)
        or any(part in form for part in parts)
        or (WORD <= len(form) < TELLING and form in run)
        for form in forms
    )


def without_frames(
    error: Error, outer: BaseException | None = None, *, below: Callable[..., Any] | None = None
) -> Error:
    """Remove from `error`, and from its causes, the frames that it has come through.

    Pages and mails about errors show the local variables of each frame, and during a login each of
    smtplib's holds a secret. Raise the error by its name then: before Python 3.11 a bare `raise`
    brings the frames back. Returns `error`.

    Frames that are not part of the login stay: those of functions that `below` has called, and
    those of the handler of a signal. `outer` is the exception that was being handled before; it is
    left as it is.
    """
    seen: list[BaseException] = []
    part: BaseException | None = error
    while part is not None and part is not outer and part not in seen:
        seen.append(part)
        part.__traceback__ = _foreign(part.__traceback__, below)
        part = part.__cause__ or part.__context__
    return error


def _foreign(tb: TracebackType | None, below: Callable[..., Any] | None) -> TracebackType | None:
    codes = set(handlers())
    while tb is not None:
        code = tb.tb_frame.f_code
        if code in codes:
            return tb
        tb = tb.tb_next
        if below is not None and code is below.__code__:
            return tb
    return None
