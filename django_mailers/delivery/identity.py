"""The Message-ID and the Date of a message that may be sent twice, fixed before the first time.

Django makes new ones each time it renders a message. If a message goes to a second mailer, or
again to the same one, because its first reply was lost, a receiver can only drop the duplicate if
both have the same Message-ID (RFC 5322, 3.6.4; H42).

They become headers of a copy. A backend that calls an API would send those as custom headers, which
some providers refuse. So `for_mailer()` removes them again for any mailer that is not known to
render MIME. `identity_of()` still has them then, for a backend that wants a key.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone, tzinfo
from email.utils import format_datetime, make_msgid
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.mail import message as django_message
from django.utils.timezone import get_current_timezone

from django_mailers.types import Mailer, Message

from .copies import shallow_copy

# The attribute of a copy with the headers that were added to it, by name.
_IDENTITY = "_mailers_identity"


def fix_identity(message: Message) -> Message:
    """Return `message`, or a copy of it, with a Message-ID and a Date among its extra headers.

    Call it once, before the first try, if there can be a second one, and send the result each time:
    through `Wrapper.hand_on()`, or as what `for_mailer()` returns. It survives being copied and
    pickled. A header that the message has already stays, and the message itself is not changed.
    """
    headers: Any = getattr(message, "extra_headers", None)
    if not isinstance(headers, dict):
        return message  # It is not one of Django's, and has nowhere to put them.
    names = {name.lower() for name in headers}
    added: dict[str, str] = {}
    if "date" not in names:
        zone = get_current_timezone() if settings.EMAIL_USE_LOCALTIME else timezone.utc
        added["Date"] = _date(int(time.time()), zone)
    if "message-id" not in names:
        # By the module: pytest-django replaces DNS_NAME there (H13).
        domain = str(django_message.DNS_NAME)  # type: ignore[attr-defined]
        added["Message-ID"] = make_msgid(domain=domain)
    if not added:
        return message
    fixed = shallow_copy(message)
    fixed.extra_headers.update(added)
    setattr(fixed, _IDENTITY, {**identity_of(message), **added})
    return fixed


@lru_cache(maxsize=4)
def _date(seconds: int, zone: tzinfo) -> str:
    # Cached for the other messages of a batch: it takes longer than the copy.
    return format_datetime(datetime.fromtimestamp(seconds, zone))


def identity_of(message: Message) -> Mapping[str, str]:
    """Return the headers that `fix_identity()` has added, by name; they may be taken off again."""
    identity: Mapping[str, str] = getattr(message, _IDENTITY, {})
    return identity


def for_mailer(message: Message, mailer: Mailer) -> Message:
    """Return what `mailer` is given for `message`: a copy without an identity that is ours.

    That is the message itself if it has none, or if the mailer renders MIME.
    """
    identity = identity_of(message)
    if not identity:
        return message
    backend: Any = type(mailer)
    if renders_mime(backend):
        return message
    plain = shallow_copy(message)
    headers: Any = plain.extra_headers or {}
    for name, value in identity.items():
        # Somebody may have set another one since.
        if headers.get(name) == value:
            del headers[name]
    return plain


@lru_cache(maxsize=128)
def renders_mime(backend: Any) -> bool:
    """Whether mail from the class `backend` has the extra headers of a message as they are.

    A class says so by its attribute `renders_mime`. Otherwise it is known of Django's backends and
    of what derives from them.
    """
    stated = getattr(backend, "renders_mime", None)
    if stated is not None:
        return bool(stated)
    # Here, as most processes never need them.
    from django.core.mail.backends import console, dummy, locmem, smtp

    known = (smtp, console, locmem, dummy)  # The file backend derives from that of the console.
    return issubclass(backend, tuple(module.EmailBackend for module in known))
