"""An SMTP backend that is made by calling its class.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-email-backends
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from django_mailers.emailsettings import SMTP_BACKEND

from ..arguments import Arguments
from ..context import Context
from ..findings import Finding

CODE = "smtp-direct"


def findings(context: Context) -> Iterator[Finding]:
    for call, ancestor in context.class_calls:
        arguments = Arguments(call)
        if ancestor == SMTP_BACKEND and not arguments.spread and "alias" not in arguments:
            yield context.finding(
                call,
                CODE,
                f"{ast.unparse(call.func)}() is made without an alias, which no longer works once "
                "MAILERS is defined",
                "give it an alias and use mailers[alias]" + context.other_way(arguments),
            )
