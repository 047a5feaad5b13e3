"""The rule for attachments of the classes of email.mime, however they get to a message."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .arguments import Arguments
from .django_api import MESSAGES, MIME_CLASSES
from .findings import Finding
from .flow import Flow
from .messages import MessageTypes
from .project import Module, Project

ADDING = {"append", "extend", "insert"}


def findings(project: Project, module: Module) -> Iterator[Finding]:
    rules = _Rules(project, module)
    seen: set[ast.AST] = set()
    for node in rules.attached():
        for place in rules.places(node):
            if place not in seen:
                seen.add(place)
                line, column, _, _ = module.file.span(place)
                yield Finding(
                    module.file.path,
                    line,
                    column + 1,
                    "mime-attachment",
                    "an attachment of a class of email.mime is deprecated",
                    "attach (filename, content, mimetype) or an email.message.MIMEPart",
                )


class _Rules:
    def __init__(self, project: Project, module: Module) -> None:
        self.project = project
        self.module = module
        self.types = MessageTypes(project, module)
        self.flow = Flow(project)

    def attached(self) -> Iterator[ast.expr]:
        """Yield what the module attaches to messages, or gives them as a list."""
        names = self.module.names
        for call in names.nodes(ast.Call):
            yield from self._by_call(call)
        for assignment in names.nodes(ast.Assign):
            if any(self._is_attachments(target) for target in assignment.targets):
                yield assignment.value
        for augmented in names.nodes(ast.AugAssign):
            if self._is_attachments(augmented.target):
                yield augmented.value

    def _by_call(self, call: ast.Call) -> Iterator[ast.expr]:
        function = call.func
        if isinstance(function, ast.Attribute):
            if function.attr == "attach" and self.types.of(function.value) is not None:
                yield from call.args[:1]
            elif function.attr in ADDING and self._is_attachments(function.value):
                yield from call.args
        meaning = self.project.meaning(self.module, function)
        path = meaning.path if meaning else self.project.base_of(self.module, function)
        ancestor = self.project.ancestor(path) if path else None
        if ancestor in MESSAGES:
            given = Arguments(call, path or "").get("attachments")
            if given is not None:
                yield given

    def _is_attachments(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and node.attr == "attachments"
            and self.types.of(node.value) is not None
        )

    def places(self, node: ast.expr) -> Iterator[ast.expr]:
        """Yield where to report that `node` is or has such an attachment: at its entry in a list
        that is written there, otherwise at `node`."""
        if isinstance(node, ast.List | ast.Tuple):
            for entry in node.elts:
                yield from self.places(entry)
        elif any(self._is_mime(*leaf) for leaf in self.flow.leaves(self.module, node)):
            yield node

    def _is_mime(self, module: Module, node: ast.expr) -> bool:
        meaning = self.project.meaning(module, node.func) if isinstance(node, ast.Call) else None
        return meaning is not None and meaning.path in MIME_CLASSES
