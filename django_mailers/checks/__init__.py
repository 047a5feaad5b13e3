"""System checks of MAILERS, on every Django. `django_mailers.checks.table` has all their ids.

Django reads an entry of MAILERS when it is first used, which for error reports may be the night of
the first error, and replaces all entries in tests (H33). These checks read every entry whenever
`manage.py` checks the project. They do not use the network, the disk or a database, as they never
make a backend (see `django_mailers.signatures`). Only `check --deploy` reads files: DKIM keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.mail import DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined]

from django_mailers.signatures import DEVELOPMENT, path_of

from . import (
    addresses,
    background,
    callables,
    entries,
    exposure,
    failovers,
    installation,
    limits,
    redirects,
    references,
    resolvers,
    signing,
)
from .table import check_message

__all__ = ["check_deployment", "check_mailers"]


def check_mailers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check MAILERS and the settings that have to do with it, as they are now."""
    messages = [*installation.check_install(), *addresses.check_addresses()]
    if not hasattr(settings, "MAILERS"):
        return messages
    messages += installation.check_settings()
    aliases = settings.MAILERS
    if not isinstance(aliases, Mapping):
        text = f"MAILERS must be a dict, not of type {type(aliases).__name__}."
        return [*messages, check_message("mailers.E001", text)]
    mailers, problems = entries.read(aliases)
    messages += problems
    for mailer in mailers:
        messages += entries.check(mailer)
        messages += callables.check(mailer)
    messages += references.check_mailers(mailers, aliases)
    messages += redirects.check_mailers(mailers)
    messages += background.check_mailers(mailers)
    messages += resolvers.check_resolvers(mailers)
    messages += limits.check_limits(mailers)
    messages += failovers.check_failovers(mailers)
    # An empty MAILERS turns mail off, error reports included.
    if aliases:
        messages += references.check_logging(aliases)
        messages += references.check_middleware(aliases)
    messages += exposure.check_plaintext(mailers)
    messages += exposure.check_reports(aliases)
    messages += signing.check_senders(mailers)
    return messages


def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that every mailer sends its mail to its recipients, and can sign it.

    Part of `check --deploy`.
    """
    aliases = getattr(settings, "MAILERS", None)
    if not isinstance(aliases, Mapping):
        return []
    mailers, _ = entries.read(aliases)
    unsent = [
        check_message(
            "mailers.W003", f"{path_of(mailer.backend)} does not send mail.", alias=mailer.alias
        )
        for mailer in mailers
        # Django's mail.E001, which compares the path, reports the default mailer.
        if path_of(mailer.backend) in DEVELOPMENT
        and (mailer.alias != DEFAULT_MAILER_ALIAS or mailer.path not in DEVELOPMENT)
    ]
    return [
        *unsent,
        *background.check_deployment(mailers),
        *redirects.check_deployment(mailers),
        *signing.check_keys(mailers),
    ]
