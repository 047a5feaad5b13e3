"""Which names the statements of a settings file bind, or may make settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .scopes import FUNCTIONS, absolute_import
from .sources import SourceFile


def statements(body: list[ast.stmt], conditional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements that run on import, each with whether it may not run."""
    for statement in body:
        yield statement, conditional
        if isinstance(statement, ast.With | ast.AsyncWith):
            # Such as `with suppress(ImportError)`.
            swallows = any("suppress" in ast.unparse(item) for item in statement.items)
            yield from statements(statement.body, conditional or swallows)
        elif not isinstance(statement, (ast.ClassDef, *FUNCTIONS)):
            for name in ("body", "orelse", "finalbody"):
                yield from statements(getattr(statement, name, []), True)
            for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from statements(part.body, True)


def bound(file: SourceFile, statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, str]]:
    """Yield the names that `statement` binds.

    Each comes with the expression for its whole value, if there is one, and with the source of that
    expression or of the import.
    """
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value, source_of(file, statement.value)
            else:
                yield from ((name, None, "") for name in _stored(target))
        yield from ((name, None, "") for name in _stored(statement.value))
    elif isinstance(statement, ast.AnnAssign):
        if isinstance(statement.target, ast.Name) and statement.value is not None:
            yield statement.target.id, statement.value, source_of(file, statement.value)
    elif isinstance(statement, ast.AugAssign):
        if isinstance(statement.target, ast.Name):
            yield statement.target.id, None, ""
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((name, None, source) for name, source in _imported(file, statement))
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name, None, f"{file.path}:{statement.lineno}"
    else:
        for part in _head(statement):
            yield from ((name, None, "") for name in _stored(part))


def _head(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the parts of a statement that are not statements."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.ExceptHandler):
            yield from (node for node in (child.type,) if node is not None)
        elif isinstance(child, ast.match_case):
            yield child.pattern
        elif not isinstance(child, ast.stmt):
            yield child


def _stored(node: ast.AST) -> Iterator[str]:
    """Yield the names that an expression, a target or a pattern binds."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.Lambda):
        return
    elif isinstance(node, ast.comprehension):
        for part in (node.iter, *node.ifs):
            yield from _stored(part)
        return
    for child in ast.iter_child_nodes(node):
        yield from _stored(child)


def _imported(
    file: SourceFile, statement: ast.Import | ast.ImportFrom
) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, each with the source of the import alone."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            name = alias.asname or alias.name.partition(".")[0]
            yield name, f"import {alias.name if alias.asname else name}"
    else:
        origin = absolute_import(statement, file)
        for alias in statement.names:
            yield alias.asname or alias.name, f"from {origin} import {alias.name}"


def hints(file: SourceFile, attributes: bool) -> Iterator[tuple[str, ast.AST, bool]]:
    """Yield names in `file` that may be settings, each with its node.

    The last item is whether it counts if nothing else assigns the setting. Keys of dictionaries do
    not.
    """
    bodies = [file.tree.body] if attributes else []
    bodies += [node.body for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef)]
    for body in bodies:
        for statement, _ in statements(body, True):
            for name, _, _ in bound(file, statement):
                yield name, statement, True
    for node in ast.walk(file.tree):
        for name, part, counts in _names_in(node):
            yield name, part, counts


def _names_in(node: ast.AST) -> Iterator[tuple[str, ast.AST, bool]]:
    if isinstance(node, ast.Dict | ast.List | ast.Set | ast.Tuple):
        for key in node.keys if isinstance(node, ast.Dict) else node.elts:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, key, False
    elif isinstance(node, ast.Call) and not re.search(r"Env$", ast.unparse(node.func)):
        # Env(EMAIL_USE_TLS=bool) is a scheme of django-environ.
        for keyword in node.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword, False
        if re.search(r"\b(setdefault|setattr|__setitem__)$", ast.unparse(node.func)):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value, node, False
    elif (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.slice, ast.Constant)
        and "environ" not in ast.unparse(node.value)
    ):
        yield str(node.slice.value), node, True


def source_of(file: SourceFile, value: ast.expr) -> str:
    """Return the source of `value` as it is written, but on one line."""
    segment = ast.get_source_segment(file.text, value) or ""
    return (
        segment if segment and "\n" not in segment and "\r" not in segment else ast.unparse(value)
    )
