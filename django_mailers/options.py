"""The options of backends: their possible values, and the table in which a class states them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar


# Not a NamedTuple: making that class takes twenty times as long, in each process that sends.
class Kind:
    """The values that an option may have, besides None.

    expected  What goes after "must be" in an error.
    types     The types of the values.
    fits      Whether a value of these types is possible.
    """

    __slots__ = ("expected", "fits", "types")

    def __init__(
        self,
        expected: str,
        types: tuple[type, ...],
        fits: Callable[[Any], bool] = lambda value: True,
    ) -> None:
        self.expected, self.types, self.fits = expected, types, fits

    def allows(self, value: Any) -> bool:
        return isinstance(value, self.types) and self.fits(value)


class Option:
    """A row in the table of a backend's options.

    kind         the values that the option may have, besides None, which stands for the default.
    default      its value if it is not given.
    unit         what a number counts: "seconds", "messages"; "" for everything else.
    is_required  whether it must be given.
    """

    __slots__ = ("default", "is_required", "kind", "unit")

    def __init__(
        self, kind: Kind, default: Any = None, unit: str = "", is_required: bool = False
    ) -> None:
        self.kind, self.default = kind, default
        self.unit, self.is_required = unit, is_required


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool)


FLAG = Kind("a bool", (object,))
SWITCH = Kind("True or False", (bool,))
NAME = Kind("a str that is not empty", (str,), bool)
# For EHLO, whose line must not be longer at first (RFC 5321, 4.5.3.1.2).
EHLO_NAME = Kind(
    "a host name of 1 to 255 ASCII characters, without whitespace",
    (str,),
    lambda name: re.fullmatch("[!-~]{1,255}", name) is not None,
)
PATH = Kind("a str or a Path", (str, bytes, os.PathLike))
COUNT = Kind("an int greater than 0", (int,), lambda count: _is_number(count) and count > 0)
SIZE = Kind("an int, 0 or greater", (int,), lambda size: _is_number(size) and size >= 0)
SECONDS = Kind(
    "a number of seconds greater than 0", (int, float), lambda s: _is_number(s) and s > 0
)
DELAY = Kind("a number of seconds, 0 or greater", (int, float), lambda s: _is_number(s) and s >= 0)
# Of Django's tasks framework.
PRIORITY = Kind(
    "an int from -100 to 100", (int,), lambda value: _is_number(value) and -100 <= value <= 100
)
AUTO = Kind("'auto' or False", (str, bool), lambda value: value in {"auto", False})
SOURCE = Kind(
    "a str, or a tuple of a str and an int",
    (str, tuple),
    lambda value: isinstance(value, str) or [*map(type, value)] == [str, int],
)
# `dkim.complaint()` checks its content.
DKIM = Kind("a dict with 'domain', 'selector' and 'key'", (Mapping,))
# Other mailers, by which one that has such an option sends.
ALIAS = Kind("the alias of a mailer", (str,))
ALIASES = Kind(
    "a list of aliases",
    (list, tuple),
    lambda aliases: len(aliases) > 0 and all(isinstance(alias, str) for alias in aliases),
)

WEIGHTS = Kind(
    "a list of ints greater than 0",
    (list, tuple),
    lambda weights: len(weights) > 0 and all(map(COUNT.allows, weights)),
)


def _is_path(value: Any) -> bool:
    """Whether it is a dotted path, for import_string(). A token given by mistake seldom is one."""
    return isinstance(value, str) and all(map(str.isidentifier, value.split(".")))


CALLABLE = Kind(
    "a callable or the path of one", (object,), lambda value: callable(value) or _is_path(value)
)


CALLABLES = Kind(
    "a list of callables or of their paths",
    (list, tuple),
    lambda values: len(values) > 0 and all(map(CALLABLE.allows, values)),
)


def import_callable(value: Any, option: str, alias: str | None) -> Callable[..., Any]:
    """Return the callable that a value of the kind CALLABLE is, or is the path of.

    Raises InvalidMailer, which names the `alias` and the `option`, if there is no such callable.
    """
    if callable(value):
        return value
    # Imported here because this module may be imported before the app is installed.
    from django.core.mail import InvalidMailer
    from django.utils.module_loading import import_string

    try:
        found = import_string(value)
    except ImportError as error:
        raise InvalidMailer(
            f"Could not import OPTIONS {option!r} {value!r}: {error}", alias=alias
        ) from error
    if not callable(found):
        raise InvalidMailer(f"OPTIONS {option!r} {value!r} is not callable.", alias=alias)
    return found


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and not {"\r", "\n"} & {*value}


def _is_address(value: Any) -> bool:
    return _is_line(value) and "@" in value.strip("@")


ADDRESS = Kind("an address, such as 'Name <name@example.com>'", (str,), _is_address)
ADDRESSES = Kind(
    "a list of addresses",
    (list, tuple),
    lambda values: len(values) > 0 and all(map(_is_address, values)),
)
# For fnmatch. Without an "@" one would match no address, or all.
PATTERNS = Kind(
    "a list of patterns of addresses, such as '*@example.com'",
    (list, tuple),
    lambda values: all(map(_is_address, values)),
)
HEADERS = Kind(
    "a dict of header names and values",
    (dict,),
    lambda headers: all(
        isinstance(name, str) and re.fullmatch("[!-9;-~]+", name) and _is_line(value)
        for name, value in headers.items()
    ),
)


# Compiled when it is needed: that takes time, and most processes have no rate.
_RATE = "([1-9][0-9]{0,8})/([1-9][0-9]{0,2})?([smhd])"
_PERIODS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def read_rates(value: Any) -> list[tuple[int, int]]:
    """Return each rate in `value`, "14/s" or a list of such, as its number and its seconds.

    The list is empty if `value` is not valid: also if it has two rates for the same period.
    """
    texts = [value] if isinstance(value, str) else value
    found = [isinstance(text, str) and re.fullmatch(_RATE, text) for text in texts]
    if not all(found):
        return []
    rates = [(int(it[1]), int(it[2] or 1) * _PERIODS[it[3]]) for it in found if it]
    return rates if len({seconds for _, seconds in rates}) == len(rates) else []


RATE = Kind(
    "a rate such as '100/m', '14/s' or '5/10m' (units: s, m, h, d), or a list of rates, each for "
    "another period",
    (str, list, tuple),
    lambda value: bool(read_rates(value)),
)


def one_of(*values: str) -> Kind:
    """Return the kind of an option whose value is one of `values`."""
    return Kind(" or ".join(map(repr, values)), (str,), lambda value: value in values)


class TakesOptions:
    """A mixin that takes the options in the table of a class out of its keyword arguments.

    A class states in `option_kinds` the options that it adds to those of its bases. Each becomes an
    attribute of the instance. The class has the default under the same name, so that making an
    instance costs nothing for an option that is not given.

    All other arguments go on to the next class, whose errors about them are Django's.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {}
    # All of them, those of the bases included.
    all_options: ClassVar[Mapping[str, Option]] = {}
    required_options: ClassVar[tuple[str, ...]] = ()
    alias: str | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        options: dict[str, Option] = {}
        for ancestor in reversed(cls.__mro__):
            options.update(vars(ancestor).get("option_kinds", {}))
        cls.all_options = options
        cls.required_options = tuple(name for name, o in options.items() if o.is_required)
        for name, option in vars(cls).get("option_kinds", {}).items():
            setattr(cls, name, option.default)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            given: dict[str, Any] = {}
            for name in tuple(kwargs):
                if name not in self.all_options:
                    continue
                value = kwargs.pop(name)
                # As with Django's options, None is as good as nothing.
                if value is not None:
                    given[name] = value
            super().__init__(*args, **kwargs)
            self.set_options(given)
        except Exception as error:
            # A page about the error would show these, a password among them, and those of the
            # frames that it came through.
            del args, kwargs
            given, value = {}, None
            error.__traceback__ = None
            raise error  # not a bare "raise", which has the frames before Python 3.11

    def set_options(self, given: Mapping[str, Any]) -> None:
        """Set the options that are `given`, and not None, on this instance.

        It is called when the base classes have set theirs. Raises InvalidMailer for a value that
        is not possible, an option that is missing, and what `option_conflict()` says.
        """
        problem = complaint(self.all_options, given)
        if problem is None:
            missing = [name for name in self.required_options if name not in given]
            if missing:
                problem = f"OPTIONS must define {missing[0]!r}."
        if problem is None:
            for name, value in given.items():
                setattr(self, name, value)
            problem = self.option_conflict(vars(self))
        if problem is not None:
            # Imported here because this module may be imported before the app is installed.
            from django.core.mail import InvalidMailer

            raise InvalidMailer(problem, alias=self.alias)

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which of `options`, whose values are possible each by itself, do not go together.

        The system checks call it with the options of an entry in MAILERS, before there is an
        instance. Options that are not given, or None, are not in `options`, or are None.
        """
        return None


def complaint(table: Mapping[str, Option], options: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the first of `options` that is not of its kind."""
    for name, value in options.items():
        if not table[name].kind.allows(value):
            return f"OPTIONS {name!r} must be {table[name].kind.expected}."
    return None
