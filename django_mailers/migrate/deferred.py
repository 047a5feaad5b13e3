"""Functions that are called later, by partial(), threads and tasks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from .django_api import POSITIONAL
from .messages import MessageTypes
from .names import Meaning
from .project import Module, Project

# Callables that take the arguments of the function as a tuple and a dictionary.
PACKED = {"Process", "Thread", "Timer", "apply", "apply_async", "start_new_thread"}
# A later call, the meaning of its function, and whether that is send() of a message.
Later = tuple[ast.Call, Meaning, bool]


class Deferred:
    def __init__(self, project: Project, module: Module, types: MessageTypes) -> None:
        self.project = project
        self.module = module
        self.types = types

    def calls(self, call: ast.Call) -> Iterator[Later]:
        """Yield the calls that `call` causes.

        `partial(send_mail, fail_silently=True)` gives `send_mail(fail_silently=True)`, and so does
        `Thread(target=send_mail, kwargs={"fail_silently": True})`. Each has a doubt, as its
        arguments may be changed before it is made.
        """
        for node in [*call.args, *(keyword.value for keyword in call.keywords)]:
            found = self._function(node)
            if found is not None:
                made = ast.copy_location(self._made(call, node), call)
                name = ast.unparse(call.func).rpartition(".")[2]
                yield made, replace(found[0], doubt=f"{name}() calls it later"), found[1]
        wrapped = self._wrapped(call.func)
        if wrapped is not None:
            meaning = replace(wrapped[0], doubt="it is called through another function")
            yield call, meaning, wrapped[1]

    def _function(self, node: ast.expr) -> tuple[Meaning, bool] | None:
        """Return the function of Django that `node` names, and whether it is a send()."""
        if isinstance(node, ast.Constant):
            # A dotted path, as task queues accept it.
            path = node.value if isinstance(node.value, str) else ""
            return (
                (Meaning(path, self.module.names.module, ()), False) if path in POSITIONAL else None
            )
        if isinstance(node, ast.Attribute) and node.attr == "send":
            receiver = self.types.of(node.value)
            if receiver is not None:
                return receiver, True
        meaning = (
            self.project.meaning(self.module, node)
            if isinstance(node, ast.Name | ast.Attribute)
            else None
        )
        return (meaning, False) if meaning is not None and meaning.path in POSITIONAL else None

    def _made(self, call: ast.Call, function: ast.expr) -> ast.Call:
        """Return the later call of `function`, which is an argument of `call`."""
        name = ast.unparse(call.func).rpartition(".")[2]
        rest = call.args[call.args.index(function) + 1 :] if function in call.args else []
        packed = {keyword.arg: keyword.value for keyword in call.keywords}
        keywords = [keyword for keyword in call.keywords if keyword.value is not function]
        args: list[ast.expr] = rest
        if name in PACKED:
            dictionaries = [node for node in rest if isinstance(node, ast.Dict)]
            sequences = [node for node in rest if isinstance(node, ast.Tuple | ast.List)]
            given = packed.get("args", sequences[0] if sequences else None)
            args = given.elts if isinstance(given, ast.Tuple | ast.List) else []
            named = packed.get("kwargs", dictionaries[0] if dictionaries else None)
            keywords = list(_keywords(named)) if named is not None else []
        elif isinstance(packed.get("kwargs"), ast.Dict | ast.Call):
            keywords += _keywords(packed["kwargs"])
        return ast.Call(function, args, keywords)

    def _wrapped(self, node: ast.expr) -> tuple[Meaning, bool] | None:
        """Return the function that `node` calls if it is `sync_to_async(send_mail)`, or a name."""
        if isinstance(node, ast.Name):
            bindings = self.module.names.bindings(node)
            value = bindings[0].value if len(bindings) == 1 else None
            if isinstance(value, ast.Name | ast.Attribute):
                return self._function(value)
            return self._wrapped(value) if isinstance(value, ast.Call) else None
        if not isinstance(node, ast.Call):
            return None
        return next(filter(None, map(self._function, node.args)), None)


def _keywords(node: ast.expr) -> Iterator[ast.keyword]:
    """Yield the entries of a dictionary as keywords, at the places of their keys."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            name = key.value if isinstance(key, ast.Constant) else None
            if isinstance(name, str):
                yield ast.copy_location(ast.keyword(name, value), key or value)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict":
        yield from node.keywords
