"""Which of the EMAIL_* settings a backend takes as options."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.module_loading import import_string

from django_mailers.signatures import signature_of


@dataclass(frozen=True)
class Backend:
    """The backend at the dotted path `path`. Nothing here makes an instance of it."""

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
        """Why it cannot be imported, or None."""
        return str(self.imported) if isinstance(self.imported, ImportError) else None

    def takes(self, option: str) -> bool:
        """Whether it takes the option, as far as can be known without making one."""
        return isinstance(self.imported, type) and signature_of(self.imported).may_take(option)

    @property
    def takes_alias(self) -> bool:
        """Whether MAILERS can make one, as it passes `alias` to every backend."""
        return not isinstance(self.imported, type) or signature_of(self.imported).takes_alias

    @property
    def is_smtp(self) -> bool:
        """Whether its options are Django's SMTP options, with 6.1's defaults."""
        from django.core.mail.backends.smtp import EmailBackend

        return isinstance(self.imported, type) and issubclass(self.imported, EmailBackend)


def quoted(value: Any) -> str:
    """Return `value`, of a plain type, as a literal, strings in double quotes if they can be."""
    text = repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text
