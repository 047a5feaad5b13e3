"""A backend of the project that was written before MAILERS.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-email-backends
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..context import Context
from ..django_api import BACKENDS, BARE_BACKENDS
from ..findings import Finding
from ..project import defines

CODE = "backend-options"


def findings(context: Context) -> Iterator[Finding]:
    for node in context.module.classes.values():
        path = f"{context.module.file.module}.{node.name}"
        if context.project.ancestor(path) in BACKENDS:
            yield from _backend(context, node)


def _backend(context: Context, node: ast.ClassDef) -> Iterator[Finding]:
    is_bare = any(
        context.project.base_of(context.module, base) in BARE_BACKENDS for base in node.bases
    )
    init = next(
        (
            statement
            for statement in node.body
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__"
        ),
        None,
    )
    if init is not None:
        if not _takes_alias(init.args):
            yield context.finding(
                init,
                CODE,
                f"{node.name} does not take 'alias', which every backend in MAILERS is passed",
                "take **kwargs and pass them to super().__init__()",
            )
        if is_bare:
            yield from _passes_fail_silently(context, node, init)
    if is_bare:
        yield from _reads_fail_silently(context, node)


def _takes_alias(arguments: ast.arguments) -> bool:
    named = {arg.arg for arg in (*arguments.args, *arguments.kwonlyargs)}
    return arguments.kwarg is not None or "alias" in named


def _passes_fail_silently(
    context: Context, node: ast.ClassDef, init: ast.FunctionDef
) -> Iterator[Finding]:
    for call in ast.walk(init):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr != "__init__":
            continue
        unbound = not isinstance(call.func.value, ast.Call)
        positional = [arg for arg in call.args[unbound:] if not isinstance(arg, ast.Starred)]
        if positional or any(keyword.arg == "fail_silently" for keyword in call.keywords):
            yield context.finding(
                call,
                CODE,
                f"{node.name} passes 'fail_silently' to BaseEmailBackend, which does not accept it "
                "in MAILERS",
                "keep it in an attribute of its own and pass only **kwargs",
            )


def _reads_fail_silently(context: Context, node: ast.ClassDef) -> Iterator[Finding]:
    uses = [
        use
        for use in ast.walk(node)
        if isinstance(use, ast.Attribute)
        and use.attr == "fail_silently"
        and isinstance(use.value, ast.Name)
        and use.value.id == "self"
    ]
    keeps = defines(node, "fail_silently") or any(isinstance(use.ctx, ast.Store) for use in uses)
    if uses and not keeps:
        yield context.finding(
            min(uses, key=lambda use: (use.lineno, use.col_offset)),
            CODE,
            f"{node.name} reads BaseEmailBackend.fail_silently, which is deprecated",
            "take the option and keep it in an attribute of its own",
        )
