"""The legacy bridge: unported code keeps working under MAILERS. (Django 2028: this whole folder.)

It is on below Django 6.1, whose packages go by the EMAIL_* settings, and off from 6.1 on, unless
the setting MAILERS_BRIDGE says otherwise. Off, everything is as in Django 6.1; on, what that makes
an error works as it did in 5.2, with a deprecation warning at the line that has to change.

The only part of the app that touches Django 6.1 and later, and there only when asked. Like the
polyfill it changes functions in place, on top of what that has put there.
"""

from __future__ import annotations

from django_mailers import conf, ownership
from django_mailers.polyfill import Installation, installed

from .patches import LEFTOVERS, PATCHES

__all__ = ["accept_leftovers", "install", "installed", "is_wanted"]

# Code that asks who called passes over these functions.
ownership.stand_in(__name__)

is_wanted = conf.is_bridge_wanted

_bridge = Installation(PATCHES, is_optional=True)
_leftovers = Installation(LEFTOVERS, is_optional=True)


def install() -> None:
    """Build the bridge, if the settings want it, and look at leftovers; called when the app is
    loaded.

    The changed functions look at the settings each time, so
    `override_settings(MAILERS_BRIDGE=False)` gives Django 6.1's own behaviour. The reverse needs
    the bridge to be built.

    Raises `ImproperlyConfigured` for EMAIL_* settings together with MAILERS if the bridge is off.
    """
    from .settings import settle_leftovers

    if is_wanted():
        _bridge.install(__name__)
    settle_leftovers()


def accept_leftovers() -> None:
    """Accept EMAIL_* settings together with MAILERS while the settings are loaded, until
    `install()`.

    Reads no settings. A second call changes nothing.
    """
    conf.note_leftovers()
    _leftovers.install(__name__)
