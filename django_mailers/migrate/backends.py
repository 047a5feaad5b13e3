"""The options that a backend takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.module_loading import import_string

from django_mailers.signatures import signature_of


@dataclass(frozen=True)
class Backend:
    """The backend at the dotted path `path`. Its class is imported and never called."""

    path: str

    @cached_property
    def imported(self) -> type | ImportError:
        try:
            found: type = import_string(self.path)
        except ImportError as error:
            return error
        return found

    @property
    def error(self) -> str | None:
        """The reason why it cannot be imported, or None."""
        return str(self.imported) if isinstance(self.imported, ImportError) else None

    def takes(self, option: str) -> bool:
        """Whether it takes the option, as far as its signature shows."""
        return isinstance(self.imported, type) and signature_of(self.imported).may_take(option)

    @property
    def takes_alias(self) -> bool:
        """Whether it takes `alias`, which Django passes to every backend in MAILERS."""
        return not isinstance(self.imported, type) or signature_of(self.imported).takes_alias

    @property
    def is_smtp(self) -> bool:
        """Whether its options are those of Django 6.1's SMTP backend, with the same defaults."""
        from django.core.mail.backends.smtp import EmailBackend

        return isinstance(self.imported, type) and issubclass(self.imported, EmailBackend)


def quoted(value: Any) -> str:
    """Return the literal for `value`, of a plain type, if possible with double quotes."""
    text = repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text
