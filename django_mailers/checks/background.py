"""Checks of mailers that send in the background: the engine, the database, the claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.mail import DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined]

from django_mailers.wording import listed

from .entries import Mailer
from .references import (
    error_handlers,
    guess,
    import_or_none,
    is_subclass,
    reachable,
    targets_of,
)
from .table import check_message

# Fewer entries than this are not enough for the claims of a week.
ENTRIES = 100_000


def check_mailers(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check the settings that the background mailers among `mailers` refer to."""
    background = [mailer for mailer in mailers if mailer.derives_from("tasks")]
    for mailer in background:
        engine, problem = _engine(mailer)
        if problem is not None:
            yield problem
        yield from _check_database(mailer)
        yield from _check_claims(mailer, engine)
        if engine is not None and not engine.supports_defer and not _is_for_development(engine):
            text = f"The engine {mailer.value('task_backend')!r} cannot run a task later."
            yield check_message("mailers.W064", text, alias=mailer.alias)
    if background:
        yield from _check_reports(mailers)


def check_deployment(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check that the engines have workers."""
    for mailer in mailers:
        if mailer.derives_from("tasks"):
            engine, _ = _engine(mailer)
            if _is_for_development(engine):
                text = f"The engine {mailer.value('task_backend')!r} has no workers."
                yield check_message("mailers.W060", text, alias=mailer.alias)


def _engine(mailer: Mailer) -> tuple[Any, CheckMessage | None]:
    """Return the engine, or None and what is wrong with it."""
    from django_mailers.tasks import frameworks, make_task

    names = ("task_backend", "queue_name", "priority")
    alias, queue, priority = (mailer.value(name) for name in names)
    if not all(mailer.backend.all_options[name].allows(mailer.value(name)) for name in names):  # type: ignore[attr-defined]
        return None, None  # The check of values reports it.
    hint = None
    if frameworks.framework() is None:
        problem = "mailers.E060", "There is no tasks framework."
    else:
        try:
            engine = frameworks.engine(alias)
        except frameworks.CannotQueue as error:
            hint = guess(alias, frameworks.entries())
            problem = "mailers.E061", f"OPTIONS 'task_backend': {error}"
        else:
            try:
                make_task(alias, queue, priority)
            except frameworks.CannotQueue as error:
                known = listed(map(repr, sorted(engine.queues)))
                if engine.queues and queue not in engine.queues:
                    hint = f"The queues of the engine are {known}."
                problem = "mailers.E062", str(error)
            else:
                return engine, None
    return None, check_message(*problem, alias=mailer.alias, hint=hint)


def _is_for_development(engine: Any) -> bool:
    """Whether the engine is one of Django's, which run a task at once, or never."""
    from django_mailers.tasks import frameworks

    if engine is None:
        return False
    backends = f"{frameworks.framework().__name__}.backends"
    immediate = import_module(f"{backends}.immediate").ImmediateBackend
    dummy = import_module(f"{backends}.dummy").DummyBackend
    return type(engine) in {immediate, dummy}


def _check_database(mailer: Mailer) -> Iterator[CheckMessage]:
    database = mailer.value("database")
    # "default" is there in any case.
    if isinstance(database, str) and database not in {*settings.DATABASES, "default"}:
        text = f"OPTIONS 'database' names {database!r}, which is not in DATABASES."
        hint = guess(database, settings.DATABASES)
        yield check_message("mailers.E063", text, alias=mailer.alias, hint=hint)


def _check_claims(mailer: Mailer, engine: Any) -> Iterator[CheckMessage]:
    from django.core.cache.backends.db import DatabaseCache
    from django.core.cache.backends.dummy import DummyCache
    from django.core.cache.backends.filebased import FileBasedCache
    from django.core.cache.backends.locmem import LocMemCache

    alias = mailer.value("claims")
    if not isinstance(alias, str) or not alias:
        return  # None, or the check of values reports what is wrong.
    entry = settings.CACHES.get(alias)
    if entry is None:
        text = f"OPTIONS 'claims' names {alias!r}, which is not in CACHES."
        hint = guess(alias, settings.CACHES)
        yield check_message("mailers.E064", text, alias=mailer.alias, hint=hint)
        return
    if engine is None or _is_for_development(engine) or not isinstance(entry, Mapping):
        return
    cache = import_or_none(entry.get("BACKEND"))
    if is_subclass(cache, LocMemCache) or is_subclass(cache, DummyCache):
        text = f"Processes do not share the cache {alias!r}, in which OPTIONS 'claims' are."
        yield check_message("mailers.W061", text, alias=mailer.alias)
    elif is_subclass(cache, DatabaseCache) or is_subclass(cache, FileBasedCache):
        most = _max_entries(entry)
        if most < ENTRIES:
            text = f"The cache {alias!r}, in which OPTIONS 'claims' are, keeps {most} entries."
            yield check_message("mailers.W062", text, alias=mailer.alias)


def _max_entries(entry: Mapping[str, Any]) -> int:
    """Return how many entries a cache keeps, as Django reads its settings."""
    for name, options in (("max_entries", entry), ("MAX_ENTRIES", entry.get("OPTIONS") or {})):
        try:
            return int(options[name])
        except (KeyError, TypeError, ValueError):
            continue
    return 300


def _check_reports(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check that error reports do not need the queue or the database that they are about (H63)."""
    graph = {mailer.alias: targets_of(mailer) for mailer in mailers}
    background = [mailer.alias for mailer in mailers if mailer.derives_from("tasks")]
    for origin, alias in _reporters():
        found = reachable([alias], graph)
        if any(name in found for name in background):
            yield check_message(
                "mailers.W063", f"{origin} mails through {alias!r}, which sends in the background."
            )


def _reporters() -> Iterator[tuple[str, str]]:
    """Yield what sends error reports, and the alias that it mails through."""
    for name, handler in error_handlers():
        # With a backend of its own it does not use a mailer.
        if not handler.get("email_backend"):
            yield f"LOGGING['handlers'][{name!r}]", handler.get("using") or DEFAULT_MAILER_ALIAS
    config = settings.LOGGING if isinstance(settings.LOGGING, Mapping) else {}
    # Django's own handler, unless the project replaces it.
    is_replaced = "django" in (config.get("loggers") or {})
    if settings.ADMINS and settings.LOGGING_CONFIG and not is_replaced:
        yield "Django's handler of errors", DEFAULT_MAILER_ALIAS
