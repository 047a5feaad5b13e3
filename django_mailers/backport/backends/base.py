"""`django.core.mail.backends.base`. (Django 6.0: this whole file.)"""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType
from typing import Any

from django_mailers.deprecation import module_of, warn_about_external_use
from django_mailers.ownership import is_backend_of_django

from ..exceptions import InvalidMailer

_NOT_PROVIDED = object()


def _is_backend(frame: FrameType) -> bool:
    # Subclasses of Django's hand on what they were given.
    return is_backend_of_django(module_of(frame))


class BaseEmailBackend:
    """Members for `django.core.mail.backends.base.BaseEmailBackend`."""

    def __init__(
        self,
        fail_silently: Any = _NOT_PROVIDED,
        *,
        alias: str | None = None,
        _ignore_unknown_kwargs: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.alias = alias
        self._fail_silently = False
        if fail_silently is not _NOT_PROVIDED:
            self._fail_silently = fail_silently
            kwargs["fail_silently"] = fail_silently
        if not kwargs:
            return
        unknown = [name for name in kwargs if name not in (_ignore_unknown_kwargs or ())]
        if not unknown:
            return
        listed = ", ".join(repr(name) for name in unknown)
        if alias is not None:
            raise InvalidMailer(f"Unknown options {listed}.", alias=alias)
        # Not made from MAILERS: callers of old pass SMTP's keywords to any backend (H16).
        warn_about_external_use(
            f"{type(self).__module__}.{type(self).__qualname__}.__init__() does not support "
            f"{listed}. In Django 2028, BaseEmailBackend will raise a TypeError for unknown "
            "keyword arguments.",
            through=_is_backend,
        )

    def __getattr__(self, name: str) -> Any:
        if name == "fail_silently":
            warn_about_external_use(
                "BaseEmailBackend.fail_silently is deprecated. A subclass that supports "
                "fail_silently must set its own attribute."
            )
            return self._fail_silently
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
