"""Checks for passwords that the network, or readers of error reports, could see."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from .entries import Mailer
from .table import check_message

URL_WITH_PASSWORD = re.compile(r"[a-z0-9+.-]://[^\s/?#:@]*:[^\s/?#@]+@", re.IGNORECASE)
PRIVATE_KEY = re.compile("-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Names of secrets that Django's pattern does not know.
SECRET_NAME = re.compile("(pwd|credentials?|bearer)$", re.IGNORECASE)


def check_plaintext(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check that no SMTP mailer logs in to another machine without TLS."""
    for mailer in mailers:
        needed = ("host", "username", "password", "use_tls", "use_ssl")
        if not all(mailer.has(name) for name in needed):
            continue
        host, username, password, *tls = (mailer.options.get(name) for name in needed)
        # The backend only logs in if it has both.
        if host and username and password and not any(tls) and not _is_loopback(host):
            text = "The password is sent over the network in plain text."
            yield check_message("mailers.W004", text, alias=mailer.alias)


def check_reports(aliases: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    """Check that error reports, which list the settings, mask the secrets in MAILERS (H37)."""
    reporter_filter = import_string(settings.DEFAULT_EXCEPTION_REPORTER_FILTER)()
    shown = reporter_filter.cleanse_setting("MAILERS", dict(aliases))
    if not isinstance(shown, Mapping):
        return
    for alias, entry in shown.items():
        if not isinstance(entry, Mapping):
            continue
        options = entry.get("OPTIONS", {})
        for place, values in (("", entry), ("OPTIONS ", options)):
            if not isinstance(values, Mapping):
                continue
            for name, value in values.items():
                if value is options:
                    continue
                if _has_secret(name, value, reporter_filter.cleansed_substitute):
                    text = f"Error reports show the secret in {place}{name!r}."
                    yield check_message("mailers.W005", text, alias=alias)


def _is_loopback(host: Any) -> bool:
    name = str(host).lower().strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _has_secret(name: Any, value: Any, mask: str) -> bool:
    """Whether `value`, as error reports show it under `name`, contains a secret."""
    if isinstance(value, Mapping):
        return any(_has_secret(key, item, mask) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(_has_secret(name, item, mask) for item in value)
    if not isinstance(value, str) or value in {"", mask}:
        return False
    if URL_WITH_PASSWORD.search(value) or PRIVATE_KEY.search(value):
        return True
    # The path of a file with credentials is not a secret.
    return bool(SECRET_NAME.search(str(name))) and not os.path.isabs(value)
