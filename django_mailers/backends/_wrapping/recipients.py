"""Recipients of a message that are not in `to`, `cc` and `bcc`, and headers that name them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django_mailers.types import Message
from django_mailers.wording import listed

logger = logging.getLogger("django_mailers.backends")

FIELDS = ("to", "cc", "bcc")
# The headers of a redirected copy that name its original recipients.
ORIGINALS = {f"x-original-{name}" for name in FIELDS}
# Data for each recipient, by address: Anymail's, and Djrill's (Mandrill).
BY_ADDRESS = (
    *("merge_data", "merge_metadata", "merge_headers", "merge_header_data"),
    *("merge_vars", "recipient_metadata"),
)
# Data that goes to a provider as it is, maybe with recipients: Anymail's, Sendgrid's, Djrill's.
OPAQUE = ("esp_extra", "personalizations", "bcc_address")
# Programs such as sendmail read recipients from these headers.
ADDRESS_HEADERS = {
    *("to", "cc", "bcc", "apparently-to"),
    *("resent-to", "resent-cc", "resent-bcc"),
}
# The SMTP servers of Sendgrid, SparkPost, Mandrill, Mailgun and Mailjet read them from these.
PROVIDER_HEADERS = {
    *("x-smtpapi", "x-msys-api", "x-mc-bccaddress", "x-mc-mergevars"),
    *("x-mailgun-recipient-variables", "x-mj-vars"),
}
# The warnings that were logged: each is logged once in a process.
warned: set[tuple[str | None, str, tuple[str, ...]]] = set()


class Leftovers:
    """Everything by which a message may reach others than its `to`, `cc` and `bcc` (H53).

    It is false if the message has nothing like that. `is_allowed` says whether the value of a
    header names only recipients that may get the message.
    """

    def __init__(self, message: Message, is_allowed: Callable[[object], bool]) -> None:
        self._class = f"{type(message).__module__}.{type(message).__qualname__}"
        headers: Mapping[str, Any] = message.extra_headers or {}
        self._opaque = [name for name in OPAQUE if _value(message, name)]
        self._by_address = [name for name in BY_ADDRESS if _value(message, name) is not None]
        self._headers = [
            name
            for name, value in headers.items()
            if name.lower() in PROVIDER_HEADERS
            or (name.lower() in ADDRESS_HEADERS and not is_allowed(value))
        ]

    def __bool__(self) -> bool:
        return bool(self._opaque or self._headers)

    def remove_from(self, part: Message, keep: Callable[[object], bool] | None = None) -> None:
        """Remove all of it from `part`, a copy, but for data of addresses that `keep` allows."""
        headers: Mapping[str, Any] = part.extra_headers or {}
        part.extra_headers = {
            name: value
            for name, value in headers.items()
            if name not in self._headers
            and (keep is not None or name.lower() not in ADDRESS_HEADERS)
        }
        for name in self._opaque:
            _remove(part, name)
        for name in self._by_address:
            value = getattr(part, name)
            if keep is not None and isinstance(value, Mapping):
                # Even if it is empty, it says that nobody is to see the others' addresses.
                setattr(part, name, {key: one for key, one in value.items() if keep(key)})
            else:
                _remove(part, name)

    def warn(self, alias: str | None) -> None:
        """Log what messages of this class lose, once for each mailer in a process."""
        lost = (*self._opaque, *self._by_address, *self._headers)
        key = (alias, self._class, lost)
        if not lost or key in warned:
            return
        warned.add(key)
        logger.warning(
            "MAILERS[%r]: Messages of the class %s are redirected without %s, which may name other "
            "recipients.",
            alias,
            self._class,
            listed(map(repr, lost)),
        )


def original_headers(message: Message, blind: Iterable[object]) -> dict[str, str]:
    """Return headers that name the original recipients of `message`.

    Of its Bcc these are only the `blind` ones, which the copy replaces.
    """
    fields = {"To": message.to, "Cc": message.cc, "Bcc": blind}
    values = {f"X-Original-{name}": _one_line(given or ()) for name, given in fields.items()}
    return {name: value for name, value in values.items() if value}


def _one_line(mailboxes: Iterable[object]) -> str:
    """Return `mailboxes` as the value of a header, without characters that are not printable."""
    text = ", ".join(str(mailbox) for mailbox in mailboxes if mailbox)
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _value(message: Message, name: str) -> Any:
    value = getattr(message, name, None)
    # Anymail's own messages have all of them; a class stands for what is not set.
    return None if isinstance(value, type) else value


def _remove(part: Message, name: str) -> None:
    with contextlib.suppress(AttributeError):
        delattr(part, name)
    # The class has one, too.
    if getattr(part, name, None) is not None:
        setattr(part, name, None)
