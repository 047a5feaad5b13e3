"""The signature that the option `dkim` of a mailer asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.mail import InvalidMailer

from ..dkim import DKIMError, OtherDomainError, Signing
from ..smtp.interrupts import is_injected
from ..smtp.wire import normalize


def signed(content: bytes, option: Mapping[str, Any], alias: str | None) -> bytes:
    """Return `content`, a whole message, with its signature, as it goes over the wire.

    Raises OtherDomainError, which is about the message, and InvalidMailer if the key cannot be
    used: that is not about the message, and a queue must not give it up.
    """
    content = normalize(content)
    try:
        return Signing(option).sign(content)
    except OtherDomainError:
        raise
    except Exception as error:
        # The project's function for the key may raise anything.
        if is_injected(error):
            raise
        text = f"The function for the key raised {type(error).__name__}."
        if isinstance(error, DKIMError | ImportError):
            text = str(error)
        raise InvalidMailer(f"OPTIONS 'dkim': {text}", alias=alias) from error
