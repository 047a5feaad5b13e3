"""What went wrong with a message: the project's own judgement, or that of this app."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import Fault, fault_of
from django_mailers.delivery.faulttable import (
    ACCOUNT,
    CONFIGURATION,
    MESSAGE,
    NETWORK,
    SENT,
    UNKNOWN,
    busy,
)
from django_mailers.delivery.report import COUNTED
from django_mailers.options import import_callable
from django_mailers.smtp import is_injected

if TYPE_CHECKING:
    from ..failover import EmailBackend
    from .batch import Try

logger = logging.getLogger("django_mailers.failover")

# The fault for each kind that `classify` may return.
FAULTS = {
    fault.kind: fault for fault in (NETWORK, busy(), ACCOUNT, MESSAGE, SENT, UNKNOWN, CONFIGURATION)
}


class Judge:
    """Judges what went wrong, with the help of the option `classify` of `backend`."""

    def __init__(self, backend: EmailBackend) -> None:
        self.alias = backend.alias
        classify = backend.classify
        if classify is not None:
            classify = import_callable(classify, "classify", backend.alias)
        self.classify: Callable[..., Any] | None = classify

    def __call__(self, result: SendResult, alias: str) -> tuple[SendResult, Fault | None]:
        """Return the result, changed if `classify` judges otherwise, and what went wrong."""
        fault = fault_of(result)
        # A message that was taken stays taken, whatever `classify` says.
        if fault is None or self.classify is None or result.status in COUNTED:
            return result, fault
        kind = self._ask(self.classify, result, alias)
        if kind is None or kind == fault.kind:
            return result, fault
        return _as_judged(result, kind, alias), FAULTS[kind]

    def _ask(self, classify: Callable[..., Any], result: SendResult, alias: str) -> Any:
        try:
            kind = classify(result, alias)
        except Exception as error:
            # This is the project's code. The results of the other messages must not be lost.
            if is_injected(error):
                raise
            logger.error(
                "MAILERS[%r]: 'classify' raised %s.",
                self.alias,
                type(error).__name__,
                exc_info=error,
            )
            return None
        if kind is not None and kind not in FAULTS:
            logger.error("MAILERS[%r]: 'classify' did not return a kind of fault.", self.alias)
            return None
        return kind


def outcome(tries: Iterable[Try]) -> Literal[True] | Fault | None:
    """Return what the last of `tries` that tells anything says about their mailer.

    True if it works; the Fault for which it has to rest; None if none of them tells.
    """
    told: Literal[True] | Fault | None = None
    for _, result, fault in tries:
        if fault is not None and fault.rests:
            told = fault
        elif result.status in COUNTED or (
            result.status == "refused" and fault is not None and fault.kind == "message"
        ):
            told = True
    return told


def _as_judged(result: SendResult, kind: str, alias: str) -> SendResult:
    """Return `result` with the status that goes with a kind of fault that is not the usual one."""
    if kind in {"unknown", "sent"}:
        return result._replace(status="unknown", via=result.via or alias)
    if result.status == "unknown":
        return result._replace(status="failed", via=None)
    return result
