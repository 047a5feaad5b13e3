"""The rules for the settings: who defines, reads and overrides those that MAILERS replaces."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from django_mailers.emailsettings import DEFAULTS, OPTIONS

from . import files
from .django_api import OVERRIDE_SETTINGS, SETTINGS, SHORT_BACKENDS
from .findings import Finding
from .flow import Flow
from .names import absolute_import
from .project import Module, Place, Project

REPLACED = frozenset(DEFAULTS)
PEOPLE = ("ADMINS", "MANAGERS")
# Functions and methods whose result is no string.
MAKES_PAIRS = {"list", "parseaddr", "partition", "rsplit", "split", "tuple"}
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
    for statement in module.names.nodes(ast.ImportFrom):
        yield from _import(project, module, statement)
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

    for statement in module.names.nodes(ast.AugAssign):
        target = statement.target
        if isinstance(target, ast.Name) and target.id in PEOPLE and _has_pairs(statement.value):
            yield _pairs(module, target, target.id)
    for call in module.names.nodes(ast.Call):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id in PEOPLE and _adds_pairs(call):
            yield _pairs(module, call, owner.id)


def unseen(
    project: Project, defined: Mapping[str, Collection[Place]] | Collection[str]
) -> list[Finding]:
    """Return the settings that are `defined` by other means than an assignment, such as
    `vars().update()`, or in modules that are not audited; where, if it is known."""
    if project.settings is None:
        return []
    family = project.settings_family
    seen = {name for module in family for name in module.names.module.bindings}
    first = Place(project.settings.file.path, 1)
    found = [
        Finding(files.shown(place.path), place.line, 1, *_to_define(name))
        for name in (REPLACED & set(defined)) - seen
        for place in (isinstance(defined, Mapping) and defined[name]) or [first]
    ]
    return sorted(found, key=lambda finding: (finding.path, finding.line, finding.problem))


def others(project: Project, settings_files: Collection[Path]) -> list[str]:
    """Return the names of modules that build upon the settings and define some of their own, but
    are not among `settings_files`, the ones that are in force."""
    return [
        module.file.module
        for module in project.settings_family
        if module.file.path.resolve() not in settings_files
        and not REPLACED.isdisjoint(module.names.module.bindings)
    ]


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
    """Whether a list of people has (name, address) pairs in it, as far as one can see."""
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
    """Whether an entry is not an address, which is a string."""
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


def _pairs(module: Module, node: ast.AST, name: str) -> Finding:
    return _finding(
        module, node, "address-pairs", f"(name, address) pairs in {name} are deprecated", UPGRADE
    )


def _import(project: Project, module: Module, node: ast.ImportFrom) -> Iterator[Finding]:
    """`from shop.settings import EMAIL_HOST`, but for what makes it a setting of this module."""
    if absolute_import(node, module.file) not in project.settings_names:
        return
    defines = module in project.settings_family
    for alias in node.names:
        name = alias.asname or alias.name
        if alias.name in REPLACED and not (defines and name in REPLACED):
            yield _read(module, alias, alias.name)


def _attribute(project: Project, module: Module, node: ast.Attribute) -> Iterator[Finding]:
    if not (project.is_settings(module, node.value) or _is_settings_fixture(module, node.value)):
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
            elif keyword.arg is None:
                yield from _overrides(project, module, keyword.value)
            elif keyword.arg in PEOPLE and _has_pairs(keyword.value):
                yield _pairs(module, keyword, keyword.arg)
    elif path == f"{SETTINGS}.configure":
        for keyword in call.keywords:
            if keyword.arg in REPLACED:
                yield _defined(module, keyword, keyword.arg, keyword.value)
    elif len(call.args) > 1 and project.is_settings(module, call.args[0]):
        yield from _by_name(project, module, call)
    elif call.args and ast.unparse(call.func).rpartition(".")[2] in {"patch", "setattr"}:
        yield from _patched(project, module, call)


def _by_name(project: Project, module: Module, call: ast.Call) -> Iterator[Finding]:
    """`getattr(settings, name)` and its like, wherever `name` comes from."""
    function = ast.unparse(call.func).rpartition(".")[2]
    for other, leaf in Flow(project).leaves(module, call.args[1]):
        name = leaf.value if isinstance(leaf, ast.Constant) else None
        if not isinstance(name, str) or name not in REPLACED:
            continue
        # Where the name is written, if that is not here: that is what has to change.
        node = call if leaf is call.args[1] else leaf
        if function in {"getattr", "hasattr"}:
            yield _read(other, node, name)
        elif function in {"setattr", "delattr", "object"}:
            yield _overridden(other, node, name)


def _patched(project: Project, module: Module, call: ast.Call) -> Iterator[Finding]:
    """`patch("django.conf.settings.EMAIL_HOST", ...)`, by the name of that."""
    path = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
    owner, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    if name in REPLACED and (owner == SETTINGS or owner in project.settings_names):
        yield _overridden(module, call, name)


def _overrides(project: Project, module: Module, mapping: ast.expr) -> Iterator[Finding]:
    """`override_settings(**{"EMAIL_HOST": ...})`, also if the dictionary has a name."""
    for other, node in Flow(project).mappings(module, mapping):
        for key in node.keys:
            if isinstance(key, ast.Constant) and key.value in REPLACED:
                yield _overridden(other, key, str(key.value))


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
