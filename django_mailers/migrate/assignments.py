"""Every place where the settings files assign something, and whether it is sure to be in force."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path

from django_mailers.emailsettings import DEFAULTS

from . import files
from .names import FUNCTIONS, absolute_import
from .namespaces import Namespaces, Write
from .project import Place


@dataclass(frozen=True)
class Assignment:
    """`name = value` in a settings file; `value` is None if it is bound otherwise.

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
class Assignments:
    """What the settings file at `path`, which is imported as `module`, and all that it takes
    settings from assign.

    `assigned[name]` are the assignments that may be in force: an unconditional one makes those
    before it void. `ever` has all the settings that MAILERS replaces which are assigned somewhere,
    void or not. `unseen` are statements that may define settings which the source does not name.
    """

    assigned: dict[str, list[Assignment]] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)
    unseen: list[Assignment] = field(default_factory=list)
    _hints: dict[str, dict[Place, bool]] = field(default_factory=dict)
    _files: dict[Path, files.SourceFile | None] = field(default_factory=dict)
    _hinted: set[Path] = field(default_factory=set)
    _count: int = 0

    @classmethod
    def of(
        cls, path: Path, module: str, others: Iterable[Path] = (), *, copied: bool = False
    ) -> Assignments:
        """Read the settings at `path`.

        Arguments: `others`, modules that it holds; `copied`, whether attributes of classes become
        settings, as with django-configurations.
        """
        found = cls()
        file = found._file(path, module)
        if file is not None:
            found._read(file, False, ())
            for other in others:
                found._hint_file(other)
            found._conclude(copied)
        return found

    # Files.

    @property
    def paths(self) -> list[Path]:
        return list(self._files)

    def _file(self, path: Path, module: str | None = None) -> files.SourceFile | None:
        if path not in self._files:
            try:
                file = files.read(path)
            except files.Unreadable:
                self._files[path] = None
            else:
                self._files[path] = replace(file, module=module) if module else file
        return self._files[path]

    def _read(self, file: files.SourceFile, conditional: bool, stack: tuple[Path, ...]) -> None:
        """Take up what `file` assigns, in the order in which it does."""
        if file.path in stack:
            return
        stack = (*stack, file.path)
        spaces = Namespaces(file.tree)
        for statement, perhaps in statements(file.tree.body, conditional):
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                self._star(file, statement, perhaps, stack)
                continue
            for name, value, source in _bound(file, statement):
                self._note(file, statement, name, value, source, perhaps)
            if isinstance(statement, ast.Delete):
                self._forget(statement, perhaps)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._hint_imports(file, statement)
            for write in spaces.writes(statement):
                self._write(file, write, perhaps, stack)
        self._hint_tree(file)
        if re.search(r"\bexec\b|import_module|__import__|run_path|run_module", file.text):
            # One of those beside it may be what is chosen while this runs.
            for sibling in sorted(file.path.parent.glob("*.py")):
                self._hint_file(sibling, deep=file.is_package)

    def _write(
        self, file: files.SourceFile, write: Write, perhaps: bool, stack: tuple[Path, ...]
    ) -> None:
        conditional = perhaps or write.conditional
        if write.name is not None:
            text = _source(file, write.value) if write.value is not None else ""
            self._note(file, write.node, write.name, write.value, text, conditional)
            return
        found = [path for pattern in write.files for path in self._matching(file, pattern)]
        for path in found:
            included = self._file(path)
            if included is not None:
                self._read(included, conditional, stack)
        if not found and not write.optional:
            self._unsee(file, write.node)

    def _unsee(self, file: files.SourceFile, node: ast.AST) -> None:
        self._count += 1
        self.unseen.append(Assignment(_place(file, node), None, "", self._count, conditional=True))

    def _star(
        self,
        file: files.SourceFile,
        statement: ast.ImportFrom,
        conditional: bool,
        stack: tuple[Path, ...],
    ) -> None:
        name = absolute_import(statement, file)
        path = files.locate(name) if name else None
        if path is None:
            return  # it is not there, or the settings could not have been imported
        other = self._file(path, name)
        if other is not None:
            self._read(other, conditional, stack)
        else:
            self._unsee(file, statement)

    def _matching(self, file: files.SourceFile, pattern: str) -> list[Path]:
        """Return the files that a pattern means, which is relative to `file` or to here."""
        for folder in (file.path.parent, Path.cwd()):
            found = [Path(path) for path in sorted(glob(str(folder / pattern)))]
            if found:
                return [path for path in found if path.is_file()]
        return []

    # Assignments.

    def _note(
        self,
        file: files.SourceFile,
        node: ast.AST,
        name: str,
        value: ast.expr | None,
        source: str,
        conditional: bool,
    ) -> None:
        order = self._count = self._count + 1
        assignment = Assignment(_place(file, node), value, source, order, conditional)
        # An import keeps company: it matters only whether all of them are the same.
        adds = conditional or assignment.is_import or isinstance(node, ast.AugAssign)
        before = self.assigned.get(name, []) if adds else []
        self.assigned[name] = [*before, assignment]
        if name in DEFAULTS:
            self.ever.add(name)

    def _forget(self, statement: ast.Delete, conditional: bool) -> None:
        for target in statement.targets:
            if isinstance(target, ast.Name) and not conditional:
                self.assigned.pop(target.id, None)

    # What is assigned elsewhere, and may become a setting in a way that is not seen.

    def _hint_imports(self, file: files.SourceFile, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            origin = absolute_import(statement, file)
            names = [origin] if origin else []
            names += [f"{origin}.{alias.name}" for alias in statement.names]
        for name in names:
            path = files.locate(name)
            if path is not None:
                self._hint_file(path)

    def _hint_file(self, path: Path, *, deep: bool = True) -> None:
        if path in self._hinted or path in self._files or files.is_installed(path):
            return
        self._hinted.add(path)
        file = self._file(path)
        if file is not None:
            self._hint_tree(file, attributes=True, deep=deep)
            for statement, _ in statements(file.tree.body, True) if deep else ():
                if isinstance(statement, ast.ImportFrom) and path.parent in self._folders():
                    self._hint_imports(file, statement)

    def _folders(self) -> set[Path]:
        return {path.parent for path in self._files}

    def _hint_tree(
        self, file: files.SourceFile, *, attributes: bool = False, deep: bool = True
    ) -> None:
        """Note what is named in `file` like a setting that MAILERS replaces.

        `attributes`: whether the names that the module itself binds are meant as well; `deep`:
        whether more is meant than they are.
        """
        if "EMAIL_" not in file.text:
            return
        for name, node, counts in _hints(file, attributes):
            if name in DEFAULTS and (counts or deep):
                places = self._hints.setdefault(name, {})
                place = _place(file, node)
                places[place] = places.get(place, False) or counts

    def _conclude(self, copied: bool) -> None:
        """Let hints count where nothing better is known, or where they may be what is meant."""
        for name, places in self._hints.items():
            for place, counts in places.items():
                entries = self.assigned.get(name, [])
                known = {entry.place for entry in entries}
                imported = any(entry.is_import for entry in entries)
                wanted = bool(self.unseen) or (counts and (copied or imported))
                if place not in known and (wanted or (counts and name not in self.ever)):
                    order = self._count + 1
                    entry = Assignment(place, None, "", order, conditional=True)
                    self.assigned.setdefault(name, []).append(entry)
        self.ever |= {name for name in self._hints if name in self.assigned}
        for entry in self.unseen:
            for name in self.ever:
                others = self.assigned.setdefault(name, [])
                if all(other.order < entry.order or other.conditional for other in others):
                    others.append(entry)


def statements(body: list[ast.stmt], conditional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements that run when the module is imported, and whether only perhaps."""
    for statement in body:
        yield statement, conditional
        if isinstance(statement, ast.With | ast.AsyncWith):
            # As in `with suppress(ImportError)`.
            swallows = any("suppress" in ast.unparse(item) for item in statement.items)
            yield from statements(statement.body, conditional or swallows)
        elif not isinstance(statement, (ast.ClassDef, *FUNCTIONS)):
            for name in ("body", "orelse", "finalbody"):
                yield from statements(getattr(statement, name, []), True)
            for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from statements(part.body, True)


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
                yield from ((name, None, "") for name in _stored(target))
        yield from ((name, None, "") for name in _stored(statement.value))
    elif isinstance(statement, ast.AnnAssign):
        if isinstance(statement.target, ast.Name) and statement.value is not None:
            yield statement.target.id, statement.value, _source(file, statement.value)
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
    """Yield what of a statement is not a statement itself."""
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


def _hints(file: files.SourceFile, attributes: bool) -> Iterator[tuple[str, ast.AST, bool]]:
    """Yield names in `file` that may be those of settings, each with its node and whether it
    counts where nothing else assigns the setting; keys of dictionaries do not."""
    bodies = [file.tree.body] if attributes else []
    bodies += [node.body for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef)]
    for body in bodies:
        for statement, _ in statements(body, True):
            for name, _, _ in _bound(file, statement):
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
        # Env(EMAIL_USE_TLS=bool) is what django-environ calls a scheme.
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


def _place(file: files.SourceFile, node: ast.AST) -> Place:
    return Place(file.path, getattr(node, "lineno", 1))


def _source(file: files.SourceFile, value: ast.expr) -> str:
    """Return the source of `value` as it is written, or on one line if it takes several."""
    segment = ast.get_source_segment(file.text, value) or ""
    return (
        segment if segment and "\n" not in segment and "\r" not in segment else ast.unparse(value)
    )
