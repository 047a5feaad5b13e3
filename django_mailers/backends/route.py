"""A mailer for each message: `"BACKEND": "django_mailers.backends.route.EmailBackend"`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer

from django_mailers.delivery import SendResult
from django_mailers.options import ALIAS, CALLABLE, Option, import_callable
from django_mailers.routing import build_mailer
from django_mailers.smtp import is_injected
from django_mailers.types import Mailer, Message

from ._wrapping.calls import current_call
from .base import Wrapper

Resolver = Callable[[Message], Any]
OPTIONS = {"resolver": Option(CALLABLE, is_required=True), "using": Option(ALIAS)}


class EmailBackend(Wrapper):
    """Sends each message through the mailer that a callable chooses for it.

    `resolver(message)` returns an alias; or a dict like an entry of MAILERS, from which a mailer is
    built; or None: then the message goes through `using`. Without `using` it is not sent, so that
    no message leaves through a mailer that is not meant for it.

    Messages for the same mailer are handed on together. If the choice for a message fails, only
    that message fails: the others are sent.
    """

    option_kinds = OPTIONS

    resolver: str | Resolver

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        resolve: Resolver = import_callable(self.resolver, "resolver", self.alias)
        results: dict[int, SendResult] = {}
        groups: dict[str | Configuration, list[int]] = {}
        # All are asked before anything is sent.
        for number, message in enumerate(messages):
            target = self._choose(resolve, message)
            if isinstance(target, SendResult):
                results[number] = target
            else:
                groups.setdefault(target, []).append(number)
        for target, numbers in groups.items():
            group = [messages[number] for number in numbers]
            if isinstance(target, Configuration):
                sent = self._hand_to_configured(target, group)
            else:
                sent = self.hand_on(target, group)
            results.update(zip(numbers, sent, strict=True))
        return [results[number] for number in range(len(messages))]

    def _choose(self, resolve: Resolver, message: Message) -> str | Configuration | SendResult:
        """Return where `message` goes, or its result if it goes nowhere."""
        try:
            return self._checked(resolve(message))
        except Exception as error:
            if is_injected(error):
                raise
            # An error of the project's code, or of its data: this one message fails, and does not
            # go another way (H51).
            return SendResult(message, "failed", error=error)

    def _checked(self, choice: Any) -> str | Configuration:
        if choice is None:
            if self.using is not None:
                return self.using
            raise ValueError(
                f"The resolver {self._name} has no mailer for this message, and there is no "
                "'using' in OPTIONS for those without."
            )
        if isinstance(choice, str):
            if choice in mail.mailers:
                return choice
            text = f"The resolver {self._name} has returned {choice!r}, which is not in MAILERS."
            raise InvalidMailer(text, alias=self.alias)
        if isinstance(choice, Mapping):
            return Configuration(choice)
        text = (
            f"The resolver {self._name} must return an alias, a dict or None, not an object of "
            f"type {type(choice).__name__}."
        )
        if inspect.iscoroutine(choice):
            choice.close()  # It would warn that nobody has awaited it.
            text += " It has to be a function that is not asynchronous."
        # It may contain a secret, which an error page would show.
        del choice
        raise TypeError(text)

    def _hand_to_configured(
        self, configuration: Configuration, messages: Sequence[Message]
    ) -> list[SendResult]:
        """Hand `messages` on to the mailer of a configuration; an error is one of theirs."""
        call = current_call(self)
        alias = self._alias
        try:
            target = self._targets.get_made(
                configuration, alias, lambda: self._build(configuration)
            )
        except Exception as error:
            if is_injected(error):
                raise
            # Whatever the backend raises for options that nobody has checked before.
            return [SendResult(message, "failed", error=error) for message in messages]
        try:
            return self._hand_to(target, call, messages, None)
        except ImproperlyConfigured as error:
            return [*call.report(messages, error)]

    def _build(self, configuration: Configuration) -> Mailer:
        try:
            return build_mailer(configuration.config, self._alias)
        except InvalidMailer as error:
            text = str(error).removeprefix(f"MAILERS[{self._alias!r}]: ")
        raise InvalidMailer(
            f"The configuration from the resolver {self._name} is not valid: {text}",
            alias=self.alias,
        )

    @property
    def _name(self) -> str:
        if isinstance(self.resolver, str):
            return repr(self.resolver)
        return repr(getattr(self.resolver, "__qualname__", type(self.resolver).__qualname__))

    @property
    def _alias(self) -> str:
        """The alias of mailers that are built from configurations."""
        return "tenant" if self.alias is None else self.alias


class Configuration:
    """A dict that a resolver has returned. Equal ones are one mailer. Its repr() shows nothing."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self._key = _frozen(config)
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configuration) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return "<Configuration>"


def _frozen(value: Any) -> Hashable:
    """Return a hashable object that is equal for equal values."""
    if isinstance(value, Mapping):
        return frozenset((name, _frozen(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value
