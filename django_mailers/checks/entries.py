"""Checks of each entry of MAILERS by itself."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from django_mailers import conf
from django_mailers.options import EHLO_NAME, FLAG, Kind
from django_mailers.signatures import SMTP, Signature, signature_of
from django_mailers.wording import listed

from .constructor import DEVELOPMENT, DJANGO, OURS, PORT, kinds_of
from .table import closest, report


@dataclass(frozen=True)
class Mailer:
    """An entry of MAILERS that is well-formed and names a backend; its options may be wrong."""

    alias: Any
    path: str
    options: Mapping[str, Any]
    backend: type
    signature: Signature
    # What is known of its options, each with the values that it may have, if those are known.
    kinds: Mapping[str, Kind | None]

    def has(self, name: str) -> bool:
        """Whether Django's SMTP backend gets the option `name`, and gets it as it is here."""
        return self.signature.ends_in == SMTP and self.kinds.get(name) is not None


def read(mailers: Mapping[Any, Any]) -> tuple[list[Mailer], list[CheckMessage]]:
    """Return the mailers that can be looked at any further, and what is wrong with the others."""
    found: list[Mailer] = []
    messages: list[CheckMessage] = []
    for alias, entry in mailers.items():
        if not isinstance(entry, Mapping):
            text = f"The entry must be a dict, not of type {type(entry).__name__}."
            messages.append(report("mailers.E002", text, alias=alias))
            continue
        messages += _check_keys(alias, entry)
        options = entry.get("OPTIONS", {})
        path = entry.get("BACKEND", SMTP)
        backend, problem = _import_backend(alias, path)
        if problem is not None:
            messages.append(problem)
        if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
            text = "OPTIONS must be a dict whose keys are strings."
            messages.append(report("mailers.E003", text, alias=alias))
        elif backend is not None:
            signature = signature_of(backend)
            kinds = kinds_of(signature)
            found.append(Mailer(alias, path, options, backend, signature, kinds))
    return found, messages


