"""Names of django.core.mail that are deprecated or were removed.

https://docs.djangoproject.com/en/6.0/releases/6.0/
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..context import Context
from ..django_api import NAMES, REMOVED_NAMES
from ..findings import Finding
from ..scopes import absolute_import

CODE = "deprecated-name"


def findings(context: Context) -> Iterator[Finding]:
    for node, path in _names(context):
        if path in NAMES:
            what = "was removed" if path in REMOVED_NAMES else "is deprecated"
            problem = f"{path.rpartition('.')[2]} {what}"
            yield context.finding(node, CODE, problem, NAMES[path])


def _names(context: Context) -> Iterator[tuple[ast.AST, str]]:
    """Yield what the module imports, or reads from another module, with its canonical name."""
    for statement in context.names.nodes(ast.ImportFrom):
        origin = absolute_import(statement, context.module.file)
        for alias in statement.names:
            yield alias, context.project.canonical(f"{origin}.{alias.name}")
    for attribute in context.names.nodes(ast.Attribute):
        meaning = context.meaning(attribute)
        if meaning is not None:
            yield attribute, meaning.path
