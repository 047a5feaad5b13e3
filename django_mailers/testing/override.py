"""`override_mailers`: other entries of MAILERS during a test."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.core.mail import MailerDoesNotExist
from django.test import SimpleTestCase, override_settings
from django.test import utils as django_test_utils
from django.test.utils import TestContextDecorator

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Mailers = Mapping[str, Any]

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
# Where a decorated SimpleTestCase keeps its overrides, those of its bases first.
OVERRIDES = "_mailer_overrides"
APPLIED = "_mailer_overrides_are_applied"


class override_mailers(TestContextDecorator):
    """Override some entries of MAILERS: a context, and a decorator of functions and classes.

    real      An alias, or several: these mailers are those of the project's settings, and do send.
              (While tests run, Django replaces each mailer by one that keeps mail in memory.)
    entries   Other entries, by alias: {"BACKEND": ..., "OPTIONS": ...}.

    All other mailers stay what they are when it begins. On a class it applies to all of its tests;
    on a SimpleTestCase it works as `override_settings()` does: `setUpTestData()` has the mailers,
    too, and a subclass may override more. Coroutines may be decorated.

    Raises MailerDoesNotExist when it begins, if the project has no mailer of an alias in `real`.
    """

    def __init__(self, real: str | Iterable[str] = (), **entries: Mapping[str, Any]) -> None:
        super().__init__()
        self.real = [real] if isinstance(real, str) else list(real)
        for alias in self.real:
            if not isinstance(alias, str):
                raise TypeError("'real' must be an alias or a list of aliases.")
        for alias, entry in entries.items():
            if not isinstance(entry, Mapping):
                raise TypeError(f"{alias!r} must be a dict, as in MAILERS.")
            if alias in self.real:
                raise TypeError(f"{alias!r} cannot be real and overridden.")
        self.entries = entries
        self._entered: list[override_settings] = []

    def over(self, mailers: Mailers) -> dict[str, Any]:
        """Return `mailers` with the entries of this override."""
        project = project_mailers()
        for alias in self.real:
            if alias not in project:
                raise MailerDoesNotExist(alias=alias)
        return {**mailers, **{alias: project[alias] for alias in self.real}, **self.entries}

    def enable(self) -> Any:
        # A list, as a decorated function may call itself.
        override = override_settings(MAILERS=self.over(current_mailers()))
        override.enable()
        self._entered.append(override)

    def disable(self) -> None:
        self._entered.pop().disable()

    def __enter__(self) -> Any:
        return self.enable()

    def __call__(self, decorated: Decorated) -> Decorated:
        return super().__call__(decorated)

    def decorate_class(self, cls: type) -> type:
        if issubclass(cls, SimpleTestCase):
            setattr(cls, OVERRIDES, (*getattr(cls, OVERRIDES, ()), self))
            _wrap_set_up_class(cls)
            return cls
        if issubclass(cls, unittest.TestCase):
            decorated: type = super().decorate_class(cls)  # type: ignore[arg-type, unused-ignore]
            return decorated
        return self._decorate_tests(cls)

    def _decorate_tests(self, cls: type) -> type:
        """Decorate each test of a class of pytest's."""
        for name in dir(cls):
            member = inspect.getattr_static(cls, name)
            if not name.startswith("test"):
                continue
            if isinstance(member, staticmethod | classmethod):
                kind: Any = type(member)
                setattr(cls, name, kind(self.decorate_callable(member.__func__)))
            elif inspect.isfunction(member):
                setattr(cls, name, self.decorate_callable(member))
        return cls


def project_mailers() -> Mailers:
    """Return MAILERS as it was before the test environment replaced each entry.

    Django and the backport keep it in the same place.
    """
    saved = getattr(django_test_utils._TestState, "saved_data", None)  # type: ignore[attr-defined, unused-ignore]
    mailers: Mailers | None = getattr(saved, "mailers", None)
    return current_mailers() if mailers is None else mailers


@contextmanager
def in_memory() -> Iterator[None]:
    """Replace each mailer by one for memory, unless a test environment has done so."""
    if hasattr(django_test_utils._TestState, "saved_data"):  # type: ignore[attr-defined, unused-ignore]
        yield
        return
    mailers = {alias: {"BACKEND": LOCMEM} for alias in current_mailers()}
    with override_settings(MAILERS=mailers):
        yield


def current_mailers() -> Mailers:
    """Return MAILERS as it is now; for a project without it a default mailer for memory."""
    return getattr(settings, "MAILERS", {"default": {"BACKEND": LOCMEM}})


def _wrap_set_up_class(cls: Any) -> None:
    """Have `setUpClass()` of a SimpleTestCase override MAILERS first.

    Not now: with pytest a module of tests is imported before the test environment is set up, and
    the mailers are still those that send.
    """
    own = vars(cls).get("setUpClass")

    def setUpClass(case: Any) -> None:
        _apply(case)
        if own is None:
            super(cls, case).setUpClass()
        else:
            own.__get__(None, case)()

    cls.setUpClass = classmethod(setUpClass)


def _apply(case: Any) -> None:
    """Add the overrides of `case` to the settings that Django overrides for its tests."""
    if APPLIED in vars(case):
        return  # By a subclass: this is the setUpClass() of one of its bases.
    inherited = case._overridden_settings or {}
    mailers = inherited.get("MAILERS", current_mailers())
    for override in getattr(case, OVERRIDES):
        mailers = override.over(mailers)
    for name, value in {
        "_overridden_settings": {**inherited, "MAILERS": mailers},
        APPLIED: True,
    }.items():
        if name in vars(case):
            case.addClassCleanup(setattr, case, name, vars(case)[name])
        else:
            case.addClassCleanup(partial(delattr, case, name))
        setattr(case, name, value)
