"""Names for what Django does not declare a type of: what is sent, and what it is sent by."""

from __future__ import annotations

from typing import Any, TypeAlias

# An EmailMessage, or what has its methods `recipients()` and `message()`.
Message: TypeAlias = Any
# An instance of a BACKEND. It has `send_messages()`, and usually `open()` and `close()`.
Mailer: TypeAlias = Any
