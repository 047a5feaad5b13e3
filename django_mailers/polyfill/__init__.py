"""The install of the backport: one table of what is changed in Django, and the walk over it.

On a Django that has `mailers` (6.1 and later) nothing is changed. Before that, each entry of
`PATCHES` is applied in place: functions that exist keep their identity and lead to ours, so that
`from django.core.mail import send_mail` executed anywhere before the install follows (H6), and so
do pickles of them; classes get methods and keep being the same classes (H8). If somebody else has
put something in a function's place, that is left alone (H7).

The tools outlive Django 6.0: the bridge changes Django with them as well.
"""

from __future__ import annotations

import sys
import threading

from django.conf import settings

from django_mailers import conf

from .installation import Installation, Installed
from .patches import PATCHES, Patch

__all__ = [
    "PATCHES",
    "Installation",
    "Installed",
    "Patch",
    "after_settings",
    "install",
    "installed",
]

_backport = Installation(PATCHES)
_lock = threading.Lock()


def install() -> None:
    """Bring Django 6.1's mail framework to this Django; do nothing on a Django that has it.

    Reads no settings, so that a settings file may call it on its first line. Idempotent, and safe
    to call from any thread, while others send mail.

    Raises `ImproperlyConfigured` if a function of Django's own cannot be changed.
    """
    from django.core import mail

    with _lock:
        if _backport.is_done or hasattr(mail, "mailers"):
            return
        from django_mailers import backport

        # Before Django is changed, as the new code asks for it.
        conf.note_polyfill(True)
        try:
            _backport.install(backport.__name__)
        except BaseException:
            conf.note_polyfill(False)
            raise


def installed() -> tuple[Installed, ...]:
    """Return what the install did, in the order of `PATCHES`; empty if there was nothing to do."""
    return _backport.outcomes()


def after_settings() -> None:
    """Do the rest, for which the settings must be loaded; called when the app is loaded.

    Raises `ImproperlyConfigured` for settings that define MAILERS together with EMAIL_* settings,
    as Django 6.1 does, unless the bridge is on, which deals with them.
    """
    if not conf.is_polyfilled():
        return
    from django_mailers.backport import checks
    from django_mailers.backport import conf as backport_conf

    checks.register()
    backport_conf.forget_cached(settings)
    if "django.test.utils" in sys.modules:
        from django_mailers.backport import environment

        environment.catch_up()
    backport_conf.check_explicit_settings(refuse=not conf.is_bridge_wanted())
