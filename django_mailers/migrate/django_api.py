"""Tables of the names in Django's mail API, and of the parts that are deprecated."""

from __future__ import annotations

from django_mailers import legacyapi
from django_mailers.emailsettings import SMTP_BACKEND

MAIL = "django.core.mail"
GET_CONNECTION = f"{MAIL}.get_connection"
MAILERS = f"{MAIL}.mailers"
EMAIL_MESSAGE = f"{MAIL}.EmailMessage"
ALTERNATIVES = f"{MAIL}.EmailMultiAlternatives"
ADMIN_HANDLER = "django.utils.log.AdminEmailHandler"
SETTINGS = "django.conf.settings"
OVERRIDE_SETTINGS = "django.test.utils.override_settings"

BASE_BACKEND = f"{MAIL}.backends.base.BaseEmailBackend"
# These hand every keyword that they are given to BaseEmailBackend, fail_silently included.
BARE_BACKENDS = {
    BASE_BACKEND,
    f"{MAIL}.backends.dummy.EmailBackend",
    f"{MAIL}.backends.locmem.EmailBackend",
}
BACKENDS = {
    *BARE_BACKENDS,
    SMTP_BACKEND,
    f"{MAIL}.backends.console.EmailBackend",
    f"{MAIL}.backends.filebased.EmailBackend",
}
MESSAGES = {EMAIL_MESSAGE, ALTERNATIVES}
CLASSES = {*BACKENDS, *MESSAGES, ADMIN_HANDLER}

# The same object by another name.
ALIASES = {
    "django.test.override_settings": OVERRIDE_SETTINGS,
    **{
        f"{MAIL}.message.{name}": f"{MAIL}.{name}"
        for name in (
            *("EmailMessage", "EmailMultiAlternatives"),
            *("BadHeaderError", "SafeMIMEText", "SafeMIMEMultipart", "forbid_multi_line_headers"),
        )
    },
}

# Names that `from django.core.mail import *` imports on every Django.
STAR_NAMES = {
    *("BadHeaderError", "EmailMessage", "EmailMultiAlternatives", "SafeMIMEMultipart"),
    *("SafeMIMEText", "forbid_multi_line_headers", "get_connection", "mail_admins"),
    *("mail_managers", "send_mail", "send_mass_mail"),
}

# How many arguments may be given by position, and the names of those that might be until 6.0.
POSITIONAL = {f"{MAIL}.{name}": positional for name, positional in legacyapi.POSITIONAL.items()}

# Names whose import is deprecated or no longer works, and what to write instead.
NAMES = {
    f"{MAIL}.BadHeaderError": "catch ValueError",
    f"{MAIL}.SafeMIMEText": "EmailMessage.message() returns an email.message.EmailMessage",
    f"{MAIL}.SafeMIMEMultipart": "EmailMessage.message() returns an email.message.EmailMessage",
    f"{MAIL}.forbid_multi_line_headers": (
        "give headers to EmailMessage or to email.message.EmailMessage, which refuse line breaks"
    ),
    f"{MAIL}.message.SafeMIMEMessage": "use email.message.EmailMessage",
    f"{MAIL}.message.MIMEMixin": "use email.message.EmailMessage",
    f"{MAIL}.message.utf8_charset": "Django follows Python's own rules for encoding text",
    f"{MAIL}.message.utf8_charset_qp": "Django follows Python's own rules for encoding text",
    f"{MAIL}.message.RFC5322_EMAIL_LINE_LENGTH_LIMIT": "write 998",
    f"{MAIL}.message.ADDRESS_HEADERS": "use email.headerregistry, which knows these headers",
    f"{MAIL}.message.sanitize_address": "use email.headerregistry.Address",
    f"{MAIL}.SMTPConnection": "use mailers.default; the class was removed in Django 1.4",
}
# Those of them that Django no longer has.
REMOVED_NAMES = {f"{MAIL}.SMTPConnection"}

MIME_CLASSES = {
    f"email.mime.{module}.{name}"
    for module, name in (
        *(("application", "MIMEApplication"), ("audio", "MIMEAudio"), ("base", "MIMEBase")),
        *(("image", "MIMEImage"), ("message", "MIMEMessage"), ("multipart", "MIMEMultipart")),
        *(("nonmultipart", "MIMENonMultipart"), ("text", "MIMEText")),
    )
}

# Names that EMAIL_BACKEND had in the betas of Django 1.2.
SHORT_BACKENDS = {
    "console": f"{MAIL}.backends.console.EmailBackend",
    "dummy": f"{MAIL}.backends.dummy.EmailBackend",
    "file": f"{MAIL}.backends.filebased.EmailBackend",
    "locmem": f"{MAIL}.backends.locmem.EmailBackend",
    "smtp": SMTP_BACKEND,
}
