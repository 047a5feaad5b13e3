"""The functions that send, with the arguments and the hook that they had before Django 6.1."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core import mail
from django.utils.module_loading import import_string

from django_mailers import polyfill
from django_mailers.deprecation import warn_about_use

from .common import SMTP, as_django, class_name, is_called_from_outside, is_on, is_wanted

GET_CONNECTION_WARNING = (
    "get_connection() is deprecated. See 'Migrating email to mailers' in Django's documentation "
    "for recommended replacements."
)

# Backends that a path means besides the one that has it. By exact paths, and not by what delivers
# in the end: a queue that asks for SMTP to deliver must not get itself (H19).
SAME_AS = {SMTP: ("django_mailers.backends.smtp.EmailBackend",)}

# Per function how many positional arguments it has, and which further ones it had before 6.0.
POSITIONAL = {
    "get_connection": (1, ("fail_silently",)),
    "send_mail": (4, ("fail_silently", "auth_user", "auth_password", "connection", "html_message")),
    "send_mass_mail": (1, ("fail_silently", "auth_user", "auth_password", "connection")),
    "mail_admins": (2, ("fail_silently", "connection", "html_message")),
    "mail_managers": (2, ("fail_silently", "connection", "html_message")),
}


def get_connection(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`get_connection(path, **options)`: the mailer that MAILERS has with that backend.

    If it has none, a backend built as before MAILERS.
    """
    if is_called_from_outside():
        args, kwargs = _as_keywords(original.__name__, args, kwargs)
        warn_about_use(GET_CONNECTION_WARNING)
    arguments = {**dict(zip(("backend",), args, strict=False)), **kwargs}
    backend = arguments.pop("backend", None)
    if not is_on():
        return as_django(original, *args, **kwargs)
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
        return as_django(original, *args, **given)
    alias = _alias_with(backend)
    if alias is None:
        return as_django(import_string(backend), **given)
    return mail.mailers.create_connection(alias, _deprecated_kwargs=given)


def _alias_with(path: str) -> str | None:
    """Return the alias with that backend; of several the default one, which EMAIL_* was about.

    In tests, where every mailer is locmem, the alias that has it outside of them: nothing is sent.
    """
    paths = [path, *SAME_AS.get(path, ())]
    for entries in (mail.mailers.settings, _mailers_outside_of_tests()):
        found = {alias: entry.get("BACKEND", SMTP) for alias, entry in entries.items()}
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


def sending_function(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`send_mail()` and the others: what `connection` makes pointless is accepted beside it."""
    if is_called_from_outside():
        args, kwargs = _as_keywords(original.__name__, args, kwargs)
        _warn_about_arguments(**kwargs)
        _warn_about_pairs(original.__name__)
    if kwargs.get("connection") is not None and kwargs.get("using") is None and is_wanted():
        for name in ("fail_silently", "auth_user", "auth_password"):
            kwargs.pop(name, None)
    return as_django(original, *args, **kwargs)


def send(
    original: Callable[..., int], self: Any, fail_silently: bool = False, **kwargs: Any
) -> int:
    """`EmailMessage.send()`: a `get_connection()` or `connection` of a subclass is used."""
    if is_called_from_outside():
        _warn_about_arguments(fail_silently=fail_silently)
    if not is_wanted():
        return as_django(original, self, fail_silently, **kwargs)
    values = vars(self)
    # What a Django before 6.1 has pickled has it under the name that is a property now (H24).
    connection = values.setdefault("_connection", values.get("connection"))
    if connection and not hasattr(connection, "alias"):
        connection.alias = None
    using = kwargs.get("using")
    hook = _connection_hook(self)
    if hook is None:
        if using is None and connection:
            fail_silently = False
        return as_django(original, self, fail_silently, **kwargs)
    if not self.recipients():
        return 0
    use = "called" if hook == "get_connection()" else "used"
    warn_about_use(
        f"{class_name(self)}.{hook} is not {use} from Django 6.1 on. Use "
        "EmailMessage.send(using=...) with a MAILERS alias."
    )
    if using is not None:
        connection = mail.mailers[using]
    elif hook == "get_connection()":
        connection = self.get_connection(fail_silently)
    else:
        connection = self.connection or as_django(mail.get_connection, fail_silently=fail_silently)
    sent: int = connection.send_messages([self])
    return sent


def _connection_hook(message: Any) -> str | None:
    """Return what a subclass has to say which connection is used, as it reads there."""
    if hasattr(message, "get_connection"):
        return "get_connection()"
    owner = next((cls for cls in type(message).__mro__ if "connection" in vars(cls)), None)
    return None if owner in {None, mail.EmailMessage} else "connection"


def _as_keywords(
    function: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return `args` and `kwargs` with the deprecated positional arguments of `function` moved.

    What is no such call is returned as it is, for Django to refuse.
    """
    count, names = POSITIONAL[function]
    surplus = args[count:]
    moved = dict(zip(names, surplus, strict=False))
    if not surplus or len(surplus) > len(names) or moved.keys() & kwargs.keys():
        return args, kwargs
    listed = ", ".join(f"'{name}'" for name in moved)
    warn_about_use(
        f"Passing positional argument(s) {listed} to {function}() is deprecated. Use keyword "
        "arguments instead."
    )
    return args[:count], {**kwargs, **moved}


def _warn_about_pairs(function: str) -> None:
    """Warn about (name, address) pairs in the setting that `function` sends to.

    From Django 6.1 on that does so itself, whoever calls.
    """
    name = {"mail_admins": "ADMINS", "mail_managers": "MANAGERS"}.get(function)
    if not polyfill.is_installed():
        return
    people = getattr(settings, name) if name else None
    if people and all(isinstance(person, list | tuple) and len(person) == 2 for person in people):
        warn_about_use(
            f"Using (name, address) pairs in the {name} setting is deprecated. Replace with a list "
            "of email address strings."
        )


def _warn_about_arguments(
    connection: Any = None,
    fail_silently: bool = False,
    auth_user: str | None = None,
    auth_password: str | None = None,
    **others: Any,
) -> None:
    # Names of 6.1, which are there on every Django, but not before the install.
    from django.core.mail import deprecation

    if fail_silently:
        warn_about_use(deprecation.FAIL_SILENTLY_ARG_WARNING)
    if auth_user is not None or auth_password is not None:
        warn_about_use(deprecation.AUTH_ARGS_WARNING)
    if connection is not None:
        warn_about_use(deprecation.CONNECTION_ARG_WARNING)
