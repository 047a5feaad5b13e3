"""Signals for each message: `"BACKEND": "django_mailers.backends.observe.EmailBackend"`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured

from django_mailers.delivery import SendResult
from django_mailers.errors import CancelSend
from django_mailers.options import ALIAS, Option
from django_mailers.signals import post_send, pre_send
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from ._wrapping.calls import current_call
from ._wrapping.interrupted import attach_report
from .base import Wrapper


class EmailBackend(Wrapper):
    """Sends messages through `using`, with the signals `pre_send` and `post_send` for each.

    A receiver of `pre_send` that raises CancelSend keeps its message from being sent, which is then
    "skipped". After any other exception it is "failed". If a receiver of `post_send` raises an
    exception, Django logs it, and nothing else changes.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {"using": Option(ALIAS, is_required=True)}

    def outgoing(self, message: Message) -> Message | SendResult:
        """Send `pre_send`; return `message`, or a result if it was cancelled."""
        try:
            pre_send.send(type(self), message=message, alias=self.alias)
        except CancelSend as error:
            return SendResult(
                message, "skipped", reason=str(error) or "cancelled by a receiver of pre_send"
            )
        return message

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        """Send `messages` through `using` as one batch, with the signals before and after it."""
        start = time.perf_counter()
        try:
            results = super().send_through(messages)
        except ImproperlyConfigured as error:
            # Some of them may have been sent before.
            self._announce(current_call(self).report(messages, error), start)
            raise
        self._announce(results, start)
        return results

    def _announce(self, results: Sequence[SendResult], start: float) -> None:
        """Send `post_send` for each of `results`."""
        duration = time.perf_counter() - start
        try:
            for result in results:
                responses = post_send.send_robust(
                    type(self),
                    message=result.message,
                    alias=self.alias,
                    result=result,
                    duration=duration,
                )
                for _, response in responses:
                    # An interrupt, such as a job's time limit, is not the receiver's.
                    if isinstance(response, Exception) and is_injected(response):
                        raise response
        except BaseException as error:
            # An interrupt must not hide that the messages were sent (H50).
            attach_report(error, results, self.alias)
            raise
