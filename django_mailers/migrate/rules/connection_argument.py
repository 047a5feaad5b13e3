"""The argument `connection` of the functions that send mail, and of messages.

https://docs.djangoproject.com/en/6.1/howto/mailers-migration/#migrating-to-mailers-get-connection
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from ..arguments import Arguments, connection_arguments, is_literal
from ..context import Context
from ..django_api import GET_CONNECTION, MAILERS, MESSAGES
from ..findings import Finding, Fix
from ..mailcalls import MailCall
from ..names import Meaning

CODE = "connection-argument"
# Arguments that Django does not accept together with a connection, and their defaults.
INCOMPATIBLE = {"fail_silently": False, "auth_user": None, "auth_password": None}


def findings(context: Context) -> Iterator[Finding]:
    for mail_call in context.mail_calls:
        if "connection" in mail_call.arguments:
            yield from _argument(context, mail_call)
    for call, ancestor in context.class_calls:
        arguments = Arguments(call)
        value = arguments.get("connection")
        if ancestor in MESSAGES and value is not None and not is_literal(value, None):
            yield _by_hand(context, arguments.node("connection"), value)


def _argument(context: Context, mail_call: MailCall) -> Iterator[Finding]:
    value = mail_call.arguments["connection"]
    node = mail_call.arguments.node("connection")
    if is_literal(value, None):
        yield from context.without_argument(mail_call, "connection", CODE, "connection=None")
        return
    meaning = _default_connection(context, value)
    if meaning is None or not isinstance(value, ast.Call) or not isinstance(node, ast.keyword):
        yield _by_hand(context, node, value)
        return
    text = "connection=get_connection() is deprecated"
    finding = context.finding(node, CODE, text, "leave it out")
    refusal = _refusal(context, mail_call, value, meaning, node)
    if refusal is None:
        context.plan.drop(value, meaning)
        yield replace(finding, fixes=(Fix("argument", context.module.file.span(node)),))
    else:
        yield replace(finding, refusal=refusal)


def _by_hand(context: Context, node: ast.AST, value: ast.expr) -> Finding:
    if isinstance(value, ast.Name) and _is_backend(context, value):
        way = f"collect the messages and call {value.id}.send_messages(messages)"
    else:
        way = "pass using= with an alias when the mail is sent"
    return context.finding(node, CODE, "'connection' is deprecated", way)


# What is the value?


def _default_connection(context: Context, node: ast.expr) -> Meaning | None:
    """Return what `node` calls if it calls get_connection() for the default backend."""
    meaning = context.meaning(node.func) if isinstance(node, ast.Call) else None
    if meaning is None or meaning.path != GET_CONNECTION or not isinstance(node, ast.Call):
        return None
    arguments = connection_arguments(node)
    defaults = {"backend": None, "fail_silently": False}
    is_plain = not arguments.spread and all(
        name in defaults and is_literal(arguments[name], defaults[name]) for name in arguments
    )
    return meaning if is_plain else None


def _is_backend(context: Context, name: ast.Name) -> bool:
    """Whether `name` is bound to what get_connection() or `mailers` gives."""
    for binding in context.names.bindings(name):
        value = binding.value
        if isinstance(value, ast.Call | ast.Subscript):
            value = value.func if isinstance(value, ast.Call) else value.value
        meaning = context.meaning(value) if value is not None else None
        if meaning and meaning.path in {GET_CONNECTION, MAILERS, f"{MAILERS}.default"}:
            return True
    return False


# May it go?


def _refusal(
    context: Context, mail_call: MailCall, value: ast.Call, meaning: Meaning, node: ast.keyword
) -> str | None:
    return (
        mail_call.refusal
        or context.plan.refusal(value, meaning, needs_mailers=False)
        or _contradiction(mail_call.arguments)
        or (_read_back(context) if mail_call.meaning.path in MESSAGES else None)
        or context.plan.comment_refusal(mail_call.call, node)
    )


def _contradiction(arguments: Arguments) -> str | None:
    """Without the connection, Django would accept a call that now raises TypeError."""
    for name, default in INCOMPATIBLE.items():
        if name in arguments and not is_literal(arguments[name], default):
            return f"Django does not accept '{name}' together with 'connection'"
    return None


def _read_back(context: Context) -> str | None:
    for node in context.names.nodes(ast.Attribute):
        if node.attr == "connection" and context.names.meaning(node) is None:
            return f"line {node.lineno} uses an attribute 'connection'"
    return None
