"""The arguments `auth_user` and `auth_password` of the functions that send mail.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-auth
"""

from __future__ import annotations

from collections.abc import Iterator

from ..arguments import is_literal, suggested_alias
from ..context import Context
from ..findings import Finding
from ..mailcalls import MailCall

CODE = "auth-arguments"
NAMES = ("auth_user", "auth_password")


def findings(context: Context) -> Iterator[Finding]:
    for mail_call in context.mail_calls:
        given = [name for name in NAMES if name in mail_call.arguments]
        unused = [name for name in given if is_literal(mail_call.arguments[name], None)]
        for name in unused:
            yield from context.without_argument(mail_call, name, CODE, f"{name}=None")
        if len(unused) < len(given):
            yield _login(context, mail_call)


def _login(context: Context, mail_call: MailCall) -> Finding:
    alias = suggested_alias(mail_call.arguments.get("auth_user"))
    return context.finding(
        mail_call.call,
        CODE,
        "'auth_user' and 'auth_password' are deprecated",
        f"move 'username' and 'password' to an alias, such as MAILERS[{alias!r}], and pass "
        f"using={alias!r}",
    )
