"""System checks of MAILERS, on every Django. `django_mailers.checks.table` has all their ids.

Django looks at an entry of MAILERS when it is used for the first time, which may be the night in
which something fails, and replaces all of them in tests (H33). These checks look at every entry
whenever `manage.py` checks the project, and touch no network, no disk and no database in doing so:
a backend is never made, see `django_mailers.signatures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.mail import DEFAULT_MAILER_ALIAS

from django_mailers.signatures import path_of

from . import addresses, entries, exposure, installation, references
from .constructor import DEVELOPMENT
from .table import report

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
        return [*messages, report("mailers.E001", text)]
    mailers, problems = entries.read(aliases)
    messages += problems
    for mailer in mailers:
        messages += entries.check(mailer)
    messages += references.check_mailers(mailers, aliases)
    # Without any mailer mail is turned off, and reports with it: nothing is misspelt.
    if aliases:
        messages += references.check_logging(aliases)
        messages += references.check_middleware(aliases)
    messages += exposure.check_plaintext(mailers)
    messages += exposure.check_reports(aliases)
    return messages


def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that no mailer keeps its mail to itself; part of `check --deploy`."""
    aliases = getattr(settings, "MAILERS", None)
    if not isinstance(aliases, Mapping):
        return []
    mailers, _ = entries.read(aliases)
    return [
        report("mailers.W003", f"{path_of(mailer.backend)} does not send mail.", alias=mailer.alias)
        for mailer in mailers
        # mail.E001 has the default mailer, and goes by the path.
        if path_of(mailer.backend) in DEVELOPMENT
        and (mailer.alias != DEFAULT_MAILER_ALIAS or mailer.path not in DEVELOPMENT)
    ]
