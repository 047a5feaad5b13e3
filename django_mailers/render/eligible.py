"""Which messages are rendered by Django's own code, so that the result is known beforehand."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives

from django_mailers.ownership import MARKER, is_known

# What message() calls, on any Django; before 6.0 those that make parts, too.
HOOKS = (
    "message",
    "_add_bodies",
    "_add_attachments",
    "_add_attachment",
    "_set_list_header_if_not_empty",
    "_idna_encode_address_header_domains",
    # Django 5.2: these five.
    "_create_message",
    "_create_attachments",
    "_create_alternatives",
    "_create_attachment",
    "_create_mime_attachment",
    "__getattribute__",
)
# Django 5.2: they choose the type of a multipart. Django 2028: so they do with the bridge.
SUBTYPES = ("mixed_subtype", "alternative_subtype")
_ON_INSTANCES = {*HOOKS, *SUBTYPES}
_DJANGO_CLASSES = (EmailMessage, EmailMultiAlternatives)
# The hooks that a class had when it was looked at, and whether they were Django's.
MAX_VERDICTS = 128
_verdicts: dict[type, tuple[list[Any], bool]] = {}
_DJANGO_SUBTYPES = {"mixed_subtype": "mixed", "alternative_subtype": "alternative"}


def is_rendered_by_django(message: Any) -> bool:
    """Whether all code that takes part in rendering `message` is Django's, or the backport's."""
    cls: Any = type(message)
    # Looked up each time: a test may have replaced one for a while (H7, H13).
    common, other_names = _hooks()
    try:
        hooks = [*common(cls), *[getattr(cls, name, None) for name in other_names]]
        is_on_instance = not _ON_INSTANCES.isdisjoint(vars(message))
    except (AttributeError, TypeError):
        # It is something else than a message.
        return False
    known_hooks, verdict = _verdicts.get(cls, (None, False))
    # Not a key of a cache: the hash of a code object takes long.
    if hooks != known_hooks:
        verdict = _has_djangos_hooks(cls)
        if len(_verdicts) >= MAX_VERDICTS:
            _verdicts.clear()
        _verdicts[cls] = hooks, verdict
    return verdict and not is_on_instance


@lru_cache(maxsize=1)
def _hooks() -> tuple[Callable[[Any], Any], list[str]]:
    """Return a getter of the hooks that any message has, and the names that only some have.

    This Django does not call what EmailMultiAlternatives lacks.
    """
    names = [name for name in HOOKS if hasattr(EmailMultiAlternatives, name)]
    common = [name for name in names if hasattr(EmailMessage, name)]
    # A function may also be given other code.
    codes = [f"{name}.__code__" for name in common if name != "__getattribute__"]
    return operator.attrgetter(*common, *codes), [*{*names} - {*common}, *SUBTYPES]


def _has_djangos_hooks(cls: Any) -> bool:
    if not issubclass(cls, EmailMessage):
        return False
    for name in HOOKS:
        function = getattr(cls, name, None)
        if function is None or function is object.__getattribute__:
            continue
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if owner not in _DJANGO_CLASSES or not is_known(function):
            return False
    return all(
        _is_usual_subtype(base, name)
        for base in cls.__mro__
        for name in SUBTYPES
        if name in vars(base)
    )


def _is_usual_subtype(owner: type, name: str) -> bool:
    if owner not in _DJANGO_CLASSES:
        return False
    subtype = vars(owner)[name]
    # Not what the class had when this module was imported: it may have been replaced by then.
    return subtype == _DJANGO_SUBTYPES[name] or hasattr(subtype, MARKER)
