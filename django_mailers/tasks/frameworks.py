"""The tasks framework, which is in Django itself, or in the package django-tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_mailers.smtp import is_injected

# Django 5.2: the second.
_MODULES = ("django.tasks", "django_tasks")


class CannotQueue(ImproperlyConfigured):
    """A task cannot be made: the settings TASKS, or the options that refer to them, are wrong."""


@lru_cache(maxsize=1)
def framework() -> Any:
    """Return the module of the framework; None if it is not installed."""
    for name in _MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def engine(task_backend: str) -> Any:
    """Return the engine with this alias in TASKS. Raises CannotQueue."""
    tasks = framework()
    if tasks is None:
        raise CannotQueue(
            "There is no tasks framework. On Django 5.2 it is a package: "
            'pip install "django-mailers[tasks]".'
        )
    if task_backend not in entries():
        raise CannotQueue(f"{task_backend!r} is not in TASKS.")
    try:
        return tasks.task_backends[task_backend]
    except Exception as error:
        # Making an engine may import anything.
        if is_injected(error):
            raise
        raise CannotQueue(f"TASKS[{task_backend!r}] cannot be used: {error}") from error


def entries() -> Mapping[str, Any]:
    """Return TASKS, or what stands for it if a project has none; nothing if it is not a dict."""
    tasks = framework()
    configured: Any = {} if tasks is None else tasks.task_backends.settings
    return configured if isinstance(configured, Mapping) else {}


def engines() -> Iterator[tuple[str, Any]]:
    """Yield the alias of each engine in TASKS that can be made, and the engine."""
    for alias in entries():
        try:
            yield alias, engine(alias)
        except CannotQueue:
            continue


def make_task(
    function: Callable[..., Any],
    task_backend: str,
    queue_name: str,
    priority: int = 0,
    run_after: Any = None,
) -> Any:
    """Return `function` as a task. Raises CannotQueue if the engine does not accept it."""
    engine(task_backend)
    try:
        task = framework().task(
            backend=task_backend, queue_name=queue_name, priority=priority, takes_context=True
        )(function)
        return task if run_after is None else task.using(run_after=run_after)
    except Exception as error:
        # InvalidTask, of either framework. An engine may raise others.
        if is_injected(error):
            raise
        raise CannotQueue(f"TASKS[{task_backend!r}] does not accept the task: {error}") from error


def any_task(function: Callable[..., Any]) -> Any:
    """Return `function` as a task of one of the engines.

    An engine only needs it to find the function. Some replace the alias and the queue by those that
    it was enqueued with, and some do not.
    """
    tasks = framework()
    problem = CannotQueue("There is no engine in TASKS for the task.")
    if tasks is None:
        raise problem
    # Some engines accept tasks of the framework alone, others those of both, if both are installed.
    own = import_module(f"{tasks.__name__}.base").Task
    by_class = sorted(engines(), key=lambda pair: not issubclass(pair[1].task_class, own))
    for alias, one in by_class:
        try:
            return make_task(function, alias, _some_queue(one))
        except CannotQueue as error:
            problem = error
    raise problem


def make_all(function: Callable[..., Any]) -> None:
    """Make the task of each engine, as some engines register tasks when they are made."""
    for alias, one in engines():
        try:
            make_task(function, alias, _some_queue(one))
        except CannotQueue:
            continue  # The checks say why.


def can_defer(task_backend: str) -> bool:
    """Whether an engine runs a task later. One that is not there does nothing."""
    try:
        return bool(engine(task_backend).supports_defer)
    except CannotQueue:
        return False


def table_of(backend: Any) -> Any:
    """Return the model of the tasks of the engine `backend`; None if they are not in a database."""
    from django.apps import apps

    if not apps.is_installed("django_tasks_db"):
        return None
    from django_tasks_db import DatabaseBackend  # type: ignore[import-not-found, unused-ignore]
    from django_tasks_db.models import (  # type: ignore[import-not-found, unused-ignore]
        DBTaskResult,
    )

    return DBTaskResult if isinstance(backend, DatabaseBackend) else None


def database_of(backend: Any) -> str | None:
    """Return the alias of the database with the tasks of `backend`; None if they are elsewhere."""
    from django.db import router

    model = table_of(backend)
    return None if model is None else router.db_for_write(model)


def _some_queue(backend: Any) -> str:
    """Return the name of a queue of the engine, "default" if it has that."""
    queues = backend.queues
    return "default" if not queues or "default" in queues else min(queues)
