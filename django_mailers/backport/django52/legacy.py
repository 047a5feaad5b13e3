"""Names of mail that the modern email API leaves without a use. (Django 5.2: this whole file.)

They are in `django.core.mail` and its `message`. Django 6.0 deprecates them itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core import mail
from django.core.mail import message

from django_mailers.deprecation import (
    module_of,
    reader,
    warn_about_external_use,
    warn_about_use,
)

MODERN = "Python's modern email API (with email.message.EmailMessage or email.policy.default)"
CLASS_WARNING = (
    "{name} is deprecated. The return value of EmailMessage.message() is an "
    "email.message.EmailMessage."
)
LEGACY_NAMES = {
    # The email package raises ValueError. Code that imported the class of 5.2 before the install
    # still has that: see rendering.py.
    "BadHeaderError": (ValueError, "BadHeaderError is deprecated. Replace with ValueError."),
    "SafeMIMEText": (message.SafeMIMEText, CLASS_WARNING.format(name="SafeMIMEText")),
    "SafeMIMEMultipart": (
        message.SafeMIMEMultipart,
        CLASS_WARNING.format(name="SafeMIMEMultipart"),
    ),
}


def getattribute(name: str) -> Any:
    """`django.core.mail.__getattr__()`: a legacy name, with a warning where it is imported."""
    if name not in LEGACY_NAMES:
        raise AttributeError(f"module {mail.__name__!r} has no attribute {name!r}")
    value, warning = LEGACY_NAMES[name]
    # `from django.core.mail import name` asks twice, the first time only whether it is there.
    if module_of(reader()) != "importlib._bootstrap":
        warn_about_use(warning)
    return value


def forbid_multi_line_headers(
    original: Callable[..., tuple[str, str]], name: str, val: Any, encoding: str | None
) -> tuple[str, str]:
    """Django 5.2's function, which warns those outside Django who still call it."""
    warn_about_external_use(
        f"The internal API forbid_multi_line_headers() is deprecated. {MODERN} will reject "
        "multi-line headers."
    )
    return original(name, val, encoding)


def sanitize_address(original: Callable[..., str], addr: Any, encoding: str | None) -> str:
    """Django 5.2's function, which warns those outside Django who still call it."""
    warn_about_external_use(
        f"The internal API sanitize_address() is deprecated. {MODERN} will handle most required "
        "validation and encoding. Use Python's email.headerregistry.Address to construct formatted "
        "addresses from component parts."
    )
    return original(addr, encoding)
