"""Checks that look at one entry of MAILERS at a time."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from django_mailers import backends, conf
from django_mailers.options import EHLO_NAME, FLAG, RATE, Kind, TakesOptions
from django_mailers.ownership import is_ours
from django_mailers.signatures import DEVELOPMENT, SMTP, Signature, signature_of
from django_mailers.wording import listed

from .constructor import DJANGO, PORT, kinds_of
from .table import check_message, closest


@dataclass(frozen=True)
class Mailer:
    """A well-formed entry of MAILERS that names a backend. Its options may be wrong."""

    alias: Any
    path: str
    options: Mapping[str, Any]
    backend: type
    signature: Signature
    # The options that the backend takes, each with its valid values if they are known.
    kinds: Mapping[str, Kind | None]

    def has(self, name: str) -> bool:
        """Whether the option `name` reaches Django's SMTP backend, unchanged."""
        return self.signature.ends_in == SMTP and self.kinds.get(name) is not None

    def derives_from(self, name: str) -> bool:
        """Whether the backend is the one of this app with that `name`, or derives from it."""
        # Its module is only imported if some backend in MAILERS needs it.
        module = sys.modules.get(f"{backends.__name__}.{name}")
        return module is not None and issubclass(self.backend, module.EmailBackend)

    def value(self, name: str) -> Any:
        """Return the value of an option: its default if it is missing, or None without meaning."""
        value = self.options.get(name)
        if value is not None or (name in self.options and self._takes_none(name)):
            return value
        return getattr(self.backend, name, None)

    def _takes_none(self, name: str) -> bool:
        if not issubclass(self.backend, TakesOptions):
            return False
        option = self.backend.all_options.get(name)
        return option is not None and option.takes_none


def read(mailers: Mapping[Any, Any]) -> tuple[list[Mailer], list[CheckMessage]]:
    """Return the mailers whose options can be checked, and the problems of the other entries."""
    found: list[Mailer] = []
    messages: list[CheckMessage] = []
    for alias, entry in mailers.items():
        if not isinstance(entry, Mapping):
            text = f"The entry must be a dict, not of type {type(entry).__name__}."
            messages.append(check_message("mailers.E002", text, alias=alias))
            continue
        messages += _check_keys(alias, entry)
        options = entry.get("OPTIONS", {})
        path = entry.get("BACKEND", SMTP)
        backend, problem = _import_backend(alias, path)
        if problem is not None:
            messages.append(problem)
        if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
            text = "OPTIONS must be a dict whose keys are strings."
            messages.append(check_message("mailers.E003", text, alias=alias))
        elif backend is not None:
            signature = signature_of(backend)
            kinds = kinds_of(signature)
            found.append(Mailer(alias, path, options, backend, signature, kinds))
    return found, messages


