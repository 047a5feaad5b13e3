"""Which of the EMAIL_* settings a backend takes as options."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.module_loading import import_string

from .django_api import MAIL, OPTIONS

SMTP_OPTIONS = frozenset(OPTIONS.values()) - {"file_path"}
# Read here and not from their signatures, which differ between versions of Django.
DJANGO_OPTIONS = {
    f"{MAIL}.backends.smtp": SMTP_OPTIONS,
    f"{MAIL}.backends.filebased": frozenset({"file_path"}),
}


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

    @cached_property
    def _accepted(self) -> tuple[frozenset[str], bool]:
        """The options it takes, and whether one of them is the alias.

        What goes into the `**kwargs` of an __init__() is taken to be handed to the next class, as
        Django tells the authors of backends to do.
        """
        options: set[str] = set()
        for cls in inspect.getmro(self.imported) if isinstance(self.imported, type) else ():
            if cls.__module__.startswith(f"{MAIL}.backends."):
                return frozenset(options | DJANGO_OPTIONS.get(cls.__module__, frozenset())), True
            init = vars(cls).get("__init__")
            if init is None or cls is object:
                continue
            parameters = inspect.signature(init).parameters.values()
            options |= {parameter.name for parameter in parameters}
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
                return frozenset(options), "alias" in options
        return frozenset(options), True

    def takes(self, option: str) -> bool:
        return option in self._accepted[0]

    @property
    def takes_alias(self) -> bool:
        """Whether MAILERS can make one, as it passes `alias` to every backend."""
        return self._accepted[1]

    @property
    def is_smtp(self) -> bool:
        """Whether its options are Django's SMTP options, with 6.1's defaults."""
        from django.core.mail.backends.smtp import EmailBackend

        return isinstance(self.imported, type) and issubclass(self.imported, EmailBackend)


def quoted(value: Any) -> str:
    """Return `value`, of a plain type, as a literal, strings in double quotes if they can be."""
    text = repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text
