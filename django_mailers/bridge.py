"""The legacy bridge: code that was never ported to MAILERS keeps working in a project that has it.

It is on below Django 6.1, whose packages go by the EMAIL_* settings, and off from 6.1 on, unless
the setting MAILERS_BRIDGE says otherwise. Off, everything is as in Django 6.1; on, what that makes
an error works as it did in 5.2, with a deprecation warning at the line that has to change.

The only module that touches Django 6.1 and later, and there only when asked. Like the backport it
changes functions in place, on top of what that has put there.
"""

from __future__ import annotations

import copy
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from django.conf import global_settings, settings
from django.core import mail
from django.utils.module_loading import import_string

from django_mailers import inplace, polyfill

SMTP = "django.core.mail.backends.smtp.EmailBackend"

# Where the default mailer of MAILERS has what an EMAIL_* setting said.
PROJECTIONS = {
    "EMAIL_FILE_PATH": "file_path",
    "EMAIL_HOST": "host",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_HOST_USER": "username",
    "EMAIL_PORT": "port",
    "EMAIL_SSL_CERTFILE": "ssl_certfile",
    "EMAIL_SSL_KEYFILE": "ssl_keyfile",
    "EMAIL_TIMEOUT": "timeout",
    "EMAIL_USE_SSL": "use_ssl",
    "EMAIL_USE_TLS": "use_tls",
}
EMAIL_SETTINGS = {"EMAIL_BACKEND", *PROJECTIONS}

GET_CONNECTION_WARNING = (
    "get_connection() is deprecated. See 'Migrating email to mailers' in Django's documentation "
    "for recommended replacements."
)

SETTING_WARNING = "The {name} setting is deprecated. Migrate to MAILERS before Django 2028."

# Per function how many positional arguments it has, and which further ones it had before 6.0.
POSITIONAL = {
    "get_connection": (1, ("fail_silently",)),
    "send_mail": (4, ("fail_silently", "auth_user", "auth_password", "connection", "html_message")),
    "send_mass_mail": (1, ("fail_silently", "auth_user", "auth_password", "connection")),
    "mail_admins": (2, ("fail_silently", "connection", "html_message")),
    "mail_managers": (2, ("fail_silently", "connection", "html_message")),
}

_lock = threading.RLock()
# The targets that are bridged.
_bridged: set[str] = set()


def is_wanted() -> bool:
    """Return whether the bridge is on by the settings as they are now."""
    return bool(getattr(settings, "MAILERS_BRIDGE", bool(polyfill.installed())))


def install() -> None:
    """Build the bridge, if the settings want it; called when the app is loaded.

    What it changes looks at the settings each time, so `override_settings(MAILERS_BRIDGE=False)`
    gives Django 6.1's own behaviour. The reverse needs the bridge to be built.
    """
    with _lock:
        if _bridged or not is_wanted():
            return
        _bridged.update(BRIDGES)
        late: dict[str, list[str]] = {}
        for target in BRIDGES:
            module = target.partition(":")[0]
            if module in sys.modules:
                _apply(target)
            else:
                late.setdefault(module, []).append(target)

        def apply_late(module: str) -> None:
            for target in late[module]:
                _apply(target)

        sys.meta_path.insert(0, inplace.AfterImport(late, apply_late))
        for owner, name in (
            (mail.EmailMessage, "mixed_subtype"),
            (mail.EmailMultiAlternatives, "alternative_subtype"),
        ):
            if not hasattr(owner, name):
                setattr(owner, name, Subtype(name))


def settle() -> None:
    """Warn about the EMAIL_* settings that a project still defines beside MAILERS."""
    if not _is_on():
        return
    for name in sorted(EMAIL_SETTINGS):
        if hasattr(settings._wrapped, name) and settings.is_overridden(name):
            polyfill.warn(
                f"The {name} setting has no effect beside MAILERS. Remove it from the settings."
            )


def _apply(target: str) -> None:
    owner, name = inplace.locate(target)
    # By its name: somebody else's function in that place is left alone, as by the install (H7).
    function = vars(owner).get(name)
    ours = (inplace.DOOR_FILE, str(Path(__file__).parent))
    own = inplace.own_function(function, (*polyfill.folders(), *ours))
    if own is not None:
        inplace.lead(own, BRIDGES[target], wraps=True, keep_signature=True)


def _is_on() -> bool:
    return mail.mailers._is_configured and is_wanted()


