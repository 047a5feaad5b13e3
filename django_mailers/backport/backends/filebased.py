"""`django.core.mail.backends.filebased`. (Django 6.0: this whole file.)"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends import filebased as django_filebased

from ..exceptions import InvalidMailer
from ..parents import parent_of


def init(
    original: Callable[..., None],
    self: Any,
    fail_silently: bool = False,
    file_path: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> None:
    """`EmailBackend.__init__()`: made from MAILERS, it takes its directory from OPTIONS alone."""
    alias = kwargs.get("alias")
    if alias is None:
        if file_path is None and getattr(settings, "EMAIL_FILE_PATH", None) is None:
            raise ImproperlyConfigured(
                "The EMAIL_FILE_PATH setting must be set to use the file EmailBackend."
            )
        original(self, fail_silently=fail_silently, file_path=file_path, **kwargs)
        return
    self._fname = None
    # The console backend below would take stdout; here the stream is the file that open() opens.
    options = {**kwargs, "stream": None}
    parent = parent_of(self, django_filebased.EmailBackend)
    parent.__init__(fail_silently=fail_silently, **options)
    if file_path is None:
        raise InvalidMailer("OPTIONS must define 'file_path'.", alias=alias)
    self.file_path = os.path.abspath(file_path)
    try:
        os.makedirs(self.file_path, exist_ok=True)
    except FileExistsError as error:
        raise InvalidMailer(
            f"'file_path' is not a directory: {self.file_path}", alias=alias
        ) from error
    except OSError as error:
        raise InvalidMailer(
            f"Could not create 'file_path': {self.file_path} ({error})", alias=alias
        ) from error
    if not os.access(self.file_path, os.W_OK):
        raise InvalidMailer(f"'file_path' is not writable: {self.file_path}", alias=alias)
