"""The exceptions of composed mailers. Each derives from one that an old `except` expects."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping

__all__ = ["CancelSend", "MailersFailed", "NotQueued", "RateLimited"]


class MailersFailed(smtplib.SMTPException):
    """Not one of several mailers could be given a message.

    `errors` has the exception of each mailer that was tried, by alias, in the order of the
    attempts. The first of them is the cause.
    """

    def __init__(self, errors: Mapping[str, Exception], alias: str | None = None) -> None:
        super().__init__(errors, alias)
        self.errors = dict(errors)
        self.alias = alias
        self.__cause__ = next(iter(self.errors.values()), None)

    def __str__(self) -> str:
        # Only the types: a text may be the server's, and name anybody.
        tried = ", ".join(
            f"{alias!r} ({type(error).__name__})" for alias, error in self.errors.items()
        )
        where = "" if self.alias is None else f"MAILERS[{self.alias!r}]: "
        return f"{where}No mailer has taken the message. Tried: {tried or 'no mailer'}."


class RateLimited(smtplib.SMTPException):
    """A rate limit of ours has been reached. The message was not handed over.

    `retry_after` says after how many seconds there is room again.
    """

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text, retry_after)
        self.text = text
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.text


class CancelSend(Exception):
    """Raised by a receiver of the signal `pre_send`: the message is not sent, but "skipped".

    The text becomes the `reason` of its result.
    """


class NotQueued(smtplib.SMTPException):
    """`count` of `total` messages were not handed to a task engine, or that cannot be known.

    The exception of the engine, the first one, is the cause.
    """

    def __init__(self, count: int, total: int, cause: Exception | None = None) -> None:
        super().__init__(count, total, cause)
        self.count = count
        self.total = total
        self.__cause__ = cause

    def __str__(self) -> str:
        # Only the type: the text may contain rows of a table.
        reason = "" if self.__cause__ is None else f": {type(self.__cause__).__name__}"
        if self.total == 1:
            return f"The message was not queued{reason}."
        return f"{self.count} of {self.total} messages were not queued{reason}."
