"""The install of the backport: one table of what is changed in Django, and the walk over it.

On a Django that has `mailers` (6.1 and later) nothing is changed. Before that, each entry of
`PATCHES` is applied in place: functions that exist keep their identity and lead to ours, so that
`from django.core.mail import send_mail` executed anywhere before the install follows (H6), and so
do pickles of them; classes get methods and keep being the same classes (H8). What somebody else has
put in a function's place is left alone (H7).
"""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_mailers import conf, ownership

from . import trampolines
from .imports import AfterImport
from .patches import PATCHES, Patch

BACKPORT = "django_mailers.backport"
WAITS = "waits for import"


@dataclass(frozen=True)
class Installed:
    """What became of a patch.

    `outcome` is "installed", "not needed" on this Django, "waits for import" of the target's
    module, or begins with "left alone" and says which function somebody else had put there.
    """

    target: str
    reason: str
    outcome: str


_outcomes: dict[Patch, str] = {}
# Decided once, on Django as it was: what a patch adds may be what another one's condition asks for.
_wanted: dict[Patch, bool] = {}
_lock = threading.RLock()


def install() -> None:
    """Bring Django 6.1's mail framework to this Django; do nothing on a Django that has it.

    Reads no settings, so that a settings file may call it on its first line. Idempotent, and safe
    to call from any thread, while others send mail. What is in modules that nobody has imported yet
    is changed when somebody does: importing `django.test`, for one, would cost every process half a
    second. What `importlib.reload()` undoes is done again.

    Raises `ImproperlyConfigured` if a function of Django's own cannot be changed.
    """
    with _lock:
        if _outcomes or _is_native():
            return
        # Before Django is changed: what is put there asks for it.
        conf.note_polyfill(True)
        _wanted.update({patch: _is_wanted(patch) for patch in PATCHES})
        # Before anything is changed: half an install would be worse than none.
        _refuse_what_cannot_be_changed()
        _outcomes.update(dict.fromkeys(PATCHES, WAITS))
        _apply_to_loaded()
        modules = {patch.module for patch in PATCHES}
        sys.meta_path.insert(0, AfterImport(modules, _apply_to))
        # Those that another thread has begun to import since.
        _apply_to_loaded()


def installed() -> tuple[Installed, ...]:
    """Return what the install did, in the order of `PATCHES`; empty if there was nothing to do."""
    with _lock:
        return tuple(
            Installed(patch.target, patch.reason, outcome) for patch, outcome in _outcomes.items()
        )


def is_installed() -> bool:
    """Return whether Django's mail framework is, or will be, that of this package."""
    return bool(_outcomes)


def after_settings() -> None:
    """Do what waits for the settings to be loaded; called when the app is.

    Raises `ImproperlyConfigured` for settings that define MAILERS together with EMAIL_* settings,
    as Django 6.1 does, unless the bridge is on, which deals with them.
    """
    if not is_installed():
        return
    from django_mailers.backport import checks
    from django_mailers.backport import conf as backport_conf

    checks.register()
    backport_conf.forget_cached(settings)
    if "django.test.utils" in sys.modules:
        from django_mailers.backport import environment

        environment.catch_up()
    backport_conf.check_explicit_settings(refuse=not conf.is_bridge_wanted())


def _is_native() -> bool:
    from django.core import mail

    return hasattr(mail, "mailers")


def _apply_to_loaded() -> None:
    """Apply the patches that wait, to the modules that are loaded."""
    for patch in PATCHES:
        if _outcomes[patch] == WAITS and _is_loaded(patch):
            _apply(patch)


def _apply_to(module: str) -> None:
    """Apply the patches to what is in `module`, which has been loaded, or loaded again."""
    for patch in PATCHES:
        if patch.module == module:
            _apply(patch)


def _apply(patch: Patch) -> None:
    _outcomes[patch] = _apply_one(patch) if _wanted[patch] else "not needed"


def _is_wanted(patch: Patch) -> bool:
    if patch.needs is not None and not _exists(patch.needs):
        return False
    return patch.unless is None or not _exists(patch.unless)


def _exists(path: str) -> bool:
    owner, name = trampolines.locate(path)
    return hasattr(owner, name)


def _apply_one(patch: Patch) -> str:
    """Apply `patch` and return its outcome."""
    if patch.publishes:
        replacement = importlib.import_module(f"{BACKPORT}.{patch.replacement}")
        sys.modules[patch.target] = replacement
        setattr(sys.modules[patch.module], patch.target.rpartition(".")[2], replacement)
        return "installed"
    if patch.replacement is None:
        foreign = [_retire(*trampolines.locate(patch.target), patch)]
    else:
        foreign = [_put(*change, patch) for change in _changes(patch)]
    left_alone = ", ".join(filter(None, foreign))
    return f"left alone: {left_alone}" if left_alone else "installed"


