"""The rendering half of `django.core.mail.message`. (Django 5.2: this whole file.)

Django 6.0 renders with Python's modern email API; 5.2 does so with the legacy one, whose bytes
differ.
"""

from __future__ import annotations

import email.message
import email.policy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email.headerregistry import Address, AddressHeader
from email.mime.base import MIMEBase
from email.policy import Policy
from typing import Any

from django.conf import settings
from django.core.mail import message as django_message
from django.utils.encoding import force_bytes, force_str, punycode
from django.utils.timezone import get_current_timezone

from django_mailers.deprecation import warn_about_external_use, warn_about_use
from django_mailers.ownership import is_defined_in

from ..message import alternative_pair
from ..message import message as checked_message
from ..parents import parent_of
from . import leniency

# Methods that Django 5.2's message() calls, one inside the other. A subclass that overrides one (to
# sign or to encrypt, say) is rendered by 5.2's own code: silently skipping the hook would send the
# message without what it adds.
CREATION_HOOKS = (
    "_create_message",
    "_create_attachments",
    "_create_alternatives",
    "_create_attachment",
    "_create_mime_attachment",
)

# In the texts of all the email package's refusals of a line break, and of our own.
LINE_BREAK = "linefeed or carriage return"

# Headers that the extra ones replace in their own place, not at the end.
LEADING_HEADERS = {"from", "to", "cc", "reply-to"}


class PythonEmailMessage(email.message.EmailMessage):
    """Python's message, whose `as_bytes()` and `as_string()` also take `linesep`.

    Code that asks `django.VERSION` still passes it, as to the classes of 5.2 (H26). Parts are of
    the same class, since the email package makes them with `type(self)`.
    """

    def __setitem__(self, name: str, value: Any) -> None:
        value = leniency.header(self, name, value)
        if value is not leniency.LEFT_OUT:
            super().__setitem__(name, value)

    def replace_header(self, _name: str, _value: Any) -> None:
        super().replace_header(_name, leniency.header(self, _name, _value, replace=True))

    def as_string(
        self,
        unixfrom: bool = False,
        maxheaderlen: int | None = None,
        policy: Policy | None = None,
        *,
        linesep: str | None = None,
    ) -> str:
        return super().as_string(unixfrom, maxheaderlen, self._policy_with(policy, linesep))

    def as_bytes(
        self, unixfrom: bool = False, policy: Policy | None = None, *, linesep: str | None = None
    ) -> bytes:
        return super().as_bytes(unixfrom, self._policy_with(policy, linesep))

    def _policy_with(self, policy: Policy | None, linesep: str | None) -> Policy | None:
        if linesep is None:
            return policy
        warn_about_external_use(
            "From Django 6.0 on, a message has no 'linesep' argument. Use policy=email.policy.SMTP."
        )
        return (policy or self.policy).clone(linesep=linesep)


class ModernFirst(type):
    """Lets a class inherit from 5.2's classes of parts in name alone.

    They come last, after the whole of the modern API, so that none of their methods is ever used.
    But code of the time asks by `isinstance()` what a part is, before it takes its content (H26).
    """

    def mro(cls) -> list[type]:
        modern = [cls, *PythonEmailMessage.__mro__[:-1]]
        return [*modern, *(each for each in super().mro() if each not in modern)]


class TextPart(PythonEmailMessage, django_message.SafeMIMEText, metaclass=ModernFirst):  # type: ignore[misc]
    """A text of a message."""


class MultiPart(PythonEmailMessage, django_message.SafeMIMEMultipart, metaclass=ModernFirst):  # type: ignore[misc]
    """A multipart of a message."""


class MessagePart(PythonEmailMessage, django_message.SafeMIMEMessage, metaclass=ModernFirst):  # type: ignore[misc]
    """A message in a message."""


PARTS = {"text": TextPart, "multipart": MultiPart, "message": MessagePart}


