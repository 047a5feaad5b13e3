"""A backend by the short name that it had in the betas of Django 1.2.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-settings
"""

from __future__ import annotations

from collections.abc import Iterator

from ..arguments import connection_arguments, short_backend
from ..context import Context
from ..django_api import SHORT_BACKENDS
from ..findings import Finding
from ..settings import definitions

CODE = "short-backend"


def findings(context: Context) -> Iterator[Finding]:
    for call, _ in context.connection_calls:
        name = short_backend(connection_arguments(call).get("backend"))
        if name is not None:
            replacement = f"give {SHORT_BACKENDS[name]} an alias and use mailers[alias]"
            yield context.finding(call, CODE, _problem(name), replacement)
    for node, setting, value in definitions(context):
        name = short_backend(value)
        if setting == "EMAIL_BACKEND" and name is not None:
            replacement = f'write "BACKEND": "{SHORT_BACKENDS[name]}" in MAILERS'
            yield context.finding(node, CODE, _problem(name), replacement)


def _problem(name: str) -> str:
    return f"the short backend name {name!r} was removed before Django 1.2"
