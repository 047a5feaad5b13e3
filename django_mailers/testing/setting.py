"""The setting MAILERS for a part of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.test import override_settings


class MailersSetting:
    """`override_settings(MAILERS=mailers)`, which may end before others that began later.

    Django's would then put back what was there when it began, and the setting that ends last would
    bring another one back, for all tests that follow. Fixtures of pytest end like that, such as
    pytest-django's `settings` and this package's `override_mailers` in one test.
    """

    def __init__(self, mailers: Mapping[str, Any]) -> None:
        self._override = override_settings(MAILERS=mailers)
        self._override.enable()
        self._holder = settings._wrapped

    def end(self) -> None:
        """Put back what was there before, unless others have taken its place."""
        if settings._wrapped is self._holder:
            self._override.disable()
            return
        # It is in the middle, and others go on to look through it.
        vars(self._holder).pop("MAILERS", None)
        # By this Django forgets what it has looked up.
        settings._wrapped = settings._wrapped
        kwargs: dict[str, Any] = {"setting": "MAILERS", "enter": False}
        setting_changed.send(
            sender=type(settings._wrapped), value=getattr(settings, "MAILERS", None), **kwargs
        )
