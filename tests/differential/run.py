"""Carry out the entries of a group in this process, in one way, and print what came of each: JSON.

    python -m tests.differential.run WAY [GROUP]

WAY is "bare", for Django without the app, or one of `world.WAYS`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def files_of_cases():
    return sorted(path.stem for path in HERE.glob("cases_*.py"))


def main(way, group="main"):
    from .world import CASES, world

    with world.server:
        os.environ["MAIL_WAY"] = way
        os.environ["MAIL_PORT"] = str(world.server.port)
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.differential.settings"
        if group == "logging":
            os.environ["MAIL_LOGGING"] = "1"
        warnings.simplefilter("ignore")
        # As in a project: its modules are imported while, or after, its apps are loaded.
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        for name in files_of_cases():
            importlib.import_module(f"{__package__}.{name}")
        outcomes = {
            case.name: outcome(case.function)
            for case in CASES.values()
            if case.group == group and (way == "bare" or way in case.ways)
        }
        if way == "bare":
            # The server is of the package, which by itself does nothing to Django.
            loaded = {name for name in sys.modules if name.partition(".")[0] == "django_mailers"}
            server = {"testing", "testing.certificates", "testing.dialogue", "testing.server"}
            expected = {"django_mailers", *(f"django_mailers.{name}" for name in server)}
            assert loaded == expected, loaded
        else:
            from django_mailers.backends.smtp import close_pools

            close_pools()
    json.dump(outcomes, sys.stdout, indent=1, sort_keys=True)


def outcome(function):
    """Call the function of an entry; return all that can be seen of it."""
    from django.core import mail

    from .world import world

    world.reset()
    mail.outbox = []
    result: dict[str, Any] = {}
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result["returned"] = plain(function())
        except Exception as error:
            result["raised"] = [cls.__name__ for cls in type(error).__mro__]
            result["text"] = str(error)
            if os.environ.get("MAIL_TRACEBACKS"):
                result["traceback"] = traceback.format_exc()
    result["arrived"] = world.arrived()
    result["kept"] = list(world.kept)
    result["warnings"] = [
        # Which line it is, is not compared: but whose.
        [warning.category.__name__, str(HERE) in warning.filename, str(warning.message)]
        for warning in caught
        if warning.category is not ResourceWarning
    ]
    result["seconds"] = round(time.monotonic() - start, 3)
    return json.loads(json.dumps(result))


def plain(value):
    """Return something that JSON can hold, for what an entry returns."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(each) for each in value]
    return repr(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
