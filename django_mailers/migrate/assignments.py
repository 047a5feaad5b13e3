"""The assignments in the settings files, and which of them may be in force."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path

from django_mailers.emailsettings import DEFAULTS

from . import files, modules, sources
from .bindings import bound, hints, source_of, statements
from .namespaces import Namespaces, Write
from .project import Place
from .scopes import absolute_import


@dataclass(frozen=True)
class Assignment:
    """`name = value` in a settings file; `value` is None if the name is bound in another way.

    `source` is the source of the value, or of an import; `order` counts all assignments;
    `conditional` is whether it may not run.
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
        """Whether the value reads no name, so that it is the same everywhere."""
        return self.value is not None and not any(
            isinstance(node, ast.Name) for node in ast.walk(self.value)
        )


@dataclass
class Assignments:
    """The assignments of a settings file and of all files that it takes settings from.

    `assigned[name]` are the assignments that may be in force: an unconditional one replaces those
    before it. `ever` has the settings that MAILERS replaces and that any assignment names, in force
    or not. `unseen` are statements that may define settings which the source does not name.
    """

    assigned: dict[str, list[Assignment]] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)
    unseen: list[Assignment] = field(default_factory=list)
    _hints: dict[str, dict[Place, bool]] = field(default_factory=dict)
    _files: dict[Path, sources.SourceFile | None] = field(default_factory=dict)
    _hinted: set[Path] = field(default_factory=set)
    _count: int = 0

    @classmethod
    def of(
        cls, path: Path, module: str, others: Iterable[Path] = (), *, copied: bool = False
    ) -> Assignments:
        """Read the settings at `path`, which is imported as `module`.

        Arguments: `others`, the files of modules that it imports; `copied`, whether attributes of
        classes become settings, as with django-configurations.
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

    def _file(self, path: Path, module: str | None = None) -> sources.SourceFile | None:
        if path not in self._files:
            try:
                file = sources.read(path)
            except sources.Unreadable:
                self._files[path] = None
            else:
                self._files[path] = replace(file, module=module) if module else file
        return self._files[path]

    def _read(self, file: sources.SourceFile, conditional: bool, stack: tuple[Path, ...]) -> None:
        """Note the assignments in `file`, in their order."""
        if file.path in stack:
            return
        stack = (*stack, file.path)
        spaces = Namespaces(file.tree)
        for statement, perhaps in statements(file.tree.body, conditional):
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                self._star(file, statement, perhaps, stack)
                continue
            for name, value, source in bound(file, statement):
                self._note(file, statement, name, value, source, perhaps)
            if isinstance(statement, ast.Delete):
                self._forget(statement, perhaps)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._hint_imports(file, statement)
            for write in spaces.writes(statement):
                self._write(file, write, perhaps, stack)
        self._hint_tree(file)
        if re.search(r"\bexec\b|import_module|__import__|run_path|run_module", file.text):
            # At run time it may choose one of the files next to it.
            for sibling in sorted(file.path.parent.glob("*.py")):
                self._hint_file(sibling, deep=file.is_package)

    def _write(
        self, file: sources.SourceFile, write: Write, perhaps: bool, stack: tuple[Path, ...]
    ) -> None:
        conditional = perhaps or write.conditional
        if write.name is not None:
            text = source_of(file, write.value) if write.value is not None else ""
            self._note(file, write.node, write.name, write.value, text, conditional)
            return
        found = [path for pattern in write.files for path in self._matching(file, pattern)]
        for path in found:
            included = self._file(path)
            if included is not None:
                self._read(included, conditional, stack)
        if not found and not write.optional:
            self._unsee(file, write.node)

    def _unsee(self, file: sources.SourceFile, node: ast.AST) -> None:
        self._count += 1
        self.unseen.append(Assignment(_place(file, node), None, "", self._count, conditional=True))

    def _star(
        self,
        file: sources.SourceFile,
        statement: ast.ImportFrom,
        conditional: bool,
        stack: tuple[Path, ...],
    ) -> None:
        name = absolute_import(statement, file)
        path = modules.locate(name) if name else None
        if path is None:
            return  # it does not run, as the import would fail
        other = self._file(path, name)
        if other is not None:
            self._read(other, conditional, stack)
        else:
            self._unsee(file, statement)

    def _matching(self, file: sources.SourceFile, pattern: str) -> list[Path]:
        """Return the files that match a pattern, relative to `file` or to the current folder."""
        for folder in (file.path.parent, Path.cwd()):
            found = [Path(path) for path in sorted(glob(str(folder / pattern)))]
            if found:
                return [path for path in found if path.is_file()]
        return []

    # Assignments.

    def _note(
        self,
        file: sources.SourceFile,
        node: ast.AST,
        name: str,
        value: ast.expr | None,
        source: str,
        conditional: bool,
    ) -> None:
        order = self._count = self._count + 1
        assignment = Assignment(_place(file, node), value, source, order, conditional)
        # Imports are all kept, to find out whether they are the same.
        adds = conditional or assignment.is_import or isinstance(node, ast.AugAssign)
        before = self.assigned.get(name, []) if adds else []
        self.assigned[name] = [*before, assignment]
        if name in DEFAULTS:
            self.ever.add(name)

    def _forget(self, statement: ast.Delete, conditional: bool) -> None:
        for target in statement.targets:
            if isinstance(target, ast.Name) and not conditional:
                self.assigned.pop(target.id, None)

    # Names that are bound elsewhere, and may become settings in ways that are not seen.

    def _hint_imports(
        self, file: sources.SourceFile, statement: ast.Import | ast.ImportFrom
    ) -> None:
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            origin = absolute_import(statement, file)
            names = [origin] if origin else []
            names += [f"{origin}.{alias.name}" for alias in statement.names]
        for name in names:
            path = modules.locate(name)
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
        self, file: sources.SourceFile, *, attributes: bool = False, deep: bool = True
    ) -> None:
        """Note the names in `file` of settings that MAILERS replaces.

        Arguments: `attributes`, whether names that the module itself binds count; `deep`, whether
        any other names do.
        """
        if "EMAIL_" not in file.text:
            return
        for name, node, counts in hints(file, attributes):
            if name in DEFAULTS and (counts or deep):
                places = self._hints.setdefault(name, {})
                place = _place(file, node)
                places[place] = places.get(place, False) or counts

    def _conclude(self, copied: bool) -> None:
        """Add the hints to the assignments if nothing better is known, or if they may count."""
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


def _place(file: sources.SourceFile, node: ast.AST) -> Place:
    return Place(file.path, getattr(node, "lineno", 1))
