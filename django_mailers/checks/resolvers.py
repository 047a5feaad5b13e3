"""Checks of the resolvers of mailers with the backend `route`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asgiref.sync import iscoroutinefunction
from django.core.checks import CheckMessage

from django_mailers.options import import_callable

from .callables import import_problem
from .entries import Mailer
from .table import check_message


def check_resolvers(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    for mailer in mailers:
        if mailer.derives_from("route"):
            yield from _check(mailer)


def _check(mailer: Mailer) -> Iterator[CheckMessage]:
    resolver = mailer.options.get("resolver")
    kind = mailer.kinds.get("resolver")
    if resolver is None or kind is None or not kind.allows(resolver):
        return  # `entries` says so.
    problem = import_problem(resolver, "resolver")
    if problem is not None:
        yield check_message("mailers.E050", problem, alias=mailer.alias)
    elif iscoroutinefunction(import_callable(resolver, "resolver", None)):
        text = "OPTIONS 'resolver' is an asynchronous function."
        yield check_message("mailers.E051", text, alias=mailer.alias)
