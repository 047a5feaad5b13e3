"""`django.core.mail.backends.smtp`. (Django 6.0: this whole file.)"""

from __future__ import annotations

import email.message
import email.policy
import smtplib
import threading
from email.headerregistry import Address, AddressHeader
from typing import Any

from django.conf import settings
from django.core.mail import message as django_message
from django.core.mail.backends import smtp as django_smtp
from django.utils.encoding import force_str, punycode

from django_mailers.deprecation import warn_about_external_use, warn_about_use
from django_mailers.emailsettings import OPTIONS, default_port
from django_mailers.signatures import takes_policy

from ..django52 import leniency  # Django 5.2: and what uses it
from ..exceptions import InvalidMailer
from ..message import PARSER_ERRORS
from ..parents import parent_of

# Defects of an address that is good enough to send to.
NO_DOMAIN = "addr-spec local part with no domain"  # "From: webmaster" (#15042)
NON_ASCII = "local-part contains non-ASCII characters)"  # python/cpython#81074


def init(
    self: Any,
    host: str | None = None,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    use_tls: bool | None = None,
    fail_silently: bool = False,
    use_ssl: bool | None = None,
    timeout: float | None = None,
    ssl_keyfile: str | None = None,
    ssl_certfile: str | None = None,
    **kwargs: Any,
) -> None:
    """`EmailBackend.__init__()`: made from MAILERS, it takes nothing from the EMAIL_* settings.

    Those belong to another account: with 5.2's own fallbacks a mailer without credentials would
    show the default account's password to its own host (H14).
    """
    if "alias" not in kwargs:
        warn_about_external_use(
            "Directly creating EmailBackend instances is deprecated. Use mail.mailers instead."
        )
    parent_of(self, django_smtp.EmailBackend).__init__(**kwargs)
    self.fail_silently = fail_silently
    self.connection = None
    self._partial_connection = None
    self._lock = threading.RLock()
    self.host = host
    self.port = port
    self.username = username
    self.password = password
    self.use_tls = use_tls
    self.use_ssl = use_ssl
    self.timeout = timeout
    self.ssl_keyfile = ssl_keyfile
    self.ssl_certfile = ssl_certfile
    if self.alias is None:
        _complete_from_settings(self)
    else:
        _complete(self)


def _complete(backend: Any) -> None:
    """Check and complete the options of a backend made from MAILERS."""
    if backend.host is None:
        raise InvalidMailer("OPTIONS must define 'host'.", alias=backend.alias)
    backend.use_tls = False if backend.use_tls is None else backend.use_tls
    backend.use_ssl = False if backend.use_ssl is None else backend.use_ssl
    if backend.use_tls and backend.use_ssl:
        wrong = "The 'use_ssl' and 'use_tls' OPTIONS are incompatible."
        raise InvalidMailer(f"{wrong} Set at most one of them to True.", alias=backend.alias)
    if backend.port is None:
        backend.port = default_port(use_tls=backend.use_tls, use_ssl=backend.use_ssl)


def _complete_from_settings(backend: Any) -> None:
    """Take what a backend made without MAILERS was not given from the EMAIL_* settings."""
    for setting, name in OPTIONS.items():
        if name == "file_path":
            continue
        value = getattr(backend, name)
        if value is None or (name in {"host", "port"} and not value):
            setattr(backend, name, getattr(settings, setting))
    if backend.use_tls and backend.use_ssl:
        raise ValueError(
            "EMAIL_USE_TLS/EMAIL_USE_SSL are mutually exclusive, so only set one of those settings "
            "to True."
        )


class EmailBackend:
    """Members for `django.core.mail.backends.smtp.EmailBackend`."""

    def _send(self: Any, email_message: Any) -> bool:
        if not email_message.recipients():
            return False
        from_email = self.prep_address(email_message.from_email)
        recipients = [self.prep_address(address) for address in email_message.recipients()]
        content = _wire_form(email_message)
        try:
            self.connection.sendmail(from_email, recipients, content)
        except smtplib.SMTPException:
            if self.fail_silently:
                return False
            raise
        return True

    def prep_address(self: Any, address: Any, force_ascii: bool = True) -> str:
        """Return the addr-spec of `address`, as it goes into the envelope.

        Arguments: `force_ascii`, whether a non-ASCII domain is written as IDNA and a non-ASCII
        local part, which has no such form, refused; False is for servers with SMTPUTF8 (RFC 6531).

        Raises `ValueError` for what is not exactly one address, line breaks included.
        """
        try:
            return _addr_spec(force_str(address), force_ascii)
        except ValueError:
            accepted = leniency.envelope_address(address)
            if accepted is None:
                raise
            return accepted


def _addr_spec(address: str, force_ascii: bool) -> str:
    try:
        parsed = AddressHeader.value_parser(address)
        found = parsed.all_defects
    except PARSER_ERRORS as error:  # where other Pythons report a defect (H21)
        raise ValueError(f"Invalid address {address!r}: {error}") from error
    accepted = {NO_DOMAIN} if force_ascii else {NO_DOMAIN, NON_ASCII}
    # A dict, for the defects in their order, each once.
    defects = [text for text in dict.fromkeys(map(str, found)) if text not in accepted]
    mailboxes = parsed.all_mailboxes
    if force_ascii and not all((mailbox.local_part or "").isascii() for mailbox in mailboxes):
        # No defect by Python 3.15 (python/cpython#81074).
        defects += [] if NON_ASCII in defects else [NON_ASCII]
    if defects:
        raise ValueError(f"Invalid address {address!r}: {'; '.join(defects)}")
    if len(mailboxes) != 1:
        raise ValueError(f"Invalid address {address!r}: must be a single address")
    mailbox = mailboxes[0]
    if not force_ascii or not mailbox.domain or mailbox.domain.isascii():
        return mailbox.addr_spec
    return str(Address(username=mailbox.local_part, domain=punycode(mailbox.domain)))


def _wire_form(message: Any) -> bytes:
    """Return the bytes of `message` for SMTP: with CRLF at each line's end.

    A `message()` written for 5.2 takes no policy and may return one of 5.2's classes (H27).
    """
    if takes_policy(message):
        rendered = message.message(policy=email.policy.SMTP)
    else:
        cls = type(message)
        name = f"{cls.__module__}.{cls.__qualname__}"
        warn_about_use(f"{name}.message() must accept 'policy' since Django 6.0.")
        rendered = message.message()
    # The backport's are both, on Django 5.2.
    modern = isinstance(rendered, email.message.EmailMessage)
    if isinstance(rendered, django_message.MIMEMixin) and not modern:
        return rendered.as_bytes(linesep="\r\n")
    return rendered.as_bytes(policy=rendered.policy.clone(linesep="\r\n"))
