"""What errors say: where it happened, and nothing that is secret."""

from __future__ import annotations

import base64
import smtplib
from collections.abc import Iterable
from typing import Any


class PoolTimeout(TimeoutError):
    """No session became free in time."""


class OutOfStepError(smtplib.SMTPServerDisconnected):
    """The server said what cannot be its reply to what was asked; the session is closed."""


def place(host: str, port: int) -> str:
    """Return a server as errors and logs name it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def add_place(error: OSError, where: str) -> None:
    """Put `where` before the text of `error`, whose type and other attributes stay as they are.

    What the server has replied (`smtplib.SMTPResponseException` and its like) is left alone: the
    code and the text are the arguments there, for callers to read.
    """
    texts = [argument for argument in error.args if isinstance(argument, str)]
    if isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused):
        return
    if len(texts) != 1 or where in texts[0]:
        return
    told = f"{where}: {texts[0]}"
    error.args = tuple(told if argument is texts[0] else argument for argument in error.args)
    # str() of an OSError with a number is made of these two.
    if not isinstance(error, smtplib.SMTPException) and error.strerror is not None:
        error.strerror = told


def hide(error: smtplib.SMTPException, *secrets: str) -> None:
    """Mask `secrets` in what a server has said: some repeat the command that they refuse."""
    if isinstance(error, smtplib.SMTPResponseException):
        error.smtp_error = _masked(error.smtp_error, secrets)
    elif type(error) is not smtplib.SMTPException:
        # The texts of the others are Python's and ours.
        return
    error.args = tuple(_masked(argument, secrets) for argument in error.args)


def _masked(text: Any, secrets: Iterable[str]) -> Any:
    if not isinstance(text, bytes | str):
        return text
    for data in map(str.encode, filter(None, secrets)):
        for form in (data, base64.b64encode(data)):
            if isinstance(text, bytes):
                text = text.replace(form, b"***")
            else:
                text = text.replace(form.decode(), "***")
    return text
