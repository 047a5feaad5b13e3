"""`django.core.mail.deprecation`, and what it needs of Django 6.1's `django.utils.deprecation`.

A warning names the line that has to change: the first frame outside this backport. When that frame
is Django's (contrib.auth, the log handler and the middleware of 5.2 and 6.0 use the old arguments)
or ours, nobody could act on it and there is none.
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeVar

from django.conf import settings
from django.utils import deprecation

F = TypeVar("F", bound=Callable[..., Any])

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


FAIL_SILENTLY_ARG_WARNING = (
    "The 'fail_silently' argument is deprecated. See 'Migrating email to mailers' in Django's "
    "documentation for recommended replacements."
)
AUTH_ARGS_WARNING = (
    "The 'auth_user' and 'auth_password' arguments are deprecated. Set 'username' and 'password' "
    "OPTIONS in MAILERS instead."
)
CONNECTION_ARG_WARNING = (
    "The 'connection' argument is deprecated. Switch to the 'using' argument with a MAILERS alias."
)
NO_DEFAULT_MAILER_WARNING = (
    "Django 2028 will not have a default mailer. Configure settings.MAILERS to avoid errors when "
    "sending email."
)

# The file that tracebacks name for the code which leads from Django's functions to ours. In angle
# brackets, or they would show lines of the Django module whose globals that code has.
DOOR_FILE = "<django_mailers>"


def effective_caller(through: tuple[str, ...] = ()) -> tuple[FrameType | None, int]:
    """Return the frame that called the function of Django's which we are in, and how far up it is.

    The distance is a `stacklevel` as seen from our own caller. `through` are prefixes of the names
    of modules whose frames are passed over on the way: they only handed the call on.
    """
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while _module(frame).startswith(f"{__package__}."):
        frame, level = _back(frame), level + 1
    # One function of the backport that calls another goes through the latter's door, which is why
    # the frame beyond it may be the backport's again.
    if frame is not None and frame.f_code.co_filename == DOOR_FILE:
        frame, level = _back(frame), level + 1
    while through and _module(frame).startswith(through):
        frame, level = _back(frame), level + 1
    return frame, level


def _back(frame: FrameType | None) -> FrameType | None:
    return None if frame is None else frame.f_back


def _module(frame: FrameType | None) -> str:
    return "" if frame is None else f"{frame.f_globals.get('__name__')}."


def warn_about_external_use(message: str, through: tuple[str, ...] = ()) -> None:
    """Issue the deprecation `message` at the line that used what is deprecated.

    Nothing is issued if that line is Django's or ours. `through`: see `effective_caller()`.
    """
    frame, level = effective_caller(through)
    if not _module(frame).startswith(("django.", "django_mailers.")):
        warnings.warn(message, RemovedInDjango2028Warning, stacklevel=level)


def warn_about_use(message: str) -> None:
    """Issue the deprecation `message` at the line outside Django and this package that led here."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while _module(frame).startswith(("django.", "django_mailers.")):
        frame, level = _back(frame), level + 1
    warnings.warn(message, RemovedInDjango2028Warning, stacklevel=level)


def warn_about_default_mailers_if_needed() -> None:
    """Warn about sending with no configuration at all, which goes to localhost until 2028.

    Only once per cause: a project that defines EMAIL_* settings is told about those.
    """
    from .conf import explicit_settings  # which needs what is above

    if not hasattr(settings, "MAILERS") and not explicit_settings():
        warn_about_use(NO_DEFAULT_MAILER_WARNING)


def deprecate_posargs(names: Sequence[str]) -> Callable[[F], F]:
    """Let a function whose parameters became keyword-only take them by position for a while.

    `names` are those parameters in their former order. Passing one by position warns; passing more
    than there ever were, or one both ways, is a `TypeError`, with Django 6.1's texts (#35528).
    """

    def decorator(function: F) -> F:
        name = function.__qualname__.removesuffix(".__init__")
        positional = sum(
            parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            for parameter in inspect.signature(function).parameters.values()
        )

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            surplus = args[positional:]
            if not surplus:
                return function(*args, **kwargs)
            if len(surplus) > len(names):
                raise TypeError(
                    f"{name}() takes at most {positional + len(names)} positional argument(s) "
                    f"(including {len(names)} deprecated) but {len(args)} were given."
                )
            moved = dict(zip(names, surplus, strict=False))
            if doubled := [f"'{key}'" for key in moved if key in kwargs]:
                raise TypeError(
                    f"{name}() got both deprecated positional and keyword argument values for "
                    f"{', '.join(doubled)}."
                )
            listed = ", ".join(f"'{key}'" for key in moved)
            warn_about_external_use(
                f"Passing positional argument(s) {listed} to {name}() is deprecated. "
                "Use keyword arguments instead."
            )
            return function(*args[:positional], **kwargs, **moved)

        return wrapper  # type: ignore[return-value]

    return decorator


def report_using_incompatibility(
    connection: Any = None,
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
) -> None:
    """Raise `TypeError` for an argument that says how to send beside `using`, which says it all."""
    given = {"connection": connection is not None, "fail_silently": fail_silently}
    for name, is_given in given.items():
        if is_given:
            raise TypeError(f"'{name}' is not compatible with 'using'.")
    if not (auth_user is None and auth_password is None):
        raise TypeError(
            "'auth_user' and 'auth_password' are not compatible with 'using'. Set 'username' and "
            "'password' OPTIONS in MAILERS instead."
        )


def report_connection_incompatibility(
    fail_silently: bool, auth_user: str | None = None, auth_password: str | None = None
) -> None:
    """Raise `TypeError` for an argument that `connection`, being made already, could not heed."""
    given = {
        "fail_silently": fail_silently,
        "auth_user and auth_password": not (auth_user is None and auth_password is None),
    }
    for names, are_given in given.items():
        if are_given:
            raise TypeError(
                f"{names} cannot be used with a connection. "
                f"Pass {names} to get_connection() instead."
            )
