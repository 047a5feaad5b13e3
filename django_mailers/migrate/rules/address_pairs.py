"""ADMINS and MANAGERS with (name, address) pairs instead of addresses.

https://docs.djangoproject.com/en/6.0/ref/settings/#std-setting-ADMINS
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..context import Context
from ..findings import Finding
from ..settings import is_settings_file, overriding

CODE = "address-pairs"
PEOPLE = ("ADMINS", "MANAGERS")
# Functions and methods whose result is not a string.
MAKES_PAIRS = {"list", "parseaddr", "partition", "rsplit", "split", "tuple"}
UPGRADE = "'django-upgrade --target-version 6.0 --only settings_admins_managers' writes addresses"


def findings(context: Context) -> Iterator[Finding]:
    for node, name in _pairs(context):
        text = f"(name, address) pairs in {name} are deprecated"
        yield context.finding(node, CODE, text, UPGRADE)


def _pairs(context: Context) -> Iterator[tuple[ast.AST, str]]:
    """Yield the nodes that put pairs into ADMINS or MANAGERS, and the name of the setting."""
    if is_settings_file(context):
        yield from _defined(context)
    for call in overriding(context):
        for keyword in call.keywords:
            if keyword.arg in PEOPLE and _has_pairs(keyword.value):
                yield keyword, keyword.arg


def _defined(context: Context) -> Iterator[tuple[ast.AST, str]]:
    for name in PEOPLE:
        for binding in context.names.module.bindings.get(name, ()):
            if _has_pairs(binding.value):
                yield binding.node, name
    for statement in context.names.nodes(ast.AugAssign):
        target = statement.target
        if isinstance(target, ast.Name) and target.id in PEOPLE and _has_pairs(statement.value):
            yield target, target.id
    for call in context.names.nodes(ast.Call):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id in PEOPLE and _adds_pairs(call):
            yield call, owner.id


def _has_pairs(value: ast.expr | None) -> bool:
    """Whether a list of people contains (name, address) pairs, as far as the source shows it."""
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        return any(_is_pair(entry) for entry in value.elts)
    if isinstance(value, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        return _is_pair(value.elt)
    if isinstance(value, ast.BinOp | ast.IfExp | ast.BoolOp):
        parts = (part for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr))
        return any(map(_has_pairs, parts))
    return isinstance(value, ast.Call) and _returns_pairs(value)


def _returns_pairs(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name == "map" and call.args:
        return ast.unparse(call.args[0]).rpartition(".")[2] in MAKES_PAIRS
    if name in {"list", "tuple"} and call.args:
        return _has_pairs(call.args[0])
    return name in {"getaddresses", "zip"} or (name == "items" and not call.args)


def _is_pair(entry: ast.expr) -> bool:
    """Whether an entry is a pair, and not a string."""
    if isinstance(entry, ast.List | ast.Tuple):
        return len(entry.elts) == 2
    if not isinstance(entry, ast.Call):
        return False
    return ast.unparse(entry.func).rpartition(".")[2] in MAKES_PAIRS


def _adds_pairs(call: ast.Call) -> bool:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method in {"append", "insert"}:
        return bool(call.args) and _is_pair(call.args[-1])
    return method == "extend" and bool(call.args) and _has_pairs(call.args[0])
