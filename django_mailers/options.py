"""The values that options may have: for backends, and for the system checks."""

from __future__ import annotations

import os
import re
import ssl
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
# For EHLO, of whose line there is no more to begin with (RFC 5321, 4.5.3.1.2).
EHLO_NAME = Kind(
    "a host name of 1 to 255 ASCII characters, without whitespace",
    (str,),
    lambda name: re.fullmatch("[!-~]{1,255}", name) is not None,
)
PATH = Kind("a str or a Path", (str, bytes, os.PathLike))
COUNT = Kind("an int greater than 0", (int,), lambda count: _is_number(count) and count > 0)
SIZE = Kind("an int, 0 or greater", (int,), lambda size: _is_number(size) and size >= 0)
SECONDS = Kind(
    "a number of seconds greater than 0", (int, float), lambda s: _is_number(s) and s > 0
)
DELAY = Kind("a number of seconds, 0 or greater", (int, float), lambda s: _is_number(s) and s >= 0)
AUTO = Kind("'auto' or False", (str, bool), lambda value: value in {"auto", False})


def _is_path(value: Any) -> bool:
    """Whether it is a dotted path, for import_string(). A token given by mistake seldom is one."""
    return isinstance(value, str) and all(map(str.isidentifier, value.split(".")))


def one_of(*values: str) -> Kind:
    return Kind(" or ".join(map(repr, values)), (str,), lambda value: value in values)


# Those of django_mailers.backends.smtp, besides Django's.
TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
SMTP = {
    "pool_size": SIZE,
    "max_messages": COUNT,
    "max_age": SECONDS,
    "max_idle": SECONDS,
    "check_after": DELAY,
    "acquire_timeout": DELAY,
    "parallel": COUNT,
    "pipelining": AUTO,
    "chunking": AUTO,
    "ca_file": PATH,
    "tls_min_version": one_of(*TLS_VERSIONS),
    "local_hostname": EHLO_NAME,
    "source_address": Kind(
        "a str, or a tuple of a str and an int",
        (str, tuple),
        lambda value: isinstance(value, str) or [*map(type, value)] == [str, int],
    ),
    "auth": one_of("xoauth2"),
    "token": Kind(
        "a callable or the path of one",
        (object,),
        lambda token: callable(token) or _is_path(token),
    ),
}


def complaint(kinds: Mapping[str, Kind], options: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the first of `options` that is not of its kind."""
    for name, value in options.items():
        if not kinds[name].allows(value):
            return f"OPTIONS {name!r} must be {kinds[name].expected}."
    return None
