"""The attribute `connection` and the method get_connection() of a message.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-get-connection
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..context import Context
from ..findings import Finding

CODE = "message-connection"


def findings(context: Context) -> Iterator[Finding]:
    for call, receiver in context.message_calls("get_connection"):
        if not context.project.overrides(receiver.path, "get_connection"):
            problem = "EmailMessage.get_connection() was removed in Django 6.1"
            yield context.finding(call, CODE, problem, "use mailers[alias]")
    for attribute in context.names.nodes(ast.Attribute):
        if attribute.attr == "connection" and context.types.of(attribute.value) is not None:
            problem = "EmailMessage.connection is deprecated"
            yield context.finding(attribute, CODE, problem, "pass using= to send()")
