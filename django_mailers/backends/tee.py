"""Copies in other places: `"BACKEND": "django_mailers.backends.tee.EmailBackend"`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from django_mailers.delivery import SendReport, SendResult
from django_mailers.delivery.report import COUNTED
from django_mailers.options import ALIAS, ALIASES, Option
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from ._wrapping.calls import current_call
from ._wrapping.interrupted import attach_report
from .base import Wrapper

logger = logging.getLogger("django_mailers.backends")


class EmailBackend(Wrapper):
    """Sends through `using`, and then sends copies of what that has taken through each of `also`.

    The results are those of `using`. Errors of the others are logged, and not raised. A message
    that `using` did not take, or may not have taken, is not given to them.

    Raises InvalidMailer for an unknown alias in `also`, before anything is sent.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "using": Option(ALIAS, is_required=True),
        "also": Option(ALIASES, is_required=True),
    }

    also: Sequence[str]

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which mailer would get every message twice."""
        seen = {options.get("using")}
        for alias in options.get("also") or ():
            if alias in seen:
                return f"OPTIONS 'also' must not name {alias!r} again."
            seen.add(alias)
        return None

    def outgoing(self, message: Message) -> Message | SendResult:
        """Return `message` with the Message-ID and the Date that all of its copies are to have."""
        return self.fix_identity(message)

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        """Send `messages` through `using`, then those that were taken through the others."""
        outcomes = [self._outgoing(message) for message in messages]
        try:
            results = self._send_outcomes(messages, outcomes)
        except ImproperlyConfigured as error:
            # Some of them may have been sent before.
            self._give_to_others(outcomes, current_call(self).report(messages, error))
            raise
        self._give_to_others(outcomes, results)
        return results

    def _give_to_others(self, sent: Sequence[Any], results: Sequence[SendResult]) -> None:
        """Give those of the messages `sent` that were taken, according to `results`, to `also`."""
        pairs = zip(sent, results, strict=True)
        taken = [message for message, result in pairs if result.status in COUNTED]
        if not taken:
            return
        try:
            for alias in self.also:
                self._give(alias, taken)
        except BaseException as error:
            # An interrupt must not hide that the messages were sent.
            attach_report(error, results, self.alias)
            raise

    def _give(self, alias: str, messages: Sequence[Message]) -> None:
        """Send copies of `messages` through the mailer `alias`; log errors."""
        try:
            # Copies, so that the attributes which a backend adds to a message are those of `using`.
            copies = [self.copy(message) for message in messages]
            with current_call(self).aside():
                report = SendReport(self.hand_on(alias, copies))
        except Exception as error:
            if is_injected(error):
                raise
            # An error of any backend, or of its configuration. The messages are sent, and raising
            # it would make the caller send them again (H50).
            _log(
                self.alias,
                f"Sending copies of them through {alias!r} raised {type(error).__name__}.",
            )
            return
        failures = report.failures
        if failures:
            # Only the types: the text may be the server's, and contain addresses.
            types = {type(one.error).__name__ for one in failures if one.error is not None}
            because = f" ({', '.join(sorted(types))})" if types else ""
            _log(self.alias, f"Of their copies through {alias!r}: {report.summary()}{because}.")


def _log(alias: str | None, what: str) -> None:
    # A warning, not an error: an error report might be sent by this very mailer.
    logger.warning("MAILERS[%r]: Messages were sent. %s", alias, what)
