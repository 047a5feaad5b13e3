"""Where a module defines, names and overrides settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from django_mailers.emailsettings import DEFAULTS

from .context import Context
from .django_api import OVERRIDE_SETTINGS, SETTINGS
from .names import Names
from .project import Module

# Those that MAILERS replaces.
REPLACED = frozenset(DEFAULTS)


def definitions(context: Context) -> Iterator[tuple[ast.AST, str, ast.expr | None]]:
    """Yield what defines a replaced setting, each with its name and, if there is one, the
    expression that is its value."""
    if is_settings_file(context):
        for name, bindings in context.names.module.bindings.items():
            if name in REPLACED:
                yield from ((binding.node, name, binding.value) for binding in bindings)
    for call in context.names.nodes(ast.Call):
        meaning = context.meaning(call.func)
        if meaning is not None and meaning.path == f"{SETTINGS}.configure":
            for keyword in call.keywords:
                if keyword.arg in REPLACED:
                    yield keyword, keyword.arg, keyword.value


def is_settings_file(context: Context) -> bool:
    """Whether the module is the settings module, or shares its settings with that."""
    return context.module in context.project.settings_family


def attributes(context: Context) -> Iterator[ast.Attribute]:
    """Yield the replaced settings that are attributes of the settings: read, assigned, deleted."""
    for node in context.names.nodes(ast.Attribute):
        if node.attr in REPLACED and (
            context.project.is_settings(context.module, node.value)
            or _is_settings_fixture(context.names, node.value)
        ):
            yield node


def overriding(context: Context) -> Iterator[ast.Call]:
    """Yield the calls of override_settings(), and of self.settings() in a test."""
    for call in context.names.nodes(ast.Call):
        meaning = context.meaning(call.func)
        path = meaning.path if meaning is not None else ""
        if path == OVERRIDE_SETTINGS or _is_own_settings(context.names, call.func):
            yield call


def named(context: Context) -> Iterator[tuple[str, Module, ast.expr, str]]:
    """Yield the replaced settings that calls such as `getattr(settings, name)` name.

    Each is the name of the function that is called, the module and the node to change, and the name
    of the setting. If its name is not written in the call, the node is where it is written.
    """
    calls = set(overriding(context))
    for call in context.names.nodes(ast.Call):
        if call in calls or len(call.args) < 2:
            continue
        if not context.project.is_settings(context.module, call.args[0]):
            continue
        function = ast.unparse(call.func).rpartition(".")[2]
        for module, leaf in context.flow.leaves(context.module, call.args[1]):
            name = leaf.value if isinstance(leaf, ast.Constant) else None
            if isinstance(name, str) and name in REPLACED:
                yield function, module, call if leaf is call.args[1] else leaf, name


def _is_own_settings(names: Names, node: ast.expr) -> bool:
    """Whether `node` is `self.settings`, as in `with self.settings(EMAIL_HOST=...)`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "settings"
        and isinstance(node.value, ast.Name)
        and any(binding.instance_of for binding in names.bindings(node.value))
    )


def _is_settings_fixture(names: Names, node: ast.expr) -> bool:
    """Whether `node` is the parameter `settings` of a test or a fixture of pytest-django's."""
    if not isinstance(node, ast.Name) or node.id != "settings":
        return False
    scope = names.scope_of[node].lookup("settings")
    function = scope.node if scope is not None else None
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    if any(not isinstance(binding.node, ast.arg) for binding in names.bindings(node)):
        return False
    fixture = any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
    return fixture or function.name.startswith("test_")
