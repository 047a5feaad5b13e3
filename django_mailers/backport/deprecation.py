"""`django.core.mail.deprecation`, and what it needs of 6.1. (Django 6.0: this whole file.)"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.conf import settings

from django_mailers.deprecation import (
    RemovedInDjango2028Warning,
    effective_caller,
    warn_about_external_use,
    warn_about_use,
)
from django_mailers.emailsettings import defined_settings
from django_mailers.legacyapi import (
    AUTH_ARGS_WARNING,
    CONNECTION_ARG_WARNING,
    FAIL_SILENTLY_ARG_WARNING,
    NO_DEFAULT_MAILER_WARNING,
    positional_warning,
)
from django_mailers.ownership import is_sender_of_django

# Names of Django 6.1's module.
__all__ = [
    "AUTH_ARGS_WARNING",
    "CONNECTION_ARG_WARNING",
    "FAIL_SILENTLY_ARG_WARNING",
    "NO_DEFAULT_MAILER_WARNING",
    "RemovedInDjango2028Warning",
    "report_using_incompatibility",
    "warn_about_default_mailers_if_needed",
]

F = TypeVar("F", bound=Callable[..., Any])


def warn_about_default_mailers_if_needed() -> None:
    """Warn about sending with no configuration at all, which goes to localhost until 2028.

    Only once per cause: a project that defines EMAIL_* settings is told about those.
    """
    if not hasattr(settings, "MAILERS") and not defined_settings(settings._wrapped):
        warn_about_use(NO_DEFAULT_MAILER_WARNING)


def deprecate_posargs(names: Sequence[str]) -> Callable[[F], F]:
    """Let a function whose parameters became keyword-only take them by position for a while.

    `names` are those parameters in their former order. Passing an argument by position warns.
    Passing too many, or one of them in both ways, is a `TypeError`, with Django 6.1's texts
    (#35528).
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
            warn_about_external_use(positional_warning(name, moved))
            return function(*args[:positional], **kwargs, **moved)

        return wrapper  # type: ignore[return-value]

    return decorator


def report_using_incompatibility(
    connection: Any = None,
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
) -> None:
    """Raise `TypeError` for an argument that `using` makes superfluous."""
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
    has_credentials = not (auth_user is None and auth_password is None)
    if not (fail_silently or has_credentials):
        return
    caller = effective_caller()
    if caller is not None and is_sender_of_django(caller):
        return
    names = "fail_silently" if fail_silently else "auth_user and auth_password"
    raise TypeError(
        f"{names} cannot be used with a connection. Pass {names} to get_connection() instead."
    )
