"""The rules for imports, for classes that derive from Django's, and for LOGGING."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .django_api import (
    ADMIN_HANDLER,
    ALTERNATIVES,
    BACKENDS,
    BARE_BACKENDS,
    GET_CONNECTION,
    MESSAGES,
    NAMES,
    REMOVED_NAMES,
)
from .findings import Finding
from .messages import MessageTypes
from .names import absolute_import
from .project import Module, Project, bound_names, defines

# The class, what of it may not be overridden, and what to do instead.
HOOKS = (
    (ADMIN_HANDLER, "connection", "override send_mail(), or pass using="),
    ("message", "get_connection", "pass using= to send()"),
    ("message", "mixed_subtype", "change what message() returns instead"),
    (ALTERNATIVES, "alternative_subtype", "change what message() returns instead"),
)
# Methods of messages that nothing calls any more.
UNUSED = {
    *("_create_alternatives", "_create_attachment", "_create_attachments", "_create_message"),
    "_create_mime_attachment",
}


def findings(project: Project, module: Module) -> Iterator[Finding]:
    for statement in module.names.nodes(ast.ImportFrom):
        yield from _imports(project, module, statement)
    types = MessageTypes(project, module)
    for attribute in module.names.nodes(ast.Attribute):
        yield from _attribute(project, module, attribute)
        yield from _of_message(module, types, attribute)
        if attribute.attr == "connection" and _is_handler(project, module, attribute.value):
            yield _finding(
                module,
                attribute,
                "hook",
                "AdminEmailHandler.connection() is gone in Django 6.1",
                "call mail_admins() with using=",
            )
    for display in module.names.nodes(ast.Dict):
        yield from _handler(project, module, display)
    for node in module.classes.values():
        ancestor = project.ancestor(f"{module.file.module}.{node.name}")
        if ancestor is not None:
            yield from _hooks(module, node, ancestor)
        if ancestor in BACKENDS:
            yield from _backend(project, module, node)


def _finding(module: Module, node: ast.AST, code: str, problem: str, replacement: str) -> Finding:
    line, column, _, _ = module.file.span(node)
    return Finding(module.file.path, line, column + 1, code, problem, replacement)


def _imports(project: Project, module: Module, node: ast.ImportFrom) -> Iterator[Finding]:
    origin = absolute_import(node, module.file)
    for alias in node.names:
        path = project.canonical(f"{origin}.{alias.name}")
        if path in NAMES:
            yield _deprecated_name(module, alias, path)
        elif path == GET_CONNECTION:
            scope = module.names.scope_of[node]
            if not any(module.names.uses(alias.asname or alias.name, scope)):
                yield _finding(
                    module,
                    alias,
                    "get-connection",
                    "get_connection() is deprecated",
                    "nothing in this module uses it: remove the import",
                )


def _attribute(project: Project, module: Module, node: ast.Attribute) -> Iterator[Finding]:
    meaning = project.meaning(module, node)
    if meaning is not None and meaning.path in NAMES:
        yield _deprecated_name(module, node, meaning.path)


def _deprecated_name(module: Module, node: ast.AST, path: str) -> Finding:
    name = path.rpartition(".")[2]
    what = "is gone" if path in REMOVED_NAMES else "is deprecated"
    return _finding(module, node, "deprecated-name", f"{name} {what}", NAMES[path])


def _handler(project: Project, module: Module, node: ast.Dict) -> Iterator[Finding]:
    """An entry for AdminEmailHandler among the handlers of LOGGING."""
    entries = {
        key.value: (key, value)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    if "email_backend" not in entries:
        return
    _, path = entries.get("class") or entries.get("()") or (None, None)
    if not isinstance(path, ast.Constant) or not isinstance(path.value, str):
        return
    if project.ancestor(path.value) == ADMIN_HANDLER:
        yield _finding(
            module,
            entries["email_backend"][0],
            "log-handler",
            "AdminEmailHandler refuses 'email_backend' once MAILERS is defined",
            'give the backend an alias, such as MAILERS[\'errors\'], and write "using": "errors"',
        )


def _hooks(module: Module, node: ast.ClassDef, ancestor: str) -> Iterator[Finding]:
    for owner, name, replacement in HOOKS:
        concerned = ancestor == owner or (owner == "message" and ancestor in MESSAGES)
        if concerned and defines(node, name):
            statement = next(statement for statement in node.body if name in bound_names(statement))
            called = f"{node.name}.{name}"
            yield _finding(
                module,
                statement,
                "hook",
                f"{called} makes Django 6.1 raise AttributeError",
                replacement,
            )

    if ancestor in MESSAGES:
        for statement in node.body:
            for name in UNUSED.intersection(bound_names(statement)):
                yield _unused(module, statement, name)


def _of_message(module: Module, types: MessageTypes, node: ast.Attribute) -> Iterator[Finding]:
    """Attributes of a message that it should not be asked for, or given."""
    name = node.attr
    if name not in {*UNUSED, "connection", "mixed_subtype", "alternative_subtype"}:
        return
    if types.of(node.value) is None:
        return
    if name in UNUSED:
        yield _unused(module, node, name)
    elif name == "connection":
        yield _finding(
            module,
            node,
            "message-connection",
            "EmailMessage.connection is deprecated",
            "pass using= to send()",
        )
    elif isinstance(node.ctx, ast.Store):
        yield _finding(
            module,
            node,
            "hook",
            f"EmailMessage.{name} makes Django 6.1 raise AttributeError",
            "change what message() returns instead",
        )


def _unused(module: Module, node: ast.AST, name: str) -> Finding:
    return _finding(
        module,
        node,
        "hook",
        f"EmailMessage.{name}() is gone since Django 6.0",
        "change what message() returns instead",
    )


def _is_handler(project: Project, module: Module, node: ast.expr) -> bool:
    """Whether `node` is an AdminEmailHandler: one that is made, or `self` in such a class."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            scope = module.names.scope_of[node]
            while scope.parent is not None and not scope.is_class:
                scope = scope.parent
            return isinstance(scope.node, ast.ClassDef) and _handles(project, module, scope.node)
        path = project.base_of(module, node.func)
        return path is not None and project.ancestor(path) == ADMIN_HANDLER
    bindings = module.names.bindings(node) if isinstance(node, ast.Name) else []
    return any(
        (binding.instance_of is not None and _handles(project, module, binding.instance_of))
        or (isinstance(binding.value, ast.Call) and _is_handler(project, module, binding.value))
        for binding in bindings
    )


