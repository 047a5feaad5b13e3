"""Checks of what a mailer with the backend `route` asks where its messages go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asgiref.sync import iscoroutinefunction
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from django_mailers.signatures import path_of

from .constructor import ROUTE
from .entries import Mailer
from .table import check_message


def check_resolvers(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    for mailer in mailers:
        if any(path_of(ancestor) == ROUTE for ancestor in mailer.backend.__mro__):
            yield from _check(mailer)


def _check(mailer: Mailer) -> Iterator[CheckMessage]:
    resolver = mailer.options.get("resolver")
    kind = mailer.kinds.get("resolver")
    if resolver is None or kind is None or not kind.allows(resolver):
        return  # `entries` says so.
    if isinstance(resolver, str):
        text = f"Could not import OPTIONS 'resolver' {resolver!r}"
        try:
            resolver, path = import_string(resolver), resolver
        except ImportError as error:
            yield check_message("mailers.E050", f"{text}: {error}", alias=mailer.alias)
            return
        except Exception as error:
            # A module may raise anything when it is imported. Its text may contain a secret.
            text = f"{text}: it raised {type(error).__name__}."
            yield check_message("mailers.E050", text, alias=mailer.alias)
            return
        if not callable(resolver):
            text = f"OPTIONS 'resolver' {path!r} is not callable."
            yield check_message("mailers.E050", text, alias=mailer.alias)
    if iscoroutinefunction(resolver):
        text = "OPTIONS 'resolver' is an asynchronous function."
        yield check_message("mailers.E051", text, alias=mailer.alias)
