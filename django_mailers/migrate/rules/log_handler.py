"""AdminEmailHandler with `email_backend`, in LOGGING or made by code.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-adminemailhandler
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..arguments import Arguments
from ..context import Context
from ..django_api import ADMIN_HANDLER
from ..findings import Finding

CODE = "log-handler"


def findings(context: Context) -> Iterator[Finding]:
    for call, ancestor in context.class_calls:
        if ancestor == ADMIN_HANDLER and "email_backend" in Arguments(call):
            yield context.finding(
                call,
                CODE,
                "AdminEmailHandler(email_backend=...) raises an error once MAILERS is defined",
                "give the backend an alias and pass using=",
            )
    for display in context.names.nodes(ast.Dict):
        yield from _configured(context, display)


def _configured(context: Context, node: ast.Dict) -> Iterator[Finding]:
    """An entry among the handlers of LOGGING."""
    entries = {
        key.value: (key, value)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    if "email_backend" not in entries:
        return
    _, path = entries.get("class") or entries.get("()") or (None, None)
    if not isinstance(path, ast.Constant) or not isinstance(path.value, str):
        return
    if context.project.ancestor(path.value) == ADMIN_HANDLER:
        yield context.finding(
            entries["email_backend"][0],
            CODE,
            "AdminEmailHandler does not accept 'email_backend' once MAILERS is defined",
            'give the backend an alias, such as MAILERS[\'errors\'], and write "using": "errors"',
        )
