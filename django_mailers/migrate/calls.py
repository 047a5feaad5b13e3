"""The rules for calls that send mail, or that make what sends it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from django_mailers.emailsettings import SMTP_BACKEND
from django_mailers.wording import listed

from .arguments import Arguments, is_literal, suggested_alias
from .deferred import Deferred
from .django_api import (
    ADMIN_HANDLER,
    GET_CONNECTION,
    MAILERS,
    MESSAGES,
    POSITIONAL,
    SHORT_BACKENDS,
)
from .findings import Finding, Fix
from .imports import ImportPlan
from .messages import MessageTypes
from .names import Meaning
from .project import Module, Place, Project

HANDLE_ERRORS = (
    "let the error out and handle it, or name an alias with using=, whose OPTIONS have "
    "'fail_silently': True"
)
FROM_A_DATABASE = (
    "if the login comes from a database, django.core.mail.backends.smtp."
    "EmailBackend(alias='event', host=..., ...) reads no settings"
)
UPGRADE = "'django-upgrade --target-version 6.0 --only mail_api_kwargs' makes them keywords"


class CallRules:
    """The rules, applied to one module."""

    def __init__(self, project: Project, module: Module) -> None:
        self.project = project
        self.module = module
        self.file = module.file
        self.types = MessageTypes(project, module)
        self.plan = ImportPlan(project, module)
        self.deferred = Deferred(project, module, self.types)
        # Calls of get_connection() that go together with the argument that they are.
        self.consumed: set[ast.AST] = set()

    def findings(self) -> list[Finding]:
        names = self.module.names
        found: list[Finding] = []
        # Outer calls come first: what they drop needs no finding of its own.
        for call in names.nodes(ast.Call):
            if call not in self.consumed:
                found += self._call(call)
        for attribute in names.nodes(ast.Attribute):
            found += self._value(attribute)
        for name in names.nodes(ast.Name):
            found += self._value(name)
        return [self.plan.completed(finding) for finding in found]

    def _finding(
        self, node: ast.AST, code: str, problem: str, replacement: str, **how: object
    ) -> Finding:
        line, column, _, _ = self.file.span(node)
        path = self.file.path
        return Finding(path, line, column + 1, code, problem, replacement, **how)  # type: ignore[arg-type]

    # Which call is it?

    def _call(self, call: ast.Call) -> Iterator[Finding]:
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        receiver = self.types.of(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if receiver is not None and method == "send":
            yield from self._send(call, receiver)
        elif receiver is not None and method == "get_connection":
            yield from self._asks_for_connection(call, receiver)
        for later in self.deferred.calls(call):
            yield from self._later(*later)
        meaning = self.project.meaning(self.module, call.func)
        # Else a class of this very module, or nothing of Django's at all.
        path = meaning.path if meaning else self.project.base_of(self.module, call.func)
        if path is None:
            return
        if meaning is not None and path == GET_CONNECTION:
            yield from self._get_connection(call, meaning)
        elif meaning is not None and path in POSITIONAL:
            yield from self._arguments(call, meaning)
        else:
            yield from self._subclass(call, path)

    def _later(self, call: ast.Call, meaning: Meaning, is_send: bool) -> Iterator[Finding]:
        """A call that something else makes later, put together from what that is given."""
        if is_send:
            yield from self._send(call, meaning)
        elif meaning.path != GET_CONNECTION:
            yield from self._arguments(call, meaning)

    def _asks_for_connection(self, call: ast.Call, receiver: Meaning) -> Iterator[Finding]:
        if not self.project.overrides(receiver.path, "get_connection"):
            yield self._finding(
                call,
                "message-connection",
                "EmailMessage.get_connection() is gone in Django 6.1",
                "use mailers[alias]",
            )

    def _subclass(self, call: ast.Call, path: str) -> Iterator[Finding]:
        """A call of a class that is Django's, or of one that derives from it."""
        ancestor = self.project.ancestor(path)
        arguments = Arguments(call)
        if ancestor == SMTP_BACKEND and not arguments.spread and "alias" not in arguments:
            yield self._finding(
                call,
                "smtp-direct",
                f"{ast.unparse(call.func)}() is made without MAILERS, which works no longer once "
                "MAILERS is defined",
                "give it an alias and use mailers[alias]" + self._other_way(arguments),
            )
        elif ancestor == ADMIN_HANDLER and "email_backend" in arguments:
            yield self._finding(
                call,
                "log-handler",
                "AdminEmailHandler(email_backend=...) is refused once MAILERS is defined",
                "give the backend an alias and pass using=",
            )
        elif (
            ancestor in MESSAGES
            and "connection" in arguments
            and not is_literal(arguments["connection"], None)
        ):
            yield self._connection(arguments.node("connection"), arguments["connection"])

    # get_connection().

    def _get_connection(self, call: ast.Call, meaning: Meaning) -> Iterator[Finding]:
        arguments = Arguments(call, GET_CONNECTION, first=("backend",))
        backend = arguments.get("backend")
        has_backend = backend is not None and not is_literal(backend, None)
        silent = arguments.get("fail_silently")
        options = [name for name in arguments if name not in {"backend", "fail_silently"}]
        if arguments.surplus:
            yield self._positional(call, "get_connection", arguments)
        if has_backend:
            yield self._backend_connection(call, backend)
        elif arguments.spread:
            yield replace(
                self._deprecated_connection(
                    call, "use mailers[alias]" + self._other_way(arguments)
                ),
                refusal=self._spread_refusal(arguments),
            )
        elif options:
            alias = suggested_alias(arguments.get("username"))
            yield self._deprecated_connection(
                call,
                f"give {listed(repr(name) for name in options)} to an alias, such as "
                f"MAILERS[{alias!r}], and use mailers[{alias!r}]" + self._other_way(arguments),
            )
        elif silent is not None and not is_literal(silent, False):
            yield self._deprecated_connection(
                call, "use mailers[alias] with an alias whose OPTIONS have 'fail_silently': True"
            )
        else:
            refusal = self.plan.refusal(call, meaning)
            finding = self._deprecated_connection(call, "use mailers.default")
            if refusal is None:
                self.plan.note(call.func, meaning, needs_mailers=True)
                fix = Fix("call", self.file.span(call))
                yield replace(finding, fixes=(fix,))
            else:
                yield replace(finding, refusal=refusal)

    def _other_way(self, arguments: Arguments) -> str:
        """What else to do, unless all options are written down or settings: always the same."""
        for name in arguments:
            for node in ast.walk(arguments[name]):
                if isinstance(node, ast.Name) and not node.id.isupper():
                    meaning = self.project.meaning(self.module, node)
                    if meaning is None or meaning.path.partition(".")[0] not in {"django", "os"}:
                        return f"; {FROM_A_DATABASE}"
        return ""

    def _deprecated_connection(self, call: ast.Call, replacement: str) -> Finding:
        return self._finding(call, "get-connection", "get_connection() is deprecated", replacement)

    def _backend_connection(self, call: ast.Call, backend: ast.expr | None) -> Finding:
        path = backend.value if isinstance(backend, ast.Constant) else None
        if isinstance(path, str) and path in SHORT_BACKENDS:
            return self._finding(
                call,
                "short-backend",
                f"the name {path!r} for a backend went away before Django 1.2",
                f"give {SHORT_BACKENDS[path]} an alias and use mailers[alias]",
            )
        alias = suggested_alias(backend)
        return self._finding(
            call,
            "get-connection",
            "get_connection(backend) is refused once MAILERS is defined",
            f"give the backend an alias, such as MAILERS[{alias!r}], and use mailers[{alias!r}]",
        )

    def _value(self, node: ast.Name | ast.Attribute) -> Iterator[Finding]:
        parent = self.module.names.parent_of[node]
        if not isinstance(node.ctx, ast.Load):
            return
        if isinstance(parent, ast.Call) and parent.func is node:
            return
        meaning = self.project.meaning(self.module, node)
        if meaning is not None and meaning.path == GET_CONNECTION:
            yield self._finding(
                node,
                "get-connection",
                "get_connection() is deprecated",
                "use mailers[alias]",
                refusal="get_connection is used as a value",
            )

    # Arguments.

    def _arguments(self, call: ast.Call, meaning: Meaning) -> Iterator[Finding]:
        """The deprecated arguments of a function that sends, or of a message."""
        name = meaning.path.rpartition(".")[2]
        arguments = Arguments(call, meaning.path)
        if arguments.surplus:
            yield self._positional(call, name, arguments)
        refusal = (
            meaning.doubt
            or self._spread_refusal(arguments)
            or _by_a_test(self.project.replacement(self.module, call.func))
        )
        if "fail_silently" in arguments:
            yield from self._fail_silently(call, arguments, refusal)
        if "connection" in arguments:
            yield from self._connection_argument(call, meaning, arguments, refusal)
        for argument in ("auth_user", "auth_password"):
            if argument in arguments and is_literal(arguments[argument], None):
                yield from self._droppable(
                    call, arguments, argument, "auth-arguments", f"{argument}=None", refusal
                )
        if any(
            name in arguments and not is_literal(arguments[name], None)
            for name in ("auth_user", "auth_password")
        ):
            yield self._auth(call, arguments)

    def _positional(self, call: ast.Call, name: str, arguments: Arguments) -> Finding:
        names = listed(repr(argument) for argument in arguments.surplus)
        return self._finding(
            call, "positional-arguments", f"{name}() takes {names} by keyword only", UPGRADE
        )

    def _spread_refusal(self, arguments: Arguments) -> str | None:
        return "the call passes * or **" if arguments.spread else None

    def _fail_silently(
        self, call: ast.Call, arguments: Arguments, refusal: str | None
    ) -> Iterator[Finding]:
        if is_literal(arguments["fail_silently"], False):
            yield from self._droppable(
                call, arguments, "fail_silently", "fail-silently", "fail_silently=False", refusal
            )
        else:
            yield self._finding(
                arguments.node("fail_silently"),
                "fail-silently",
                "fail_silently is deprecated",
                HANDLE_ERRORS,
            )

    def _droppable(
        self,
        call: ast.Call,
        arguments: Arguments,
        argument: str,
        code: str,
        shown: str,
        refusal: str | None,
    ) -> Iterator[Finding]:
        """An argument whose value is its default. By position it is reported already."""
        node = arguments.node(argument)
        if not isinstance(node, ast.keyword):
            return
        finding = self._finding(node, code, f"{shown} is deprecated", "leave it out")
        refusal = refusal or self.plan.comment_refusal(call, node)
        if refusal is None:
            yield replace(finding, fixes=(Fix("argument", self.file.span(node)),))
        else:
            yield replace(finding, refusal=refusal)

    def _connection_argument(
        self, call: ast.Call, meaning: Meaning, arguments: Arguments, refusal: str | None
    ) -> Iterator[Finding]:
        value = arguments["connection"]
        if is_literal(value, None):
            yield from self._droppable(
                call, arguments, "connection", "connection-argument", "connection=None", refusal
            )
            return
        node = arguments.node("connection")
        inner = self._plain_get_connection(value)
        if inner is None or not isinstance(value, ast.Call) or not isinstance(node, ast.keyword):
            yield self._connection(node, value)
            return
        refusal = (
            refusal
            or self.plan.refusal(value, inner, needs_mailers=False)
            or self._contradiction(arguments)
            or (self._read_back() if meaning.path in MESSAGES else None)
            or self.plan.comment_refusal(call, node)
        )
        finding = self._finding(
            node, "connection-argument", "connection=get_connection() is deprecated", "leave it out"
        )
        if refusal is None:
            self.consumed.add(value)
            self.plan.note(value.func, inner, needs_mailers=False)
            yield replace(finding, fixes=(Fix("argument", self.file.span(node)),))
        else:
            yield replace(finding, refusal=refusal)

    def _plain_get_connection(self, node: ast.expr) -> Meaning | None:
        """Return what `node` calls if that is get_connection(), for the default backend."""
        meaning = (
            self.project.meaning(self.module, node.func) if isinstance(node, ast.Call) else None
        )
        if meaning is None or meaning.path != GET_CONNECTION or not isinstance(node, ast.Call):
            return None
        arguments = Arguments(node, GET_CONNECTION, first=("backend",))
        defaults = {"backend": None, "fail_silently": False}
        plain = not arguments.spread and all(
            name in defaults and is_literal(arguments[name], defaults[name]) for name in arguments
        )
        return meaning if plain else None

    def _contradiction(self, arguments: Arguments) -> str | None:
        """Django refuses some arguments together with a connection, and accepts them without."""
        for name, default in {
            "fail_silently": False,
            "auth_user": None,
            "auth_password": None,
        }.items():
            if name in arguments and not is_literal(arguments[name], default):
                return f"'{name}' is refused together with 'connection' today"
        return None

    def _read_back(self) -> str | None:
        for node in self.module.names.nodes(ast.Attribute):
            if node.attr == "connection" and self.module.names.meaning(node) is None:
                return f"line {node.lineno} uses an attribute 'connection'"
        return None

    def _connection(self, node: ast.AST, value: ast.expr) -> Finding:
        if isinstance(value, ast.Name) and self._is_backend(value):
            way = f"collect the messages and call {value.id}.send_messages(messages)"
        else:
            way = "pass using= with an alias of MAILERS when the mail is sent"
        return self._finding(node, "connection-argument", "'connection' is deprecated", way)

    def _is_backend(self, name: ast.Name) -> bool:
        """Whether `name` is bound to what get_connection() or `mailers` gives."""
        for binding in self.module.names.bindings(name):
            value = binding.value
            if isinstance(value, ast.Call | ast.Subscript):
                value = value.func if isinstance(value, ast.Call) else value.value
            meaning = self.project.meaning(self.module, value) if value is not None else None
            if meaning and meaning.path in {GET_CONNECTION, MAILERS, f"{MAILERS}.default"}:
                return True
        return False

    def _auth(self, call: ast.Call, arguments: Arguments) -> Finding:
        alias = suggested_alias(arguments.get("auth_user"))
        return self._finding(
            call,
            "auth-arguments",
            "'auth_user' and 'auth_password' are deprecated",
            f"give 'username' and 'password' to an alias, such as MAILERS[{alias!r}], and pass "
            f"using={alias!r}",
        )

    # Messages.

    def _send(self, call: ast.Call, receiver: Meaning) -> Iterator[Finding]:
        arguments = Arguments(call, first=("fail_silently",))
        if "fail_silently" not in arguments:
            return
        refusal = (
            receiver.doubt
            or self._spread_refusal(arguments)
            or _by_a_test(self.project.replaced_method(self.module, receiver, "send"))
        )
        if refusal is None and self.project.overrides(receiver.path, "send"):
            refusal = f"{receiver.path} has a send() of its own"
        yield from self._fail_silently(call, arguments, refusal)


def _by_a_test(place: Place | None) -> str | None:
    return f"{place} puts something else in its place" if place else None
