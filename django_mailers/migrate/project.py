"""All audited files together, for rules that need more than one of them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .django_api import ALIASES, CLASSES, GET_CONNECTION, SETTINGS
from .names import Meaning, Names
from .scopes import absolute_import
from .sources import SourceFile


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
        # Places that import get_connection from a module which only imported it, and places that
        # replace something in a test, both by the dotted name there, as "shop.mail.get_connection".
        self.imported: dict[str, Place] = {}
        self.replaced: dict[str, Place] = {}
        # The same for names whose module is unknown.
        self.replaced_somewhere: dict[str, Place] = {}
        for module in self.modules:
            for node in module.file.tree.body:
                if isinstance(node, ast.ClassDef):
                    module.classes[node.name] = node
        for module in self.modules:
            self._note_reliance(module)
        self.settings = self.by_name.get(settings_module or "")
        self.settings_family = self._family()
        self.settings_names = {module.file.module for module in self.settings_family}
        if settings_module:
            self.settings_names.add(settings_module)  # whether or not it is audited

    def meaning(self, module: Module, node: ast.expr) -> Meaning | None:
        """Return what `node` refers to, by its canonical name."""
        found = module.names.meaning(node)
        if found is None:
            return None
        return Meaning(self.canonical(found.path), found.scope, found.bindings, found.doubt)

    def canonical(self, path: str) -> str:
        """Follow the imports of the project's own modules, and Django's aliases."""
        seen: set[str] = set()
        while path not in seen:
            seen.add(path)
            owner, _, name = path.rpartition(".")
            module = self.by_name.get(owner)
            bindings = module.names.module.bindings.get(name, []) if module else []
            if len(bindings) == 1 and bindings[0].imported is not None:
                path = bindings[0].imported
        return ALIASES.get(path, path)

    def is_settings(self, module: Module, node: ast.expr) -> bool:
        """Whether `node` refers to django.conf.settings, or to a settings module itself."""
        found = self.meaning(module, node)
        return found is not None and (found.path == SETTINGS or found.path in self.settings_names)

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

    def replacement(self, module: Module, node: ast.expr) -> Place | None:
        """Return where a test replaces the object that `node` reads, or its owner.

        For `mail.send_mail` in shop.news the owner is `shop.news.mail`.
        """
        first, *others = ast.unparse(node).split(".")
        paths = [f"{module.file.module}.{first}"]
        for name in others:
            paths.append(f"{paths[-1]}.{name}")
        direct = module.names.meaning(node)
        if direct is not None and (others or direct.scope is not module.names.module):
            # It is looked up when it is called.
            paths += [direct.path, self.canonical(direct.path)]
        return self._replaced(paths, [first, *others])

    def replaced_method(self, module: Module, cls: Meaning, method: str) -> Place | None:
        """Return where a test replaces `method` of the class `cls`, or the class in `module`."""
        owner, _, name = cls.path.rpartition(".")
        paths = [f"{cls.path}.{method}", f"{owner}.message.{name}.{method}"]
        local = [
            binding.node.asname or binding.node.name.partition(".")[0]
            for binding in cls.bindings
            if isinstance(binding.node, ast.alias)
        ]
        return self._replaced([*paths, *(f"{module.file.module}.{name}" for name in local)], local)

    def _replaced(self, paths: Iterable[str], names: Iterable[str]) -> Place | None:
        found = (self.replaced.get(path) for path in paths)
        somewhere = (self.replaced_somewhere.get(name) for name in names)
        return next(filter(None, (*found, *somewhere)), None)

    def _note_reliance(self, module: Module) -> None:
        """Note what `module` imports from a module that only imported it, and what it replaces."""
        for statement in module.names.nodes(ast.ImportFrom):
            origin = absolute_import(statement, module.file)
            if any(alias.name == GET_CONNECTION.rpartition(".")[2] for alias in statement.names):
                place = Place(module.file.path, statement.lineno)
                self.imported.setdefault(f"{origin}.get_connection", place)
        kinds = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call, ast.Attribute)
        for node in (node for kind in kinds for node in module.names.nodes(kind)):
            for path in self._doubled(module, node):
                place = Place(module.file.path, getattr(node, "lineno", 0))
                owner, _, name = path.rpartition(".")
                if not owner:
                    self.replaced_somewhere.setdefault(name, place)
                    continue
                self.replaced.setdefault(path, place)
                self.replaced.setdefault(f"{self.canonical(owner)}.{name}", place)

    def _doubled(self, module: Module, node: ast.AST) -> Iterator[str]:
        """Yield the dotted names that `node` may replace; a name alone if its owner is unknown."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # As in patch("shop.mail.get_connection").
            if "." in node.value and node.value.replace(".", "").isidentifier():
                yield node.value
        elif isinstance(node, ast.JoinedStr | ast.BinOp):
            # As in patch(f"{MODULE}.mail") and patch(MODULE + ".mail").
            last = node.values[-1] if isinstance(node, ast.JoinedStr) and node.values else None
            last = node.right if isinstance(node, ast.BinOp) else last
            text = last.value if isinstance(last, ast.Constant) else None
            if isinstance(text, str) and text.startswith("."):
                yield from (name for name in text.split(".") if name)
        elif isinstance(node, ast.Call) and node.args:
            yield from self._doubled_by_call(module, node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            meaning = module.names.meaning(node)
            if meaning is not None:
                yield meaning.path

    def _doubled_by_call(self, module: Module, call: ast.Call) -> Iterator[str]:
        function = ast.unparse(call.func).rpartition(".")[2]
        owner, *others = call.args
        meaning = module.names.meaning(owner)
        path = meaning.path if meaning is not None else None
        if path is None and isinstance(owner, ast.Constant):
            path = str(owner.value)
        if path is None or function in {"getattr", "hasattr"}:
            return
        # As in patch.object(mail, "get_connection") and patch.multiple("shop.news", mail=...).
        name = others[0].value if others and isinstance(others[0], ast.Constant) else None
        if isinstance(name, str) and meaning is not None:
            yield f"{path}.{name}"
        if function == "multiple":
            yield from (f"{path}.{keyword.arg}" for keyword in call.keywords if keyword.arg)

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
