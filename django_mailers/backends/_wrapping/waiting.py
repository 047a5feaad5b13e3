"""Waiting in the middle of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django_mailers.types import Message

from . import clock
from .calls import current_call
from .interrupted import attach_report

if TYPE_CHECKING:
    from .wrapper import Wrapper


def wait(wrapper: Wrapper, seconds: float, messages: Sequence[Message]) -> None:
    """Wait in a batch of `messages`. No connection of a pool is held meanwhile.

    An interrupt gets a `report`, as what was sent before it would be sent again otherwise.
    """
    try:
        clock.sleep(seconds)
    except BaseException as error:
        attach_report(error, current_call(wrapper).report(messages, error), None)
        raise
