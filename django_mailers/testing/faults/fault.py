"""A fault: when it strikes, and what `smtplib` raises for it."""

from __future__ import annotations

import errno
import os
import random
import smtplib
import threading
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast

from django_mailers.types import Message

from ..wanted import Addresses, as_list, bare_address, is_address

# The phases of a session, in their order: those of the connection, and those of each message.
# "data" is the command, "end" is after the content, when the message may have been taken.
CONNECTION_PHASES = ("connect", "helo", "starttls", "auth")
MESSAGE_PHASES = ("mail", "rcpt", "data", "end")
Phase: TypeAlias = Literal["connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "end"]
# A reply of the server, or what happens instead of one.
Code: TypeAlias = "int | Literal['disconnect', 'timeout', 'refused']"
EVENTS = ("disconnect", "timeout", "refused")
# RFC 5321, 3.8: after this the server closes the connection, and smtplib gives up.
CLOSING = 421


class Fault:
    """The fault that `failing()` puts into a mailer. All mailers of the alias share it.

    tried    How many times it could have struck: connections, or messages.
    struck   How many times it has.
    """

    def __init__(
        self,
        code: Code = 451,
        at: Phase = "rcpt",
        times: int | None = None,
        rate: float | None = None,
        seed: int | None = None,
        recipients: Addresses | None = None,
    ) -> None:
        self.code = code
        self.at = at
        self.times = times
        self.rate = rate
        self.recipients = None if recipients is None else as_list(recipients)
        self._check()
        self.tried = self.struck = 0
        self._random = random.Random(seed)  # noqa: S311 - chance, not a secret
        self._lock = threading.Lock()

    def _check(self) -> None:
        is_code = isinstance(self.code, int) and 400 <= self.code < 600
        if not is_code and self.code not in EVENTS:
            raise ValueError(f"'code' must be from 400 to 599, or one of {', '.join(EVENTS)}.")
        if self.at not in (*CONNECTION_PHASES, *MESSAGE_PHASES):
            phases = ", ".join((*CONNECTION_PHASES, *MESSAGE_PHASES))
            raise ValueError(f"'at' must be one of {phases}.")
        if self.code == "refused" and self.at != "connect":
            raise ValueError("'refused' needs at='connect': there is no connection.")
        if self.rate is not None and not 0 <= self.rate <= 1:
            raise ValueError("'rate' must be from 0 to 1.")
        if self.recipients is not None and self.is_of_connection:
            raise ValueError(f"At {self.at!r} no recipients are known yet.")

    def __repr__(self) -> str:
        return f"<Fault {self.code!r} at {self.at!r}: {self.struck} of {self.tried}>"

    @property
    def is_of_connection(self) -> bool:
        """Whether it is a fault of the connection, not of a message."""
        return self.at in CONNECTION_PHASES

    def affected(self, message: Message) -> list[str]:
        """Return the recipients of `message` that it is about, as they are in the envelope."""
        return [
            address
            for address in map(bare_address, message.recipients())
            if self.recipients is None or any(is_address(one, address) for one in self.recipients)
        ]

    def strikes(self) -> bool:
        """Decide whether it strikes now, and count that."""
        with self._lock:
            self.tried += 1
            is_due = self.times is None or self.struck < self.times
            # A number is drawn in any case, so that `times` does not affect the later ones.
            if self.rate is not None and self._random.random() >= self.rate:
                is_due = False
            self.struck += is_due
            return is_due

    def error(self, sender: str = "", refused: Sequence[str] = ()) -> Exception:
        """Return what smtplib raises; `refused` are the recipients that it is about."""
        if not isinstance(self.code, int):
            return _event(self.code, self.at)
        code, text = self.code, f"{self.code // 100}.0.0 Refused by failing()".encode()
        if self.at == "mail":
            return smtplib.SMTPSenderRefused(code, text, sender)
        if self.at == "rcpt":
            # With 421 it does not ask for the others.
            asked = refused[:1] if code == CLOSING else refused
            return smtplib.SMTPRecipientsRefused(dict.fromkeys(asked, (code, text)))
        kinds: dict[str, Any] = {
            "connect": smtplib.SMTPConnectError,
            "helo": smtplib.SMTPHeloError,
            "starttls": smtplib.SMTPResponseException,
            "auth": smtplib.SMTPAuthenticationError,
            "data": smtplib.SMTPDataError,
            "end": smtplib.SMTPDataError,
        }
        return cast("Exception", kinds[self.at](code, text))


def _event(name: str, at: str) -> Exception:
    if name == "refused":
        return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    if name == "timeout":
        if at == "connect":
            return TimeoutError("timed out")
        # smtplib says it in this way as soon as there is a connection.
        return smtplib.SMTPServerDisconnected("Connection unexpectedly closed: timed out")
    return smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
