"""Names for Django's types of what is sent, and of what it is sent by.

Messages and mailers may be of other classes that have the same methods. So nothing here is asked at
run time, and code that depends on more than `send_messages()` asks whether it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from django.core.mail import EmailMessage
    from django.core.mail.backends.base import BaseEmailBackend

Message: TypeAlias = "EmailMessage"
# An instance of a BACKEND.
Mailer: TypeAlias = "BaseEmailBackend"
