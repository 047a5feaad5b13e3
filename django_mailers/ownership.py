"""Whose code a function runs: Django's, this package's, or somebody else's.

Neither a function's `__module__` tells, which `functools.wraps` copies, nor its file alone: Django
may be installed without its sources, compiled somewhere else. What tells is the module whose
globals a function has, together with the file that this module's own code names.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

# The file that tracebacks name for the code in between. In angle brackets, or they would show lines
# of the module whose globals that code has.
TRAMPOLINE_FILE = "<django_mailers>"

# What a class or an object of ours has that other rooms are to take for Django's own.
MARKER = "_django_mailers_stands_in"


def home(function: FunctionType) -> ModuleType | None:
    """Return the module that `function` was defined in; None if that is not loaded any more."""
    module = sys.modules.get(str(function.__globals__.get("__name__")))
    return module if getattr(module, "__dict__", None) is function.__globals__ else None


def runs_own_code(function: FunctionType) -> bool:
    """Whether `function` does what its module, or this package, has it do.

    False if somebody has exchanged its code, or if its module is not loaded any more.
    """
    module = home(function)
    if module is None:
        return False
    filename = function.__code__.co_filename
    if filename in {TRAMPOLINE_FILE, getattr(module, "__file__", None)}:
        return True
    compiled = _file_in_code(module.__name__)
    # A loader that has no code to show may have it from anywhere.
    return compiled is None or filename == compiled


def belongs_to(function: Any, *packages: str) -> bool:
    """Whether `function` is a Python function of one of `packages`, and still runs its own code."""
    if not isinstance(function, FunctionType):
        return False
    name = f"{function.__globals__.get('__name__')}."
    return name.startswith(tuple(f"{package}." for package in packages)) and runs_own_code(function)


@lru_cache(maxsize=256)
def _file_in_code(name: str) -> str | None:
    """Return the file that the code of the module `name` says it is from.

    For a module without its source that is where it was compiled; None if it cannot be found out.
    """
    loader: Any = getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)
    try:
        code = loader.get_code(name)
    except (AttributeError, ImportError, OSError):
        return None
    return code.co_filename if code is not None else None