def _is_called_from_outside() -> bool:
    """Return whether neither Django nor this package called the function that the bridge is before.

    To be asked by the function of the bridge itself, which is called by the code in between.
    """
    frame = sys._getframe(3)
    return not f"{frame.f_globals.get('__name__')}.".startswith(("django.", "django_mailers."))


# Calls a function as Django itself would, which keeps Django's deprecations silent. They would name
# the line of ours that makes the call, so the bridge issues them, at the line before it.
_as_django = FunctionType(
    (lambda function, *args, **kwargs: function(*args, **kwargs)).__code__,
    {"__name__": "django.core.mail.bridged"},
)


# Settings.


def read_setting(original: Callable[..., Any], self: Any, name: str) -> Any:
    """`LazySettings.__getattr__()`: an EMAIL_* setting is what MAILERS["default"] says of it."""
    if name not in EMAIL_SETTINGS:
        return original(self, name)
    if not self.configured or not hasattr(self, "MAILERS"):
        value = _as_django(original, self, name)
        if _is_called_from_outside():
            polyfill.warn(SETTING_WARNING.format(name=name))
        return value
    entry = self.MAILERS.get(_building.alias or mail.DEFAULT_MAILER_ALIAS)
    if entry is None or not is_wanted():
        return original(self, name)
    value = _project(name, entry)
    if _is_called_from_outside():
        polyfill.warn(
            f"The {name} setting is deprecated. With MAILERS defined it reads as what the default "
            "mailer has."
        )
    return value


def _project(name: str, entry: dict[str, Any]) -> Any:
    backend = entry.get("BACKEND", SMTP)
    if name == "EMAIL_BACKEND":
        return backend
    options = entry.get("OPTIONS", {})
    option = PROJECTIONS[name]
    if option in options:
        return options[option]
    if name == "EMAIL_PORT" and "host" in options:
        # Not Django's global default: these are the ports that the mailer connects to.
        return 465 if options.get("use_ssl") else 587 if options.get("use_tls") else 25
    if not hasattr(global_settings, name):
        raise AttributeError(f"The {name} setting is not available when MAILERS is defined.")
    return getattr(global_settings, name)


# Sending.


