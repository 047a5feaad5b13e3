"""The key of a mailer that rests: in this process, and in a cache that processes share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.core import mail

from django_mailers.options import SECONDS

from .._wrapping.aliases import backend_of, named_by

PREFIX = "django_mailers:failover"
# The names that Django masks in error reports, and similar ones.
SECRET_NAME = re.compile(
    "api|auth|token|key|secret|pass|pwd|signature|credential|bearer|cookie", re.I
)
URL_WITH_USER = re.compile("://[^/?#]*@")
# The options of wrappers that wait before they send, or in between.
WAITS = ("deadline", "max_wait")
# Seconds after which a mailer without a timeout is assumed to give up on its server.
DEFAULT_TIMEOUT = 30

# For each alias the MAILERS that was looked at, and the key, as it is asked for every message.
_known: dict[str, tuple[Any, str]] = {}


def key_of(alias: str) -> str:
    """Return the key of the mailer `alias`, as it is configured now, for any cache.

    It consists of the alias and a hash of the host, the port and the user, or of the other options
    without a host. No secret is among them: someone who reads the cache could guess it.
    """
    settings = mail.mailers.settings
    looked_at, key = _known.get(alias, (None, ""))
    if looked_at is not settings:
        entry = _entry(settings, alias)
        digest = hashlib.sha256(json.dumps(identity_of(entry)).encode()).hexdigest()
        # Memcached takes keys of up to 250 bytes, without spaces.
        key = f"{PREFIX}:{quote(alias, safe='')[:100]}:{digest[:16]}"
        _known[alias] = settings, key
    return key


def timeout_of(alias: str) -> float:
    """Return after how many seconds the mailer `alias` gives up on servers that are silent.

    One that sends through others may wait for each of them, and in between.
    """
    seconds, aliases = 0.0, [alias]
    for each in aliases:
        named = [*named_by(each)]
        aliases += [other for other in dict.fromkeys(named) if other not in aliases]
        options = _options(_entry(mail.mailers.settings, each))
        if named:
            backend = backend_of(each)
            waits = (options.get(name, getattr(backend, name, None)) for name in WAITS)
            seconds += sum(filter(SECONDS.allows, waits))
        else:
            timeout: Any = options.get("timeout")
            seconds += timeout if SECONDS.allows(timeout) else DEFAULT_TIMEOUT
    return seconds


def identity_of(entry: Mapping[str, Any]) -> list[Any]:
    """Return what distinguishes the mailer of an entry of MAILERS from others, without secrets."""
    options = _options(entry)
    backend = str(entry.get("BACKEND"))
    if options.get("host"):
        return [backend, *(str(options.get(name)) for name in ("host", "port", "username"))]
    return [backend, *sorted([name, value] for name, value in _plain(options).items())]


def _plain(options: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(name): repr(value)
        for name, value in options.items()
        if _is_plain(value)
        and not SECRET_NAME.search(str(name))
        and not URL_WITH_USER.search(repr(value))
    }


def _is_plain(value: Any) -> bool:
    """Whether the repr() of `value` is the same in every process."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _entry(settings: Any, alias: str) -> Mapping[str, Any]:
    entry = settings.get(alias)
    return entry if isinstance(entry, Mapping) else {}


def _options(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    options = entry.get("OPTIONS")
    return options if isinstance(options, Mapping) else {}
