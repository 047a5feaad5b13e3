"""The values that options may have: for backends, and for the system checks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """The values that an option may have, besides None. `expected` goes after "must be"."""

    expected: str
    types: tuple[type, ...]
    fits: Callable[[Any], bool] = lambda value: True

    def allows(self, value: Any) -> bool:
        return isinstance(value, self.types) and self.fits(value)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool)


NAME = Kind("a str that is not empty", (str,), bool)
PATH = Kind("a str or a Path", (str, bytes, os.PathLike))
COUNT = Kind("an int greater than 0", (int,), lambda count: _is_number(count) and count > 0)
SIZE = Kind("an int, 0 or greater", (int,), lambda size: _is_number(size) and size >= 0)
SECONDS = Kind(
    "a number of seconds greater than 0", (int, float), lambda s: _is_number(s) and s > 0
)
DELAY = Kind("a number of seconds, 0 or greater", (int, float), lambda s: _is_number(s) and s >= 0)
AUTO = Kind("'auto' or False", (str, bool), lambda value: value in {"auto", False})


def one_of(*values: str) -> Kind:
    return Kind(" or ".join(map(repr, values)), (str,), lambda value: value in values)


def complaint(kinds: Mapping[str, Kind], options: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the first of `options` that is not of its kind."""
    for name, value in options.items():
        if not kinds[name].allows(value):
            return f"OPTIONS {name!r} must be {kinds[name].expected}."
    return None
