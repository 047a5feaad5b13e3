"""`django.core.mail.message`: making and sending messages. (Django 6.0: this whole file.)

The classes here only hold what goes into Django's classes of the same names, which keep their
identity: `super()` therefore has to name Django's class, not the one around the method.
"""

from __future__ import annotations

import email.message
import email.policy
from collections.abc import Callable, Iterable
from email.errors import HeaderParseError
from email.mime.base import MIMEBase
from email.policy import Policy
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail import message as django_message
from django.utils.encoding import force_str

from django_mailers.deprecation import warn_about_external_use
from django_mailers.legacyapi import (
    CONNECTION_ARG_WARNING,
    FAIL_SILENTLY_ARG_WARNING,
    POSITIONAL,
)

from .deprecation import (
    deprecate_posargs,
    report_connection_incompatibility,
    report_using_incompatibility,
)
from .parents import parent_of

# Headers with addresses, in addition to those that have an argument of EmailMessage (RFC 5322,
# 3.6).
OTHER_ADDRESSES = {
    "sender",
    "resent-bcc",
    "resent-cc",
    "resent-from",
    "resent-sender",
    "resent-to",
}


class EmailMessage:
    """Members for `django.core.mail.EmailMessage`, on Django 5.2 and 6.0."""

    @deprecate_posargs(POSITIONAL["EmailMessage"].names)
    def __init__(
        self: Any,
        subject: str = "",
        body: str = "",
        from_email: str | None = None,
        to: Iterable[str] | None = None,
        *,
        bcc: Iterable[str] | None = None,
        connection: Any = None,
        attachments: Iterable[Any] | None = None,
        headers: dict[str, Any] | None = None,
        cc: Iterable[str] | None = None,
        reply_to: Iterable[str] | None = None,
    ) -> None:
        recipients = {"to": to, "cc": cc, "bcc": bcc, "reply_to": reply_to}
        for name, addresses in recipients.items():
            if addresses and isinstance(addresses, str):
                raise TypeError(f'"{name}" argument must be a list or tuple')
            setattr(self, name, list(addresses or ()))
        self.from_email = from_email or settings.DEFAULT_FROM_EMAIL
        self.subject = subject
        self.body = body or ""
        self.attachments = list[Any]()
        for attachment in attachments or ():
            if isinstance(attachment, email.message.MIMEPart | MIMEBase):
                self.attach(attachment)
            else:
                self.attach(*attachment)
        self.extra_headers = headers or {}
        if connection is not None:
            warn_about_external_use(CONNECTION_ARG_WARNING)
        _set_connection(self, connection)

    @property
    def connection(self: Any) -> Any:
        warn_about_external_use("The EmailMessage.connection attribute is deprecated.")
        return _connection_of(self)

    @connection.setter
    def connection(self: Any, value: Any) -> None:
        warn_about_external_use(
            "The EmailMessage.connection attribute is deprecated. Switch to "
            "EmailMessage.send(using=...) with a MAILERS alias."
        )
        _set_connection(self, value)

    def send(self: Any, fail_silently: bool = False, *, using: str | None = None) -> int:
        """Send this message through the mailer that `using` names, or through the default one.

        Nothing about the mailer is kept on the message. Returns 1, or 0 if there are no recipients
        (no mailer is made then) or the backend says that it sent nothing.
        """
        if not self.recipients():
            return 0
        if fail_silently:
            warn_about_external_use(FAIL_SILENTLY_ARG_WARNING)
        if hasattr(self, "get_connection"):
            raise AttributeError(
                "EmailMessage no longer supports the undocumented get_connection() method."
            )
        connection = _connection_of(self)
        if using is not None:
            report_using_incompatibility(connection, fail_silently)
            connection = mail.mailers[using]
        elif connection:
            if fail_silently:
                report_connection_incompatibility(fail_silently)
        else:
            connection = mail.get_connection(fail_silently=fail_silently)
        return connection.send_messages([self])


def _set_connection(message: Any, connection: Any) -> None:
    """Keep `connection` on `message`.

    Also under its former name, by which a Django without this app finds it: messages are pickled
    into queues, and the app may have been removed when they are sent.
    """
    vars(message).update(_connection=connection, connection=connection)


def _connection_of(message: Any) -> Any:
    """Return the connection `message` was made with.

    Instances made before the install, and those that a bare 5.2 pickled into a queue (H24), keep it
    in the instance dictionary, under the name that is a property now.
    """
    values = vars(message)
    return values.get("_connection", values.get("connection"))


