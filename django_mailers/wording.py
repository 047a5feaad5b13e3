"""How texts for people are put together."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """Return 'a', 'a and b' or 'a, b and c'."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
