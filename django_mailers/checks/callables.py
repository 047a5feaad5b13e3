"""The check of options that are callables, or the paths of callables."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage
from django.core.mail import InvalidMailer  # type: ignore[attr-defined, unused-ignore]

from django_mailers.options import CALLABLE, CALLABLES, import_callable

from .entries import Mailer
from .table import check_message

# `resolvers` checks these.
ELSEWHERE = {"resolver"}


def check(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check that the callables which the options of `mailer` name can be imported."""
    for name, kind in mailer.kinds.items():
        value = mailer.options.get(name)
        if value is None or kind not in {CALLABLE, CALLABLES} or name in ELSEWHERE:
            continue
        if not kind.allows(value):
            continue  # `entries` says so.
        for path in value if kind is CALLABLES else [value]:
            problem = import_problem(path, name)
            if problem is not None:
                yield check_message("mailers.E040", problem, alias=mailer.alias)


def import_problem(path: object, option: str) -> str | None:
    """Return why `path`, the value of an option, does not give a callable; None if it does."""
    try:
        import_callable(path, option, None)
    except InvalidMailer as error:
        # The text of the mailer itself when it is used.
        return str(error)
    except Exception as error:
        # A module may raise anything when it is imported. Its text may contain a secret.
        return f"Could not import OPTIONS {option!r} {path!r}: it raised {type(error).__name__}."
    return None