class EmailMessage:
    """Members for `django.core.mail.EmailMessage`."""

    def _add_bodies(self: Any, msg: email.message.EmailMessage) -> None:
        if self.attachments and not self.body:
            return
        how = _text_options(self)
        body = force_str(self.body or "", encoding=how["charset"], errors="surrogateescape")
        body = leniency.text(body, how["charset"])
        msg.set_content(body, subtype=self.content_subtype, **how)

    def _add_attachments(self: Any, msg: Any) -> None:
        if not self.attachments:
            return
        if _is_overridden(self, "mixed_subtype"):
            raise AttributeError(
                "EmailMessage no longer supports the undocumented `mixed_subtype` attribute"
            )
        msg.make_mixed()
        for attachment in self.attachments:
            if isinstance(attachment, email.message.MIMEPart | MIMEBase):
                msg.attach(attachment)
            else:
                self._add_attachment(msg, *attachment)

    def _add_attachment(
        self: Any,
        msg: email.message.EmailMessage,
        filename: str | None,
        content: Any,
        mimetype: str,
    ) -> None:
        # attach() has decoded text already; what was put into `attachments` directly has not been.
        if mimetype.startswith("text/") and isinstance(content, bytes):
            try:
                content = content.decode()
            except UnicodeDecodeError:
                mimetype = django_message.DEFAULT_ATTACHMENT_MIME_TYPE
        maintype, subtype = mimetype.split("/", 1)
        how: dict[str, Any] = {"subtype": subtype, "filename": filename}
        # Python's content manager wants each kind told apart: text with its charset and no
        # maintype, a message as an object, anything else as bytes with its maintype.
        if maintype == "text":
            how |= _text_options(self)
            content = leniency.text(content, how["charset"])
        elif maintype == "message":
            content = _as_python_message(content, msg.policy)
        else:
            how["maintype"] = maintype
            if not isinstance(content, bytes | bytearray | memoryview):
                content = force_bytes(content)
        msg.add_attachment(content, **how)
        if not filename and leniency.is_on():
            # As 5.2 does not call it an attachment then: it may be an invitation, say.
            del list(msg.iter_parts())[-1]["Content-Disposition"]

    def _idna_encode_address_header_domains(self: Any, msg: email.message.EmailMessage) -> None:
        """Write the non-ASCII domains of address headers as IDNA, unless the policy allows UTF-8.

        The email package would make an encoded-word of them, which no mail server understands
        (python/cpython#83938). Local parts have no such encoding: they are refused when sending.
        """
        if getattr(msg.policy, "utf8", False):
            return
        for name, value in msg.items():
            if not isinstance(value, AddressHeader):
                continue
            if all(address.domain.isascii() for address in value.addresses):
                continue
            if isinstance(value, leniency.EncodedHeader):  # which sees to it
                continue
            encoded = [
                Address(address.display_name, address.username, punycode(address.domain))
                for address in value.addresses
            ]
            msg.replace_header(name, encoded)


class EmailMultiAlternatives:
    """Members for `django.core.mail.EmailMultiAlternatives`."""

    def _add_bodies(self: Any, msg: email.message.EmailMessage) -> None:
        if self.body or not self.alternatives:
            parent = parent_of(self, django_message.EmailMultiAlternatives)
            parent._add_bodies(msg)
        if not self.alternatives:
            return
        if _is_overridden(self, "alternative_subtype"):
            raise AttributeError(
                "EmailMultiAlternatives no longer supports the undocumented `alternative_subtype` "
                "attribute"
            )
        msg.make_alternative()
        how = _text_options(self)
        for alternative in self.alternatives:
            content, mimetype = alternative_pair(alternative)
            maintype, subtype = mimetype.split("/", 1)
            if maintype == "text":
                text = content.decode() if isinstance(content, bytes) else content
                text = leniency.text(text, how["charset"])
                msg.add_alternative(text, subtype=subtype, **how)
            elif maintype == "message" and leniency.is_on():
                # Django 6.0 encodes it in base64, in which no client reads it.
                msg.add_alternative(_as_python_message(content, msg.policy), subtype=subtype)
            else:
                data = force_bytes(content, encoding=how["charset"], strings_only=True)
                msg.add_alternative(data, maintype=maintype, subtype=subtype)


