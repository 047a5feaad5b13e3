"""The legacy bridge: code that was never ported to MAILERS keeps working in a project that has it.

It is on below Django 6.1, whose packages go by the EMAIL_* settings, and off from 6.1 on, unless
the setting MAILERS_BRIDGE says otherwise. Off, everything is as in Django 6.1; on, what that makes
an error works as it did in 5.2, with a deprecation warning at the line that has to change.

The only part of the app that touches Django 6.1 and later, and there only when asked. Like the
backport it changes functions in place, on top of what that has put there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from django import conf as django_conf

from django_mailers import conf, ownership, polyfill
from django_mailers.polyfill import imports, trampolines

from . import hooks, rendering
from .backends import create_connection
from .common import is_wanted
from .log import handler_init, handler_send_mail
from .rendering import add_attachments, add_bodies
from .sending import get_connection, send, sending_function
from .settings import CONFLICTS, check_conflicts, read_setting, settle_leftovers

__all__ = ["accept_leftovers", "install", "is_wanted"]

BRIDGES: dict[str, Callable[..., Any]] = {
    "django.conf:LazySettings.__getattr__": read_setting,
    "django.core.mail:get_connection": get_connection,
    "django.core.mail:send_mail": sending_function,
    "django.core.mail:send_mass_mail": sending_function,
    "django.core.mail:mail_admins": sending_function,
    "django.core.mail:mail_managers": sending_function,
    "django.core.mail.message:EmailMessage.send": send,
    "django.core.mail.message:EmailMessage._add_attachments": add_attachments,
    "django.core.mail.message:EmailMultiAlternatives._add_bodies": add_bodies,
    "django.core.mail.handler:MailersHandler.create_connection": create_connection,
    "django.utils.log:AdminEmailHandler.__init__": handler_init,
    "django.utils.log:AdminEmailHandler.send_mail": handler_send_mail,
}
LEFTOVERS = f"django.conf:{CONFLICTS}"
SUBTYPES = (
    "django.core.mail.message:EmailMessage.mixed_subtype",
    "django.core.mail.message:EmailMultiAlternatives.alternative_subtype",
)

# What has been bridged, and how.
_bridged: dict[str, Callable[..., Any]] = {}
_lock = threading.Lock()


def install() -> None:
    """Build the bridge, if the settings want it, and look at leftovers; called when the app is.

    What it changes looks at the settings each time, so `override_settings(MAILERS_BRIDGE=False)`
    gives Django 6.1's own behaviour. The reverse needs the bridge to be built.

    Raises `ImproperlyConfigured` for EMAIL_* settings beside MAILERS if the bridge is off after
    all.
    """
    with _lock:
        if is_wanted() and not BRIDGES.keys() <= _bridged.keys():
            _build(BRIDGES)
            for target in SUBTYPES:
                rendering.provide(target)
            for target in hooks.HOOKS:
                hooks.provide(target)
    settle_leftovers()


def accept_leftovers() -> None:
    """Let EMAIL_* settings beside MAILERS pass while the settings are loaded, until `install()`.

    Reads no settings; once more changes nothing.
    """
    conf.note_leftovers()
    with _lock:
        if LEFTOVERS not in _bridged and hasattr(django_conf, CONFLICTS):
            _build({LEFTOVERS: check_conflicts})


def _build(bridges: dict[str, Callable[..., Any]]) -> None:
    for target, function in bridges.items():
        _apply(target, function)
    _bridged.update(bridges)
    modules = {target.partition(":")[0] for target in bridges}
    sys.meta_path.insert(0, imports.AfterImport(modules, _rebuild))


def _rebuild(module: str) -> None:
    """Build again what `importlib.reload(module)` has undone."""
    for target, function in _bridged.items():
        if target.startswith(f"{module}:"):
            _apply(target, function)
    if not BRIDGES.keys() <= _bridged.keys():
        return
    for target in SUBTYPES:
        if target.startswith(f"{module}:"):
            rendering.provide(target)
    for target in hooks.HOOKS:
        if target.startswith(f"{module}:"):
            hooks.provide(target)


def _apply(target: str, function: Callable[..., Any]) -> None:
    """Put `function` before the one that `target`, "module:name", means, if that is Django's."""
    owner, name = trampolines.locate(target)
    module = sys.modules[target.partition(":")[0]]

    def is_own(candidate: FunctionType) -> bool:
        # Somebody else's function in that place is left alone, as by the install (H7).
        return polyfill.is_of_module(candidate, module) or ownership.belongs_to(
            candidate, "django_mailers"
        )

    own = trampolines.own_function(vars(owner).get(name), is_own)
    if own is not None and not trampolines.redirects_to(own, function):
        trampolines.redirect(own, function, wraps=True, keep_signature=True)
