"""Attachments of the classes of email.mime.

https://docs.djangoproject.com/en/6.0/releases/6.0/
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..arguments import Arguments
from ..context import Context
from ..django_api import MESSAGES, MIME_CLASSES
from ..findings import Finding
from ..project import Module

CODE = "mime-attachment"
ADDING = {"append", "extend", "insert"}


def findings(context: Context) -> Iterator[Finding]:
    # In the order in which they are found; a list may be attached several times.
    places = dict.fromkeys(place for node in _attached(context) for place in _places(context, node))
    for place in places:
        yield context.finding(
            place,
            CODE,
            "an attachment of a class of email.mime is deprecated",
            "attach (filename, content, mimetype) or an email.message.MIMEPart",
        )


def _attached(context: Context) -> Iterator[ast.expr]:
    """Yield the attachments, or lists of attachments, that the module gives to messages."""
    for call in context.names.nodes(ast.Call):
        yield from _by_call(context, call)
    for assignment in context.names.nodes(ast.Assign):
        if any(_is_attachments(context, target) for target in assignment.targets):
            yield assignment.value
    for augmented in context.names.nodes(ast.AugAssign):
        if _is_attachments(context, augmented.target):
            yield augmented.value
    for call, path, _ in context.calls:
        if context.project.ancestor(path) in MESSAGES:
            given = Arguments(call, path).get("attachments")
            if given is not None:
                yield given


def _by_call(context: Context, call: ast.Call) -> Iterator[ast.expr]:
    function = call.func
    if isinstance(function, ast.Attribute):
        if function.attr == "attach" and context.types.of(function.value) is not None:
            yield from call.args[:1]
        elif function.attr in ADDING and _is_attachments(context, function.value):
            yield from call.args


def _is_attachments(context: Context, node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "attachments"
        and context.types.of(node.value) is not None
    )


def _places(context: Context, node: ast.expr) -> Iterator[ast.expr]:
    """Yield the nodes to report if `node` is, or has, such an attachment.

    They are entries of a list that is written at `node`, otherwise `node` itself.
    """
    if isinstance(node, ast.List | ast.Tuple):
        for entry in node.elts:
            yield from _places(context, entry)
    elif any(_is_mime(context, *leaf) for leaf in context.flow.leaves(context.module, node)):
        yield node


def _is_mime(context: Context, module: Module, node: ast.expr) -> bool:
    meaning = context.project.meaning(module, node.func) if isinstance(node, ast.Call) else None
    return meaning is not None and meaning.path in MIME_CLASSES
