"""What an audit looks for: one rule, one file.

A rule is a module with the `CODE` of its findings, which is its name with hyphens, and a function
`findings()` that yields them for a module of the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..context import Context
from ..findings import Finding
from . import (
    address_pairs,
    auth_arguments,
    backend_options,
    connection_argument,
    deprecated_name,
    fail_silently,
    get_connection,
    hook,
    log_handler,
    message_connection,
    mime_attachment,
    positional_arguments,
    setting_defined,
    setting_overridden,
    setting_read,
    short_backend,
    smtp_direct,
)


class Rule(Protocol):
    CODE: str

    def findings(self, context: Context) -> Iterator[Finding]: ...


RULES: tuple[Rule, ...] = (
    # First, as calls of get_connection() that it drops need no finding of their own.
    connection_argument,
    address_pairs,
    auth_arguments,
    backend_options,
    deprecated_name,
    fail_silently,
    get_connection,
    hook,
    log_handler,
    message_connection,
    mime_attachment,
    positional_arguments,
    setting_defined,
    setting_overridden,
    setting_read,
    short_backend,
    smtp_direct,
)


def findings(context: Context) -> list[Finding]:
    """Return what all rules find in a module, each with the changes to imports that it needs."""
    found = [finding for rule in RULES for finding in rule.findings(context)]
    return [context.plan.completed(finding) for finding in found]
