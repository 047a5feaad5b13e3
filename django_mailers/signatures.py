"""The arguments that the class of a backend takes, found out without calling it.

Making a backend may create a folder, query a database or open a connection. Its signature says
nearly as much. A class with **kwargs hands them on, so its ancestors are asked as well, up to where
a class does something with them that cannot be followed. From there on the answer is what would be
true if all of them were handed on, and says that it is not certain.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import FunctionType
from typing import Any

from django_mailers.emailsettings import SMTP_BACKEND
from django_mailers.options import TakesOptions

BACKENDS = "django.core.mail.backends"
SMTP = SMTP_BACKEND
FILEBASED = f"{BACKENDS}.filebased.EmailBackend"
# They keep or print messages, and send none.
DEVELOPMENT = (
    f"{BACKENDS}.console.EmailBackend",
    f"{BACKENDS}.dummy.EmailBackend",
    FILEBASED,
    f"{BACKENDS}.locmem.EmailBackend",
)

# The arguments of Django's own backends, which are the same on every Django with MAILERS. Their
# signatures do not say it all (the console's `stream` is among its **kwargs), and below 6.1 they
# differ.
DJANGO: Mapping[str, Sequence[str]] = {
    SMTP: (
        *("host", "port", "username", "password", "use_tls", "fail_silently", "use_ssl"),
        *("timeout", "ssl_keyfile", "ssl_certfile"),
    ),
    f"{BACKENDS}.console.EmailBackend": ("stream", "fail_silently"),
    # It takes the console's `stream` too, and makes no use of it.
    FILEBASED: ("file_path", "fail_silently"),
    f"{BACKENDS}.locmem.EmailBackend": (),
    f"{BACKENDS}.base.BaseEmailBackend": (),
}
REQUIRED_BY_DJANGO = {SMTP: ("host",), FILEBASED: ("file_path",)}


@dataclass
class Signature:
    """The keyword arguments of a backend's class.

    `names` are those that are certain, in order, each with the class that takes it; `possible` are
    those beyond code that cannot be followed. `is_complete` says whether any name that is not in
    `names` is an error. `required` are the names without a default; Django's own options come after
    None and count as missing then too. `takes_alias` says whether MAILERS can make one, as it
    passes `alias` to every backend; it is certain if `is_complete`. `surplus` are arguments that a
    subclass hands on to a class which refuses them. `ends_in` is the path of the backend of
    Django's at which the search ended, if nothing on the way to it was uncertain.
    """

    names: dict[str, Any] = field(default_factory=dict)
    possible: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    is_complete: bool = False
    takes_alias: bool = True
    ends_in: str | None = None

    def may_take(self, name: str) -> bool:
        """Whether the argument `name` is taken, as far as can be known."""
        return name in self.names or name in self.possible


def takes_policy(message: Any) -> bool:
    """Whether `message.message()` takes `policy`, or hands it on to Django's and that does.

    Django 5.2: its own does not. With the backport it does, unless somebody put another function in
    its place before the install.
    """
    from django.core.mail import EmailMessage

    parameters = dict(inspect.signature(message.message).parameters)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        parameters.update(inspect.signature(EmailMessage.message).parameters)
    return "policy" in parameters


def path_of(backend: type) -> str:
    """Return the dotted path of a class."""
    return f"{backend.__module__}.{backend.__qualname__}"


@lru_cache(maxsize=128)
def signature_of(backend: Any) -> Signature:
    """Return what is known of the keyword arguments of `backend`, a class or another callable."""
    if not isinstance(backend, type) or _is_made_otherwise(backend):
        return _signature_of_callable(backend)
    return _Search(backend).found


def _is_made_otherwise(backend: type) -> bool:
    *ancestors, _ = backend.__mro__  # the last is object
    return type(backend).__call__ is not type.__call__ or any(
        "__new__" in vars(ancestor) for ancestor in ancestors
    )


def _signature_of_callable(backend: Any) -> Signature:
    """Return the signature of what is called in a way of its own: nothing about it is certain."""
    try:
        parameters = inspect.signature(backend).parameters.values()
    except (TypeError, ValueError):  # not a callable, or one in C
        return Signature()
    names = dict.fromkeys((p.name for p in parameters if _is_named(p)), backend)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    takes_alias = names.pop("alias", None) is not None or open_ended
    return Signature(possible=names, takes_alias=takes_alias)


class _Search:
    """The walk from a class up its ancestors, as the keyword arguments go."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.found = Signature()
        self.is_certain = True
        self.takes_alias = False
        # Whether `alias` is still among what goes up.
        self.alias_goes_on = True
        # Arguments that subclasses add to their **kwargs, until a class takes them.
        self.given: dict[str, None] = {}
        for ancestor in backend.__mro__[:-1]:
            if self._ends_at(ancestor):
                break
        else:  # at object, which takes nothing
            self._end()

    def _ends_at(self, ancestor: type) -> bool:
        if ancestor is TakesOptions:
            self._take_table()
            return False
        path = path_of(ancestor)
        if path in DJANGO:
            self._end_in_django(ancestor, path)
            return True
        init = vars(ancestor).get("__init__")
        if init is None:
            return False
        # A decorator may take arguments away, or add some.
        if not isinstance(init, FunctionType) or hasattr(init, "__wrapped__"):
            self.is_certain = False
            init = inspect.unwrap(init)
        rest = self._take(ancestor, init)
        if rest is None:
            self._end()
            return True
        self._follow(init, rest)
        return False

    def _follow(self, init: Any, rest: str) -> None:
        """Find out what goes from `init` to the next class; its **kwargs are called `rest`."""
        handed_on = _handed_on(init, rest) if isinstance(init, FunctionType) else None
        if handed_on is None:
            self.is_certain = False
            if isinstance(init, FunctionType) and _mentions(init, "alias"):
                self.takes_alias = True
            return
        self.given.update(dict.fromkeys(handed_on))
        if "alias" in self.given:
            self.alias_goes_on = True
        # A backend without its alias works as before MAILERS, and is not strict.
        if self.takes_alias and not self.alias_goes_on:
            self.is_certain = False

    def _take_table(self) -> None:
        """Add the options in the table of the class. All that is left of its **kwargs goes on."""
        options = self.backend.all_options
        for name, option in options.items():
            if name in self.given:
                del self.given[name]
            elif self._add(name, self.backend):
                self._require(name, option.is_required)

    def _end(self) -> None:
        self.found.is_complete = self.is_certain
        self.found.takes_alias = self.takes_alias

    def _end_in_django(self, ancestor: type, path: str) -> None:
        """Add what the backend of Django's at `path` takes."""
        options = DJANGO[path]
        self.takes_alias = True
        self._end()
        for name in options:
            is_required = name in REQUIRED_BY_DJANGO.get(path, ())
            if name not in self.given and self._add(name, ancestor):
                self._require(name, is_required)
        if self.is_certain:
            self.found.ends_in = path
            self.found.surplus = [
                name for name in self.given if name != "alias" and name not in options
            ]

    def _add(self, name: str, ancestor: type) -> bool:
        """Add an argument that `ancestor` takes; return whether no class before it does."""
        if name == "alias":
            self.takes_alias, self.alias_goes_on = True, False
            return False
        if self.found.may_take(name):
            return False
        (self.found.names if self.is_certain else self.found.possible)[name] = ancestor
        return True

    def _require(self, name: str, is_required: bool) -> None:
        if is_required and self.is_certain:
            self.found.required.append(name)

    def _take(self, ancestor: type, init: Callable[..., Any]) -> str | None:
        """Add the parameters of `init`, but for those given to it, and return the name of its
        **kwargs if it has them."""
        rest = None
        for parameter in list(_parameters(init))[1:]:
            name = parameter.name
            if parameter.kind is parameter.VAR_KEYWORD:
                rest = name
            elif _is_named(parameter):
                if name in self.given:
                    del self.given[name]
                    if name == "alias":
                        self.alias_goes_on = False
                elif self._add(name, ancestor):
                    self._require(name, parameter.default is parameter.empty)
        return rest


def _parameters(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    try:
        yield from inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # in C, without a signature: takes anything, for all we know
        yield inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        yield inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)


def _is_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}


def _handed_on(function: FunctionType, rest: str) -> list[str] | None:
    """Return the arguments that `function` adds to its **kwargs, called `rest`, on their way up.

    None if it does anything else with them than hand all of them to super().__init__(): then it is
    not known which of them any class sees.
    """
    tree = _tree(function)
    if tree is None:
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


def _tree(function: FunctionType) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # without its source, or not a statement of its own
        return None


def _mentions(function: FunctionType, text: str) -> bool:
    """Whether `text` is a string, or the name of an argument, in the code of `function`."""
    constants = list(function.__code__.co_consts)
    names = [name for value in constants if isinstance(value, tuple) for name in value]
    return text in constants or text in names


def _is_super_init(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "__init__"
        and isinstance(function.value, ast.Call)
        and isinstance(function.value.func, ast.Name)
        and function.value.func.id == "super"
    )
