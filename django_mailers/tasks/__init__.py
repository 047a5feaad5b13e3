"""The task of the background mailer: `deliver`, which an engine of Django's tasks framework runs.

A task depends on the engines and queues of a project, which need not have a "default". So it is
made when it is asked for, and not when this module is imported (H62).
"""

from __future__ import annotations

import sys
from typing import Any

from . import frameworks

__all__ = ["deliver", "make_task"]


def deliver(context: Any, ticket: dict[str, Any], message: str) -> dict[str, Any]:
    """Deliver the stored `message`, for which there is a `ticket`. See `worker.run()`."""
    from .worker import run

    return run(context, ticket, message)


def make_task(task_backend: str, queue_name: str, priority: int = 0, run_after: Any = None) -> Any:
    """Return the task, for an engine and a queue. Raises ImproperlyConfigured if it cannot run."""
    return frameworks.make_task(_deliver, task_backend, queue_name, priority, run_after)


_deliver = deliver
# An engine finds a task by the name of its function. See `__getattr__()`.
del deliver


def __getattr__(name: str) -> Any:
    if name == "deliver":
        return frameworks.any_task(_deliver)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# A worker of Celery imports the module `tasks` of each app. It rejects, and so loses, tasks that do
# not exist by then.
if "celery" in sys.modules:
    frameworks.make_all(_deliver)
