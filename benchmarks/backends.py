"""Mailers that do as little as possible, to measure what ours do around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django_mailers import SendResult
from django_mailers.backends.base import ReportingBackend, Wrapper
from django_mailers.options import ALIAS, Option

USING = {"using": Option(ALIAS, is_required=True)}


class NullBackend(ReportingBackend):
    """Says that it has sent everything."""

    renders_mime = True

    def send_many(self, messages: Sequence[Any]) -> list[SendResult]:
        return [SendResult(message, "sent") for message in messages]


class HandingOnBackend(Wrapper):
    option_kinds = USING


class ChangingBackend(HandingOnBackend):
    def outgoing(self, message: Any) -> Any:
        changed = self.copy(message)
        changed.subject = f"[staging] {message.subject}"
        return changed


class FixingBackend(HandingOnBackend):
    def outgoing(self, message: Any) -> Any:
        return self.fix_identity(message)