def check(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check the options of a mailer."""
    yield from _check_constructor(mailer)
    if "alias" in mailer.options:
        yield check_message("mailers.E007", "OPTIONS must not define 'alias'.", alias=mailer.alias)
    yield from _check_unknown(mailer)
    yield from _check_missing(mailer)
    for name, value in mailer.options.items():
        if value is not None:
            yield from _check_value(mailer, name, value)
    flags = ("use_ssl", "use_tls")
    if all(mailer.has(name) and mailer.options.get(name) for name in flags):
        text = (
            "The 'use_ssl' and 'use_tls' OPTIONS are incompatible. Set at most one of them to True."
        )
        yield check_message("mailers.E011", text, alias=mailer.alias)
    else:
        yield from _check_port(mailer)
    yield from _check_conflict(mailer)


def _check_port(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check that the mailer starts TLS when the server at the port expects it (RFC 8314, 3)."""
    needed = ("port", "use_tls", "use_ssl")
    if not all(mailer.has(name) for name in needed):
        return
    port, use_tls, use_ssl = (mailer.options.get(name) for name in needed)
    if str(port) == "465" and not use_ssl:
        is_set = "OPTIONS 'use_tls' is set" if use_tls else "OPTIONS 'use_ssl' is not set"
        text = f"{is_set}, but on port 465 TLS starts with the first byte."
    elif str(port) == "587" and use_ssl:
        text = "OPTIONS 'use_ssl' is set, but on port 587 TLS only starts after STARTTLS."
    else:
        return
    yield check_message("mailers.W009", text, alias=mailer.alias)


def _check_conflict(mailer: Mailer) -> Iterator[CheckMessage]:
    """Run the backend's option_conflict(), unless an __init__() may change the options first."""
    kinds = mailer.kinds
    backend: Any = mailer.backend
    # A subclass with an __init__() of its own may add what is missing.
    nearest = next(c for c in backend.__mro__ if {"__init__", "option_conflict"} & vars(c).keys())
    if "option_conflict" not in vars(nearest):
        return
    given = {name: value for name, value in mailer.options.items() if value is not None}
    if all(kind.allows(given[name]) for name, kind in kinds.items() if kind and name in given):
        problem = backend.option_conflict(given)
        if problem is not None:
            yield check_message("mailers.E016", problem, alias=mailer.alias)


def _check_keys(alias: Any, entry: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    for key in entry:
        if key not in {"BACKEND", "OPTIONS"}:
            meant = closest(key, ["BACKEND", "OPTIONS"])
            hint = f"Did you mean {meant!r}?" if meant else None
            yield check_message(
                "mailers.W001", f"The key {key!r} is ignored.", alias=alias, hint=hint
            )


def _import_backend(alias: Any, path: Any) -> tuple[type | None, CheckMessage | None]:
    if not isinstance(path, str):
        text = f"BACKEND must be a dotted path, not of type {type(path).__name__}."
        return None, check_message("mailers.E004", text, alias=alias)
    try:
        backend = import_string(path)
    except ImportError as error:
        text = f"Could not find BACKEND {path!r}: {error}"
        meant = _meant(path)
        hint = f"Did you mean {meant!r}?" if meant else None
        return None, check_message("mailers.E004", text, alias=alias, hint=hint)
    except Exception as error:
        # A module may raise anything when it is imported. Its text may contain a secret.
        text = f"Importing BACKEND {path!r} raised {type(error).__name__}."
        hint = "Import it in `manage.py shell` to see the traceback."
        return None, check_message("mailers.E004", text, alias=alias, hint=hint)
    if not isinstance(backend, type):
        meant = _meant(path)
        hint = f"Did you mean {meant!r}?" if meant else None
        text = f"BACKEND {path!r} is not a class."
        return None, check_message("mailers.E005", text, alias=alias, hint=hint)
    # Imported here because a process that sends no mail never needs it.
    from django.core.mail.backends.base import BaseEmailBackend

    sends = getattr(backend, "send_messages", None)
    if not callable(sends) or sends is BaseEmailBackend.send_messages:
        text = f"BACKEND {path!r} does not define send_messages()."
        return None, check_message("mailers.E005", text, alias=alias)
    return backend, None


def _meant(path: str) -> str | None:
    """Return the path of the backend that is probably meant by the wrong `path`, or None."""
    try:
        module = importlib.import_module(path)
    except Exception:
        # A module may raise anything when it is imported.
        module = None
    if isinstance(getattr(module, "EmailBackend", None), type):
        return f"{path}.EmailBackend"
    if is_ours(path):
        return _meant_of_ours(path)
    # The paths of all backends look somewhat alike.
    return closest(path, [SMTP, *DEVELOPMENT], likeness=0.85)


def _meant_of_ours(path: str) -> str | None:
    """Return the backend of this app whose module the wrong `path` names, or the first, or None."""
    # Names with an underscore are private, and `base` has no backend.
    names = [
        name
        for _, name, _ in pkgutil.iter_modules(backends.__path__)
        if not name.startswith("_") and name != "base"
    ]
    for part in path.split(".")[1:]:
        # The rest of all their paths is the same.
        meant = closest(part, names, likeness=0.75)
        if meant is not None:
            return _path_of_ours(meant)
    return closest(path, [_path_of_ours("smtp")])


def _path_of_ours(name: str) -> str:
    return f"{backends.__name__}.{name}.EmailBackend"


def _check_constructor(mailer: Mailer) -> Iterator[CheckMessage]:
    # Django 2028: the bridge makes backends that do not take an alias.
    if conf.is_bridge_wanted():
        return
    if mailer.signature.is_complete and not mailer.signature.takes_alias:
        text = f"The __init__() of BACKEND {mailer.path!r} does not take 'alias'."
        yield check_message("mailers.E006", text, alias=mailer.alias)
    if mailer.signature.surplus:
        surplus = listed(map(repr, mailer.signature.surplus))
        text = (
            f"The __init__() of BACKEND {mailer.path!r} passes on {surplus}, which "
            f"{mailer.signature.ends_in!r} does not accept."
        )
        yield check_message("mailers.E006", text, alias=mailer.alias)


def _check_unknown(mailer: Mailer) -> Iterator[CheckMessage]:
    known = mailer.kinds
    unknown = [name for name in mailer.options if name not in known and name != "alias"]
    if not unknown or not mailer.signature.is_complete:
        return
    # The message of Django itself when the mailer is used.
    text = f"Unknown options {', '.join(map(repr, unknown))}."
    yield check_message("mailers.E008", text, alias=mailer.alias, hint=_hint(mailer, unknown))


def _hint(mailer: Mailer, unknown: list[str]) -> str:
    """Return what to do about the `unknown` options."""
    known = [name for name in mailer.kinds if not name.startswith("_")]
    sentences = []
    left_behind = []
    if mailer.signature.ends_in != SMTP:
        left_behind = [name for name in unknown if name in DJANGO[SMTP]]
    open_to_guesses = [name for name in known if name not in mailer.options]
    guesses = {
        name: meant
        for name in unknown
        if name not in left_behind and (meant := closest(name, open_to_guesses))
    }
    if guesses:
        one = len(unknown) == 1
        meant = " and ".join(
            repr(guess) if one else f"{guess!r} for {name!r}" for name, guess in guesses.items()
        )
        sentences.append(f"Did you mean {meant}?")
    if left_behind:
        are = "is an option" if len(left_behind) == 1 else "are options"
        sentences.append(
            f"{listed(map(repr, left_behind))} {are} of SMTP. Change BACKEND and OPTIONS of an "
            "entry together."
        )
    if len(guesses) + len(left_behind) < len(unknown):
        taken = listed(map(repr, known)) if known else "no options"
        sentences.append(f"The backend takes {taken}.")
    return " ".join(sentences)


def _check_missing(mailer: Mailer) -> Iterator[CheckMessage]:
    for name in mailer.signature.required:
        is_djangos = mailer.kinds[name] is not None
        if name in mailer.options and not (is_djangos and mailer.options[name] is None):
            continue
        yield check_message("mailers.E009", f"OPTIONS must define {name!r}.", alias=mailer.alias)


def _check_value(mailer: Mailer, name: str, value: Any) -> Iterator[CheckMessage]:
    kind = mailer.kinds.get(name)
    if kind is None:
        return
    if not kind.allows(value):
        text = f"OPTIONS {name!r} must be {kind.expected}."
        yield check_message("mailers.E010", text, alias=mailer.alias, hint=_why(name, kind, value))
    elif kind in {FLAG, PORT} and isinstance(value, str):
        expected = "an int" if kind is PORT else kind.expected
        text = f"OPTIONS {name!r} should be {expected}, not a str."
        hint = _to_number(name, kind) if kind is PORT else None
        yield check_message("mailers.W002", text, alias=mailer.alias, hint=hint)


def _why(name: str, kind: Kind, value: Any) -> str:
    """Return what is wrong with the value of the option `name`, or what to do about it."""
    reason = f"The value is of type {type(value).__name__}."
    if value in ("", [], ()):
        reason = "The value is empty."
    elif int in kind.types and isinstance(value, str):
        reason = _why_not_number(name, kind, value)
    elif int in kind.types and isinstance(value, kind.types) and not isinstance(value, bool):
        reason = "The value is out of range."
    elif kind is EHLO_NAME and isinstance(value, str):
        reason = "The value has other characters, or is too long."
    elif kind is RATE and isinstance(value, str):
        reason = "The value has another form."
    elif str in kind.types and isinstance(value, str):
        reason = "No other value is allowed."
    elif isinstance(value, list | tuple) and isinstance(value, kind.types):
        reason = "The items of the value are not valid."
    return reason


def _why_not_number(name: str, kind: Kind, value: str) -> str:
    if not value.replace(".", "", 1).isdecimal():
        return "The value is not a number."
    return "The value is out of range." if str in kind.types else _to_number(name, kind)


def _to_number(name: str, kind: Kind) -> str:
    """Return how to read the option `name` from the environment, whose variables are strings."""
    number = "float" if float in kind.types else "int"
    return f"Convert the value, as in {number}(os.environ['SMTP_{name.upper()}'])."
