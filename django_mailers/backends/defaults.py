"""Add what a message lacks: `"BACKEND": "django_mailers.backends.defaults.EmailBackend"`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings

from django_mailers.delivery import SendResult
from django_mailers.options import ADDRESS, ADDRESSES, ALIAS, HEADERS, NAME, Option
from django_mailers.types import Message

from ._wrapping.addresses import address_of
from .base import Wrapper

# Headers that have an option of their own.
OTHER_OPTIONS = {"from": "from_email", "reply-to": "reply_to", "cc": "cc", "bcc": "bcc"}
# Headers that differ between messages.
EACH_ITS_OWN = {
    *("subject", "to", "date", "message-id", "mime-version"),
    *("content-type", "content-transfer-encoding"),
}


class EmailBackend(Wrapper):
    """Sends messages through `using`, and adds what they lack from its options.

    A message has a sender of its own if that is not DEFAULT_FROM_EMAIL. It has a Reply-To or a Cc
    if the attribute or the header is not empty. Names of headers are compared without regard to
    case, and a subject that starts with the prefix does not get it again. An address that gets the
    message already is not added to `cc` or `bcc`.
    """

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "using": Option(ALIAS, is_required=True),
        "from_email": Option(ADDRESS),
        "reply_to": Option(ADDRESSES),
        "cc": Option(ADDRESSES),
        "bcc": Option(ADDRESSES),
        "headers": Option(HEADERS),
        "subject_prefix": Option(NAME),
    }

    from_email: str | None
    reply_to: Sequence[str] | None
    cc: Sequence[str] | None
    bcc: Sequence[str] | None
    headers: Mapping[str, str] | None
    subject_prefix: str | None

    @staticmethod
    def option_conflict(options: Mapping[str, Any]) -> str | None:
        """Say which header cannot be the same for all messages, or has an option of its own."""
        for name in options.get("headers") or ():
            option = OTHER_OPTIONS.get(name.lower())
            if option is not None:
                return f"OPTIONS 'headers' must not define {name!r}. Use {option!r} instead."
            if name.lower() in EACH_ITS_OWN:
                return f"OPTIONS 'headers' must not define {name!r}."
        return None

    def outgoing(self, message: Message) -> Message | SendResult:
        """Return a copy of `message` with what it lacks, or `message` if it lacks nothing."""
        added = self._added(message)
        if not added:
            return message
        changed = self.copy(message)
        for name, value in added.items():
            setattr(changed, name, value)
        return changed

    def _added(self, message: Message) -> dict[str, Any]:
        """Return the attributes that differ from those of `message`."""
        own: Mapping[str, Any] = message.extra_headers or {}
        given = {name.lower() for name, value in own.items() if value}
        added: dict[str, Any] = {}
        if self.from_email and str(message.from_email or "") in ("", settings.DEFAULT_FROM_EMAIL):
            added["from_email"] = self.from_email
        if self.reply_to and not message.reply_to and "reply-to" not in given:
            added["reply_to"] = [*self.reply_to]
        known = {address_of(address) for address in message.recipients()}
        for name, addresses in (("cc", self.cc), ("bcc", self.bcc)):
            if addresses and not getattr(message, name) and name not in given:
                added[name] = _without(addresses, known)
        names = {name.lower() for name in own}
        headers = {n: value for n, value in (self.headers or {}).items() if n.lower() not in names}
        if headers:
            added["extra_headers"] = {**own, **headers}
        if self.subject_prefix and not str(message.subject).startswith(self.subject_prefix):
            added["subject"] = f"{self.subject_prefix}{message.subject}"
        return {name: value for name, value in added.items() if value != getattr(message, name)}


def _without(addresses: Iterable[str], known: set[str | None]) -> list[str]:
    """Return those of `addresses` that are not `known`, and add them there."""
    left = []
    for mailbox in addresses:
        address = address_of(mailbox)
        if address is None or address not in known:
            left.append(mailbox)
        known.add(address)
    return left
