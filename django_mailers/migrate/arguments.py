"""The arguments of a call, by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from .django_api import GET_CONNECTION, POSITIONAL, SHORT_BACKENDS

# Words in the names of variables and settings that do not tell one account from another.
NOISE = {
    "email",
    "mail",
    "host",
    "user",
    "username",
    "password",
    "smtp",
    "auth",
    "login",
    "settings",
}
NOISE |= {"backend", "backends", "django", "core", "default"}
# Another way than an alias, where the options may differ from call to call.
FROM_A_DATABASE = (
    "if the login comes from a database, make django.core.mail.backends.smtp."
    "EmailBackend(alias='event', host=..., ...), which reads no settings"
)


class Arguments:
    """The arguments of `call`: `arguments["name"]` is the expression that is passed.

    Positional arguments get their names from `first`, which any Django accepts by position, and
    from POSITIONAL[path]; `surplus` has the names that are keywords only since Django 6.0. `spread`
    is whether there is a `*` or a `**`, which may pass any argument.
    """

    def __init__(self, call: ast.Call, path: str = "", *, first: Sequence[str] = ()) -> None:
        count, names = POSITIONAL.get(path, (len(first), ()))
        self.spread = any(isinstance(node, ast.Starred) for node in call.args) or any(
            keyword.arg is None for keyword in call.keywords
        )
        self._nodes: dict[str, ast.expr | ast.keyword] = {}
        self.surplus: list[str] = []
        for position, node in enumerate(call.args):
            if isinstance(node, ast.Starred):
                break
            if position < len(first):
                self._nodes[first[position]] = node
            elif 0 <= position - count < len(names):
                self._nodes[names[position - count]] = node
                self.surplus.append(names[position - count])
        self._nodes |= {keyword.arg: keyword for keyword in call.keywords if keyword.arg}

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __getitem__(self, name: str) -> ast.expr:
        node = self._nodes[name]
        return node.value if isinstance(node, ast.keyword) else node

    def get(self, name: str) -> ast.expr | None:
        node = self._nodes.get(name)
        return node.value if isinstance(node, ast.keyword) else node

    def node(self, name: str) -> ast.expr | ast.keyword:
        """Return the argument: the keyword with its name, or the expression."""
        return self._nodes[name]


def connection_arguments(call: ast.Call) -> Arguments:
    """Return the arguments of a call of get_connection()."""
    return Arguments(call, GET_CONNECTION, first=("backend",))


def is_literal(node: ast.expr, value: object) -> bool:
    """Whether `node` is the literal None, False or True that `value` is."""
    return isinstance(node, ast.Constant) and node.value is value


def short_backend(node: ast.expr | None) -> str | None:
    """Return the short name of a backend, as in the betas of Django 1.2, if `node` is one."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) and value in SHORT_BACKENDS else None


def suggested_alias(node: ast.expr | None) -> str:
    """Return a name for the mailer that `node` is a login or a backend of.

    "newsletter" for `settings.NEWSLETTER_EMAIL_USER`, for "newsletter@example.com" and for
    "shop.mail.NewsletterBackend"; "other" if it has no telling word.
    """
    text = ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.partition("@")[0]
        if "@" not in node.value and "." in text:
            *path, name = text.split(".")
            name = re.sub(r"(Email)?Backend$", "", name)
            known = [part for part in path if part not in NOISE]
            text = name or "".join(known[-1:])
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        text = str(node.slice.value)
    elif isinstance(node, ast.Name | ast.Attribute):
        text = ast.unparse(node).rpartition(".")[2]
    words = [word for word in re.split(r"\W|_", text.lower()) if word and word not in NOISE]
    return "_".join(words[:2]) or "other"
