"""The category of Django 6.1's deprecations, and who called what is deprecated.

A warning names the line that has to change: the first frame outside the backport. When that frame
is Django's (contrib.auth, the log handler and the middleware of 5.2 and 6.0 use the old arguments)
or ours, nobody could act on it and there is none.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import FrameType

from django.utils import deprecation

from .ownership import TRAMPOLINE_FILE

if hasattr(deprecation, "RemovedInDjango2028Warning"):
    RemovedInDjango2028Warning = deprecation.RemovedInDjango2028Warning
elif hasattr(deprecation, "RemovedInDjango70Warning"):
    # The category's first name; 6.0 before 6.0.9 knows no other.
    RemovedInDjango2028Warning = deprecation.RemovedInDjango70Warning
else:

    class RemovedInDjango2028Warning(PendingDeprecationWarning):  # type: ignore[no-redef]
        """Goes with Django's release of 2028; pending, so that `-W error::DeprecationWarning`
        does not fail for a project that has only just installed the app."""

        __module__ = "django.utils.deprecation"


Through = Callable[[FrameType], bool]


def effective_caller(through: Through | None = None) -> FrameType | None:
    """Return the frame that called the function of Django's which we are in.

    `through` tells of a frame on the way whether it only handed the call on.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_of(frame, __name__, "django_mailers.backport"):
        frame = frame.f_back
    # One function of the backport that calls another goes through the latter's trampoline, which is
    # why the frame beyond it may be the backport's again.
    if frame is not None and frame.f_code.co_filename == TRAMPOLINE_FILE:
        frame = frame.f_back
    # The bridge stands before some of those functions, with a trampoline of its own.
    while frame is not None and _is_of(frame, "django_mailers.bridge"):
        frame = frame.f_back
        if frame is not None and frame.f_code.co_filename == TRAMPOLINE_FILE:
            frame = frame.f_back
    while frame is not None and through is not None and through(frame):
        frame = frame.f_back
    return frame


def module_of(frame: FrameType) -> str:
    """Return the name of the module whose code `frame` runs."""
    return str(frame.f_globals.get("__name__"))


def _is_of(frame: FrameType, *packages: str) -> bool:
    return f"{module_of(frame)}.".startswith(tuple(f"{package}." for package in packages))


def warn_about_external_use(message: str, through: Through | None = None) -> None:
    """Issue the deprecation `message` at the line that used what is deprecated.

    Nothing is issued if that line is Django's or ours. `through`: see `effective_caller()`.
    """
    frame = effective_caller(through)
    if frame is None or not _is_of(frame, "django", "django_mailers"):
        _warn_at(frame, message)


def warn_about_use(message: str) -> None:
    """Issue the deprecation `message` at the line outside Django and this package that led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_of(frame, "django", "django_mailers", "importlib", "email"):
        frame = frame.f_back
    _warn_at(frame, message)


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
