"""Checks of aliases that mailers and other settings refer to."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from django_mailers.options import ALIAS, ALIASES
from django_mailers.ownership import is_internal
from django_mailers.wording import listed

from .entries import Mailer
from .table import check_message, closest

# The options that refer to other mailers in a wrapper that does not say what they must be.
TARGETS = {"using": ALIAS, "mailers": ALIASES, "also": ALIASES}


def check_mailers(mailers: Sequence[Mailer], aliases: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    """Check the mailers whose options, such as `using` or `mailers`, refer to other mailers."""
    graph: dict[Any, list[str]] = {}
    for mailer in mailers:
        graph[mailer.alias] = []
        for option, targets, problem in _targets(mailer):
            if problem is not None:
                yield problem
            for target in targets:
                graph[mailer.alias].append(target)
                if target not in aliases:
                    text = f"OPTIONS {option!r} names {target!r}, which is not in MAILERS."
                    hint = hint_for(target, aliases)
                    yield check_message("mailers.E012", text, alias=mailer.alias, hint=hint)
    reported: set[frozenset[Any]] = set()
    for alias in graph:
        circle = _way_back(alias, graph)
        if circle is not None and frozenset(circle) not in reported:
            reported.add(frozenset(circle))
            way = " -> ".join(map(repr, circle))
            text = f"OPTIONS lead back to the mailer itself: {way}."
            yield check_message("mailers.E013", text, alias=alias)


def check_logging(aliases: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    """Check the handlers in LOGGING that send error reports."""
    from django.utils.log import AdminEmailHandler

    handlers = settings.LOGGING.get("handlers", {})
    for name, handler in handlers.items():
        using = handler.get("using")
        if using is None or using in list(aliases):
            continue
        # In other handlers it may mean anything, such as a database.
        if is_subclass(handler.get("()", handler.get("class")), AdminEmailHandler):
            text = (
                f"LOGGING['handlers'][{name!r}]: 'using' names {using!r}, which is not in MAILERS."
            )
            yield check_message("mailers.E014", text, hint=hint_for(using, aliases))


def check_middleware(aliases: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    """Check the classes in MIDDLEWARE that send reports of broken links."""
    from django.middleware.common import BrokenLinkEmailsMiddleware

    for path in settings.MIDDLEWARE:
        # Neither Django's nor ours set it, and importing them would slow down every command.
        if is_internal(path):
            continue
        middleware = import_or_none(path)
        if not is_subclass(middleware, BrokenLinkEmailsMiddleware):
            continue
        using = middleware.using
        if using is not None and using not in list(aliases):
            text = f"MIDDLEWARE: 'using' of {path!r} names {using!r}, which is not in MAILERS."
            yield check_message("mailers.E015", text, hint=hint_for(using, aliases))


def targets_of(mailer: Mailer) -> list[str]:
    """Return the aliases that the options of `mailer` name."""
    return [alias for _, aliases, _ in _targets(mailer) for alias in aliases]


def _targets(mailer: Mailer) -> Iterator[tuple[str, list[str], CheckMessage | None]]:
    """Yield the options that refer to other mailers, each with these, or with a problem."""
    for option, known in mailer.kinds.items():
        value = mailer.options.get(option)
        kind = known or TARGETS.get(option)
        if value is None or (kind is not ALIAS and kind is not ALIASES):
            continue
        targets = [value] if kind is ALIAS else value
        if isinstance(targets, list | tuple | Mapping) and all(
            isinstance(target, str) for target in targets
        ):
            yield option, list(targets), None
        elif known is None:  # otherwise `entries` checks its value
            text = f"OPTIONS {option!r} must be {kind.expected}."
            hint = f"The value is of type {type(value).__name__}."
            problem = check_message("mailers.E010", text, alias=mailer.alias, hint=hint)
            yield option, [], problem


def _way_back(alias: Any, graph: Mapping[Any, Sequence[Any]]) -> list[Any] | None:
    """Return the shortest path through `graph` from `alias` to itself, with both ends."""
    ways = [[alias]]
    seen = set()
    for way in ways:
        for target in graph.get(way[-1], ()):
            if target == alias:
                return [*way, target]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None


def reachable(
    starts: Iterable[Any], graph: Mapping[Any, Sequence[Any]], *, stops: Container[Any] = ()
) -> dict[Any, None]:
    """Return the aliases to which `graph` leads from `starts`, those included, the nearest first.

    It does not lead further from an alias in `stops`, or one that it does not have.
    """
    found = dict.fromkeys(starts)
    left = list(found)
    for alias in left:
        for target in graph.get(alias, ()) if alias not in stops else ():
            if target not in found:
                found[target] = None
                left.append(target)
    return found


def guess(name: object, known: Iterable[Any]) -> str | None:
    """Return the hint that `name` is a misspelling of one of the `known`, or None if it is not."""
    meant = closest(name, known)
    return None if meant in {None, name} else f"Did you mean {meant!r}?"


def hint_for(name: object, defined: Mapping[Any, Any], setting: str = "MAILERS") -> str:
    """Return what to do about a `name` that is not among those that `setting` defines."""
    names = listed(map(repr, defined)) if defined else "nothing"
    return guess(name, defined) or f"{setting} defines {names}."


def is_subclass(candidate: Any, base: type) -> bool:
    if isinstance(candidate, str):
        candidate = import_or_none(candidate)
    return isinstance(candidate, type) and issubclass(candidate, base)


def import_or_none(path: Any) -> Any:
    """Return the object at `path`, or None if it cannot be imported: other checks report that."""
    try:
        return import_string(path)
    except Exception:
        # A module may raise anything when it is imported.
        return None
