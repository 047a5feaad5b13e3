"""Mail of a staging site: `"BACKEND": "django_mailers.backends.redirect.EmailBackend"`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured

from django_mailers.delivery import SendResult
from django_mailers.options import ADDRESSES, ALIAS, NAME, PATTERNS, Option
from django_mailers.types import Message

from ._wrapping.addresses import address_of, addresses_of, normalized
from ._wrapping.calls import current_call
from ._wrapping.parts import merged
from ._wrapping.recipients import FIELDS, ORIGINALS, Leftovers, original_headers
from .base import Wrapper


class EmailBackend(Wrapper):
    """Sends through `using`, but only to the recipients that `allow` names.

    The patterns in `allow` are those of fnmatch, without regard to case. Recipients that match one
    get the message. Instead of all others `to` gets a copy: a message of its own, with
    `subject_prefix` before its subject and the original recipients in its headers X-Original-To,
    X-Original-Cc and X-Original-Bcc. A recipient is allowed only if its address is beyond doubt.

    A message is "sent" if both of its parts were. If only one was, or that is not known, it is
    "unknown". A message that may have recipients in another way is "failed".
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "using": Option(ALIAS, is_required=True),
        "to": Option(ADDRESSES, is_required=True),
        "allow": Option(PATTERNS),
        "subject_prefix": Option(NAME),
    }

    to: Sequence[str]
    allow: Sequence[str] | None
    subject_prefix: str | None

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        """Send the parts of all messages as one batch; return a result for each message."""
        everything = [self._outgoing(message, self._split) for message in messages]
        parts = [
            (message, part)
            for message, split in zip(messages, everything, strict=True)
            if not isinstance(split, SendResult)
            for part in split
        ]

        def results_of(given: Sequence[SendResult]) -> list[SendResult]:
            rest = iter(given)
            return [
                split
                if isinstance(split, SendResult)
                else merged(message, [next(rest) for _ in split])
                for message, split in zip(messages, everything, strict=True)
            ]

        try:
            given = self.hand_on(self.using, [m for m, _ in parts], [part for _, part in parts])
        except ImproperlyConfigured as error:
            report = getattr(error, "report", ())
            if len(report) == len(parts):
                current_call(self).record(results_of(report))
            raise
        return results_of(given)

    def _split(self, message: Message) -> list[Message]:
        """Return what is sent instead of `message`: one message, or two."""
        leftovers = Leftovers(message, self._is_header_allowed)
        everybody = [*(mailbox for name in FIELDS for mailbox in getattr(message, name) or ())]
        if not leftovers and all(map(self._is_allowed, [*everybody, *message.recipients()])):
            return [message]
        allowed = {
            name: [mailbox for mailbox in getattr(message, name) or () if self._is_allowed(mailbox)]
            for name in FIELDS
        }
        parts = []
        if any(self._is_redirected(mailbox) for mailbox in everybody):
            parts.append(self._redirected(message, leftovers, is_alone=not any(allowed.values())))
        if any(allowed.values()):
            parts.append(self._reduced(message, leftovers, allowed))
        if not parts:
            raise _other_recipients(message)
        leftovers.warn(self.alias)
        return parts

    def _redirected(self, message: Message, leftovers: Leftovers, *, is_alone: bool) -> Message:
        """Return the copy for `to`."""
        part = self.copy(message)
        leftovers.remove_from(part)
        blind = [mailbox for mailbox in message.bcc or () if self._is_redirected(mailbox)]
        originals = original_headers(message, blind)
        # Someone who gets both would see only one if they had the same Message-ID.
        replaced = ORIGINALS if is_alone else {*ORIGINALS, "message-id"}
        kept = {n: value for n, value in part.extra_headers.items() if n.lower() not in replaced}
        part.extra_headers = {**kept, **originals}
        if self.subject_prefix:
            part.subject = f"{self.subject_prefix}{message.subject}"
        return _addressed(part, {"to": [*self.to], "cc": [], "bcc": []})

    def _reduced(
        self, message: Message, leftovers: Leftovers, allowed: Mapping[str, list[str]]
    ) -> Message:
        """Return the copy for those of the recipients who are allowed."""
        part = self.copy(message)
        leftovers.remove_from(part, keep=self._is_allowed)
        return _addressed(part, allowed)

    def _is_allowed(self, mailbox: object) -> bool:
        address = address_of(mailbox)
        return address is not None and self._matches(address)

    def _is_redirected(self, mailbox: object) -> bool:
        """Whether it is a recipient that is not allowed. Django ignores empty ones."""
        return bool(mailbox) and not self._is_allowed(mailbox)

    def _is_header_allowed(self, value: object) -> bool:
        addresses = addresses_of(value)
        return addresses is not None and all(map(self._matches, addresses))

    def _matches(self, address: str) -> bool:
        return any(fnmatchcase(address, pattern) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> list[str]:
        patterns = [normalized(pattern.strip()) for pattern in self.allow or ()]
        return [pattern for pattern in patterns if pattern is not None]


def _addressed(part: Message, recipients: Mapping[str, list[str]]) -> Message:
    """Give `part` its `recipients`; raise ValueError if it has any others after that."""
    for name, mailboxes in recipients.items():
        setattr(part, name, mailboxes)
    meant = [mailbox for mailboxes in recipients.values() for mailbox in mailboxes]
    sure = {*map(address_of, meant)} - {None}
    left = [mailbox for name in FIELDS for mailbox in getattr(part, name)]
    for mailbox in [*left, *part.recipients()]:
        if mailbox not in meant and address_of(mailbox) not in sure:
            raise _other_recipients(part)
    return part


def _other_recipients(message: Message) -> ValueError:
    cls = type(message)
    return ValueError(
        f"{cls.__module__}.{cls.__qualname__} has recipients that are not in its 'to', 'cc' and "
        "'bcc'. It cannot be redirected."
    )
