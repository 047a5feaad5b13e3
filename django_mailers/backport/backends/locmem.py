"""`django.core.mail.backends.locmem`. (Django 6.0: this whole file.)"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from django.core import mail


class EmailBackend:
    """Members for `django.core.mail.backends.locmem.EmailBackend`."""

    def send_messages(self: Any, messages: Iterable[Any]) -> int:
        """Put a copy of each message into `django.core.mail.outbox`, with the alias it was sent
        through as its `sent_using`."""
        count = 0
        for message in messages:
            message.message()  # raises what a real backend would
            kept = copy.deepcopy(message)
            # A backend that 5.2 pickled has no alias (H24).
            kept.sent_using = getattr(self, "alias", None)
            mail.outbox.append(kept)
            count += 1
        return count
