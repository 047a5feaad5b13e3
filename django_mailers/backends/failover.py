"""The first of several mailers that works: `"django_mailers.backends.failover.EmailBackend"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import fault_of_error
from django_mailers.errors import MailersFailed
from django_mailers.options import ALIASES, CALLABLE, NAME, SECONDS, Option, one_of
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from ._failover.batch import Batch
from ._failover.health import Health
from ._failover.rests import Attempt
from ._failover.verdicts import outcome
from ._wrapping.aliases import check_aliases
from ._wrapping.calls import current_call
from .base import Wrapper


class EmailBackend(Wrapper):
    """Hands each message to the first of `mailers`, or to the next one if that cannot take it.

    Whether it goes to the next one depends on what went wrong (`delivery/faults.py`). A message
    that a mailer has taken, or may have taken, is never given to another one, unless
    `unknown="next"` allows it. A mailer that fails rests, and is tried by one message afterwards:
    see `Health`.

    If no mailer takes a message, its error is a `MailersFailed`.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "mailers": Option(ALIASES, is_required=True),
        "rest": Option(SECONDS, 60, "seconds"),
        "max_rest": Option(SECONDS, 900, "seconds"),
        "cache": Option(NAME),
        "unknown": Option(one_of("raise", "next"), "raise"),
        "classify": Option(CALLABLE),
    }

    mailers: Sequence[str]
    rest: float
    max_rest: float
    cache: str | None
    unknown: str
    classify: Callable[[SendResult, str], str | None] | str | None

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        batch = Batch(self, messages)
        return self.send_batch(batch, [([*range(len(messages))], self.mailers)])

    def send_batch(
        self, batch: Batch, groups: Sequence[tuple[Sequence[int], Sequence[str]]]
    ) -> list[SendResult]:
        """Send the groups of a batch: the numbers of messages, and the mailers to try in order."""
        health = Health(self)
        try:
            for numbers, aliases in groups:
                self._send(batch, numbers, aliases, health)
        except ImproperlyConfigured:
            # For the report that the error gets.
            current_call(self).record(batch.doubtful())
            raise
        return [result for result in batch.results if result is not None]

    def open(self) -> bool | None:
        """Open the first of the mailers that can be opened, until `close()`.

        A mailer that cannot be opened rests. Returns what the `open()` of the mailer returns, and
        raises `MailersFailed` if none can be opened.
        """
        check_aliases(self)
        health, forced = Health(self), False
        errors: dict[str, Exception] = {}
        while True:
            attempt = Attempt()
            try:
                left = [alias for alias in self.mailers if alias not in errors]
                if not health.choose(attempt, left, may_force=not forced):
                    break
                forced |= attempt.is_forced
                return self.open_target(attempt.alias)
            except Exception as error:
                # Of any backend.
                if isinstance(error, ImproperlyConfigured) or is_injected(error):
                    raise
                self._not_opened(health, attempt, error)
                errors[attempt.alias] = error
            finally:
                health.release(attempt)
        raise MailersFailed(errors, self.alias)

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which of `options`, each of which is valid by itself, do not go together."""
        get = options.get
        rest, max_rest = get("rest", EmailBackend.rest), get("max_rest", EmailBackend.max_rest)
        if rest > max_rest:
            return "OPTIONS 'rest' must not be greater than 'max_rest'."
        return None

    def _send(
        self, batch: Batch, numbers: Sequence[int], aliases: Sequence[str], health: Health
    ) -> None:
        """Hand on the messages `numbers` to the first of `aliases` that takes them."""
        tried: set[str] = set()
        forced = False
        while numbers:
            attempt = Attempt()
            try:
                left = [alias for alias in aliases if alias not in tried]
                if not health.choose(attempt, left, may_force=not forced):
                    break
                forced |= attempt.is_forced
                # One message tries a mailer that is half open. The others wait for it (H43).
                count = 1 if attempt.is_probe else len(numbers)
                tries = batch.hand_on(attempt.alias, numbers[:count])
                told = outcome(tries)
                if told is True:
                    health.succeeded(attempt)
                elif told is not None:
                    health.failed(attempt, told)
            finally:
                health.release(attempt)
            waiting, moving = numbers[count:], batch.pending(numbers[:count])
            if waiting and moving:
                # The fault is not the message's: the others move on together with it.
                batch.share(tries[0], waiting)
            if moving or not waiting:
                tried.add(attempt.alias)
            numbers = [*moving, *waiting]
        batch.give_up(numbers)

    def _not_opened(self, health: Health, attempt: Attempt, error: Exception) -> None:
        """Make a mailer that could not be opened rest, unless the next one would fail likewise."""
        fault = fault_of_error(error, handed_over=False)
        if not fault.moves:
            raise error
        if fault.rests:
            health.failed(attempt, fault)
