"""Checks of the addresses in DEFAULT_FROM_EMAIL, SERVER_EMAIL, ADMINS and MANAGERS.

They are parsed as Django 6.0 and later parse those of a message, and passed to `prep_address()` of
the default mailer if that is SMTP: an address that it refuses cannot be used on this Django with
these settings. The messages never show an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.errors import ObsoleteHeaderDefect
from email.headerregistry import AddressHeader
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.mail import DEFAULT_MAILER_ALIAS  # type: ignore[attr-defined]
from django.utils.functional import Promise

from django_mailers.signatures import SMTP

from .references import import_or_none
from .table import check_message

SENDERS = ("DEFAULT_FROM_EMAIL", "SERVER_EMAIL")
GROUPS = ("ADMINS", "MANAGERS")

# The defect that Python's parser finds in "webmaster".
NO_DOMAIN = "addr-spec local part with no domain"

EMPTY = "is empty."
LINE_BREAK = "has a line break."
NOT_ONE = "is not an address."
SEVERAL = "is more than one address."
NOT_ASCII = "has non-ASCII characters before the @."
FULL_STOP = "has a full stop in a name without quotes."
HINTS = {
    EMPTY: "Set it to an address, such as 'name@example.com'.",
    LINE_BREAK: "Remove the line break.",
    NOT_ASCII: "Use an address that has only ASCII characters before the @.",
    NOT_ONE: "Write it as 'name@example.com' or 'Name <name@example.com>'.",
    SEVERAL: "Put a name that has a comma in quotes, as in '\"Doe, Ann\" <ann@example.com>'.",
    FULL_STOP: "Put the name in quotes, as in '\"Example Inc.\" <mail@example.com>'.",
}


def check_addresses() -> Iterator[CheckMessage]:
    """Check the addresses that mail is sent from and to by default."""
    mailers = getattr(settings, "MAILERS", None)
    # An empty MAILERS turns mail off.
    if mailers is not None and not mailers:
        return
    backend = import_or_none(_path(mailers))
    for setting in SENDERS:
        yield from _check(setting, getattr(settings, setting), backend)
    for setting in GROUPS:
        if setting != "MANAGERS" or settings.MANAGERS is not settings.ADMINS:
            yield from _check_group(setting, getattr(settings, setting), backend)


def _path(mailers: Any) -> Any:
    """Return the path of the default mailer's backend."""
    if mailers is None:
        # Django 2028: from the wrapped settings, as reading it from `settings` is deprecated.
        return getattr(settings._wrapped, "EMAIL_BACKEND", SMTP)
    entry = mailers.get(DEFAULT_MAILER_ALIAS) if isinstance(mailers, Mapping) else None
    return entry.get("BACKEND", SMTP) if isinstance(entry, Mapping) else None


def _check_group(setting: str, group: Any, backend: Any) -> Iterator[CheckMessage]:
    if not group:
        return
    entries = list(group) if isinstance(group, Iterable) else [group]
    # Pairs of a name and an address, as before Django 6.0. The name is not used.
    if all(isinstance(entry, list | tuple) and len(entry) == 2 for entry in entries):
        for number, (_, address) in enumerate(entries):
            yield from _check(f"{setting}[{number}][1]", address, backend)
    elif isinstance(group, list | tuple) and all(isinstance(a, str | Promise) for a in entries):
        for number, address in enumerate(entries):
            yield from _check(f"{setting}[{number}]", address, backend)
    else:
        # The message of mail_admins().
        text = f"The {setting} setting must be a list of email address strings."
        yield check_message("mailers.E017", text)


def _check(place: str, address: Any, backend: Any) -> Iterator[CheckMessage]:
    if not isinstance(address, str | Promise | None):
        text = f"{place} must be a str, not of type {type(address).__name__}."
        yield check_message("mailers.E017", text)
        return
    text = str(address or "")
    problem = _problem(text)
    if problem is None:
        return
    # A project may pass a sender with each message.
    is_tolerable = problem == EMPTY and place in SENDERS
    is_fatal = not is_tolerable and (problem == LINE_BREAK or _is_refused(text, problem, backend))
    id_ = "mailers.E017" if is_fatal else "mailers.W010"
    yield check_message(id_, f"{place} {problem}", hint=HINTS.get(problem))


def _problem(address: str) -> str | None:
    """Return why Django's SMTP backend refuses `address` since Django 6.0, or None."""
    if not address.strip():
        return EMPTY
    if "\n" in address or "\r" in address:
        return LINE_BREAK
    try:
        return _defect(AddressHeader.value_parser(address))
    except Exception:
        # Python's parser may raise anything for a string that is not an address (H21).
        return NOT_ONE


def _defect(parsed: Any) -> str | None:
    # A mailbox on this machine needs no domain (Django's #15042).
    defects = [defect for defect in parsed.all_defects if str(defect) != NO_DOMAIN]
    mailboxes = parsed.all_mailboxes
    if len(mailboxes) > 1 and "," in str(parsed):
        return SEVERAL
    if not all((mailbox.local_part or "").isascii() for mailbox in mailboxes):
        return NOT_ASCII
    if defects and all(isinstance(defect, ObsoleteHeaderDefect) for defect in defects):
        return FULL_STOP
    return NOT_ONE if defects or len(mailboxes) != 1 else None


def _is_refused(address: str, problem: str, backend: Any) -> bool:
    """Whether the class `backend` does not send from or to `address`; False if unknown."""
    # Imported here because a process that sends no mail never needs it.
    from django.core.mail.backends import smtp

    if not isinstance(backend, type) or not issubclass(backend, smtp.EmailBackend):
        return False
    try:
        # Made without calling __init__(), which may do anything.
        made: Any = object.__new__(backend)
        prepared: str = made.prep_address(address)
    except ValueError:
        return True
    except Exception:
        # From Python's parser (H21), or from a prep_address() that relies on __init__().
        return problem == NOT_ONE
    # On Python 3.15, Django's backend accepts it here and fails later.
    return not prepared.isascii()
