"""The result of a message that was sent in several parts."""

from __future__ import annotations

from collections.abc import Sequence

from django_mailers.delivery import SendResult, Status
from django_mailers.delivery.report import TAKEN
from django_mailers.types import Message

# If not a single part was taken, or all were. The first is what became of the message.
_ORDER: tuple[Status, ...] = ("queued", "sent", "failed", "refused", "skipped")


def merged(message: Message, results: Sequence[SendResult]) -> SendResult:
    """Return the one result of `message`, of whose parts these are the results.

    It is "sent" only if every part was, and "unknown" if only some were: the message must not be
    sent again as a whole. A part that was skipped does not count.
    """
    if len(results) == 1:
        return results[0].about(message)
    counted = [one for one in results if one.status != "skipped"] or results
    taken = sum(one.status in TAKEN for one in counted)
    first = min(counted, key=lambda one: _ORDER.index(one.status) if one.status in _ORDER else -1)
    failure = next((one for one in counted if one.status not in TAKEN), first)
    is_split = 0 < taken < len(counted)
    leading = failure if is_split else first
    return leading._replace(
        message=message,
        status="unknown" if is_split else first.status,
        recipients=tuple(recipient for one in results for recipient in one.recipients),
        error=next((one.error for one in counted if one.error is not None), None),
        reason=", ".join(dict.fromkeys(one.reason for one in counted if one.reason)),
        via=next((one.via for one in counted if one.via is not None), None),
    )
