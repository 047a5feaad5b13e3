"""Parts of Python's email package as JSON: attachments that are MIME already, and legacy ones.

A part is its attributes: headers, payload, policy. Classes and policies are looked up in tables; a
part of another class, which may do anything when it is written, cannot be stored.
"""

from __future__ import annotations

import email.message
import email.policy
from email.headerregistry import HeaderRegistry
from email.mime.application import MIMEApplication
from email.mime.audio import MIMEAudio
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from functools import lru_cache
from typing import Any

from django.core.mail import message as django_message

from django_mailers.ownership import is_stand_in

from .values import Reader, Writer, read, unstorable, write

_PYTHONS: dict[str, type[email.message.Message]] = {
    "MIMEPart": email.message.MIMEPart,
    "EmailMessage": email.message.EmailMessage,
    "Message": email.message.Message,
    "MIMEBase": MIMEBase,
    "MIMENonMultipart": MIMENonMultipart,
    "MIMEMultipart": MIMEMultipart,
    "MIMEText": MIMEText,
    "MIMEImage": MIMEImage,
    "MIMEAudio": MIMEAudio,
    "MIMEApplication": MIMEApplication,
    "MIMEMessage": MIMEMessage,
}
# Django 2028: it has these no longer.
_DJANGOS = ("SafeMIMEMessage", "SafeMIMEText", "SafeMIMEMultipart")
_POLICIES = {
    name: getattr(email.policy, name)
    for name in ("compat32", "default", "SMTP", "SMTPUTF8", "HTTP", "strict")
}
# What a policy may have changed without being another kind of policy.
_PLAIN_SETTINGS = (
    *("max_line_length", "linesep", "cte_type", "raise_on_defect", "mangle_from_"),
    *("verify_generated_headers", "utf8", "refold_source"),
)


def write_part(part: email.message.Message, where: str, others: Writer) -> Any:
    """Return `part` as JSON. Raises TypeError if it, or something in it, cannot be stored."""
    names = {cls: name for name, cls in classes().items()}
    # Django 5.2: messages are of a class of this package, which is a detail of the install.
    cls: Any = next(cls for cls in type(part).__mro__ if not is_stand_in(cls.__module__))
    if cls not in names:
        raise unstorable(part, where)
    attributes = dict(vars(part))
    policy = attributes.pop("policy")
    headers = attributes.pop("_headers")
    # What was wrong with the text that it was parsed from.
    attributes.pop("defects", None)
    return {
        "part": {
            "class": names[cls],
            "policy": _write_policy(policy, where),
            "headers": [
                [str(name), _write_header(value, policy, f"The header {name!r} of {where}", others)]
                for name, value in headers
            ],
            "attributes": {
                name: write(value, f"{where}.{name}", others) for name, value in attributes.items()
            },
        }
    }


def read_part(stored: Any, others: Reader) -> email.message.Message:
    """Return the part that `write_part()` has stored."""
    cls: Any = classes()[stored["class"]]
    part: email.message.Message = cls.__new__(cls)
    policy = _read_policy(stored["policy"])
    part.__dict__.update(
        {name: read(value, others) for name, value in stored["attributes"].items()},
        policy=policy,
        defects=[],
        _headers=[
            (name, _read_header(name, value, policy, others)) for name, value in stored["headers"]
        ],
    )
    return part


@lru_cache(maxsize=1)
def classes() -> dict[str, Any]:
    """Return the classes that parts may have, by name."""
    djangos = {name: getattr(django_message, name, None) for name in _DJANGOS}
    return {**_PYTHONS, **{name: cls for name, cls in djangos.items() if cls is not None}}


def _write_header(value: Any, policy: Any, where: str, others: Writer) -> Any:
    """Write a value, which is text as it was parsed, or what a policy has made of it."""
    if not hasattr(value, "fold"):
        return write(value, where, others)
    text = str(value)
    # Nearly always; and it is folded by what it was made from, which only the policy knows.
    again = policy.header_factory(value.name, text)
    if again.fold(policy=policy) != value.fold(policy=policy):
        raise unstorable(value, where)
    return {"parsed": text}


def _read_header(name: str, stored: Any, policy: Any, others: Reader) -> Any:
    if isinstance(stored, dict) and "parsed" in stored:
        return policy.header_factory(name, stored["parsed"])
    return read(stored, others)


def _write_policy(policy: Any, where: str) -> Any:
    for name, known in _POLICIES.items():
        if policy is known:
            return [name, {}]
    name = "default" if type(policy) is email.policy.EmailPolicy else "compat32"
    known = _POLICIES[name]
    settings = {
        setting: getattr(policy, setting)
        for setting in _PLAIN_SETTINGS
        if getattr(policy, setting, None) != getattr(known, setting, None)
    }
    if type(policy) is not type(known) or not _is_usual(policy, known):
        raise unstorable(policy, f"The policy of {where}")
    return [name, settings]


def _is_usual(policy: Any, known: Any) -> bool:
    """Whether `policy` makes headers and content as `known` does."""
    if policy.message_factory not in {None, email.message.Message, email.message.EmailMessage}:
        return False
    if not hasattr(known, "header_factory"):
        return True
    factory = policy.header_factory
    return (
        type(factory) is HeaderRegistry
        and vars(factory) == vars(known.header_factory)
        and policy.content_manager is known.content_manager
    )


def _read_policy(stored: Any) -> Any:
    name, settings = stored
    policy = _POLICIES[name]
    # Patch releases of Python have added some.
    known = {setting: value for setting, value in settings.items() if hasattr(policy, setting)}
    return policy.clone(**known) if known else policy