def message(
    original: Callable[..., Any], self: Any, *, policy: Policy = email.policy.default
) -> Any:
    """Return the `email.message.EmailMessage` that this message is on the wire.

    Arguments: `policy`, the rules for reading and writing headers; `email.policy.SMTP` gives the
    line ends that SMTP wants.

    Raises `ValueError` for a header or an address that cannot be one (a line break, above all).
    """
    if any(_is_overridden(self, hook) for hook in CREATION_HOOKS):
        return original(self)
    with _line_breaks_as_bad_header():
        return checked_message(_render, self, policy=policy)


def _render(self: Any, *, policy: Policy) -> PythonEmailMessage:
    msg = PythonEmailMessage(policy=policy)
    self._add_bodies(msg)
    self._add_attachments(msg)
    _add_headers(self, msg)
    self._idna_encode_address_header_domains(msg)
    if leniency.is_on():
        for part in msg.walk():
            if type(part) is PythonEmailMessage:
                part.__class__ = PARTS.get(part.get_content_maintype(), PythonEmailMessage)
    return msg


def attach(
    original: Callable[..., None],
    self: Any,
    filename: Any = None,
    content: Any = None,
    mimetype: str | None = None,
) -> None:
    """Attach a file by name, content and type, or one ready `email.message.MIMEPart`."""
    if isinstance(filename, email.message.MIMEPart):
        if content is not None or mimetype is not None:
            raise ValueError(
                "content and mimetype must not be given when a MIMEPart instance is provided."
            )
        self.attachments.append(filename)
        return
    if isinstance(filename, MIMEBase):
        warn_about_use(
            "MIMEBase attachments are deprecated. Use an email.message.MIMEPart instead."
        )
    original(self, filename, content, mimetype)


def _add_headers(self: Any, msg: email.message.EmailMessage) -> None:
    headers = self.extra_headers
    msg["Subject"] = str(self.subject)
    msg["From"] = str(headers.get("From", self.from_email))
    self._set_list_header_if_not_empty(msg, "To", self.to)
    self._set_list_header_if_not_empty(msg, "Cc", self.cc)
    self._set_list_header_if_not_empty(msg, "Reply-To", self.reply_to)
    given = {name.lower() for name in headers}
    if "date" not in given:
        zone = get_current_timezone() if settings.EMAIL_USE_LOCALTIME else timezone.utc
        msg["Date"] = datetime.now(zone)
    if "message-id" not in given:
        # By the module: pytest-django replaces DNS_NAME there (H13), as asking the resolver for
        # one's own name can take seconds.
        msg["Message-ID"] = django_message.make_msgid(domain=django_message.DNS_NAME)
    for name, value in headers.items():
        if name.lower() not in LEADING_HEADERS:
            msg[name] = force_str(value, strings_only=True)


@contextmanager
def _line_breaks_as_bad_header() -> Iterator[None]:
    """Make the email package's refusal of a line break 5.2's BadHeaderError, a `ValueError` too.

    That is what `except BadHeaderError` catches in code that imported it before the install.
    """
    try:
        yield
    except ValueError as error:
        if LINE_BREAK not in str(error):
            raise
        raise django_message.BadHeaderError(str(error)) from error


def _as_python_message(content: Any, policy: Policy) -> email.message.Message:
    if isinstance(content, django_message.EmailMessage):
        return content.message(policy=policy)
    if isinstance(content, email.message.Message):
        return content
    return email.message_from_bytes(force_bytes(content), policy=policy)


def _text_options(message: Any) -> dict[str, Any]:
    return leniency.text_options(message.encoding or settings.DEFAULT_CHARSET)


def _is_overridden(message: Any, name: str) -> bool:
    """Whether `name` on `message` is something else than Django 5.2's own classes have."""
    if name in vars(message):
        return True
    owner = next((cls for cls in type(message).__mro__ if name in vars(cls)), None)
    return owner is not None and not is_defined_in(owner, django_message)
