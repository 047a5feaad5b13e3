"""From a message to the bytes that go over the wire.

`render(message)` gives the bytes of `message.message(policy=email.policy.SMTP).as_bytes()`. Django
builds a tree of Python's email objects for that, parses every header it has just put together and
folds it again. Most messages are so plain that the result is known beforehand: those are written
directly. All others take the normal road, and so does a message whose class changes anything on it.
"""

from __future__ import annotations

import email.message
import inspect
import operator
import string
from collections.abc import Callable
from datetime import datetime, timezone
from email.errors import MessageError
from email.generator import BytesGenerator
from email.message import MIMEPart
from functools import lru_cache
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail import message as django_message
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone

from django_mailers.ownership import belongs_to

from . import bodies, headers, known, localparts
from .headers import NotProved, addr_spec, unnamed

__all__ = ["addr_spec", "render", "unnamed"]

# What message() calls, on any Django; before 6.0 those that make parts, too.
HOOKS = (
    "message",
    "_add_bodies",
    "_add_attachments",
    "_add_attachment",
    "_set_list_header_if_not_empty",
    "_idna_encode_address_header_domains",
    "_create_message",
    "_create_attachments",
    "_create_alternatives",
    "_create_attachment",
    "_create_mime_attachment",
    "__getattribute__",
)
# What chose the type of a multipart before Django 6.0, and does so yet with the bridge.
SUBTYPES = ("mixed_subtype", "alternative_subtype")
_ON_INSTANCES = {*HOOKS, *SUBTYPES}
_DJANGO_CLASSES = (EmailMessage, EmailMultiAlternatives)
_DJANGO_SUBTYPES = {name: getattr(EmailMultiAlternatives, name, None) for name in SUBTYPES}

# Extra headers that take the place of others, written like this only.
_LEADING = {"From", "To", "Cc", "Reply-To"}
# Those that would be there twice, are ignored, or are errors.
_UNUSUAL = {"subject", "from", "to", "cc", "reply-to", "bcc", "mime-version"}
_TOKEN_CHARACTERS = frozenset(string.ascii_letters + string.digits + ".+-")


def render(message: EmailMessage) -> bytes:
    """Return `message` as it goes over the wire, with CRLF at the end of every line.

    The bytes are those of `message.message(policy=email.policy.SMTP).as_bytes()`, with a `Date`, a
    `Message-ID` and boundaries made in the same way.

    Raises whatever that raises: `ValueError` for a header or an address that cannot be one; for a
    local part that is not ASCII too, where that raises another error (Python 3.15).
    """
    if known.is_known() and _is_djangos(message):
        try:
            rendered = b"".join(_directly(message))
        except Exception:
            # Whatever is wrong, be it with the message or here: the normal road raises it, or not.
            rendered = None
        if rendered is not None:
            return rendered
    try:
        return normally(message)
    except MessageError:
        # A HeaderWriteError, for one.
        localparts.refuse_in(message)
        raise


def normally(message: Any) -> bytes:
    """Return `message` as Django's SMTP backend has it rendered."""
    # A message() written before Django 6.0 takes no policy, and may return one of the classes of
    # that time (H26, H27).
    rendered = message.message(**({"policy": headers.SMTP} if _takes_policy(message) else {}))
    _refuse_line_breaks(message, rendered)
    legacy = getattr(django_message, "MIMEMixin", ())
    # The backport's are both, on Django 5.2.
    if isinstance(rendered, legacy) and not isinstance(rendered, email.message.EmailMessage):
        data: bytes = rendered.as_bytes(linesep="\r\n")
    elif rendered.policy.linesep == "\r\n":
        data = rendered.as_bytes()
    else:
        data = rendered.as_bytes(policy=rendered.policy.clone(linesep="\r\n"))
    return data


def _takes_policy(message: Any) -> bool:
    """Whether `message.message()` takes `policy`, or hands it on to Django's and that does.

    Below Django 6.0 that may be a function of somebody else's that hands it on to 5.2's.
    """
    parameters = dict(inspect.signature(message.message).parameters)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        parameters.update(inspect.signature(EmailMessage.message).parameters)
    return "policy" in parameters


