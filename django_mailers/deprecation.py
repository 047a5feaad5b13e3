"""The category of Django 6.1's deprecations, and who called what is deprecated.

"Who called?" is answered here, for every room. A warning names the line that has to change: the
first frame outside the rooms that stand in for Django. When that frame is Django's (contrib.auth,
the log handler and the middleware of 5.2 and 6.0 use the old arguments) or ours, a project could
not act on it, and there is no warning.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import FrameType, FunctionType
from typing import Any

from django.utils import deprecation

from .ownership import (
    SILENT_FILE,
    TRAMPOLINE_FILES,
    is_internal,
    is_stand_in,
    module_of,
    stand_in,
)

if hasattr(deprecation, "RemovedInDjango2028Warning"):
    RemovedInDjango2028Warning = deprecation.RemovedInDjango2028Warning
# Django 6.0: both branches.
elif hasattr(deprecation, "RemovedInDjango70Warning"):
    # The category's first name; 6.0 before 6.0.9 knows no other.
    RemovedInDjango2028Warning = deprecation.RemovedInDjango70Warning
else:

    class RemovedInDjango2028Warning(PendingDeprecationWarning):  # type: ignore[no-redef]
        """Goes with Django's release of 2028; pending, so that `-W error::DeprecationWarning`
        does not fail for a project that has only just installed the app."""

        __module__ = "django.utils.deprecation"


__all__ = [
    "Hidden",
    "RemovedInDjango2028Warning",
    "effective_caller",
    "is_called_from_outside",
    "module_of",
    "reader",
    "warn_about_definition",
    "warn_about_external_use",
    "warn_about_use",
]

Through = Callable[[FrameType], bool]

# Packages that call on behalf of other code, as Django and this package do.
GO_BETWEENS = {"importlib", "email"}

# The functions here are on the way from every room that asks.
stand_in(__name__)


def warn_about_external_use(message: str, through: Through | None = None) -> None:
    """Issue the deprecation `message` at the line that used what is deprecated.

    Nothing is issued if that line is Django's or ours, or if the trampoline on the way is silent.
    `through`: see `effective_caller()`.
    """
    _find_caller(through, message)


def effective_caller(through: Through | None = None) -> FrameType | None:
    """Return the frame that called the function of Django's which the caller stands in for.

    `through` tells of a frame on the way whether it only handed the call on.
    """
    return _find_caller(through)


def is_called_from_outside() -> bool:
    """Whether neither Django nor this package called the function that the caller stands in for."""
    frame = _find_caller()
    return frame is None or not is_internal(str(frame.f_globals.get("__name__")))


def _find_caller(through: Through | None = None, warning: str | None = None) -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_stand_in(str(frame.f_globals.get("__name__"))):
        frame = frame.f_back
    filename = frame.f_code.co_filename if frame is not None else None
    # One function that stands in for Django's calls another through the latter's trampoline. So the
    # frame beyond may be of such a room again, and counts as ours.
    if frame is not None and filename in TRAMPOLINE_FILES:
        frame = frame.f_back
    while frame is not None and through is not None and through(frame):
        frame = frame.f_back
    if (
        warning is not None
        and filename != SILENT_FILE
        and (frame is None or not is_internal(str(frame.f_globals.get("__name__"))))
    ):
        _warn_at(frame, warning)
    return frame


class Hidden:
    """A descriptor in a class of Django's that neither Django nor this package finds.

    They would take it for an attribute that a subclass defines. Arguments: `name`, the attribute's;
    `inner`, a function of Django's that its own module still finds, as other threads may be in code
    of that module which is about to call it.
    """

    def __init__(self, name: str, inner: FunctionType | None = None) -> None:
        self.name = name
        self.inner = inner

    def __get__(self, instance: Any, owner: type) -> Any:
        names = sys._getframe(1).f_globals
        if self.inner is not None and names is self.inner.__globals__:
            return self.inner.__get__(instance, owner)
        if not is_internal(str(names.get("__name__"))):
            return self.get_from_outside(instance, owner)
        raise AttributeError(self.name)

    def get_from_outside(self, instance: Any, owner: type) -> Any:
        """Return the value for other code."""
        raise self.missing(instance, owner)

    def missing(self, instance: Any, owner: type) -> AttributeError:
        """Return the error that Python raises if there is no such attribute."""
        what = f"{owner.__name__!r} object"
        if instance is None:
            what = f"type object {owner.__name__!r}"
        return AttributeError(f"{what} has no attribute {self.name!r}")


def reader() -> FrameType:
    """Return the frame that reads the attribute whose `__getattr__()` calls this."""
    return sys._getframe(2)


def warn_about_use(message: str) -> None:
    """Issue the deprecation `message` at the line outside Django and this package that led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        is_internal(module_of(frame)) or module_of(frame).partition(".")[0] in GO_BETWEENS
    ):
        frame = frame.f_back
    _warn_at(frame, message)


def warn_about_definition(message: str, function: object) -> None:
    """Issue the deprecation `message` at the line that defines `function`.

    For something that is called by code which cannot be changed, as `logging.config`. A function
    that is not written in Python has no such line: then it is the line that led here.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        warn_about_use(message)
        return
    warnings.warn_explicit(
        message, RemovedInDjango2028Warning, code.co_filename, code.co_firstlineno
    )


def _warn_at(frame: FrameType | None, message: str) -> None:
    # Not by `stacklevel`, in which Python does not count the frames of its import machinery.
    if frame is None:
        warnings.warn(message, RemovedInDjango2028Warning, stacklevel=1)
        return
    warnings.warn_explicit(
        message,
        RemovedInDjango2028Warning,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=module_of(frame),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )
