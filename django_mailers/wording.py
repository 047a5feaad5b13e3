"""How messages write down what they name."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """Return "a", "a and b" or "a, b and c".

    Arguments: `names`, at least one, as they are to be read: `map(repr, names)` puts them in
    quotes.
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
