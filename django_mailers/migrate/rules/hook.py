"""Methods and attributes that Django no longer uses, or that may not be overridden.

https://docs.djangoproject.com/en/6.1/releases/6.1/
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..context import Context
from ..django_api import ADMIN_HANDLER, ALTERNATIVES, MESSAGES
from ..findings import Finding
from ..project import bound_names

CODE = "hook"
INSTEAD = "change what message() returns instead"
# Of messages: the attributes that subclasses and instances may not set.
SUBTYPES = ("mixed_subtype", "alternative_subtype")
# Of messages: the methods that Django no longer calls.
UNUSED = {
    *("_create_alternatives", "_create_attachment", "_create_attachments", "_create_message"),
    "_create_mime_attachment",
}
# What a class that derives from one of these may not override, and what to do instead.
HOOKS = (
    ({ADMIN_HANDLER}, "connection", "override send_mail(), or pass using="),
    (MESSAGES, "get_connection", "pass using= to send()"),
    (MESSAGES, "mixed_subtype", INSTEAD),
    ({ALTERNATIVES}, "alternative_subtype", INSTEAD),
)


def findings(context: Context) -> Iterator[Finding]:
    for node in context.module.classes.values():
        ancestor = context.project.ancestor(f"{context.module.file.module}.{node.name}")
        if ancestor is not None:
            yield from _overridden(context, node, ancestor)
    for attribute in context.names.nodes(ast.Attribute):
        if attribute.attr in {*UNUSED, *SUBTYPES}:
            yield from _of_message(context, attribute)
        elif attribute.attr == "connection" and _is_handler(context, attribute.value):
            problem = "AdminEmailHandler.connection() was removed in Django 6.1"
            yield context.finding(attribute, CODE, problem, "call mail_admins() with using=")


def _overridden(context: Context, node: ast.ClassDef, ancestor: str) -> Iterator[Finding]:
    for owners, name, replacement in HOOKS:
        statements = [statement for statement in node.body if name in bound_names(statement)]
        if ancestor in owners and statements:
            yield _refused(context, statements[0], f"{node.name}.{name}", replacement)
    if ancestor in MESSAGES:
        for statement in node.body:
            for name in UNUSED.intersection(bound_names(statement)):
                yield _unused(context, statement, name)


def _of_message(context: Context, node: ast.Attribute) -> Iterator[Finding]:
    """Attributes of a message that code should not read, or not set."""
    if context.types.of(node.value) is None:
        return
    if node.attr in UNUSED:
        yield _unused(context, node, node.attr)
    elif isinstance(node.ctx, ast.Store):
        yield _refused(context, node, f"EmailMessage.{node.attr}", INSTEAD)


def _refused(context: Context, node: ast.AST, name: str, replacement: str) -> Finding:
    problem = f"{name} makes Django 6.1 raise AttributeError"
    return context.finding(node, CODE, problem, replacement)


def _unused(context: Context, node: ast.AST, name: str) -> Finding:
    problem = f"EmailMessage.{name}() was removed in Django 6.0"
    return context.finding(node, CODE, problem, INSTEAD)


# Which expressions are an AdminEmailHandler?


def _is_handler(context: Context, node: ast.expr) -> bool:
    """Whether `node` makes an AdminEmailHandler, is a name for one, or is `self` in the class."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            scope = context.names.scope_of[node]
            while scope.parent is not None and not scope.is_class:
                scope = scope.parent
            return isinstance(scope.node, ast.ClassDef) and _is_handler_class(context, scope.node)
        path = context.project.base_of(context.module, node.func)
        return path is not None and context.project.ancestor(path) == ADMIN_HANDLER
    bindings = context.names.bindings(node) if isinstance(node, ast.Name) else []
    return any(
        (binding.instance_of is not None and _is_handler_class(context, binding.instance_of))
        or (isinstance(binding.value, ast.Call) and _is_handler(context, binding.value))
        for binding in bindings
    )


def _is_handler_class(context: Context, node: ast.ClassDef) -> bool:
    is_known = context.module.classes.get(node.name) is node
    path = f"{context.module.file.module}.{node.name}"
    return is_known and context.project.ancestor(path) == ADMIN_HANDLER
