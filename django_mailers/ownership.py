"""Whose code is running: Django's, this package's, or other code.

Neither a function's `__module__` tells, which `functools.wraps` copies, nor its file alone: Django
may be installed without its sources, compiled somewhere else. The module whose globals a function
has tells, together with the file that this module's own code names.

The only module that compares names of modules. Rooms whose code stands in for Django's enter
themselves, by `stand_in()`.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import FrameType, FunctionType, ModuleType
from typing import Any

import django

DJANGO = django.__name__
OURS = __name__.partition(".")[0]

# The file that tracebacks name for the code in between. In angle brackets, or they would show lines
# of the module whose globals that code has.
TRAMPOLINE_FILE = "<django_mailers>"
# The same for a trampoline whose target has already said what is deprecated about the call. What
# is called from it takes it for Django's own code, whose globals it has, and says nothing.
SILENT_FILE = "<django_mailers, silent>"
TRAMPOLINE_FILES = frozenset({TRAMPOLINE_FILE, SILENT_FILE})

# The attribute of a class or an object of ours that other rooms are to take for Django's own.
MARKER = "_django_mailers_stands_in"

# A list, as threads may go through it while another room enters itself.
_stand_ins: list[str] = []


def stand_in(package: str) -> None:
    """Enter `package`, a room whose functions are called in the place of Django's."""
    _stand_ins.append(package)
    is_stand_in.cache_clear()


@lru_cache(maxsize=1024)
def is_stand_in(module: str) -> bool:
    """Whether the name `module` is that of a room whose functions stand in for Django's."""
    return any(_is_within(module, package) for package in _stand_ins)


@lru_cache(maxsize=1024)
def is_internal(module: str) -> bool:
    """Whether the name `module` is that of a module of Django's or of ours."""
    return _is_within(module, DJANGO) or _is_within(module, OURS)


def is_ours(name: str) -> bool:
    """Whether the dotted `name` is that of a module of ours, or of something in one."""
    return _is_within(name, OURS)


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def module_of(frame: FrameType) -> str:
    """Return the name of the module whose code `frame` runs."""
    return str(frame.f_globals.get("__name__"))


def home(function: FunctionType) -> ModuleType | None:
    """Return the module that `function` was defined in; None if it is not loaded any more."""
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
    if filename in TRAMPOLINE_FILES or filename == getattr(module, "__file__", None):
        return True
    compiled = _file_in_code(module.__name__)
    # A loader that has no code to show may have it from anywhere.
    return compiled is None or filename == compiled


def is_known(function: Any) -> bool:
    """Whether `function` is a Python function of Django's or of ours that runs its own code."""
    return (
        isinstance(function, FunctionType)
        and is_internal(str(function.__globals__.get("__name__")))
        and runs_own_code(function)
    )


def is_substitute(function: FunctionType) -> bool:
    """Whether `function` is of a room that stands in for Django, and runs its own code."""
    return is_stand_in(str(function.__globals__.get("__name__"))) and runs_own_code(function)


def is_decorator_of_django(function: FunctionType) -> bool:
    """Whether `function` is the wrapper that Django puts around functions of its own.

    Other decorators of Django's are for views, and so for anything.
    """
    module = function.__globals__.get("__name__")
    return module == f"{DJANGO}.utils.deprecation" and runs_own_code(function)


def is_module_of_django(module: ModuleType | None) -> bool:
    """Whether `module` is loaded, and a part of Django."""
    return module is not None and _is_within(module.__name__, DJANGO)


def is_backend_of_django(module: str) -> bool:
    """Whether the name `module` is that of a backend of Django's, or of ours in its place."""
    return _is_within(module, f"{DJANGO}.core.mail.backends") or is_stand_in(module)


def is_defined_in(cls: type, module: ModuleType) -> bool:
    """Whether `cls` is a class of `module`, also from before a `reload()`, or stands in for one."""
    return cls.__module__ == module.__name__ or MARKER in vars(cls)


# Django 6.0: these two sets, and the functions that use them.
# Modules of Django 5.2 and 6.0 that send mail. Their code is changed by the install, but for calls
# that had begun before.
_SENDERS = frozenset(
    f"{DJANGO}.{name}"
    for name in (
        *("core.mail", "core.mail.message", "utils.log"),
        *("core.mail.backends.filebased", "core.mail.backends.smtp"),
    )
)
# The set-up and tear-down of 5.2's and 6.0's test environment save and restore EMAIL_BACKEND. They
# may be at it already when the install happens: the first setting they read loads the settings,
# which may install.
_TEST_ENVIRONMENT = frozenset({"setup_test_environment", "teardown_test_environment"})


def is_sender_of_django(frame: FrameType) -> bool:
    """Whether `frame` runs a module of Django 5.2 or 6.0 that sends mail."""
    return module_of(frame) in _SENDERS


def is_test_environment_of_django(frame: FrameType) -> bool:
    """Whether `frame` sets up Django's test environment, or tears it down."""
    is_its_module = module_of(frame) == f"{DJANGO}.test.utils"
    return is_its_module and frame.f_code.co_name in _TEST_ENVIRONMENT


def is_settings_code_of_django(frame: FrameType) -> bool:
    """Whether `frame` handles settings on behalf of the code that called it."""
    module, function = module_of(frame), frame.f_code.co_name
    if module == f"{DJANGO}.test.utils":
        # disable() reads what it has put back, for the receivers of setting_changed.
        return function != "disable" and not is_test_environment_of_django(frame)
    if module == f"{DJANGO}.test.testcases":
        return function in {"settings", "modify_settings"}
    return module in {f"{DJANGO}.conf", f"{DJANGO}.utils.functional"}


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
