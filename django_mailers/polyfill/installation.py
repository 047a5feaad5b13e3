"""The walk over a table of patches: what is applied, when, and what became of it."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from django_mailers import ownership
from django_mailers.deprecation import Hidden

from . import trampolines
from .imports import AfterImport
from .patches import Patch

NOT_NEEDED = "not needed"
WAITS = "waits for import"
INSTALLED = "installed"


class Installed(NamedTuple):
    """The outcome of a patch.

    `outcome` is "installed", "not needed" on this Django, "waits for import" of the target's
    module, or begins with "left alone" and names the function that somebody else had put there.
    """

    target: str
    reason: str
    outcome: str


class Installation:
    """The patches of one room, applied to the modules of Django as they are loaded.

    Idempotent, and safe to use in any thread, while others send mail. A module that is not loaded
    yet is changed when it is imported: importing `django.test`, for example, would cost every
    process half a second. A patch that `importlib.reload()` undoes is applied again.

    Arguments: `is_optional`, whether functions go on giving their own signatures and texts, and a
    function of Django's own that cannot be changed is left alone instead of an error.
    """

    def __init__(self, patches: Sequence[Patch], *, is_optional: bool = False) -> None:
        self.room = ""
        self.patches = patches
        self.is_optional = is_optional
        self._outcomes: dict[Patch, str] = {}
        # Decided once, on Django as it was: what a patch adds may be what another one's condition
        # asks for.
        self._wanted: dict[Patch, bool] = {}
        self._lock = threading.RLock()

    @property
    def is_done(self) -> bool:
        """Whether `install()` has been called, and has begun."""
        return bool(self._outcomes)

    def install(self, room: str) -> None:
        """Apply the patches, whose replacements are below the package `room`.

        A second call does nothing.

        Raises `ImproperlyConfigured` if a function of Django's own cannot be changed.
        """
        with self._lock:
            if self._outcomes:
                return
            self.room = room
            self._wanted.update({patch: _is_wanted(patch) for patch in self.patches})
            # Before anything is changed: half an install would be worse than none.
            if not self.is_optional:
                self._refuse_what_cannot_be_changed()
            self._outcomes.update(dict.fromkeys(self.patches, WAITS))
            self._apply_to_loaded()
            modules = {patch.module for patch in self.patches}
            sys.meta_path.insert(0, AfterImport(modules, self._apply_to))
            # Those that another thread has begun to import since.
            self._apply_to_loaded()

    def outcomes(self) -> tuple[Installed, ...]:
        """Return what became of the patches, in their order; empty before `install()`."""
        with self._lock:
            return tuple(
                Installed(patch.target, patch.reason, outcome)
                for patch, outcome in self._outcomes.items()
            )

    def _apply_to_loaded(self) -> None:
        """Apply the patches that wait, to the modules that are loaded."""
        for patch in self.patches:
            if self._outcomes[patch] == WAITS and patch.module in sys.modules:
                self._apply(patch)

    def _apply_to(self, module: str) -> None:
        """Apply the patches to what is in `module`, which has been loaded, or loaded again."""
        for patch in self.patches:
            if patch.module == module:
                self._apply(patch)

    def _apply(self, patch: Patch) -> None:
        self._outcomes[patch] = self._apply_one(patch) if self._wanted[patch] else NOT_NEEDED

    def _apply_one(self, patch: Patch) -> str:
        """Apply `patch` and return its outcome."""
        if patch.publishes:
            replacement = importlib.import_module(f"{self.room}.{patch.replacement}")
            sys.modules[patch.target] = replacement
            setattr(sys.modules[patch.module], patch.target.rpartition(".")[2], replacement)
            return INSTALLED
        if patch.replacement is None:
            foreign = [_retire(*trampolines.locate(patch.target), patch)]
        elif patch.fills:
            foreign = [_fill(*change) for change in self._changes(patch)]
        else:
            foreign = [self._put(*change, patch) for change in self._changes(patch)]
        left_alone = ", ".join(filter(None, foreign))
        return f"left alone: {left_alone}" if left_alone else INSTALLED

    def _changes(self, patch: Patch) -> list[tuple[Any, str, Any]]:
        """Return what `patch` puts where: owner, name there and replacement of each change."""
        owner, name = trampolines.locate(patch.target)
        source, source_name = trampolines.locate(f"{self.room}.{patch.replacement}")
        replacement = getattr(source, source_name)
        current = vars(owner).get(name)
        if current is replacement or not (
            isinstance(replacement, type) and isinstance(current, type)
        ):
            return [(owner, name, replacement)]
        members = {
            member: value
            for member, value in vars(replacement).items()
            if isinstance(value, FunctionType | property) or not member.startswith("__")
        }
        # New members come first: no code calls them yet, but the changed ones will.
        order = sorted(members, key=lambda member: member in vars(current))
        return [(current, member, members[member]) for member in order]

    def _put(self, owner: Any, name: str, replacement: Any, patch: Patch) -> str | None:
        """Make `owner.name` do what `replacement` does.

        Returns None, or a description of the function that somebody else put there, if Django's
        function below it cannot be reached. Raises `ImproperlyConfigured` if a function of Django's
        own cannot be changed.
        """
        current = vars(owner).get(name)
        if current is replacement and name in vars(owner):
            return None
        if not callable(current) or isinstance(current, type):
            if patch.how != "replaces":
                return trampolines.describe(current)
            setattr(owner, name, replacement)
            return None
        function = _own_function(current, patch)
        if function is None:
            if not self.is_optional:
                _refuse_compiled(owner, current, patch)
            return trampolines.describe(current)
        if not trampolines.leads_to(function, replacement):
            trampolines.redirect(function, replacement, patch.how, keep_signature=self.is_optional)
        return None

    def _refuse_what_cannot_be_changed(self) -> None:
        """Raise `ImproperlyConfigured` if a function of Django's own, that is loaded, is in the
        way."""
        for patch in self.patches:
            if (
                self._wanted[patch]
                and patch.replacement
                and not patch.publishes
                and patch.module in sys.modules
            ):
                for owner, name, _ in self._changes(patch):
                    current = vars(owner).get(name)
                    if callable(current) and _own_function(current, patch) is None:
                        _refuse_compiled(owner, current, patch)


def _is_wanted(patch: Patch) -> bool:
    if patch.needs is not None and not _exists(patch.needs):
        return False
    return patch.unless is None or not _exists(patch.unless)


def _exists(path: str) -> bool:
    owner, name = trampolines.locate(path)
    return hasattr(owner, name)


def _fill(owner: Any, name: str, replacement: Any) -> str | None:
    """Put `replacement` where nothing is, or only a retired method."""
    current = vars(owner).get(name)
    if isinstance(current, trampolines.Retired):
        # Code of Django's that was running then still gets that.
        replacement.inner = current.inner
    elif current is not None and current is not replacement:
        return trampolines.describe(current)
    setattr(owner, name, replacement)
    return None


def _retire(owner: Any, name: str, patch: Patch) -> str | None:
    """Take `name` away from `owner` if it is Django's; otherwise return a description of it."""
    current = vars(owner).get(name)
    if current is None or isinstance(current, Hidden):
        return None
    if isinstance(current, type):
        # The module has the last word: any class can have that name in __module__.
        home = sys.modules.get(current.__module__)
        if (
            not ownership.is_module_of_django(home)
            or getattr(home, current.__qualname__, None) is not current
        ):
            return trampolines.describe(current)
        delattr(owner, name)
        return None
    function = _own_function(current, patch)
    if function is None or function is not current:
        return trampolines.describe(current)
    setattr(owner, name, trampolines.Retired(function))
    return None


def _own_function(function: Any, patch: Patch) -> FunctionType | None:
    """Return the function of Django's that `function` is or wraps; None if it is neither.

    A function that another room has put there to stand in for Django's counts as one.
    """
    module = sys.modules[patch.module]
    return trampolines.own_function(
        function,
        lambda candidate: _is_of_module(candidate, module) or ownership.is_substitute(candidate),
    )


def _is_of_module(function: FunctionType, module: ModuleType) -> bool:
    """Whether `function` is what `module`, of Django, has defined, with Django's own code.

    A decorator of Django's for its own functions counts.
    """
    if function.__globals__ is vars(module):
        return ownership.runs_own_code(function)
    return (
        ownership.is_decorator_of_django(function)
        and trampolines.own_function(
            getattr(function, "__wrapped__", None), lambda inner: _is_of_module(inner, module)
        )
        is not None
    )


def _refuse_compiled(owner: Any, function: Any, patch: Patch) -> None:
    """Raise `ImproperlyConfigured` if `function` is Django's own, and not in Python.

    Compilers of Python to machine code leave functions that have the module's globals, or that say
    in C to which module or class they belong.
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
