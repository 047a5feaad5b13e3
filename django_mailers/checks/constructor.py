"""The options that a backend takes, and their valid values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_mailers.options import FLAG, NAME, PATH, SECONDS, Kind, TakesOptions
from django_mailers.signatures import BACKENDS, FILEBASED, SMTP, Signature, path_of

TEXT = Kind("a str", (str,))
# Sockets accept a string of digits: see W002.
PORT = Kind("an int from 0 to 65535", (int, str), lambda port: 0 <= _int(port) <= 65535)
STREAM = Kind("a text file", (object,), lambda stream: hasattr(stream, "write"))

DJANGO: Mapping[str, Mapping[str, Kind]] = {
    SMTP: {
        "host": NAME,
        "port": PORT,
        "username": TEXT,
        "password": TEXT,
        "use_tls": FLAG,
        "fail_silently": FLAG,
        "use_ssl": FLAG,
        "timeout": SECONDS,
        "ssl_keyfile": PATH,
        "ssl_certfile": PATH,
    },
    f"{BACKENDS}.console.EmailBackend": {"stream": STREAM, "fail_silently": FLAG},
    FILEBASED: {"file_path": PATH, "fail_silently": FLAG},
}


def kinds_of(signature: Signature) -> dict[str, Kind | None]:
    """Return the options in `signature`, each with its valid values, or None if they are unknown.

    They are known if the class that takes the option is a backend of Django or of this app.
    """
    kinds: dict[str, Kind | None] = {}
    for name, owner in signature.names.items():
        if issubclass(owner, TakesOptions) and name in owner.all_options:
            kinds[name] = owner.all_options[name].kind
        else:
            kinds[name] = DJANGO.get(path_of(owner), {}).get(name)
    return kinds


def _int(value: Any) -> int:
    """Return `value` as an int, or -1 if it is not a number."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else -1
    return -1 if isinstance(value, bool) else int(value)
