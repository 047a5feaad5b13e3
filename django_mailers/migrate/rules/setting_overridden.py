"""A setting that MAILERS replaces and that a test overrides.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-settings
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..context import Context
from ..django_api import SETTINGS
from ..findings import Finding
from ..project import Module
from ..settings import REPLACED, attributes, named, overriding

CODE = "setting-overridden"


def findings(context: Context) -> Iterator[Finding]:
    for module, node, name in _overridden(context):
        yield Finding.at(
            module.file,
            node,
            CODE,
            f"overriding {name} has no effect once MAILERS is defined",
            "override MAILERS",
        )


def _overridden(context: Context) -> Iterator[tuple[Module, ast.AST, str]]:
    for call in overriding(context):
        for keyword in call.keywords:
            if keyword.arg in REPLACED:
                yield context.module, keyword, keyword.arg
            elif keyword.arg is None:
                yield from _unpacked(context, keyword.value)
    for attribute in attributes(context):
        if not isinstance(attribute.ctx, ast.Load):
            yield context.module, attribute, attribute.attr
    for function, module, node, name in named(context):
        if function in {"setattr", "delattr", "object"}:
            yield module, node, name
    for call in context.names.nodes(ast.Call):
        yield from _patched(context, call)


def _unpacked(context: Context, mapping: ast.expr) -> Iterator[tuple[Module, ast.AST, str]]:
    """`override_settings(**{"EMAIL_HOST": ...})`, and with a name for the dictionary."""
    for module, node in context.flow.mappings(context.module, mapping):
        for key in node.keys:
            if isinstance(key, ast.Constant) and key.value in REPLACED:
                yield module, key, str(key.value)


def _patched(context: Context, call: ast.Call) -> Iterator[tuple[Module, ast.AST, str]]:
    """`patch("django.conf.settings.EMAIL_HOST", ...)`."""
    if not call.args or ast.unparse(call.func).rpartition(".")[2] not in {"patch", "setattr"}:
        return
    path = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
    owner, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    if name in REPLACED and (owner == SETTINGS or owner in context.project.settings_names):
        yield context.module, call, name
