"""A setting that MAILERS replaces and that code reads.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-third-party
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from django_mailers.emailsettings import OPTIONS

from ..context import Context
from ..findings import Finding
from ..scopes import absolute_import
from ..settings import REPLACED, attributes, is_settings_file, named

CODE = "setting-read"


def findings(context: Context) -> Iterator[Finding]:
    for node, name in _names(context):
        yield context.finding(node, CODE, *_texts(name))
    for function, module, node, name in named(context):
        if function in {"getattr", "hasattr"}:
            yield Finding.at(module.file, node, CODE, *_texts(name))


def _names(context: Context) -> Iterator[tuple[ast.AST, str]]:
    if is_settings_file(context):
        for node in context.names.nodes(ast.Name):
            if node.id not in REPLACED or not isinstance(node.ctx, ast.Load):
                continue
            # Bound here, or by an import of *.
            if context.names.scope_of[node].lookup(node.id) in {None, context.names.module}:
                yield node, node.id
    for statement in context.names.nodes(ast.ImportFrom):
        yield from _imported(context, statement)
    for attribute in attributes(context):
        if isinstance(attribute.ctx, ast.Load):
            yield attribute, attribute.attr


def _imported(context: Context, node: ast.ImportFrom) -> Iterator[tuple[ast.AST, str]]:
    """`from shop.settings import EMAIL_HOST`, unless that makes it a setting of this module."""
    if absolute_import(node, context.module.file) not in context.project.settings_names:
        return
    defines = is_settings_file(context)
    for alias in node.names:
        name = alias.asname or alias.name
        if alias.name in REPLACED and not (defines and name in REPLACED):
            yield alias, alias.name


def _texts(name: str) -> tuple[str, str]:
    if name == "EMAIL_BACKEND":
        replacement = "use settings.MAILERS['default']['BACKEND']"
    elif name == "EMAIL_HOST_USER":
        replacement = (
            "use DEFAULT_FROM_EMAIL if it is a sender, mailers.default.username if it is the login"
        )
    else:
        replacement = f"use mailers.default.{OPTIONS[name]}"
    return f"{name} does not exist once MAILERS is defined", replacement
