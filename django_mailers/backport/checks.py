"""`django.core.checks.mail`: mail.W001 and mail.E001 of 6.1. (Django 6.0: this whole file.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage

from .handler import DEFAULT_MAILER_ALIAS

# `django.core.checks.Tags.mail` of 6.1.
TAG = "mail"

NON_PRODUCTION_EMAIL_BACKENDS = {
    f"django.core.mail.backends.{name}.EmailBackend"
    for name in ("console", "dummy", "filebased", "locmem")
}


def register() -> None:
    """Register both checks; a second time changes nothing."""
    checks.register(check_mailers_default_alias, TAG)
    checks.register(check_mailers_production_backend, TAG, deploy=True)


def check_mailers_default_alias(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn if MAILERS has no default entry."""
    aliases = _mailers()
    if aliases is None or DEFAULT_MAILER_ALIAS in aliases:
        return []
    cure = f"Add a '{DEFAULT_MAILER_ALIAS}' entry to MAILERS"
    if aliases:
        cure += ", or pass 'using' when sending email"
    text = (
        f"Your MAILERS setting has no '{DEFAULT_MAILER_ALIAS}' entry. Sending email without a "
        "valid mailer will fail."
    )
    return [checks.Warning(text, hint=f"{cure}.", id="mail.W001")]


def check_mailers_production_backend(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to deploy if the default mailer keeps its mail to itself."""
    entry = (_mailers() or {}).get(DEFAULT_MAILER_ALIAS)
    path = entry.get("BACKEND") if isinstance(entry, Mapping) else None
    if not isinstance(path, str) or path not in NON_PRODUCTION_EMAIL_BACKENDS:
        return []
    text = (
        "Your MAILERS setting uses a development-only email backend in the "
        f"'{DEFAULT_MAILER_ALIAS}' entry ({path})."
    )
    hint = (
        "Use a production-ready email backend, such as the SMTP backend, otherwise email will not "
        "be sent."
    )
    return [checks.Error(text, hint=hint, id="mail.E001")]


def _mailers() -> Mapping[Any, Any] | None:
    """Return MAILERS if it is there and of any use: 6.1 breaks off with a `TypeError` if not."""
    aliases = getattr(settings, "MAILERS", None)
    return aliases if isinstance(aliases, Mapping) else None
