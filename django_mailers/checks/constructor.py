"""What a backend's `__init__()` takes, found out without calling it.

Making a backend may create a folder, query a database or open a connection. Its signature says
nearly as much, up to where a class does something with its **kwargs that cannot be followed.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from django_mailers.backends.options import NAME, PATH, SECONDS, Kind

BACKENDS = "django.core.mail.backends"
SMTP = f"{BACKENDS}.smtp.EmailBackend"
FILEBASED = f"{BACKENDS}.filebased.EmailBackend"
DEVELOPMENT = (
    f"{BACKENDS}.console.EmailBackend",
    f"{BACKENDS}.dummy.EmailBackend",
    FILEBASED,
    f"{BACKENDS}.locmem.EmailBackend",
)


TEXT = Kind("a str", (str,))
# An int in a string is good enough for sockets: see W002.
PORT = Kind("an int from 0 to 65535", (int, str), lambda port: 0 <= _int(port) <= 65535)
FLAG = Kind("a bool", (object,))
STREAM = Kind("a text file", (object,), lambda stream: hasattr(stream, "write"))

# What Django's own backends take, which are the same on every Django with MAILERS. Their signatures
# do not say it all (the console's `stream` is among its **kwargs), and below 6.1 they differ.
DJANGO: Mapping[str, Mapping[str, Kind]] = {
    SMTP: {
        "host": NAME,
        "port": PORT,
        "username": TEXT,
        "password": TEXT,
        "use_tls": FLAG,
        "fail_silently": FLAG,
        "use_ssl": FLAG,
        "timeout": SECONDS,
        "ssl_keyfile": PATH,
        "ssl_certfile": PATH,
    },
    f"{BACKENDS}.console.EmailBackend": {"stream": STREAM, "fail_silently": FLAG},
    # It takes the console's `stream` too, and makes no use of it.
    FILEBASED: {"file_path": PATH, "fail_silently": FLAG},
    f"{BACKENDS}.locmem.EmailBackend": {},
    f"{BACKENDS}.base.BaseEmailBackend": {},
}
REQUIRED_BY_DJANGO = {SMTP: ["host"], FILEBASED: ["file_path"]}


@dataclass
class Constructor:
    """The keyword arguments of a backend.

    `names` are those that are known, in order, each with its kind if a backend of Django's is the
    first to see it. `is_complete` says whether any other one is an error. `required` are the names
    without a default; Django's own options come after None and count as missing then too.
    `surplus` are arguments that a subclass hands on to a class which refuses them. `ends_in` is the
    path of the backend of Django's at which the search ended.
    """

    names: dict[str, Kind | None] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    is_complete: bool = False
    takes_alias: bool = True
    ends_in: str | None = None


def constructor(backend: type) -> Constructor:
    """Return what is known of the keyword arguments of the class `backend`."""
    found = Constructor()
    # What subclasses add to their **kwargs, until a class takes it.
    given: dict[str, bool] = {}
    *ancestors, _ = backend.__mro__  # the last is object
    if type(backend).__call__ is not type.__call__ or any("__new__" in vars(a) for a in ancestors):
        return found
    for ancestor in ancestors:
        path = path_of(ancestor)
        if path in DJANGO:
            _end(found, path, given)
            break
        init = vars(ancestor).get("__init__")
        if init is None:
            continue
        # A decorator may take arguments away, or add some.
        if not isinstance(init, FunctionType) or hasattr(init, "__wrapped__"):
            break
        # Those of this app say what their options may be.
        rest = _take(found, init, given, vars(ancestor).get("option_kinds", {}))
        if rest is None:
            found.is_complete = True
            found.takes_alias = "alias" in found.names
            break
        handed_on = _handed_on(init, rest)
        if handed_on is None:
            break
        given.update(dict.fromkeys(handed_on, True))
        # A backend without its alias takes itself for one of before MAILERS, and is not strict.
        if "alias" in found.names and "alias" not in given:
            break
    else:  # at object, which takes nothing
        found.is_complete = True
        found.takes_alias = "alias" in found.names
    found.names.pop("alias", None)
    return found


def path_of(backend: type) -> str:
    """Return the dotted path of a class."""
    return f"{backend.__module__}.{backend.__qualname__}"


def _end(found: Constructor, path: str, given: Mapping[str, bool]) -> None:
    """Add what the backend of Django's at `path` takes."""
    options = DJANGO[path]
    found.is_complete = True
    found.ends_in = path
    found.surplus = [name for name in given if name != "alias" and name not in options]
    for name, kind in options.items():
        if name not in found.names and name not in given:
            found.names[name] = kind
            if name in REQUIRED_BY_DJANGO.get(path, ()):
                found.required.append(name)


def _take(
    found: Constructor, function: FunctionType, given: dict[str, bool], kinds: Mapping[str, Kind]
) -> str | None:
    """Add the parameters of `function`, but for those `given` to it, and return the name of its
    **kwargs if it has them. `kinds` are those that are known."""
    rest = None
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            rest = parameter.name
        elif parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            name = parameter.name
            if given.pop(name, False) or name in found.names:
                continue
            found.names[name] = kinds.get(name)
            if parameter.default is parameter.empty and name != "alias":
                found.required.append(name)
    return rest


def _handed_on(function: FunctionType, rest: str) -> list[str] | None:
    """Return the arguments that `function` adds to its **kwargs, called `rest`, on their way up.

    None if it does anything with them but hand all of them to super().__init__(): what it takes
    out of them, or whether anybody ever sees them, cannot be known then.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # without its source, or not a statement of its own
        return None
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name) and node.id == rest]
    # "del kwargs" hands nothing on.
    uses = [node for node in names if not isinstance(node.ctx, ast.Del)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and _is_super_init(node.func)]
    if len(uses) != 1 or len(calls) != 1:
        return None
    (call,) = calls
    unpacked = [keyword.value for keyword in call.keywords if keyword.arg is None]
    if unpacked != uses or not all(isinstance(value, ast.Starred) for value in call.args):
        return None
    return [keyword.arg for keyword in call.keywords if keyword.arg is not None]


def _is_super_init(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "__init__"
        and isinstance(function.value, ast.Call)
        and isinstance(function.value.func, ast.Name)
        and function.value.func.id == "super"
    )


def _int(value: Any) -> int:
    """Return `value` as an int, or one that is in no range."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else -1
    return -1 if isinstance(value, bool) else int(value)
