"""The functions that send, with the arguments of 5.2 and 6.0. (Django 2028: this whole file.)

They decide: each returns the function to call, with its arguments. The trampoline makes the call
from Django's module, so that Django's own deprecations stay silent. They would name a line of ours;
the bridge issues them, at the line that called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core import mail
from django.utils.module_loading import import_string

from django_mailers.conf import is_bridge_wanted, is_polyfilled
from django_mailers.deprecation import is_called_from_outside, warn_about_use
from django_mailers.emailsettings import SMTP_BACKEND
from django_mailers.legacyapi import (
    GET_CONNECTION_WARNING,
    POSITIONAL,
    argument_warnings,
    pairs_warning,
    positional_warning,
)

from .common import Call, class_name, is_on, result

# Backends that a path means in addition to the one that has it. By exact paths, and not by what
# delivers in the end: a queue that asks for SMTP to deliver must not get itself (H19).
SAME_AS = {SMTP_BACKEND: ("django_mailers.backends.smtp.EmailBackend",)}

DEPRECATED_ARGUMENTS = frozenset({"connection", "fail_silently", "auth_user", "auth_password"})
# Arguments that are pointless together with `connection`.
POINTLESS = ("fail_silently", "auth_user", "auth_password")
PEOPLE = {"mail_admins": "ADMINS", "mail_managers": "MANAGERS"}


def get_connection(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
    """`get_connection(path, **options)`: the mailer that MAILERS has with that backend.

    If it has none, a backend built as before MAILERS.
    """
    if is_called_from_outside():
        args, kwargs = _as_keywords("get_connection", args, kwargs)
        warn_about_use(GET_CONNECTION_WARNING)
    if not args and kwargs in ({}, {"fail_silently": False}):
        # As Django itself asks for nearly every message: no wrapper has to look for more arguments.
        return getattr(original, "__wrapped__", original), (), {}
    arguments = {**dict(zip(("backend",), args, strict=False)), **kwargs}
    backend = arguments.pop("backend", None)
    if not is_on():
        return original, args, kwargs
    # None never meant "no credentials" before MAILERS; Django 6.1.3 takes it for that (H12). The
    # two names are what a queue was made with, and hands on to its delivery with the options (H25).
    given = {
        name: value
        for name, value in arguments.items()
        if value is not None and name not in {"alias", "_ignore_unknown_kwargs"}
    }
    if not given.get("fail_silently"):
        given.pop("fail_silently", None)
    if backend is None:
        return original, (), given
    alias = _alias_with(backend)
    if alias is None:
        return import_string(backend), (), given
    return mail.mailers.create_connection, (alias,), {"_deprecated_kwargs": given}


def _alias_with(path: str) -> str | None:
    """Return the alias with that backend; of several the default one, which EMAIL_* was about.

    In tests, where every mailer is locmem, the alias that has it outside of them: nothing is sent.
    """
    paths = [path, *SAME_AS.get(path, ())]
    for entries in (mail.mailers.settings, _mailers_outside_of_tests()):
        found = {alias: entry.get("BACKEND", SMTP_BACKEND) for alias, entry in entries.items()}
        if found.get(mail.DEFAULT_MAILER_ALIAS) in paths:
            return mail.DEFAULT_MAILER_ALIAS
        for meant in paths:
            aliases = [alias for alias, backend in found.items() if backend == meant]
            if aliases and aliases[0] in mail.mailers:
                return aliases[0]
    return None


def _mailers_outside_of_tests() -> Mapping[str, Mapping[str, Any]]:
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return getattr(getattr(state, "saved_data", None), "mailers", {})


def _sending_function(name: str) -> Callable[..., Call]:
    """Return the function that decides for `name`, which sends."""
    limit = POSITIONAL[name].limit

    def decide(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
        if len(args) <= limit and DEPRECATED_ARGUMENTS.isdisjoint(kwargs) and name not in PEOPLE:
            return getattr(original, "__wrapped__", original), args, kwargs
        if is_called_from_outside():
            args, kwargs = _as_keywords(name, args, kwargs)
            _warn_about_arguments(kwargs)
            _warn_about_pairs(name)
        if (
            kwargs.get("connection") is not None
            and kwargs.get("using") is None
            and is_bridge_wanted()
        ):
            for argument in POINTLESS:
                kwargs.pop(argument, None)
        return original, args, kwargs

    decide.__doc__ = f"`{name}()`: accepts pointless arguments together with `connection`."
    return decide


send_mail = _sending_function("send_mail")
send_mass_mail = _sending_function("send_mass_mail")
mail_admins = _sending_function("mail_admins")
mail_managers = _sending_function("mail_managers")


def send(
    original: Callable[..., int], self: Any, fail_silently: bool = False, **kwargs: Any
) -> Call:
    """`EmailMessage.send()`: a `get_connection()` or `connection` of a subclass is used."""
    if fail_silently and is_called_from_outside():
        _warn_about_arguments({"fail_silently": fail_silently})
    if not is_bridge_wanted():
        return original, (self, fail_silently), kwargs
    values = vars(self)
    # A message that an older Django pickled has it under the name that is a property now (H24).
    connection = values.setdefault("_connection", values.get("connection"))
    if connection and not hasattr(connection, "alias"):
        connection.alias = None
    hook = None
    if hasattr(self, "get_connection"):
        hook = "get_connection()"
    elif getattr(type(self), "connection", None) is not mail.EmailMessage.connection:
        hook = "connection"
    if hook is not None:
        return _send_by_hook(self, hook, fail_silently, kwargs.get("using"))
    if connection and kwargs.get("using") is None:
        fail_silently = False
    return original, (self, fail_silently), kwargs


def _send_by_hook(message: Any, hook: str, fail_silently: bool, using: str | None) -> Call:
    """Decide how to send a `message` of a class that has the `hook`."""
    if not message.recipients():
        return result(0)
    use = "called" if hook == "get_connection()" else "used"
    warn_about_use(
        f"{class_name(message)}.{hook} is no longer {use} since Django 6.1. Use "
        "EmailMessage.send(using=...) with a MAILERS alias."
    )
    if using is not None:
        connection = mail.mailers[using]
    elif hook == "get_connection()":
        connection = message.get_connection(fail_silently)
    else:
        connection = message.connection or mail.get_connection(fail_silently=fail_silently)
    return connection.send_messages, ([message],), {}


def _as_keywords(
    function: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return `args` and `kwargs` with the deprecated positional arguments of `function` moved.

    A call that has none, or that is wrong, is returned as it is. Django refuses the latter.
    """
    count, names = POSITIONAL[function]
    surplus = args[count:]
    moved = dict(zip(names, surplus, strict=False))
    if not surplus or len(surplus) > len(names) or moved.keys() & kwargs.keys():
        return args, kwargs
    warn_about_use(positional_warning(function, moved))
    return args[:count], {**kwargs, **moved}


def _warn_about_pairs(function: str) -> None:
    """Warn about (name, address) pairs in the setting that `function` sends to.

    Django 6.1 and later do so themselves, for any caller.
    """
    name = PEOPLE.get(function)
    if name is None or not is_polyfilled():
        return
    people = getattr(settings, name)
    if people and all(isinstance(person, list | tuple) and len(person) == 2 for person in people):
        warn_about_use(pairs_warning(name))


def _warn_about_arguments(arguments: Mapping[str, Any]) -> None:
    given = {name: arguments[name] for name in DEPRECATED_ARGUMENTS & arguments.keys()}
    for text in argument_warnings(**given):
        warn_about_use(text)
