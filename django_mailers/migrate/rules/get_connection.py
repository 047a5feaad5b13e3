"""Calls of get_connection(), other uses of it, and imports that nothing uses.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-get-connection
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from django_mailers.wording import listed

from ..arguments import (
    Arguments,
    connection_arguments,
    is_literal,
    short_backend,
    suggested_alias,
)
from ..context import Context
from ..django_api import GET_CONNECTION
from ..findings import Finding, Fix
from ..mailcalls import spread_refusal
from ..names import Meaning
from ..scopes import absolute_import

CODE = "get-connection"
DEPRECATED = "get_connection() is deprecated"


def findings(context: Context) -> Iterator[Finding]:
    for call, meaning in context.connection_calls:
        if not context.plan.is_dropped(call):
            yield from _call(context, call, meaning)
    for attribute in context.names.nodes(ast.Attribute):
        yield from _value(context, attribute)
    for name in context.names.nodes(ast.Name):
        yield from _value(context, name)
    for statement in context.names.nodes(ast.ImportFrom):
        yield from _unused(context, statement)


def _call(context: Context, call: ast.Call, meaning: Meaning) -> Iterator[Finding]:
    arguments = connection_arguments(call)
    backend = arguments.get("backend")
    silent = arguments.get("fail_silently")
    options = [name for name in arguments if name not in {"backend", "fail_silently"}]
    if backend is not None and not is_literal(backend, None):
        # A short name is a finding of its own.
        if short_backend(backend) is None:
            yield _with_backend(context, call, backend)
    elif arguments.spread:
        replacement = "use mailers[alias]" + context.other_way(arguments)
        refusal = spread_refusal(arguments)
        yield context.finding(call, CODE, DEPRECATED, replacement, refusal=refusal)
    elif options:
        yield _with_options(context, call, arguments, options)
    elif silent is not None and not is_literal(silent, False):
        replacement = "use mailers[alias] with an alias whose OPTIONS have 'fail_silently': True"
        yield context.finding(call, CODE, DEPRECATED, replacement)
    else:
        yield _default(context, call, meaning)


def _default(context: Context, call: ast.Call, meaning: Meaning) -> Finding:
    finding = context.finding(call, CODE, DEPRECATED, "use mailers.default")
    refusal = context.plan.refusal(call, meaning)
    if refusal is not None:
        return replace(finding, refusal=refusal)
    context.plan.replace(call, meaning)
    return replace(finding, fixes=(Fix("call", context.module.file.span(call)),))


def _with_backend(context: Context, call: ast.Call, backend: ast.expr) -> Finding:
    alias = suggested_alias(backend)
    return context.finding(
        call,
        CODE,
        "get_connection(backend) raises RuntimeError once MAILERS is defined",
        f"give the backend an alias, such as MAILERS[{alias!r}], and use mailers[{alias!r}]",
    )


def _with_options(
    context: Context, call: ast.Call, arguments: Arguments, options: list[str]
) -> Finding:
    alias = suggested_alias(arguments.get("username"))
    return context.finding(
        call,
        CODE,
        DEPRECATED,
        f"move {listed(map(repr, options))} to an alias, such as MAILERS[{alias!r}], and use "
        f"mailers[{alias!r}]" + context.other_way(arguments),
    )


def _value(context: Context, node: ast.Name | ast.Attribute) -> Iterator[Finding]:
    parent = context.names.parent_of[node]
    if not isinstance(node.ctx, ast.Load):
        return
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    meaning = context.meaning(node)
    if meaning is not None and meaning.path == GET_CONNECTION:
        refusal = "get_connection is used as a value"
        yield context.finding(node, CODE, DEPRECATED, "use mailers[alias]", refusal=refusal)


def _unused(context: Context, node: ast.ImportFrom) -> Iterator[Finding]:
    origin = absolute_import(node, context.module.file)
    for alias in node.names:
        if context.project.canonical(f"{origin}.{alias.name}") != GET_CONNECTION:
            continue
        scope = context.names.scope_of[node]
        if not any(context.names.uses(alias.asname or alias.name, scope)):
            replacement = "nothing in this module uses it: remove the import"
            yield context.finding(alias, CODE, DEPRECATED, replacement)