def get_connection(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`get_connection(path, **options)`: the mailer that MAILERS has with that backend.

    If it has none, a backend built as before MAILERS.
    """
    if _is_called_from_outside():
        args, kwargs = _as_keywords(original.__name__, args, kwargs)
        polyfill.warn(GET_CONNECTION_WARNING)
    arguments = {**dict(zip(("backend",), args, strict=False)), **kwargs}
    backend = arguments.pop("backend", None)
    if not _is_on():
        return _as_django(original, *args, **kwargs)
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
        return _as_django(original, *args, **given)
    alias = _alias_with(backend)
    if alias is None:
        return _as_django(import_string(backend), **given)
    return mail.mailers.create_connection(alias, _deprecated_kwargs=given)


def _alias_with(path: str) -> str | None:
    """Return the alias with that backend; of several the default one, which EMAIL_* was about.

    In tests, where every mailer is locmem, the alias that has it outside of them: nothing is sent.
    """
    for entries in (mail.mailers.settings, _mailers_outside_of_tests()):
        aliases = [alias for alias, entry in entries.items() if entry.get("BACKEND", SMTP) == path]
        if mail.DEFAULT_MAILER_ALIAS in aliases:
            return mail.DEFAULT_MAILER_ALIAS
        if aliases and aliases[0] in mail.mailers:
            return aliases[0]
    return None


def _mailers_outside_of_tests() -> Mapping[str, Mapping[str, Any]]:
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return getattr(getattr(state, "saved_data", None), "mailers", {})


def sending_function(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`send_mail()` and the others: what `connection` makes pointless is accepted beside it."""
    if _is_called_from_outside():
        args, kwargs = _as_keywords(original.__name__, args, kwargs)
        _warn_about_arguments(**kwargs)
    if kwargs.get("connection") is not None and kwargs.get("using") is None and _is_on():
        for name in ("fail_silently", "auth_user", "auth_password"):
            kwargs.pop(name, None)
    return _as_django(original, *args, **kwargs)


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
    polyfill.warn(
        f"Passing positional argument(s) {listed} to {function}() is deprecated. Use keyword "
        "arguments instead."
    )
    return args[:count], {**kwargs, **moved}


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
        polyfill.warn(deprecation.FAIL_SILENTLY_ARG_WARNING)
    if auth_user is not None or auth_password is not None:
        polyfill.warn(deprecation.AUTH_ARGS_WARNING)
    if connection is not None:
        polyfill.warn(deprecation.CONNECTION_ARG_WARNING)


def send(
    original: Callable[..., int], self: Any, fail_silently: bool = False, **kwargs: Any
) -> int:
    """`EmailMessage.send()`: a `get_connection()` that a subclass defines is called."""
    if _is_called_from_outside():
        _warn_about_arguments(fail_silently=fail_silently)
    using = kwargs.get("using")
    if not _is_on():
        return _as_django(original, self, fail_silently, **kwargs)
    if not hasattr(self, "get_connection"):
        if using is None and vars(self).get("_connection"):
            fail_silently = False
        return _as_django(original, self, fail_silently, **kwargs)
    if not self.recipients():
        return 0
    polyfill.warn(
        f"{_class_name(self)}.get_connection() is not called from Django 6.1 on. Use "
        "EmailMessage.send(using=...) with a MAILERS alias."
    )
    connection = self.get_connection(fail_silently) if using is None else mail.mailers[using]
    sent: int = connection.send_messages([self])
    return sent


# Rendering.


def add_attachments(original: Callable[..., None], self: Any, msg: Any) -> None:
    """`EmailMessage._add_attachments()`: into a multipart of the subtype a subclass asks for."""
    if self.attachments and _is_on():
        _with_subtype(original, self, "mixed_subtype", msg)
    else:
        original(self, msg)


def add_bodies(original: Callable[..., Any], self: Any, msg: Any) -> Any:
    """`EmailMultiAlternatives._add_bodies()`: likewise for the alternatives."""
    if self.alternatives and _is_on():
        return _with_subtype(original, self, "alternative_subtype", msg)
    return original(self, msg)


def _with_subtype(original: Callable[..., Any], message: Any, name: str, msg: Any) -> Any:
    """Call `original` for a `message` that may override the attribute `name`, and heed that."""
    subtype = getattr(message, name, None)
    if subtype is None or subtype == getattr(mail.EmailMultiAlternatives, name, None):
        return original(message, msg)
    polyfill.warn(f"{_class_name(message)}.{name} is not heeded from Django 6.0 on.")
    plain = copy.copy(message)
    plain.__class__ = _without(type(message), name)
    vars(plain).pop(name, None)
    result = original(plain, msg)
    msg.set_type(f"multipart/{subtype}")
    return result


class Subtype:
    """`mixed_subtype` or `alternative_subtype` of Django's messages, which Django 6.0 took away.

    For other code to read, which compares with it or copies it; Django itself refuses such a thing.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> str:
        reader = f"{sys._getframe(1).f_globals.get('__name__')}."
        if not _is_on() or reader.startswith(("django.", "django_mailers.")):
            what = f"type object {owner.__name__!r}"
            if instance is not None:
                what = f"{owner.__name__!r} object"
            raise AttributeError(f"{what} has no attribute {self.name!r}")
        if instance is not None:
            polyfill.warn(f"{_class_name(instance)}.{self.name} is not there from Django 6.0 on.")
        return self.name.removesuffix("_subtype")


def _without(cls: type, name: str) -> type:
    """Return a subclass of `cls` whose instances do not have the attribute `name`."""

    def missing(self: Any) -> Any:
        raise AttributeError(name)

    # Of Django's module, as that is how the backport tells Django's own attributes.
    namespace = {"__module__": mail.EmailMessage.__module__, name: property(missing)}
    return type(cls.__name__, (cls,), namespace)


def _class_name(instance: object) -> str:
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


# Backends.


def create_connection(
    original: Callable[..., Any],
    self: Any,
    alias: str,
    /,
    *,
    _deprecated_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """`MailersHandler.create_connection()`, for backends that were written before `alias`.

    `_deprecated_kwargs`, what `get_connection()` was given, may be for any alias here.
    """
    entry = self.settings.get(alias)
    if entry is None or not _is_on():
        return original(self, alias, _deprecated_kwargs=_deprecated_kwargs)
    given = _deprecated_kwargs or {}
    outer = _building.alias
    # What such a backend reads of EMAIL_* is this alias's, not the default account (H14).
    _building.alias = alias
    try:
        backend = _create_legacy(entry, given)
        if backend is None:
            backend = _create(original, self, alias, entry, given)
        if getattr(backend, "alias", None) is None:
            backend.alias = alias
    finally:
        _building.alias = outer
    return backend


def _create(
    original: Callable[..., Any],
    mailers: Any,
    alias: str,
    entry: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Any:
    """Return what Django creates, for a class that passes `fail_silently` to its base as well."""
    configured = entry.get("OPTIONS", {})
    path, options = entry.get("BACKEND", SMTP), {**configured, **given}

    def create(ignored: list[str]) -> Any:
        backend_class = _backend_class(entry)
        if not ignored or "alias" in configured or backend_class is None:
            return original(mailers, alias)
        # A list, unlike Django's set, a queue can hand on as JSON.
        return backend_class(alias=alias, _ignore_unknown_kwargs=ignored, **options)

    # What get_connection() is given may be anything (H16).
    ignored = list(given)
    try:
        return create(ignored)
    except mail.InvalidMailer as error:
        message = f"MAILERS[{alias!r}]: Unknown options 'fail_silently'."
        if error.args != (message,) or "fail_silently" in options:
            raise
    polyfill.warn(
        f"{path} passes fail_silently to BaseEmailBackend. It must set the attribute itself."
    )
    return create([*ignored, "fail_silently"])


def _backend_class(entry: Mapping[str, Any]) -> Any:
    """Return the class of the backend; None if it cannot be found, which Django reports."""
    try:
        return import_string(entry.get("BACKEND", SMTP))
    except ImportError:
        return None


def _create_legacy(entry: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Return a backend whose class does not take `alias`; None if it does, or cannot be found."""
    backend_class = _backend_class(entry)
    try:
        parameters = inspect.signature(backend_class).parameters.values()
    except (TypeError, ValueError):
        return None  # for Django to report
    if any(p.name == "alias" or p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    polyfill.warn(
        f"{entry['BACKEND']}.__init__() must accept 'alias', or **kwargs for its base class."
    )
    return backend_class(**{**entry.get("OPTIONS", {}), **given})


# Error reports.


def handler_init(
    original: Callable[..., None],
    self: Any,
    include_html: bool = False,
    email_backend: str | None = None,
    reporter_class: str | None = None,
    using: str | None = None,
) -> None:
    """`AdminEmailHandler.__init__()`: a `connection()` of a subclass, or `email_backend`, stays."""
    cls = type(self)
    on = _is_on()
    if on and hasattr(self, "connection"):
        # Nobody else has the instance yet.
        self.__class__ = _without(cls, "connection")
    accepted = email_backend and not using and (on or not mail.mailers._is_configured)
    if accepted:
        polyfill.warn("The 'email_backend' argument is deprecated. Use 'using' instead.")
    try:
        original(self, include_html, None if accepted else email_backend, reporter_class, using)
    finally:
        self.__class__ = cls
    self.email_backend = email_backend


def handler_send_mail(
    original: Callable[..., None], self: Any, subject: str, message: str, *args: Any, **kwargs: Any
) -> None:
    """`AdminEmailHandler.send_mail()`: through the connection that older code asks for."""
    path = getattr(self, "email_backend", None)
    if not _is_on() or not (path or hasattr(self, "connection")):
        original(self, subject, message, *args, **kwargs)
        return
    if hasattr(self, "connection"):
        polyfill.warn(
            f"{_class_name(self)}.connection() is not called from Django 6.1 on. Use 'using'."
        )
        connection = self.connection()
    else:
        connection = mail.get_connection(path, fail_silently=True)
    mail.mail_admins(subject, message, *args, connection=connection, **kwargs)


class _Building(threading.local):
    """The alias whose backend this thread is making; None outside of that."""

    alias: str | None = None


_building = _Building()

BRIDGES: dict[str, Callable[..., Any]] = {
    "django.conf:LazySettings.__getattr__": read_setting,
    "django.core.mail:get_connection": get_connection,
    "django.core.mail:send_mail": sending_function,
    "django.core.mail:send_mass_mail": sending_function,
    "django.core.mail:mail_admins": sending_function,
    "django.core.mail:mail_managers": sending_function,
    "django.core.mail.message:EmailMessage.send": send,
    "django.core.mail.message:EmailMessage._add_attachments": add_attachments,
    "django.core.mail.message:EmailMultiAlternatives._add_bodies": add_bodies,
    "django.core.mail.handler:MailersHandler.create_connection": create_connection,
    "django.utils.log:AdminEmailHandler.__init__": handler_init,
    "django.utils.log:AdminEmailHandler.send_mail": handler_send_mail,
}
