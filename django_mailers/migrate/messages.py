"""Which expressions are messages of Django, as far as the source shows it."""

from __future__ import annotations

import ast
from dataclasses import replace

from .django_api import MESSAGES
from .flow import Flow, returned
from .names import Meaning
from .project import Module, Project
from .scopes import Binding


class MessageTypes:
    """Finds the class of a message.

    A message is `EmailMessage(...)`, a name that is only bound to messages, the result of a
    function of the project that returns one, or `self` or `super()` in a class that derives from
    EmailMessage. Parameters of functions are messages if their annotations say so.
    """

    def __init__(self, project: Project, module: Module, calls: tuple[ast.AST, ...] = ()) -> None:
        self.project = project
        self.module = module
        # The functions that are being examined, to stop at recursion.
        self._calls = calls

    def of(self, node: ast.expr) -> Meaning | None:
        """Return the class that `node` is an instance of, if that is a class of messages."""
        names = self.module.names
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "super":
                return self._super(node)
            return self._class(node.func) or self._result(node.func)
        if isinstance(node, ast.Await):
            return self.of(node.value) if isinstance(node.value, ast.Call) else None
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
        if isinstance(binding.node, ast.arg) and binding.node.annotation is not None:
            found = self._annotated(binding.node.annotation)
            return _doubtful(found, f"line {binding.line} only annotates it") if found else None
        return self.of(binding.value) if isinstance(binding.value, ast.Call | ast.Await) else None

    def _annotated(self, annotation: ast.expr) -> Meaning | None:
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            name = annotation.value
            scope = self.module.names.module
            bindings = scope.bindings.get(name, [])
            path = bindings[0].imported if len(bindings) == 1 else None
            if path is not None and self.project.ancestor(path) in MESSAGES:
                return Meaning(self.project.canonical(path), scope, tuple(bindings))
            return self._defined(self.module.classes[name]) if name in self.module.classes else None
        return self._class(annotation)

    def _result(self, function: ast.expr) -> Meaning | None:
        """Return the class of message that a function of the project returns."""
        found = Flow(self.project).function(self.module, function)
        if found is None or found[1] in self._calls or len(self._calls) > 20:
            return None
        module, node, doubt = found
        types = MessageTypes(self.project, module, (*self._calls, node))
        if node.returns is not None and (kind := types._annotated(node.returns)) is not None:
            return _doubtful(kind, doubt or f"{node.name}() may return a class of its own")
        kinds = [types.of(value) for value in returned(node) or ()]
        known = [kind for kind in kinds if kind is not None]
        if not known or len(known) != len(kinds):
            return None
        if len({kind.path for kind in known}) > 1:
            doubt = f"{node.name}() returns messages of several classes"
        return _doubtful(known[0], known[0].doubt or doubt)

    def _super(self, node: ast.Call) -> Meaning | None:
        scope = self.module.names.scope_of[node]
        while scope.parent is not None and not isinstance(scope.node, ast.ClassDef):
            scope = scope.parent
        if not isinstance(scope.node, ast.ClassDef) or not self._defined(scope.node):
            return None
        # super() is the next class, one of the bases.
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


def _doubtful(meaning: Meaning, doubt: str | None) -> Meaning:
    return replace(meaning, doubt=doubt)
