"""`failing`: a mailer that fails during a test."""

from __future__ import annotations

from typing import Any

from django.core.mail import MailerDoesNotExist

from ..override import Mailers, override_mailers
from ..wanted import Addresses
from .fault import Code, Fault, Phase

BACKEND = "django_mailers.testing.faults.backend.EmailBackend"


class failing(override_mailers):
    """Make the mailer `alias` fail as a mail server would: a context manager and a decorator.

    code        The server's reply, from 400 to 599; or "disconnect" (it closes the connection),
                "timeout" (it does not answer), "refused" (there is no server; only at "connect").
    at          The phase: "connect", "helo", "starttls", "auth", "mail", "rcpt", "data", or "end",
                which is after the content.
    times       How many times it fails before it works; None for always. Messages are counted, or
                connections at one of the first four phases.
    rate        How often it fails by chance, from 0 (never) to 1 (always).
    seed        The seed of the random numbers, so that every run is the same.
    recipients  Only messages to one of these addresses fail, which may be patterns. At "rcpt" only
                these recipients are refused: a message is sent to the others.

    `send_mail()` and others raise what smtplib would, and `send_many()` reports what became of each
    message: after the content, a lost connection means "unknown". Messages that do not fail go to
    the mailer that it was before, in tests to `mail.outbox`.

    The context gives the `Fault`, which counts. Each call of a decorated function begins with a new
    one. Raises MailerDoesNotExist when it begins.
    """

    def __init__(
        self,
        alias: str,
        code: Code = 451,
        at: Phase = "rcpt",
        times: int | None = None,
        rate: float | None = None,
        seed: int | None = None,
        recipients: Addresses | None = None,
    ) -> None:
        super().__init__()
        self.alias = alias
        self._arguments: tuple[Any, ...] = (code, at, times, rate, seed, recipients)
        # Now, so that a mistake is shown where it is.
        self.fault = Fault(*self._arguments)

    def over(self, mailers: Mailers) -> dict[str, Any]:
        if self.alias not in mailers:
            raise MailerDoesNotExist(alias=self.alias)
        self.fault = Fault(*self._arguments)
        options = {"fault": self.fault, "over": mailers[self.alias]}
        return {**mailers, self.alias: {"BACKEND": BACKEND, "OPTIONS": options}}

    def enable(self) -> Fault:
        super().enable()
        return self.fault

    def __enter__(self) -> Fault:  # type: ignore[override, unused-ignore]
        return self.enable()
