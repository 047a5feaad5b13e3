"""Where a settings file says what a setting is, and whether it may be said again in MAILERS."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from . import files
from .django_api import DEFAULTS
from .names import absolute_import
from .project import Place

# What a string in an expression may be the key of: nobody's password, only its name.
READERS = {
    "env",
    "config",
    "get",
    "getenv",
    "get_env",
    "get_secret",
    "get_setting",
    "secret",
    "str",
}


@dataclass(frozen=True)
class Assignment:
    """`name = value` at the top of a settings file; `value` is None if it is bound otherwise.

    `source` is that of the value, or of an import; `order` counts all assignments.
    """

    place: Place
    value: ast.expr | None
    source: str
    order: int
    conditional: bool = False

    @property
    def is_import(self) -> bool:
        return self.value is None and bool(self.source)

    @property
    def is_constant(self) -> bool:
        """Whether no name is read, so that the value is the same wherever the file is used."""
        return self.value is not None and not any(
            isinstance(node, ast.Name) for node in ast.walk(self.value)
        )


@dataclass
class SettingsSource:
    """What the settings module assigns, with the files that it imports `*` from.

    `assigned[name]` are the assignments that may be in force: an unconditional one makes those
    before it void.
    """

    module: ModuleType
    assigned: dict[str, list[Assignment]] = field(default_factory=dict)
    _count: int = 0

    @classmethod
    def of(cls, module: ModuleType | None) -> SettingsSource | None:
        """Return the source of the settings `module`, None if there is no source."""
        path = getattr(module, "__file__", None)
        if module is None or path is None:
            return None
        source = cls(module)
        source._read(Path(path), set())
        return source

    @property
    def path(self) -> Path:
        return Path(str(self.module.__file__))

    def places(self, name: str) -> list[Place]:
        return [assignment.place for assignment in self.assigned.get(name, ())]

    def assignment(self, name: str) -> Assignment | None:
        """Return the one assignment that `name` has got its value from, if that is certain."""
        found = self.assigned.get(name, [])
        if len(found) != 1 or found[0].conditional or found[0].value is None:
            return None
        return found[0]

    def expression(self, name: str) -> str | None:
        """Return the expression that `name` is assigned, if it means the same in MAILERS.

        None for a mere literal, and where something that it reads may have changed since.
        """
        assignment = self.assignment(name)
        if assignment is None or assignment.value is None or assignment.is_constant:
            return None
        return assignment.source if self._is_stable(assignment.value, assignment.order) else None

    def _is_stable(self, value: ast.expr, order: int) -> bool:
        """Whether every name in `value` still means what it meant at the assignment `order`."""
        names = [node for node in ast.walk(value) if isinstance(node, ast.Name)]
        inner = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        inner |= {node.arg for node in ast.walk(value) if isinstance(node, ast.arg)}
        for name in {node.id for node in names} - inner:
            if name in DEFAULTS:
                return False  # it is to be deleted
            found = self.assigned.get(name, [])
            if not found:
                if name in vars(self.module) or not hasattr(builtins, name):
                    return False
            elif name not in vars(self.module) or any(other.conditional for other in found):
                return False
            elif any(other.is_import for other in found):
                # The same thing may be imported in several files.
                if len({other.source for other in found}) != 1:
                    return False
            elif len(found) != 1 or found[0].order > order:
                return False
        return True

    def _read(self, path: Path, seen: set[Path]) -> None:
        if path in seen:
            return
        seen.add(path)
        try:
            file = files.read(path)
        except files.Unreadable:
            return
        for statement, conditional in _statements(file.tree.body, False):
            self._statement(file, statement, conditional, seen)

    def _statement(
        self, file: files.SourceFile, statement: ast.stmt, conditional: bool, seen: set[Path]
    ) -> None:
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            spec = find_spec(absolute_import(statement, file) or file.module)
            if spec is not None and spec.origin is not None:
                self._read(Path(spec.origin), seen)
            return
        for name, value, source in _bound(file, statement):
            order = self._count = self._count + 1
            assignment = Assignment(
                Place(file.path, statement.lineno), value, source, order, conditional
            )
            # An import keeps company: it matters only whether all of them are the same.
            adds = conditional or assignment.is_import or isinstance(statement, ast.AugAssign)
            before = self.assigned.get(name, []) if adds else []
            self.assigned[name] = [*before, assignment]


def _statements(body: list[ast.stmt], conditional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements that run when the module is imported, and whether only perhaps."""
    for statement in body:
        if isinstance(statement, ast.With):
            yield from _statements(statement.body, conditional)
        elif isinstance(statement, ast.If | ast.Try | ast.For | ast.While):
            for name in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, name, []), True)
            for handler in getattr(statement, "handlers", ()):
                yield from _statements(handler.body, True)
        else:
            yield statement, conditional


def _bound(
    file: files.SourceFile, statement: ast.stmt
) -> Iterator[tuple[str, ast.expr | None, str]]:
    """Yield the names that `statement` binds, each with the expression that is all of its value,
    if there is one, and the source of that or of the import."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value, _source(file, statement.value)
            else:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id, None, ""
    elif isinstance(statement, ast.AnnAssign):
        if isinstance(statement.target, ast.Name) and statement.value is not None:
            yield statement.target.id, statement.value, _source(file, statement.value)
    elif isinstance(statement, ast.AugAssign):
        if isinstance(statement.target, ast.Name):
            yield statement.target.id, None, ""
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((name, None, source) for name, source in _imported(file, statement))
    elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name, None, f"{file.path}:{statement.lineno}"


def _imported(
    file: files.SourceFile, statement: ast.Import | ast.ImportFrom
) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, each with a text that tells what it imports."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            name = alias.asname or alias.name.partition(".")[0]
            yield name, f"import {alias.name if alias.asname else name}"
    else:
        origin = absolute_import(statement, file)
        for alias in statement.names:
            yield alias.asname or alias.name, f"from {origin} import {alias.name}"


def _source(file: files.SourceFile, value: ast.expr) -> str:
    """Return the source of `value` as it is written, or on one line if it takes several."""
    segment = ast.get_source_segment(file.text, value) or ""
    return (
        segment if segment and "\n" not in segment and "\r" not in segment else ast.unparse(value)
    )


def may_hold_secret(value: ast.expr, secret: str) -> bool:
    """Whether the expression `value` may have a password in it, rather than where to find one.

    A string is harmless as the key of a subscript or as the first argument of a function that
    reads the environment or a secret, as long as it is not the password itself.
    """
    keys: set[ast.expr] = set()
    for node in ast.walk(value):
        if isinstance(node, ast.Subscript):
            keys.add(node.slice)
        elif isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func).rpartition(".")[2]
            if function in READERS:
                keys.add(node.args[0])
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and bool(node.value)
        and (node not in keys or node.value == secret)
        for node in ast.walk(value)
    )