def check(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check the options of a mailer."""
    yield from _check_constructor(mailer)
    if "alias" in mailer.options:
        yield report("mailers.E007", "OPTIONS must not define 'alias'.", alias=mailer.alias)
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
        yield report("mailers.E011", text, alias=mailer.alias)
    else:
        yield from _check_port(mailer)
    yield from _check_conflict(mailer)


def _check_port(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check that the server at the port expects what the mailer begins with (RFC 8314, 3)."""
    needed = ("port", "use_tls", "use_ssl")
    if not all(mailer.has(name) for name in needed):
        return
    port, use_tls, use_ssl = (mailer.options.get(name) for name in needed)
    if str(port) == "465" and not use_ssl:
        is_set = "OPTIONS 'use_tls' is set" if use_tls else "OPTIONS 'use_ssl' is not set"
        text = f"{is_set}, but port 465 speaks TLS from the first byte."
    elif str(port) == "587" and use_ssl:
        text = "OPTIONS 'use_ssl' is set, but port 587 speaks TLS only after STARTTLS."
    else:
        return
    yield report("mailers.W009", text, alias=mailer.alias)


def _check_conflict(mailer: Mailer) -> Iterator[CheckMessage]:
    """Check with what a backend of ours knows about its options, if they come to it as they are."""
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
            yield report("mailers.E016", problem, alias=mailer.alias)


def _check_keys(alias: Any, entry: Mapping[Any, Any]) -> Iterator[CheckMessage]:
    for key in entry:
        if key not in {"BACKEND", "OPTIONS"}:
            meant = closest(key, ["BACKEND", "OPTIONS"])
            hint = f"Did you mean {meant!r}?" if meant else None
            yield report("mailers.W001", f"The key {key!r} is ignored.", alias=alias, hint=hint)


def _import_backend(alias: Any, path: Any) -> tuple[type | None, CheckMessage | None]:
    if not isinstance(path, str):
        text = f"BACKEND must be a dotted path, not of type {type(path).__name__}."
        return None, report("mailers.E004", text, alias=alias)
    try:
        backend = import_string(path)
    except ImportError as error:
        text = f"Could not find BACKEND {path!r}: {error}"
        meant = _meant(path)
        hint = f"Did you mean {meant!r}?" if meant else None
        return None, report("mailers.E004", text, alias=alias, hint=hint)
    except Exception as error:
        # Whatever a module of the project's does when it is imported. Without the text, of which
        # nothing is known.
        text = f"Importing BACKEND {path!r} raised {type(error).__name__}."
        hint = "Import it in `manage.py shell` to see where."
        return None, report("mailers.E004", text, alias=alias, hint=hint)
    if not isinstance(backend, type):
        meant = _meant(path)
        hint = f"Did you mean {meant!r}?" if meant else None
        return None, report(
            "mailers.E005", f"BACKEND {path!r} is no class.", alias=alias, hint=hint
        )
    # Not as soon as the app is loaded: a process that sends no mail never needs it.
    from django.core.mail.backends.base import BaseEmailBackend

    sends = getattr(backend, "send_messages", None)
    if not callable(sends) or sends is BaseEmailBackend.send_messages:
        text = f"BACKEND {path!r} does not define send_messages()."
        return None, report("mailers.E005", text, alias=alias)
    return backend, None


def _meant(path: str) -> str | None:
    """Return the path of the backend that is probably meant by `path`, which is not one's."""
    try:
        module = importlib.import_module(path)
    except Exception:
        # Whatever a module of the project's does when it is imported.
        module = None
    if isinstance(getattr(module, "EmailBackend", None), type):
        return f"{path}.EmailBackend"
    if path.partition(".")[0] == __name__.partition(".")[0]:
        return closest(path, OURS)
    # All dotted paths of backends look somewhat alike.
    return closest(path, [SMTP, *DEVELOPMENT], likeness=0.85)


def _check_constructor(mailer: Mailer) -> Iterator[CheckMessage]:
    if conf.is_bridge_wanted():
        return
    if mailer.signature.is_complete and not mailer.signature.takes_alias:
        text = f"The __init__() of BACKEND {mailer.path!r} does not take 'alias'."
        yield report("mailers.E006", text, alias=mailer.alias)
    if mailer.signature.surplus:
        surplus = listed(map(repr, mailer.signature.surplus))
        text = (
            f"The __init__() of BACKEND {mailer.path!r} hands on {surplus}, which "
            f"{mailer.signature.ends_in!r} refuses."
        )
        yield report("mailers.E006", text, alias=mailer.alias)


def _check_unknown(mailer: Mailer) -> Iterator[CheckMessage]:
    known = mailer.kinds
    unknown = [name for name in mailer.options if name not in known and name != "alias"]
    if not unknown or not mailer.signature.is_complete:
        return
    # As the mailer itself says when it is used.
    text = f"Unknown options {', '.join(map(repr, unknown))}."
    yield report("mailers.E008", text, alias=mailer.alias, hint=_hint(mailer, unknown))


def _hint(mailer: Mailer, unknown: list[str]) -> str:
    """Say what to do about each of the `unknown` options."""
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
            f"{listed(map(repr, left_behind))} {are} of SMTP. Choose whole entries, BACKEND "
            "together with its OPTIONS."
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
        yield report("mailers.E009", f"OPTIONS must define {name!r}.", alias=mailer.alias)


def _check_value(mailer: Mailer, name: str, value: Any) -> Iterator[CheckMessage]:
    kind = mailer.kinds.get(name)
    if kind is None:
        return
    if not kind.allows(value):
        text = f"OPTIONS {name!r} must be {kind.expected}."
        yield report("mailers.E010", text, alias=mailer.alias, hint=_why(kind, value))
    elif kind in {FLAG, PORT} and isinstance(value, str):
        expected = "an int" if kind is PORT else kind.expected
        text = f"OPTIONS {name!r} should be {expected}, and is a str."
        hint = "Convert the value, as with int(os.environ['SMTP_PORT'])." if kind is PORT else None
        yield report("mailers.W002", text, alias=mailer.alias, hint=hint)


def _why(kind: Kind, value: Any) -> str | None:
    """Say what is wrong with a value, unless it is a string to be converted into a number."""
    if value == "":
        return "The value is empty."
    if int in kind.types:
        if isinstance(value, str):
            return None
        if isinstance(value, kind.types) and not isinstance(value, bool):
            return "The value is out of range."
    elif kind is EHLO_NAME and isinstance(value, str):
        return "The value has other characters, or too many."
    elif str in kind.types and isinstance(value, str):
        return "No other value is known."
    return f"The value is of type {type(value).__name__}."
