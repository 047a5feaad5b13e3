"""Mailers that are chosen at run time: `build_mailer()`, `use_mailer()` and its resolver.

`build_mailer()` makes a mailer of settings that are not in MAILERS, such as a tenant's login in a
database. `use_mailer()` says which mailer the code in a block sends through, for mail that goes
through a mailer with the backend `route` and the resolver `current_mailer`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeAlias, TypeVar

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core import mail
from django.core.mail import InvalidMailer, MailersHandler  # type: ignore[attr-defined]

from django_mailers.signatures import BACKENDS, SMTP
from django_mailers.smtp.errors import without_frames
from django_mailers.types import Mailer, Message

__all__ = ["build_mailer", "current_mailer", "use_mailer"]

P = ParamSpec("P")
R = TypeVar("R")
# A mailer is chosen by an alias, or by a dict like an entry of MAILERS.
Choice: TypeAlias = str | Mapping[str, Any]

LOCMEM = f"{BACKENDS}.locmem.EmailBackend"


def build_mailer(config: Mapping[str, Any], alias: str = "tenant") -> Mailer:
    """Return a mailer for `config`, a dict like an entry of MAILERS: {"BACKEND": …, "OPTIONS": …}.

    `alias` is the mailer's name in errors, logs and reports. It need not be one of MAILERS.

    A mailer is made each time. There is no need to keep it: mailers of the SMTP backend of this
    package share their sessions if their options are equal. While the default mailer keeps mail in
    memory, as in tests, so does the one that is returned.

    Raises InvalidMailer if `config` could not be an entry of MAILERS, or has unknown keys. Neither
    an error nor the frames of its traceback contain the values of options.
    """
    # When an error leaves this frame, it must not have the options: a debug page would show them.
    problem: Exception | None = _problem(config, alias)
    if problem is None:
        entry = {"BACKEND": LOCMEM} if _is_mail_kept_in_memory() else config
        try:
            return _Entry(alias, entry)[alias]
        except Exception as error:
            # Whatever a backend raises for its options.
            problem = without_frames(error)
        del entry
    del config
    raise problem


class _Entry(MailersHandler):
    """What `mailers` would be if MAILERS had this entry."""

    _is_configured = True

    def __init__(self, alias: str, entry: Mapping[str, Any]) -> None:
        self._settings = {alias: entry}

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._settings


def _problem(config: Any, alias: str) -> InvalidMailer | None:
    """Return the error for what Django's own handler does not report, or not as well."""
    text = None
    if not isinstance(config, Mapping):
        text = f"The configuration must be a dict, not of type {type(config).__name__}."
    else:
        unknown = [repr(key) for key in config if key not in {"BACKEND", "OPTIONS"}]
        path, options = config.get("BACKEND", SMTP), config.get("OPTIONS", {})
        if unknown:
            text = f"Unknown keys {', '.join(unknown)}. 'BACKEND' and 'OPTIONS' are known."
        elif not isinstance(path, str):
            text = f"BACKEND must be a dotted path, not of type {type(path).__name__}."
        elif not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
            text = "OPTIONS must be a dict whose keys are strings."
    return None if text is None else InvalidMailer(text, alias=alias)


def _is_mail_kept_in_memory() -> bool:
    """Whether the default mailer is the backend for memory, as the test environment makes it.

    Without a default mailer all of them have to be. A test that overrides MAILERS otherwise gets
    what it asks for.
    """
    if not hasattr(settings, "MAILERS"):
        # Django 2028: not from `settings` itself, where reading it is deprecated.
        return getattr(settings._wrapped, "EMAIL_BACKEND", None) == LOCMEM
    mailers: Any = settings.MAILERS
    if not mailers:
        # Only the outbox shows it.
        return hasattr(mail, "outbox")
    default: str = mail.DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined, unused-ignore]
    entries = [mailers[default]] if default in mailers else mailers.values()
    return all(isinstance(entry, Mapping) and entry.get("BACKEND") == LOCMEM for entry in entries)


class _Block:
    """A block of `use_mailer()` that is being executed, and the one around it, or None."""

    def __init__(self, choice: Choice | None, outer: _Block | None) -> None:
        self.choice = choice
        self.outer = outer


_current: ContextVar[_Block | None] = ContextVar("_current", default=None)


class use_mailer:
    """Say through which mailer the resolver `current_mailer` sends: in a block, or a function.

    `mailer` is an alias, a dict like an entry of MAILERS, or None for the mailer that is used
    outside of any `use_mailer()`.

        with use_mailer("acme"):
            send_mail(…)

        @use_mailer("acme")
        def remind(): …

    It decorates functions and coroutine functions. It is kept in a context variable: blocks may
    be nested, and threads and tasks do not affect each other. A task of asyncio has the mailer that
    was in use when the task was made, and so has code that `asend()` and Django's `sync_to_async()`
    run in threads. A thread of your own starts without one.
    """

    def __init__(self, mailer: Choice | None) -> None:
        if not isinstance(mailer, str | Mapping | None):
            raise TypeError(
                "use_mailer() takes an alias, a dict or None, not an object of type "
                f"{type(mailer).__name__}."
            )
        self._mailer = mailer

    def __enter__(self) -> None:
        # Not by tokens: an instance may be in use several times at once.
        _current.set(_Block(self._mailer, _current.get()))

    def __exit__(self, *exc_info: object) -> None:
        block = _current.get()
        _current.set(None if block is None else block.outer)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # Its body would run outside of the block.
            raise TypeError("use_mailer() cannot decorate a generator. Use `with` inside it.")
        called: Any = function
        if iscoroutinefunction(function):

            @functools.wraps(function)
            async def use(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await called(*args, **kwargs)
        else:

            @functools.wraps(function)
            def use(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return called(*args, **kwargs)

        return use  # type: ignore[return-value]


def current_mailer(message: Message) -> Choice | None:
    """Return what `use_mailer()` says, or None: a resolver for the backend `route`."""
    block = _current.get()
    return None if block is None else block.choice
