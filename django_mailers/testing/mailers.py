"""Mailers that are not in MAILERS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core import mail

from django_mailers.types import Mailer


def make_mailer(alias: str, entry: Mapping[str, Any]) -> Mailer:
    """Return the mailer that `entry` describes, as if it were that of `alias` in MAILERS.

    Raises InvalidMailer for what is wrong with the entry.
    """
    # Django's own class: what it makes of an entry is its affair.
    handler = type("MailersHandler", (type(mail.mailers),), {"settings": {alias: entry}})
    mailer: Mailer = handler()[alias]
    return mailer
