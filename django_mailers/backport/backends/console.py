"""`django.core.mail.backends.console`. (Django 6.0: this whole file.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def init(
    original: Callable[..., None], self: Any, fail_silently: bool = False, **kwargs: Any
) -> None:
    """`EmailBackend.__init__()`, with `fail_silently` as an option of this backend's own."""
    original(self, **kwargs)
    self.fail_silently = fail_silently
