"""The one hook of this room for forks, and the functions that it calls in a child."""

from __future__ import annotations

import os
from collections.abc import Callable

_renewals: list[Callable[[], object]] = []


def after_fork(renew: Callable[[], object]) -> Callable[[], object]:
    """Have `renew` called in each forked child, the last one first: locks before pools."""
    _renewals.insert(0, renew)
    return renew


def _in_child() -> None:
    for renew in _renewals:
        renew()


# Windows does not fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
