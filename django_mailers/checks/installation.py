"""Checks for code that the app could not reach, and for settings without effect."""

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

from .table import check_message

LEFT_ALONE = "left alone: "
# Names that packages import to find out whether Django has MAILERS; without them, they define
# substitutes (H1).
NAMES_OF_6_1 = ("InvalidMailer", "MailerDoesNotExist", "MailersHandler", "mailers")


def check_install() -> Iterator[CheckMessage]:
    """Check that the polyfill was installed before other code; Django 6.1 needs none."""
    if not conf.is_polyfilled():
        return
    from django_mailers import bridge

    for patch in bridge.installed():
        if patch.outcome.startswith(LEFT_ALONE):
            whose = patch.outcome.removeprefix(LEFT_ALONE)
            name = patch.target.replace(":", ".")
            text = f"{name} was replaced by {whose} before django_mailers was installed."
            yield check_message("mailers.W006", text)
    # A copy, as other threads may be importing.
    for name, module in sorted(sys.modules.copy().items()):
        if is_internal(name):
            continue
        if substitutes := [known for known in NAMES_OF_6_1 if _is_substitute(module, known)]:
            text = (
                f"{name} was imported before django_mailers was installed, and has its own "
                f"{listed(map(repr, substitutes))}."
            )
            yield check_message("mailers.W007", text)


def check_settings() -> Iterator[CheckMessage]:
    """Check that no EMAIL_* setting is defined together with MAILERS."""
    if defined := sorted(defined_settings(settings._wrapped) - {"MAILERS"}):
        have = "has" if len(defined) == 1 else "have"
        text = f"{listed(defined)} {have} no effect because MAILERS is defined."
        yield check_message("mailers.W008", text)


def _is_substitute(module: Any, name: str) -> bool:
    """Whether `module` has a substitute of its own for `name`, which Django 6.1 has."""
    # Not isinstance(): some objects, such as those of cffi, only claim to be modules.
    if not issubclass(type(module), ModuleType):
        return False
    # Not vars(), which would load a lazily imported module.
    namespace = object.__getattribute__(module, "__dict__")
    if name not in namespace or namespace[name] is getattr(mail, name):
        return False
    value = namespace[name]
    # Anything else of that name may have nothing to do with mail.
    return value is None or (isinstance(value, type) and value.__name__ == name)