class EmailMultiAlternatives:
    """Members for `django.core.mail.EmailMultiAlternatives`, on Django 5.2 and 6.0."""

    @deprecate_posargs(POSITIONAL["EmailMultiAlternatives"].names)
    def __init__(
        self: Any,
        subject: str = "",
        body: str = "",
        from_email: str | None = None,
        to: Iterable[str] | None = None,
        *,
        bcc: Iterable[str] | None = None,
        connection: Any = None,
        attachments: Iterable[Any] | None = None,
        headers: dict[str, Any] | None = None,
        alternatives: Iterable[tuple[Any, str]] | None = None,
        cc: Iterable[str] | None = None,
        reply_to: Iterable[str] | None = None,
    ) -> None:
        # Here, as the constructor above sees a call of ours.
        if connection is not None:
            warn_about_external_use(CONNECTION_ARG_WARNING)
        parent = parent_of(self, django_message.EmailMultiAlternatives)
        recipients = {"cc": cc, "bcc": bcc, "reply_to": reply_to}
        others = {"attachments": attachments, "connection": connection, "headers": headers}
        parent.__init__(subject, body, from_email, to, **recipients, **others)
        self.alternatives = list[Any]()
        for alternative in alternatives or ():
            self.alternatives.append(django_message.EmailAlternative(*alternative))


# Errors of Python's address parser, depending on its version, for some texts that are not
# addresses.
PARSER_ERRORS = (AttributeError, HeaderParseError, IndexError, KeyError, TypeError, NameError)


def message(
    original: Callable[..., Any], self: Any, *, policy: Policy = email.policy.default
) -> Any:
    """`EmailMessage.message()`, with a `ValueError` where old Pythons let input pass or fail on it.

    A line break at the end of a value is written out by them as an empty line, behind which every
    other header is body, and one in a name as it is (python/cpython#121650).
    """
    _refuse_bcc_and_line_breaks(self)
    try:
        return original(self, policy=policy)
    except PARSER_ERRORS:
        _refuse_bad_addresses(self)
        raise


def _refuse_bcc_and_line_breaks(message: Any) -> None:
    for name in message.extra_headers:
        if name.lower() == "bcc":
            raise ValueError(
                'Bcc is not a valid email header. Use the "bcc" argument to specify blind carbon '
                "copy recipients."
            )
        if _has_line_break(name):
            raise ValueError(f"Header names may not contain linefeed or carriage return: {name!r}")
    values = [message.subject, *message.extra_headers.values(), *_address_inputs(message)]
    # Code may have set any of these to None, which Django takes for nothing.
    for alternative in getattr(message, "alternatives", None) or ():
        values += alternative_pair(alternative)[1:]
    for attachment in message.attachments or ():
        if isinstance(attachment, tuple | list):
            values += attachment[2:]
    if any(_has_line_break(value) for value in values):
        raise ValueError("Header values may not contain linefeed or carriage return characters")


def alternative_pair(alternative: Any) -> tuple[Any, str]:
    """Return content and type of what stands in `alternatives`.

    Code that fills the list itself puts in bare pairs or objects of its own (H28).
    """
    if isinstance(alternative, tuple | list) and not hasattr(alternative, "mimetype"):
        content, mimetype = alternative
        return content, mimetype
    return alternative.content, alternative.mimetype


def _refuse_bad_addresses(message: Any) -> None:
    """Raise `ValueError` if `message` could not be made because of one of its addresses."""
    for value in _address_inputs(message):
        try:
            email.policy.default.header_factory("To", str(value))
        except PARSER_ERRORS as error:
            raise ValueError(f"Invalid address {str(value)!r}: {error}") from error


def _address_inputs(message: Any) -> list[Any]:
    """Return what becomes the address headers of `message`, in no particular order."""
    headers = message.extra_headers
    inputs = [headers.get("From", message.from_email)]
    for name, addresses in (
        ("To", message.to),
        ("Cc", message.cc),
        ("Reply-To", message.reply_to),
    ):
        inputs += [headers[name]] if name in headers else addresses or ()
    return inputs + [value for name, value in headers.items() if name.lower() in OTHER_ADDRESSES]


def _has_line_break(value: Any) -> bool:
    text = force_str(value)
    return "\n" in text or "\r" in text