def _refuse_line_breaks(message: Any, rendered: Any) -> None:
    """Raise `ValueError` if a header has a line break, or its name, in the words of newer Pythons.

    Old ones let it pass at the end (python/cpython#121650), and write it out: an empty line, so
    that all headers behind it are body, the recipients among them.
    """
    found = [header for part in rendered.walk() for header in part.items()]
    for name, _ in found:
        if "\n" in name or "\r" in name:
            raise ValueError(f"Header names may not contain linefeed or carriage return: {name!r}")
    given: list[Any] = []
    if isinstance(message, EmailMessage):
        # Of addresses they drop it; newer ones refuse it, and so do we where we make messages.
        given += [message.from_email, *message.extra_headers.values()]
        for addresses in (message.to, message.cc, message.reply_to):
            given += addresses or ()
    # A line that goes on is one: attachments may have been parsed from such.
    if any(headers.LINE_BREAK.search(str(value)) for _, value in found) or any(
        "\n" in value or "\r" in value for value in map(_decoded, given)
    ):
        raise ValueError("Header values may not contain linefeed or carriage return characters")


def _decoded(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


# --- Who may be rendered directly ----------------------------------------------------------------


def _is_djangos(message: Any) -> bool:
    """Tell whether it is Django's own code that `message` would be rendered by."""
    cls: Any = type(message)
    try:
        # Looked up each time: a test may have replaced one for a while (H7, H13).
        common, other_names = _hooks()
        others = [getattr(cls, name, None) for name in other_names]
        verdict = _are_djangos(cls, common(cls), *others)
    except (AttributeError, TypeError):
        # Something else, or something that cannot be hashed: none of Django's.
        return False
    return verdict and _ON_INSTANCES.isdisjoint(vars(message))


@lru_cache(maxsize=1)
def _hooks() -> tuple[Callable[[Any], Any], list[str]]:
    """Return what gets all that any message has, and the names of what some have.

    What EmailMultiAlternatives has not, this Django does not call.
    """
    names = [name for name in HOOKS if hasattr(EmailMultiAlternatives, name)]
    common = [name for name in names if hasattr(EmailMessage, name)]
    # A function may also be given other code.
    codes = [f"{name}.__code__" for name in common if name != "__getattribute__"]
    return operator.attrgetter(*common, *codes), [*{*names} - {*common}, *SUBTYPES]


@lru_cache(maxsize=128)
def _are_djangos(cls: Any, *hooks: Any) -> bool:
    """Tell it of `cls`, whose `hooks` are part of the question as they may be replaced."""
    if not issubclass(cls, EmailMessage):
        return False
    for name in HOOKS:
        function = getattr(cls, name, None)
        if function is None or function is object.__getattribute__:
            continue
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if owner not in _DJANGO_CLASSES or not belongs_to(function, "django", "django_mailers"):
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
    # The latter is the bridge's, for other code to read.
    return subtype is _DJANGO_SUBTYPES[name] or type(subtype).__module__.startswith(
        "django_mailers."
    )


# --- Directly ------------------------------------------------------------------------------------


def _directly(message: Any) -> bodies.Part:
    charset = message.encoding or settings.DEFAULT_CHARSET
    # A Charset of that name is equal to it, and an error.
    if type(charset) is not str or charset != bodies.CHARSET:
        raise NotProved
    body = _text(message.body or "")
    if isinstance(message, EmailMultiAlternatives):
        alternatives = message.alternatives
    elif hasattr(message, "alternatives"):
        raise NotProved
    else:
        alternatives = []
    attachments = message.attachments
    if not alternatives and not attachments:
        start, content = bodies.text(body, _token(message.content_subtype), "message")
        return [start, *_headers(message), b"\r\n", content]
    parts = []
    # Django asks the attribute, not the text: a lazy body that is empty is a part.
    has_body = bool(message.body) or not (alternatives or attachments)
    if has_body:
        parts.append(bodies.text(body, _token(message.content_subtype), "body"))
    if alternatives:
        parts += [_alternative(alternative) for alternative in alternatives]
    # Before any boundary, as Django makes the headers first, and both take random numbers.
    lines = b"".join(_headers(message))
    if not attachments:
        return bodies.multipart("alternative", parts, lines, version=has_body)
    if alternatives:
        parts = [bodies.multipart("alternative", parts)]
    parts += [_attachment(attachment) for attachment in attachments]
    return bodies.multipart("mixed", parts, lines, version=has_body)


def _text(value: Any) -> str:
    """Return what is text, and means the same whenever it is looked at, as a plain `str`."""
    if type(value) is str:
        return value
    if type(value) is SafeString:
        return str.__str__(value)
    if isinstance(value, Promise):
        return _text(str(value))
    raise NotProved


def _token(value: Any) -> str:
    if type(value) is str and value and _TOKEN_CHARACTERS.issuperset(value):
        return value
    raise NotProved


def _types(mimetype: Any) -> tuple[str, str]:
    if type(mimetype) is not str or mimetype.count("/") != 1:
        raise NotProved
    maintype, subtype = mimetype.split("/")
    if not maintype.islower() or maintype in {"message", "multipart"}:
        raise NotProved
    return _token(maintype), _token(subtype)


def _alternative(alternative: Any) -> bodies.Part:
    if type(alternative) is not django_message.EmailAlternative:
        raise NotProved
    maintype, subtype = _types(alternative.mimetype)
    content = alternative.content
    if maintype == "text":
        if type(content) is bytes:
            content = content.decode()
        if isinstance(content, Promise):
            raise NotProved
        return bodies.text(_text(content), subtype, "alternative")
    if type(content) is not bytes:
        raise NotProved
    return bodies.file(content, maintype, subtype, "alternative", None)


def _has_legacy_ways() -> bool:
    """Whether the bridge has it that a part without a file name is not called an attachment, and
    that a date which is none stays as it is."""
    # Django 5.2: the hook goes with it.
    return hasattr(EmailMessage, "_create_message") and getattr(settings, "MAILERS_BRIDGE", True)


def _attachment(attachment: Any) -> bodies.Part:
    if isinstance(attachment, MIMEPart):
        buffer = BytesIO()
        generator: Any = BytesGenerator(buffer, mangle_from_=False, policy=headers.SMTP)
        generator.flatten(attachment)
        return [buffer.getvalue()]
    if type(attachment) not in (tuple, django_message.EmailAttachment) or len(attachment) != 3:
        raise NotProved
    filename, content, mimetype = attachment
    if filename is not None and type(filename) is not str:
        raise NotProved
    if not filename and _has_legacy_ways():
        raise NotProved
    maintype, subtype = _types(mimetype)
    if maintype == "text" and type(content) is bytes:
        try:
            content = content.decode()
        except UnicodeDecodeError:
            maintype, subtype = _types(django_message.DEFAULT_ATTACHMENT_MIME_TYPE)
    if maintype == "text":
        if isinstance(content, Promise):
            raise NotProved
        return bodies.text(_text(content), subtype, "attachment", filename)
    if type(content) is str:
        content = content.encode()
    if type(content) is not bytes:
        raise NotProved
    return bodies.file(content, maintype, subtype, "attachment", filename)


def _headers(message: Any) -> list[bytes]:
    extra = message.extra_headers
    if type(extra) is not dict:
        raise NotProved
    lines = [
        headers.unstructured("Subject", _text(message.subject)),
        headers.senders("From", _text(extra.get("From", message.from_email))),
    ]
    for name, addresses, line in (
        ("To", message.to, headers.addresses),
        ("Cc", message.cc, headers.addresses),
        ("Reply-To", message.reply_to, headers.senders),
    ):
        if name in extra:
            value = extra[name]
            if type(value) is not str:
                raise NotProved
            lines.append(line(name, value))
        elif addresses:
            value = ", ".join([_text(address) for address in addresses])
            lines.append(line(name, value))
    given = {name.lower() for name in extra} if extra else ()
    if "date" not in given:
        zone = get_current_timezone() if settings.EMAIL_USE_LOCALTIME else timezone.utc
        lines.append(headers.date(datetime.now(zone)))
    if "message-id" not in given:
        # By the module: pytest-django replaces DNS_NAME there (H13).
        domain = django_message.DNS_NAME  # type: ignore[attr-defined]
        made = django_message.make_msgid(domain=domain)
        lines.append(headers.message_id(made))
    if extra:
        if len(given) < len(extra):
            raise NotProved
        lines += [_extra_header(name, value) for name, value in extra.items()]
    return lines


def _extra_header(name: str, value: Any) -> bytes:
    if name in _LEADING:
        return b""
    lower = name.lower()
    if lower in _UNUSUAL or lower.startswith("content-") or not headers.HEADER_NAME.fullmatch(name):
        raise NotProved
    value = _text(value)
    if lower in headers.DATES and _has_legacy_ways():
        raise NotProved
    if lower in headers.UNSTRUCTURED or lower.startswith(headers.UNSTRUCTURED_FAMILIES):
        return headers.unstructured(name, value)
    return headers.folded(name, value)
