"""What is verified: a mailer in MAILERS, or an entry as there is one in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.mail import mailers
from django.views.debug import SafeExceptionReporterFilter

from django_mailers.routing import build_mailer
from django_mailers.smtp.errors import MASK
from django_mailers.types import Mailer

# The alias of a mailer that is not in MAILERS.
UNNAMED = "(not in MAILERS)"


class Subject:
    """What is verified: an alias, or an entry, whose options its repr() does not show."""

    def __init__(self, mailer: str | Mapping[str, Any]) -> None:
        self._mailer = mailer

    @property
    def is_unknown(self) -> bool:
        """Whether it is an alias that MAILERS does not have."""
        return isinstance(self._mailer, str) and self._mailer not in mailers

    def make(self) -> Mailer:
        if isinstance(self._mailer, str):
            return mailers[self._mailer]
        return build_mailer(self._mailer, alias=UNNAMED)

    def told(self, error: Exception) -> str:
        """Return the text of an error of any backend, which may show what it was given."""
        entry: Any = self._mailer
        if isinstance(entry, str):
            entry = mailers.settings.get(entry)
        options = entry.get("OPTIONS") if isinstance(entry, Mapping) else None
        text = f"{type(error).__name__}: {error}"
        for name, value in (options if isinstance(options, Mapping) else {}).items():
            # Django's pattern of what its debug page hides.
            if SafeExceptionReporterFilter.hidden_settings.search(str(name)) and value:
                text = text.replace(str(value), MASK)
        return text
