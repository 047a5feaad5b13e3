"""A module, as the rules see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from .arguments import FROM_A_DATABASE, Arguments
from .deferred import Deferred
from .django_api import GET_CONNECTION, POSITIONAL
from .findings import Finding, Fix
from .flow import Flow
from .imports import ImportPlan
from .mailcalls import MailCall, function_call, method_call
from .messages import MessageTypes
from .names import Meaning
from .project import Module, Project


class Context:
    """A module of the project, with the calls in it and the meaning of its expressions."""

    def __init__(self, project: Project, module: Module) -> None:
        self.project = project
        self.module = module
        self.names = module.names
        self.types = MessageTypes(project, module)
        self.flow = Flow(project)
        self.plan = ImportPlan(project, module)

    def finding(
        self,
        node: ast.AST,
        code: str,
        problem: str,
        replacement: str,
        *,
        refusal: str | None = None,
    ) -> Finding:
        """Return a finding at `node`."""
        return Finding.at(self.module.file, node, code, problem, replacement, refusal=refusal)

    def meaning(self, node: ast.expr) -> Meaning | None:
        """Return what `node` refers to, by its canonical name."""
        return self.project.meaning(self.module, node)

    def without_argument(
        self, mail_call: MailCall, argument: str, code: str, shown: str
    ) -> Iterator[Finding]:
        """Yield that `argument`, which is given its default, can be left out.

        Arguments: `shown`, the argument as the finding writes it. If it is given by position, that
        is a finding of its own, and there is none here.
        """
        node = mail_call.arguments.node(argument)
        if not isinstance(node, ast.keyword):
            return
        finding = self.finding(node, code, f"{shown} is deprecated", "leave it out")
        refusal = mail_call.refusal or self.plan.comment_refusal(mail_call.call, node)
        if refusal is None:
            yield replace(finding, fixes=(Fix("argument", self.module.file.span(node)),))
        else:
            yield replace(finding, refusal=refusal)

    def other_way(self, arguments: Arguments) -> str:
        """Return another way out, for `arguments` that may be different in each call.

        An empty string if they are all literals and settings.
        """
        for name in arguments:
            for node in ast.walk(arguments[name]):
                if isinstance(node, ast.Name) and not node.id.isupper():
                    meaning = self.meaning(node)
                    if meaning is None or meaning.path.partition(".")[0] not in {"django", "os"}:
                        return f"; {FROM_A_DATABASE}"
        return ""

    @cached_property
    def calls(self) -> list[tuple[ast.Call, str, Meaning | None]]:
        """The calls of something with a dotted name: imported, or a class of this module."""
        found = []
        for call in self.names.nodes(ast.Call):
            meaning = self.meaning(call.func)
            path = meaning.path if meaning else self.project.base_of(self.module, call.func)
            if path is not None:
                found.append((call, path, meaning))
        return found

    @cached_property
    def connection_calls(self) -> list[tuple[ast.Call, Meaning]]:
        """The calls of get_connection()."""
        return [
            (call, meaning)
            for call, path, meaning in self.calls
            if meaning is not None and path == GET_CONNECTION
        ]

    @cached_property
    def class_calls(self) -> list[tuple[ast.Call, str]]:
        """The calls of a class of Django's mail API or of a class that derives from it, each with
        the former; those in `mail_calls` excepted."""
        return [
            (call, ancestor)
            for call, path, _ in self.calls
            if path not in POSITIONAL and (ancestor := self.project.ancestor(path)) is not None
        ]

    @cached_property
    def mail_calls(self) -> list[MailCall]:
        """The calls of the functions that send mail and of Django's classes of messages, now or
        later."""
        found = [
            function_call(self.project, self.module, call, meaning)
            for call, path, meaning in self.calls
            if meaning is not None and path in POSITIONAL and path != GET_CONNECTION
        ]
        later = (
            function_call(self.project, self.module, call, meaning)
            for call, meaning, is_send in self._deferred
            if not is_send and meaning.path != GET_CONNECTION
        )
        return [*found, *later]

    @cached_property
    def sends(self) -> list[MailCall]:
        """The calls of send() of a message, now or later."""
        return [
            *(
                method_call(self.project, self.module, call, receiver)
                for call, receiver in self.message_calls("send")
            ),
            *(
                method_call(self.project, self.module, call, receiver)
                for call, receiver, is_send in self._deferred
                if is_send
            ),
        ]

    def message_calls(self, method: str) -> Iterator[tuple[ast.Call, Meaning]]:
        """Yield the calls of a method of messages, each with the class of the message."""
        for call in self.names.nodes(ast.Call):
            if isinstance(call.func, ast.Attribute) and call.func.attr == method:
                receiver = self.types.of(call.func.value)
                if receiver is not None:
                    yield call, receiver

    @cached_property
    def _deferred(self) -> list[tuple[ast.Call, Meaning, bool]]:
        deferred = Deferred(self.project, self.module, self.types)
        return [later for call in self.names.nodes(ast.Call) for later in deferred.calls(call)]
