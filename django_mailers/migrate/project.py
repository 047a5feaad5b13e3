"""All audited files together: what one needs to know to judge another."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .django_api import ALIASES, CLASSES, GET_CONNECTION
from .files import SourceFile
from .names import Meaning, Names, absolute_import


@dataclass(frozen=True)
class Place:
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(eq=False)
class Module:
    file: SourceFile
    names: Names
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)


class Project:
    """The files of an audit. `settings_module` is the dotted name of the settings, if known."""

    def __init__(self, modules: Iterable[Module], settings_module: str | None = None) -> None:
        self.modules = list(modules)
        self.by_name = {module.file.module: module for module in self.modules}
        # Who imports get_connection from a module that only imported it, and who puts a double in
        # its place; by its dotted name there, such as "shop.mail.get_connection".
        self.imported: dict[str, Place] = {}
        self.replaced: dict[str, Place] = {}
        for module in self.modules:
            for node in module.file.tree.body:
                if isinstance(node, ast.ClassDef):
                    module.classes[node.name] = node
        for module in self.modules:
            self._note_reliance(module)
        self.settings = self.by_name.get(settings_module or "")
        self.settings_family = self._family()

    def meaning(self, module: Module, node: ast.expr) -> Meaning | None:
        """Return what `node` refers to, by its canonical name."""
        found = module.names.meaning(node)
        if found is None:
            return None
        return Meaning(self.canonical(found.path), found.scope, found.bindings, found.doubt)

    def canonical(self, path: str) -> str:
        """Follow the imports of the project's own modules, and Django's names for one thing."""
        seen: set[str] = set()
        while path not in seen:
            seen.add(path)
            owner, _, name = path.rpartition(".")
            module = self.by_name.get(owner)
            bindings = module.names.module.bindings.get(name, []) if module else []
            if len(bindings) == 1 and bindings[0].imported is not None:
                path = bindings[0].imported
        return ALIASES.get(path, path)

    def ancestor(self, path: str) -> str | None:
        """Return the class of Django's mail API that the class `path` is or derives from."""
        return self._ancestor(self.canonical(path), set())

    def _ancestor(self, path: str, seen: set[str]) -> str | None:
        if path in CLASSES:
            return path
        found = self.find_class(path)
        if found is None or path in seen:
            return None
        module, node = found
        for base in node.bases:
            meaning = self.base_of(module, base)
            ancestor = self._ancestor(meaning, {*seen, path}) if meaning else None
            if ancestor is not None:
                return ancestor
        return None

    def base_of(self, module: Module, base: ast.expr) -> str | None:
        """Return the dotted name of a base class: imported, or defined in the same module."""
        meaning = self.meaning(module, base)
        if meaning is not None:
            return meaning.path
        if isinstance(base, ast.Name) and base.id in module.classes:
            return f"{module.file.module}.{base.id}"
        return None

    def find_class(self, path: str) -> tuple[Module, ast.ClassDef] | None:
        owner, _, name = path.rpartition(".")
        module = self.by_name.get(owner)
        node = module.classes.get(name) if module else None
        return (module, node) if module is not None and node is not None else None

    def overrides(self, path: str, method: str) -> bool:
        """Whether the project's class `path`, or one it derives from, defines `method`."""
        found = self.find_class(self.canonical(path))
        if found is None:
            return False
        module, node = found
        if defines(node, method):
            return True
        bases = [self.base_of(module, base) for base in node.bases]
        return any(self.overrides(base, method) for base in bases if base and base != path)

    def _note_reliance(self, module: Module) -> None:
        name = GET_CONNECTION.rpartition(".")[2]
        if name not in module.file.text:
            return
        for node in ast.walk(module.file.tree):
            place = Place(module.file.path, getattr(node, "lineno", 0))
            meaning = None
            if isinstance(node, ast.ImportFrom):
                origin = absolute_import(node, module.file)
                if any(alias.name == name for alias in node.names):
                    self.imported.setdefault(f"{origin}.{name}", place)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                # As in patch("shop.mail.get_connection").
                owner, _, last = node.value.rpartition(".")
                if last == name and owner.replace(".", "").isidentifier():
                    self.replaced.setdefault(node.value, place)
            elif isinstance(node, ast.Call) and len(node.args) > 1:
                # As in patch.object(mail, "get_connection").
                attribute = node.args[1]
                if isinstance(attribute, ast.Constant) and attribute.value == name:
                    meaning = module.names.meaning(node.args[0])
                if meaning is not None:
                    self.replaced.setdefault(f"{meaning.path}.{name}", place)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                meaning = module.names.meaning(node) if node.attr == name else None
                if meaning is not None:
                    self.replaced.setdefault(meaning.path, place)

    def _family(self) -> list[Module]:
        """Return the settings module, what it imports * from, and what imports * from those."""
        if self.settings is None:
            return []
        stars = {
            module.file.module: {
                origin for _, origin in module.names.stars if origin in self.by_name
            }
            for module in self.modules
        }
        family = {self.settings.file.module}
        size = 0
        while size != len(family):
            size = len(family)
            for name, origins in stars.items():
                if name in family:
                    family |= origins
                elif origins & family:
                    family.add(name)
        return [module for module in self.modules if module.file.module in family]


def defines(node: ast.ClassDef, name: str) -> bool:
    """Whether the body of the class binds `name`, as a method or otherwise."""
    return any(name in bound_names(statement) for statement in node.body)


def bound_names(statement: ast.stmt) -> list[str]:
    """Return the names that a statement in the body of a class gives the class."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []
