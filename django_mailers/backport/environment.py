"""`django.test.utils`: a test environment that sends nothing. (Django 6.0: this whole file.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import UserSettingsHolder, settings
from django.test import utils as django_test_utils

from .conf import forget_cached

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


def setup_test_environment(original: Callable[..., None], debug: bool | None = None) -> None:
    """Set up Django's test environment, with every alias of MAILERS a locmem mailer."""
    if not hasattr(settings, "MAILERS"):
        original(debug)
        return
    with _email_backend_untouched():
        original(debug)
    _swap_mailers()


def teardown_test_environment(original: Callable[[], None]) -> None:
    """Tear Django's test environment down, and restore MAILERS."""
    mailers = getattr(_saved_data(), "mailers", None)
    if mailers is None:
        original()
        return
    with _email_backend_untouched():
        original()
    settings.MAILERS = mailers


def catch_up() -> None:
    """Swap the mailers in an environment that was set up before the install.

    A runner of the user's own may do so before it loads any app.
    """
    saved_data = _saved_data()
    if saved_data is None or hasattr(saved_data, "mailers") or not hasattr(settings, "MAILERS"):
        return
    if isinstance(settings._wrapped, UserSettingsHolder):
        # settings.configure() was used, and the EMAIL_BACKEND that Django's set-up put there looks
        # like one of the project's own.
        vars(settings._wrapped).pop("EMAIL_BACKEND", None)
        forget_cached(settings)
    _swap_mailers()


def _swap_mailers() -> None:
    _saved_data().mailers = settings.MAILERS
    settings.MAILERS = {alias: {"BACKEND": LOCMEM} for alias in settings.MAILERS}


def _saved_data() -> Any:
    return getattr(django_test_utils._TestState, "saved_data", None)


@contextmanager
def _email_backend_untouched() -> Iterator[None]:
    """Undo what 5.2 and 6.0 do to EMAIL_BACKEND, a setting that MAILERS replaces."""
    values = vars(settings._wrapped)
    before = {name: value for name, value in values.items() if name == "EMAIL_BACKEND"}
    try:
        yield
    finally:
        values.pop("EMAIL_BACKEND", None)
        values.update(before)
        forget_cached(settings)
