"""Which expressions are a message of Django's, as far as the source shows it."""

from __future__ import annotations

import ast

from .django_api import MESSAGES
from .names import Binding, Meaning
from .project import Module, Project


class MessageTypes:
    """Knows `EmailMessage(...)` itself, names that are bound to nothing else, and `self` and
    `super()` in a class that derives from it; nothing that a function is given."""

    def __init__(self, project: Project, module: Module) -> None:
        self.project = project
        self.module = module

    def of(self, node: ast.expr) -> Meaning | None:
        """Return the class that `node` is an instance of, if that is a message's."""
        names = self.module.names
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "super":
                return self._super(node)
            return self._class(node.func)
        if not isinstance(node, ast.Name):
            return None
        found = [self._bound(binding) for binding in names.bindings(node)]
        kinds = [meaning for meaning in found if meaning is not None]
        if not kinds or len(kinds) != len(found):
            return None
        return next((meaning for meaning in kinds if meaning.doubt), kinds[0])

    def _bound(self, binding: Binding) -> Meaning | None:
        if binding.instance_of is not None:
            return self._defined(binding.instance_of)
        return self._class(binding.value.func) if isinstance(binding.value, ast.Call) else None

    def _super(self, node: ast.Call) -> Meaning | None:
        scope = self.module.names.scope_of[node]
        while scope.parent is not None and not isinstance(scope.node, ast.ClassDef):
            scope = scope.parent
        if not isinstance(scope.node, ast.ClassDef) or not self._defined(scope.node):
            return None
        # What comes next: the classes that it derives from.
        return next(filter(None, map(self._class, scope.node.bases)), None)

    def _defined(self, node: ast.ClassDef) -> Meaning | None:
        """Return the class that the statement `node` defines."""
        if self.module.classes.get(node.name) is not node:
            return None
        path = f"{self.module.file.module}.{node.name}"
        if self.project.ancestor(path) not in MESSAGES:
            return None
        return Meaning(path, self.module.names.module, ())

    def _class(self, node: ast.expr) -> Meaning | None:
        """Return the class that the expression `node` means."""
        meaning = self.project.meaning(self.module, node)
        if meaning is not None:
            return meaning if self.project.ancestor(meaning.path) in MESSAGES else None
        definition = self.module.classes.get(node.id) if isinstance(node, ast.Name) else None
        return None if definition is None else self._defined(definition)
