"""Checks of the option `dkim`: that the sender's domain is signed for, and the key can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage

from .entries import Mailer
from .table import check_message


def check_senders(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check that mailers sign for DEFAULT_FROM_EMAIL, the sender of most mail."""
    for mailer, option in _signing(mailers):
        from django_mailers.dkim import Signing, domain_of

        domain = domain_of(settings.DEFAULT_FROM_EMAIL)
        if Signing(option).signer(domain) is None:
            text = f"OPTIONS 'dkim' does not sign for {domain!r}, the domain of DEFAULT_FROM_EMAIL."
            yield check_message("mailers.W070", text, alias=mailer.alias)


def check_keys(mailers: Sequence[Mailer]) -> Iterator[CheckMessage]:
    """Check that the keys can be used. Files are read; functions are not called."""
    for mailer, option in _signing(mailers):
        from django_mailers.dkim import DKIMError, Signing

        for signer in Signing(option).signers():
            if signer.is_computed:
                continue
            try:
                signer.load()
            except (DKIMError, ImportError) as error:
                text = f"OPTIONS 'dkim': {error}"
                yield check_message("mailers.E070", text, alias=mailer.alias)


def _signing(mailers: Sequence[Mailer]) -> Iterator[tuple[Mailer, Mapping[str, Any]]]:
    """Yield the mailers that sign, with an option that is well-formed."""
    for mailer in mailers:
        option = mailer.options.get("dkim")
        if isinstance(option, Mapping) and mailer.kinds.get("dkim") is not None:
            from django_mailers.dkim import complaint

            if complaint(option) is None:
                yield mailer, option
