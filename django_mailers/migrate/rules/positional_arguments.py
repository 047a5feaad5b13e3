"""Positional arguments that Django accepts by keyword only since 6.0.

https://docs.djangoproject.com/en/6.0/releases/6.0/
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from django_mailers.wording import listed

from ..arguments import Arguments, connection_arguments
from ..context import Context
from ..findings import Finding

CODE = "positional-arguments"
UPGRADE = "'django-upgrade --target-version 6.0 --only mail_api_kwargs' adds the names"


def findings(context: Context) -> Iterator[Finding]:
    for mail_call in context.mail_calls:
        yield from _surplus(context, mail_call.call, mail_call.name, mail_call.arguments)
    for call, _ in context.connection_calls:
        if not context.plan.is_dropped(call):
            arguments = connection_arguments(call)
            yield from _surplus(context, call, "get_connection", arguments)


def _surplus(
    context: Context, call: ast.Call, name: str, arguments: Arguments
) -> Iterator[Finding]:
    if arguments.surplus:
        names = listed(map(repr, arguments.surplus))
        yield context.finding(call, CODE, f"{name}() takes {names} by keyword only", UPGRADE)
