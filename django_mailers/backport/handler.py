"""`django.core.mail.handler`: the class of `mailers`. (Django 6.0: this whole file.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import mail
from django.utils.module_loading import import_string

from django_mailers.emailsettings import SMTP_BACKEND

from .exceptions import InvalidMailer, MailerDoesNotExist

DEFAULT_MAILER_ALIAS = "default"
DEFAULT_MAILER_BACKEND = SMTP_BACKEND


class MailersHandler:
    """A read-only view of MAILERS whose values are email backends, made at each access.

    It holds no state: settings are read each time, so `override_settings` needs no cache cleared,
    and any number of threads may share it.
    """

    __module__ = "django.core.mail.handler"

    def __getitem__(self, /, alias: str) -> Any:
        return self.create_connection(alias)

    def __contains__(self, /, alias: str) -> bool:
        return alias in self.settings

    def __iter__(self) -> Iterator[str]:
        return iter(self.settings)

    def get(self, alias: str, /, default: Any = None) -> Any:
        """Return the backend of `alias`, or `default` if MAILERS has no such entry.

        An entry that is there and wrong is an `InvalidMailer` all the same.
        """
        try:
            return self[alias]
        except MailerDoesNotExist:
            return default

    @property
    def default(self) -> Any:
        """The backend of the alias "default"."""
        return self[DEFAULT_MAILER_ALIAS]

    @property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """MAILERS as it is now; empty for a project that has not defined it."""
        return getattr(settings, "MAILERS", {})

    @property
    def _is_configured(self) -> bool:
        return hasattr(settings, "MAILERS")

    def create_connection(
        self, alias: str, /, *, _deprecated_kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Return a new backend for `alias`.

        `_deprecated_kwargs` are what `get_connection()` was called with: laid over the entry's
        OPTIONS, and never reported as unknown, since legacy callers pass SMTP's to any backend.

        Raises `MailerDoesNotExist`, or `InvalidMailer` for what is wrong with the entry.
        """
        try:
            entry = self.settings[alias]
        except KeyError:
            if alias == DEFAULT_MAILER_ALIAS and not self._is_configured:
                return mail.get_connection()
            raise MailerDoesNotExist(alias=alias) from None
        options = dict(entry.get("OPTIONS", {}))
        if "alias" in options:
            raise InvalidMailer("OPTIONS must not define 'alias'.", alias=alias)
        if _deprecated_kwargs:
            options.update(_deprecated_kwargs)
            options["_ignore_unknown_kwargs"] = set(_deprecated_kwargs)
        path = entry.get("BACKEND", DEFAULT_MAILER_BACKEND)
        try:
            backend_class = import_string(path)
        except ImportError as error:
            raise InvalidMailer(f"Could not find BACKEND {path!r}: {error}", alias=alias) from error
        return backend_class(alias=alias, **options)
