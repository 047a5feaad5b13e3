"""The argument `fail_silently` of the functions that send mail, and of send() of a message.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-fail-silently
"""

from __future__ import annotations

from collections.abc import Iterator

from ..arguments import is_literal
from ..context import Context
from ..findings import Finding

CODE = "fail-silently"
HANDLE_ERRORS = (
    "handle the error, or pass using= with an alias whose OPTIONS have 'fail_silently': True"
)


def findings(context: Context) -> Iterator[Finding]:
    for mail_call in [*context.mail_calls, *context.sends]:
        arguments = mail_call.arguments
        if "fail_silently" not in arguments:
            continue
        if is_literal(arguments["fail_silently"], False):
            shown = "fail_silently=False"
            yield from context.without_argument(mail_call, "fail_silently", CODE, shown)
        else:
            node = arguments.node("fail_silently")
            yield context.finding(node, CODE, "fail_silently is deprecated", HANDLE_ERRORS)