def _handles(project: Project, module: Module, node: ast.ClassDef) -> bool:
    is_known = module.classes.get(node.name) is node
    return is_known and project.ancestor(f"{module.file.module}.{node.name}") == ADMIN_HANDLER


def _backend(project: Project, module: Module, node: ast.ClassDef) -> Iterator[Finding]:
    """A backend that is not made for MAILERS."""
    bare = any(project.base_of(module, base) in BARE_BACKENDS for base in node.bases)
    init = next(
        (
            statement
            for statement in node.body
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__"
        ),
        None,
    )
    if init is not None:
        arguments = init.args
        named = {arg.arg for arg in (*arguments.args, *arguments.kwonlyargs)}
        if arguments.kwarg is None and "alias" not in named:
            yield _finding(
                module,
                init,
                "backend-options",
                f"{node.name} takes no 'alias', which MAILERS passes to every backend",
                "take **kwargs and pass them to super().__init__()",
            )
        if bare:
            yield from _passes_fail_silently(module, node, init)
    if bare:
        yield from _reads_fail_silently(module, node)


def _passes_fail_silently(
    module: Module, node: ast.ClassDef, init: ast.FunctionDef
) -> Iterator[Finding]:
    for call in ast.walk(init):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr != "__init__":
            continue
        unbound = not isinstance(call.func.value, ast.Call)
        positional = [arg for arg in call.args[unbound:] if not isinstance(arg, ast.Starred)]
        if positional or any(keyword.arg == "fail_silently" for keyword in call.keywords):
            yield _finding(
                module,
                call,
                "backend-options",
                f"{node.name} passes 'fail_silently' to BaseEmailBackend, which refuses it for a "
                "mailer",
                "keep it in an attribute of its own and pass only **kwargs",
            )


def _reads_fail_silently(module: Module, node: ast.ClassDef) -> Iterator[Finding]:
    uses = [
        use
        for use in ast.walk(node)
        if isinstance(use, ast.Attribute)
        and use.attr == "fail_silently"
        and isinstance(use.value, ast.Name)
        and use.value.id == "self"
    ]
    keeps = defines(node, "fail_silently") or any(isinstance(use.ctx, ast.Store) for use in uses)
    if uses and not keeps:
        yield _finding(
            module,
            min(uses, key=lambda use: (use.lineno, use.col_offset)),
            "backend-options",
            f"{node.name} reads BaseEmailBackend.fail_silently, which is deprecated",
            "take the option and keep it in an attribute of its own",
        )
