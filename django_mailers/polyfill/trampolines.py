"""How functions that others hold references to are changed: in place.

This knows nothing about mail; `django_mailers.polyfill` says what is to be changed.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, Literal

from django_mailers.deprecation import Hidden
from django_mailers.ownership import SILENT_FILE, TRAMPOLINE_FILE

How = Literal["replaces", "wraps", "decides"]

# Where the functions that redirect() changed lead to, by a number that is in their new code. They
# stay here for ever: a call may be on its way.
_replacements: dict[int, Callable[..., Any]] = {}
_numbers_of: dict[CodeType, int] = {}
_numbers = itertools.count()


def redirect(
    function: FunctionType,
    replacement: Callable[..., Any],
    how: How = "replaces",
    *,
    keep_signature: bool = False,
) -> None:
    """Make calls of `function`, under any name that code has for it, calls of `replacement`.

    A function that leads elsewhere already gets no second trampoline: what it leads to is then the
    original.

    Arguments: `how`, what `replacement` does:

    "replaces"  what the function did;
    "wraps"     the same, and is handed the original as its first argument;
    "decides"   is handed the original too, and returns the function to call with its arguments and
                keyword arguments. The call is then made from the module of `function`.

    `keep_signature`, whether `inspect.signature()` goes on giving that of `function`, and help()
    its text, instead of those of `replacement`.
    """
    signature, doc = inspect.signature(function), function.__doc__
    if not keep_signature:
        signature = _signature_for_globals_of_others(replacement, skip=how != "replaces")
        doc = replacement.__doc__ or doc
        # Python's own errors about arguments name the function.
        replacement.__qualname__ = function.__qualname__
    target = replacement
    if how != "replaces":
        target = functools.partial(replacement, _original(function))
    number = next(_numbers)
    _replacements[number] = target
    trampoline = _trampoline(function, number, decides=how == "decides")
    _numbers_of[trampoline] = number
    # The code first: it takes any arguments, so a call in another thread always finds a function
    # that works.
    function.__code__ = trampoline
    function.__defaults__ = function.__kwdefaults__ = None
    function.__doc__ = doc
    function.__signature__ = signature  # type: ignore[attr-defined]


def _signature_for_globals_of_others(
    function: Callable[..., Any], *, skip: int
) -> inspect.Signature:
    """Return the signature of `function` less its first `skip` parameters.

    Without annotations: they are strings, which mean nothing among the globals of others.
    """
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters[skip:], return_annotation=signature.empty)


def locate(path: str) -> tuple[Any, str]:
    """Return what holds the thing that `path`, "module:name", means, and the thing's name there."""
    module, _, name = path.partition(":")
    *owners, last = name.split(".")
    owner: Any = importlib.import_module(module)
    for attribute in owners:
        owner = getattr(owner, attribute)
    return owner, last


def own_function(function: Any, is_own: Callable[[FunctionType], bool]) -> FunctionType | None:
    """Return the first function that `is_own` accepts of `function` and those that it wraps, as
    `functools.wraps` says; None otherwise."""
    while function is not None:
        if isinstance(function, FunctionType) and is_own(function):
            return function
        function = getattr(function, "__wrapped__", None)
    return None


def leads_to(function: FunctionType, replacement: Callable[..., Any]) -> bool:
    """Whether `redirect()` has led `function` to `replacement`, be it by way of others.

    False if somebody has led it elsewhere since.
    """
    number = _numbers_of.get(function.__code__)
    target: Any = _replacements[number] if number is not None else None
    while isinstance(target, functools.partial):
        if target.func is replacement:
            return True
        (target,) = target.args
    return target is replacement


class Retired(Hidden):
    """A method that only the module it came from still finds."""

    def __init__(self, function: FunctionType) -> None:
        super().__init__(function.__name__, function)


def describe(function: Any) -> str:
    """Return the name of `function` and where it is defined, for a person to find it."""
    code = getattr(function, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"{getattr(function, '__qualname__', repr(function))}{where}"


def _original(function: FunctionType) -> Callable[..., Any]:
    """Return what `function` does now: what it leads to, or else a copy of it."""
    number = _numbers_of.get(function.__code__)
    # A replacement that decides needs its trampoline, which makes the call.
    if number is not None and function.__code__.co_filename == TRAMPOLINE_FILE:
        return _replacements[number]
    copy = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


_TRAMPOLINE = """
def with_cells({cells}):
    def {name}(*args, **kwargs):
        if False:
            ({cells})
        from {module} import _replacements
        return _replacements[{number}](*args, **kwargs)
    return {name}
"""
_DECIDING = """
def with_cells({cells}):
    def {name}(*args, **kwargs):
        if False:
            ({cells})
        from {module} import _replacements
        function, args, kwargs = _replacements[{number}](*args, **kwargs)
        return function(*args, **kwargs)
    return {name}
"""


def _trampoline(function: FunctionType, number: int, *, decides: bool) -> CodeType:
    """Return code for `function` that calls the replacement of that `number`.

    It has the free variables that `function` was closed over, unused: Python only lets code be
    exchanged for code with as many.
    """
    cells = "".join(f"{name}, " for name in function.__code__.co_freevars)
    source = (_DECIDING if decides else _TRAMPOLINE).format(
        name=function.__name__, cells=cells, module=__name__, number=number
    )
    namespace: dict[str, Any] = {}
    # Nothing comes from outside: the names are those in the code of `function`.
    exec(compile(source, SILENT_FILE if decides else TRAMPOLINE_FILE, "exec"), namespace)  # noqa: S102
    code: CodeType = namespace["with_cells"](*function.__code__.co_freevars).__code__
    return code
