"""What the benchmarks have in common: Django without the app, and an ordinary message."""

from __future__ import annotations

import platform
from typing import Any

import django
from django.conf import settings

LINE = "Thank you for your order. We will write again when it is on its way.\n"
# The arguments of `EmailMessage` for 1 KB of text.
USUAL: dict[str, Any] = {
    "subject": "Your order has been shipped",
    "body": LINE * (1024 // len(LINE)),
    "from_email": "Example Shop <shop@example.com>",
    "to": ["customer@example.com"],
}
# The same for `send_mail()`, which has them in this order.
ARGUMENTS = tuple(USUAL.values())


def set_up(**values: Any) -> None:
    """Set up Django with these settings, and a name for this machine."""
    # Django's own, natively: without the app, which on 5.2 and 6.0 changes how Django renders.
    settings.configure(**values)
    django.setup()

    from django.core.mail import DNS_NAME

    # Not the resolver's doing.
    DNS_NAME._fqdn = "mail.example.com"


def versions() -> str:
    return f"Django {django.__version__}, Python {platform.python_version()}, {platform.machine()}"
