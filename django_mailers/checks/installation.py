"""Checks of what the app could not reach, and of settings that reach nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.checks import CheckMessage

from django_mailers import conf
from django_mailers.emailsettings import defined_settings
from django_mailers.ownership import is_internal
from django_mailers.wording import listed

from .table import report

LEFT_ALONE = "left alone: "
# What code imports to learn whether this Django has MAILERS, with a substitute if it has not (H1).
NAMES_OF_6_1 = ("InvalidMailer", "MailerDoesNotExist", "MailersHandler", "mailers")


def check_install() -> Iterator[CheckMessage]:
    """Check that the polyfill came before other packages; there is none from Django 6.1 on."""
    if not conf.is_polyfilled():
        return
    from django_mailers import bridge

    for patch in bridge.installed():
        if patch.outcome.startswith(LEFT_ALONE):
            whose = patch.outcome.removeprefix(LEFT_ALONE)
            name = patch.target.replace(":", ".")
            text = f"{name} was replaced before django_mailers was installed, by {whose}."
            yield report("mailers.W006", text)
    # A copy: other threads may be importing.
    for name, module in sorted(sys.modules.copy().items()):
        if is_internal(name):
            continue
        if substitutes := [known for known in NAMES_OF_6_1 if _is_substitute(module, known)]:
            text = (
                f"{name} was imported before django_mailers was installed, and has its own "
                f"{listed(map(repr, substitutes))}."
            )
            yield report("mailers.W007", text)


def check_settings() -> Iterator[CheckMessage]:
    """Check that no EMAIL_* setting is defined beside MAILERS."""
    if defined := sorted(defined_settings(settings._wrapped) - {"MAILERS"}):
        have = "has" if len(defined) == 1 else "have"
        yield report("mailers.W008", f"{', '.join(defined)} {have} no effect beside MAILERS.")


def _is_substitute(module: Any, name: str) -> bool:
    """Whether `module` has, under a name of 6.1, what it made up for itself."""
    # Some objects only claim to be modules: those of cffi have no namespace.
    if not issubclass(type(module), ModuleType):
        return False
    # Not vars(): that would import a lazily imported module.
    namespace = object.__getattribute__(module, "__dict__")
    if name not in namespace or namespace[name] is getattr(mail, name):
        return False
    value = namespace[name]
    # Another thing of that name need not have to do with mail.
    return value is None or (isinstance(value, type) and value.__name__ == name)
