"""The rules for the settings: who defines, reads and overrides those that MAILERS replaces."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from .django_api import DEFAULTS, OPTIONS, OVERRIDE_SETTINGS, SETTINGS, SHORT_BACKENDS
from .findings import Finding
from .project import Module, Project

REPLACED = frozenset(DEFAULTS)
PEOPLE = ("ADMINS", "MANAGERS")
UPGRADE = "'django-upgrade --target-version 6.0 --only settings_admins_managers' writes addresses"


def findings(project: Project, module: Module) -> Iterator[Finding]:
    if module in project.settings_family:
        yield from _definitions(module)
        for node in module.names.nodes(ast.Name):
            if node.id not in REPLACED or not isinstance(node.ctx, ast.Load):
                continue
            # Bound here, or by an import of *.
            if module.names.scope_of[node].lookup(node.id) in {None, module.names.module}:
                yield _read(module, node, node.id)
    for attribute in module.names.nodes(ast.Attribute):
        if attribute.attr in REPLACED:
            yield from _attribute(project, module, attribute)
    for call in module.names.nodes(ast.Call):
        yield from _call(project, module, call)


def _finding(module: Module, node: ast.AST, code: str, problem: str, replacement: str) -> Finding:
    line, column, _, _ = module.file.span(node)
    return Finding(module.file.path, line, column + 1, code, problem, replacement)


def _definitions(module: Module) -> Iterator[Finding]:
    """What a settings file assigns."""
    for name, bindings in module.names.module.bindings.items():
        for binding in bindings:
            if name in PEOPLE and _has_pairs(binding.value):
                yield _pairs(module, binding.node, name)
            if name in REPLACED:
                yield _defined(module, binding.node, name, binding.value)


def unseen(project: Project, defined: Collection[str]) -> Iterator[Finding]:
    """Settings that are `defined` by other means than an assignment, such as `vars().update()`."""
    if project.settings is None:
        return
    family = project.settings_family
    seen = {name for module in family for name in module.names.module.bindings}
    for name in sorted((REPLACED & set(defined)) - seen):
        yield Finding(project.settings.file.path, 1, 1, *_to_define(name))


def _defined(module: Module, node: ast.AST, name: str, value: ast.expr | None) -> Finding:
    short = value.value if isinstance(value, ast.Constant) else None
    if name == "EMAIL_BACKEND" and isinstance(short, str) and short in SHORT_BACKENDS:
        return _finding(
            module,
            node,
            "short-backend",
            f"the name {short!r} for a backend went away before Django 1.2",
            f'write "BACKEND": "{SHORT_BACKENDS[short]}" in MAILERS',
        )
    return _finding(module, node, *_to_define(name))


def _to_define(name: str) -> tuple[str, str, str]:
    key = f"the option {OPTIONS[name]!r}" if name in OPTIONS else "'BACKEND'"
    replacement = f"make it {key} of a mailer in MAILERS"
    return "setting-defined", f"{name} is deprecated", replacement


def _has_pairs(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.List | ast.Tuple)
        and bool(value.elts)
        and all(
            isinstance(entry, ast.List | ast.Tuple) and len(entry.elts) == 2 for entry in value.elts
        )
    )


def _pairs(module: Module, node: ast.AST, name: str) -> Finding:
    return _finding(
        module, node, "address-pairs", f"(name, address) pairs in {name} are deprecated", UPGRADE
    )


def _attribute(project: Project, module: Module, node: ast.Attribute) -> Iterator[Finding]:
    meaning = project.meaning(module, node)
    if meaning is not None and meaning.path == f"{SETTINGS}.{node.attr}":
        pass
    elif not _is_settings_fixture(module, node.value):
        return
    if isinstance(node.ctx, ast.Load):
        yield _read(module, node, node.attr)
    else:
        yield _overridden(module, node, node.attr)


def _is_settings_fixture(module: Module, node: ast.expr) -> bool:
    """Whether `node` is the parameter `settings` of a test or a fixture of pytest-django's."""
    if not isinstance(node, ast.Name) or node.id != "settings":
        return False
    scope = module.names.scope_of[node].lookup("settings")
    function = scope.node if scope is not None else None
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    if any(not isinstance(binding.node, ast.arg) for binding in module.names.bindings(node)):
        return False
    fixture = any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
    return fixture or function.name.startswith("test_")


def _call(project: Project, module: Module, call: ast.Call) -> Iterator[Finding]:
    meaning = project.meaning(module, call.func)
    path = meaning.path if meaning is not None else ""
    if path == OVERRIDE_SETTINGS or _is_own_settings(module, call.func):
        for keyword in call.keywords:
            if keyword.arg in REPLACED:
                yield _overridden(module, keyword, keyword.arg)
            elif keyword.arg in PEOPLE and _has_pairs(keyword.value):
                yield _pairs(module, keyword, keyword.arg)
    elif path == f"{SETTINGS}.configure":
        for keyword in call.keywords:
            if keyword.arg in REPLACED:
                yield _defined(module, keyword, keyword.arg, keyword.value)
    elif (
        isinstance(call.func, ast.Name)
        and call.func.id in {"getattr", "hasattr"}
        and len(call.args) > 1
    ):
        owner = project.meaning(module, call.args[0])
        name = call.args[1]
        is_settings = owner is not None and owner.path == SETTINGS
        if is_settings and isinstance(name, ast.Constant) and name.value in REPLACED:
            yield _read(module, call, name.value)


def _is_own_settings(module: Module, node: ast.expr) -> bool:
    """Whether `node` is `self.settings`, as in `with self.settings(EMAIL_HOST=...)`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "settings"
        and isinstance(node.value, ast.Name)
        and any(binding.instance_of for binding in module.names.bindings(node.value))
    )


def _read(module: Module, node: ast.AST, name: str) -> Finding:
    if name == "EMAIL_BACKEND":
        replacement = "ask for settings.MAILERS['default']"
    elif name == "EMAIL_HOST_USER":
        replacement = (
            "use DEFAULT_FROM_EMAIL if it is a sender, mailers.default.username if it is the login"
        )
    else:
        replacement = f"use mailers.default.{OPTIONS[name]}"
    return _finding(
        module, node, "setting-read", f"{name} is not there once MAILERS is defined", replacement
    )


def _overridden(module: Module, node: ast.AST, name: str) -> Finding:
    return _finding(
        module,
        node,
        "setting-overridden",
        f"overriding {name} has no effect once MAILERS is defined",
        "override MAILERS",
    )