def _changes(patch: Patch) -> list[tuple[Any, str, Any]]:
    """Return what `patch` puts where: the owner, the name there, and the replacement for each."""
    owner, name = trampolines.locate(patch.target)
    source, source_name = trampolines.locate(f"{BACKPORT}.{patch.replacement}")
    replacement = getattr(source, source_name)
    current = vars(owner).get(name)
    if current is replacement or not (isinstance(replacement, type) and isinstance(current, type)):
        return [(owner, name, replacement)]
    members = {
        member: value
        for member, value in vars(replacement).items()
        if isinstance(value, FunctionType | property) or not member.startswith("__")
    }
    # What is new to the class comes first: nobody calls it yet, but what is changed will.
    order = sorted(members, key=lambda member: member in vars(current))
    return [(current, member, members[member]) for member in order]


def _refuse_what_cannot_be_changed() -> None:
    """Raise `ImproperlyConfigured` if a function of Django's own, that is loaded, is in the way."""
    for patch in PATCHES:
        if _wanted[patch] and patch.replacement and not patch.publishes and _is_loaded(patch):
            for owner, name, _ in _changes(patch):
                current = vars(owner).get(name)
                if callable(current) and _own_function(current, patch) is None:
                    _refuse_compiled(owner, current, patch)


def _is_loaded(patch: Patch) -> bool:
    return patch.module in sys.modules


def _retire(owner: Any, name: str, patch: Patch) -> str | None:
    """Take what is Django's away from `owner`; return whose it is if it is not."""
    current = vars(owner).get(name)
    if current is None or isinstance(current, trampolines.Retired):
        return None
    if isinstance(current, type):
        # By what its module has: anybody can write a name into __module__.
        home = sys.modules.get(current.__module__)
        if not _is_djangos(home) or getattr(home, current.__qualname__, None) is not current:
            return trampolines.describe(current)
        delattr(owner, name)
        return None
    function = _own_function(current, patch)
    if function is None or function is not current:
        return trampolines.describe(current)
    setattr(owner, name, trampolines.Retired(function))
    return None


def _put(owner: Any, name: str, replacement: Any, patch: Patch) -> str | None:
    """Make `owner.name` do what `replacement` does.

    Returns None, or a description of the function that somebody else put there, if the one of
    Django's below it cannot be reached. Raises `ImproperlyConfigured` if there is one of Django's
    own that cannot be changed.
    """
    current = vars(owner).get(name)
    if not callable(current) or isinstance(current, type):
        setattr(owner, name, replacement)
        return None
    if current is replacement:
        return None
    function = _own_function(current, patch)
    if function is None:
        _refuse_compiled(owner, current, patch)
        return trampolines.describe(current)
    if not trampolines.redirects_to(function, replacement):
        trampolines.redirect(function, replacement, wraps=patch.wraps)
    return None


def _own_function(function: Any, patch: Patch) -> FunctionType | None:
    """Return the function of Django's that `function` is or wraps; None if there is none."""
    return trampolines.own_function(
        function, lambda candidate: is_of_module(candidate, sys.modules[patch.module])
    )


def is_of_module(function: FunctionType, module: ModuleType) -> bool:
    """Whether `function` is what `module`, of Django, has defined, with Django's own code.

    A decorator of Django's for its own functions counts; others use those for views on anything.
    """
    if function.__globals__ is vars(module):
        return ownership.runs_own_code(function)
    return (
        ownership.belongs_to(function, "django.utils.deprecation")
        and trampolines.own_function(
            getattr(function, "__wrapped__", None), lambda inner: is_of_module(inner, module)
        )
        is not None
    )


def _refuse_compiled(owner: Any, function: Any, patch: Patch) -> None:
    """Raise `ImproperlyConfigured` if `function` is Django's own, and not in Python.

    What makes machine code of Python leaves functions that have the module's globals, or else that
    C knows to be of the module or the class.
    """
    module = sys.modules[patch.module]
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if isinstance(function, FunctionType):
        return
    if (
        getattr(function, "__globals__", None) is vars(module)
        or getattr(function, "__self__", None) is module
        or getattr(function, "__objclass__", None) is owner
    ):
        raise ImproperlyConfigured(
            f"django_mailers cannot change {patch.target.replace(':', '.')}, which is of type "
            f"{type(function).__name__!r}: this Django is not in Python, but compiled to machine "
            "code. Mail would go past MAILERS. Install Django as it is released."
        )


def _is_djangos(module: ModuleType | None) -> bool:
    return module is not None and f"{module.__name__}.".startswith("django.")
