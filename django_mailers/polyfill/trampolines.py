"""How functions that others hold references to are changed: in place.

Knows nothing of Django or of mail; `django_mailers.polyfill` says what is to be changed.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from django_mailers.ownership import TRAMPOLINE_FILE

# Where the functions that redirect() changed lead to, by a number that is in their new code.
_replacements: dict[int, Callable[..., Any]] = {}
_numbers_of: dict[CodeType, int] = {}
_numbers = itertools.count()


def redirect(
    function: FunctionType,
    replacement: Callable[..., Any],
    *,
    wraps: bool,
    keep_signature: bool = False,
) -> None:
    """Make calls of `function`, by whatever name anybody holds it, calls of `replacement`.

    Arguments: `wraps`, whether `replacement` is handed a copy of `function` as it was, as its first
    argument; `keep_signature`, whether `inspect.signature()` goes on giving that of `function`, and
    help() its text, instead of those of `replacement`.
    """
    signature, doc = inspect.signature(function), function.__doc__
    if not keep_signature:
        signature = _signature_for_globals_of_others(replacement, skip=1 if wraps else 0)
        doc = replacement.__doc__ or doc
        # Python's own errors about arguments name the function.
        replacement.__qualname__ = function.__qualname__
    target = functools.partial(replacement, _copy(function)) if wraps else replacement
    number = next(_numbers)
    _replacements[number] = target
    trampoline = _trampoline(function, number)
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
    `functools.wraps` left word; None if there is none."""
    while function is not None:
        if isinstance(function, FunctionType) and is_own(function):
            return function
        function = getattr(function, "__wrapped__", None)
    return None


def redirects_to(function: FunctionType, replacement: Callable[..., Any]) -> bool:
    """Whether `redirect()` has led `function` to `replacement`, and nobody elsewhere since."""
    number = _numbers_of.get(function.__code__)
    target = _replacements[number] if number is not None else None
    return target is replacement or getattr(target, "func", None) is replacement


class Retired:
    """A method that only the module it came from still finds.

    It cannot just be deleted: other threads may be in code of that module that is about to call it.
    """

    def __init__(self, function: FunctionType) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: type) -> Any:
        if sys._getframe(1).f_globals is self.function.__globals__:
            return self.function.__get__(instance, owner)
        what = f"{owner.__name__!r} object"
        if instance is None:
            what = f"type object {owner.__name__!r}"
        raise AttributeError(f"{what} has no attribute {self.function.__name__!r}")


def describe(function: Any) -> str:
    """Return the name of `function` and where it is defined, for a person to find it."""
    code = getattr(function, "__code__", None)
    where = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"{getattr(function, '__qualname__', repr(function))}{where}"


def _copy(function: FunctionType) -> FunctionType:
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


def _trampoline(function: FunctionType, number: int) -> CodeType:
    """Return code for `function` that calls the replacement of that `number`.

    It has the free variables that `function` was closed over, unused: Python only lets code be
    exchanged for code with as many.
    """
    cells = "".join(f"{name}, " for name in function.__code__.co_freevars)
    source = _TRAMPOLINE.format(name=function.__name__, cells=cells, module=__name__, number=number)
    namespace: dict[str, Any] = {}
    # Nothing comes from outside: the names are those in the code of `function`.
    exec(compile(source, TRAMPOLINE_FILE, "exec"), namespace)  # noqa: S102
    code: CodeType = namespace["with_cells"](*function.__code__.co_freevars).__code__
    return code
