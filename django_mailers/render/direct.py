"""The bytes of a message, written without the tree of email objects that Django builds.

Django parses every header that it has just put together, and folds it again. Most messages are so
plain that the result is known beforehand. What is not raises `NotProved`.
"""

from __future__ import annotations

import string
from datetime import datetime, timezone
from email.message import MIMEPart
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail import message as django_message
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone

from . import bodies, headers
from .selftest import NotProved

# Extra headers that take the place of others, if written like this.
_LEADING = {"From", "To", "Cc", "Reply-To"}
# Extra headers that would be there twice, are ignored, or are errors.
_UNUSUAL = {"subject", "from", "to", "cc", "reply-to", "bcc", "mime-version"}
_TOKEN = (string.ascii_letters + string.digits + ".+-").encode("ascii")


def write(message: Any) -> bytes:
    """Return `message`, which is rendered by Django's own code, as it goes over the wire.

    Raises `NotProved` if the result cannot be known beforehand, or any other error: whether the
    message is wrong is for Django's rendering to say.
    """
    return b"".join(_chunks(message))


def _chunks(message: Any) -> bodies.Part:
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
        start, content = bodies.text_part(body, _token(message.content_subtype), "message")
        return [start, *_headers(message), b"\r\n", content]
    parts = []
    # Django asks the attribute, not the text: a lazy body that is empty is a part.
    has_body = bool(message.body) or not (alternatives or attachments)
    if has_body:
        parts.append(bodies.text_part(body, _token(message.content_subtype), "body"))
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
    """Return a text whose meaning does not change between two looks at it, as a plain `str`."""
    if type(value) is str:
        return value
    if type(value) is SafeString:
        return str.__str__(value)
    if isinstance(value, Promise):
        return _text(str(value))
    raise NotProved


def _token(value: Any) -> str:
    if type(value) is str and headers.consists_of(value, _TOKEN):
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
        return bodies.text_part(_text(content), subtype, "alternative")
    if type(content) is not bytes:
        raise NotProved
    return bodies.file_part(content, maintype, subtype, "alternative", None)


def _has_legacy_ways() -> bool:
    """Whether a part without a file name is not called an attachment, and an invalid date is kept.

    The backport does so for the bridge.
    """
    # Django 5.2: it has this hook.
    return hasattr(EmailMessage, "_create_message") and getattr(settings, "MAILERS_BRIDGE", True)


def _attachment(attachment: Any) -> bodies.Part:
    if isinstance(attachment, MIMEPart):
        return [bodies.ready_part(attachment)]
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
        return bodies.text_part(_text(content), subtype, "attachment", filename)
    if type(content) is str:
        content = content.encode()
    if type(content) is not bytes:
        raise NotProved
    return bodies.file_part(content, maintype, subtype, "attachment", filename)


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
    if lower in _UNUSUAL or lower.startswith("content-") or not headers.is_header_name(name):
        raise NotProved
    if getattr(value, "name", None) == name and isinstance(value, str):
        # A header object: Django hands it on, and Python lets it fold itself.
        return headers.folded(name, value)
    value = _text(value)
    # These two are those that fix_identity() has made, most often.
    if name == "Message-ID":
        return headers.message_id(value)
    if name == "Date" and (line := headers.given_date(value)):
        return line
    if lower in headers.DATES and _has_legacy_ways():
        raise NotProved
    if lower in headers.UNSTRUCTURED or lower.startswith(headers.UNSTRUCTURED_FAMILIES):
        return headers.unstructured(name, value)
    return headers.folded(name, value)
