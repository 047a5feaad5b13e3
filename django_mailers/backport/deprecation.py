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

from django_mailers.emailsettings import defined_settings
from django_mailers.ownership import DOOR_FILE

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

# Modules of Django 5.2 and 6.0 that send mail. Their code is changed by the install, but for calls
# that had begun before.
DJANGO_SENDERS = {
    "django.core.mail",
    "django.core.mail.backends.filebased",
    "django.core.mail.backends.smtp",
    "django.core.mail.message",
    "django.utils.log",
}


Through = Callable[[FrameType], bool]


def effective_caller(through: Through | None = None) -> FrameType | None:
    """Return the frame that called the function of Django's which we are in.

    `through` tells of a frame on the way whether it only handed the call on.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_of(frame, __package__):
        frame = frame.f_back
    # One function of the backport that calls another goes through the latter's door, which is why
    # the frame beyond it may be the backport's again.
    if frame is not None and frame.f_code.co_filename == DOOR_FILE:
        frame = frame.f_back
    # The bridge stands before some of those functions, with a door of its own.
    while frame is not None and _is_of(frame, "django_mailers.bridge"):
        frame = frame.f_back
        if frame is not None and frame.f_code.co_filename == DOOR_FILE:
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


def warn_about_default_mailers_if_needed() -> None:
    """Warn about sending with no configuration at all, which goes to localhost until 2028.

    Only once per cause: a project that defines EMAIL_* settings is told about those.
    """
    if not hasattr(settings, "MAILERS") and not defined_settings(settings._wrapped):
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
    """Raise `TypeError` for an argument that `connection`, being made already, could not follow.

    But not to Django's own code of 5.2 and 6.0, which passes such arguments: a thread may have been
    in it when the install happened.
    """
    caller = effective_caller()
    if caller is not None and module_of(caller) in DJANGO_SENDERS:
        return
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
