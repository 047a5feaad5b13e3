"""A call that sends mail or makes a message: its arguments, and whether they may be changed."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .arguments import Arguments
from .names import Meaning
from .project import Module, Place, Project


@dataclass(frozen=True)
class MailCall:
    """A call of a function that sends mail, of a class of messages, or of send() of a message.

    `meaning` is what the function or the class refers to, or the class of the message; `refusal`
    says why the arguments must stay as they are, None if they may be changed.
    """

    call: ast.Call
    meaning: Meaning
    arguments: Arguments
    refusal: str | None

    @property
    def name(self) -> str:
        return self.meaning.path.rpartition(".")[2]


def function_call(project: Project, module: Module, call: ast.Call, meaning: Meaning) -> MailCall:
    arguments = Arguments(call, meaning.path)
    refusal = (
        meaning.doubt
        or spread_refusal(arguments)
        or replacement_refusal(project.replacement(module, call.func))
    )
    return MailCall(call, meaning, arguments, refusal)


def method_call(project: Project, module: Module, call: ast.Call, receiver: Meaning) -> MailCall:
    arguments = Arguments(call, first=("fail_silently",))
    refusal = (
        receiver.doubt
        or spread_refusal(arguments)
        or replacement_refusal(project.replaced_method(module, receiver, "send"))
    )
    if refusal is None and project.overrides(receiver.path, "send"):
        refusal = f"{receiver.path} overrides send()"
    return MailCall(call, receiver, arguments, refusal)


def spread_refusal(arguments: Arguments) -> str | None:
    return "the call passes * or **" if arguments.spread else None


def replacement_refusal(place: Place | None) -> str | None:
    return f"{place} replaces it" if place else None
