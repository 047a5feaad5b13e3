"""What the bridge changes in Django: one table. (Django 2028: this whole file.)"""

from __future__ import annotations

from django_mailers.polyfill import Patch

MAIL = "django.core.mail"
MESSAGE = f"{MAIL}.message:EmailMessage"
ALTERNATIVES = f"{MAIL}.message:EmailMultiAlternatives"
HANDLER = "django.utils.log:AdminEmailHandler"
# A function of Django 6.1's, until it has no EMAIL_* settings any more.
CONFLICTS = "django.conf:_check_email_settings_conflicts"

MIXED = f"{MESSAGE}.mixed_subtype"
ALTERNATIVE = f"{ALTERNATIVES}.alternative_subtype"

PATCHES: tuple[Patch, ...] = (
    Patch(
        "django.conf:LazySettings.__getattr__",
        "settings:read_setting",
        'EMAIL_* settings read as what MAILERS["default"] says',
        how="decides",
    ),
    Patch(
        f"{MAIL}:get_connection",
        "sending:get_connection",
        "a path means the mailer with that backend",
        how="decides",
    ),
    Patch(f"{MAIL}:send_mail", "sending:send_mail", "arguments of 5.2", how="decides"),
    Patch(f"{MAIL}:send_mass_mail", "sending:send_mass_mail", "arguments of 5.2", how="decides"),
    Patch(f"{MAIL}:mail_admins", "sending:mail_admins", "arguments of 5.2", how="decides"),
    Patch(f"{MAIL}:mail_managers", "sending:mail_managers", "arguments of 5.2", how="decides"),
    Patch(f"{MESSAGE}.send", "sending:send", "connection hooks of subclasses", how="decides"),
    Patch(
        f"{MESSAGE}._add_attachments",
        "rendering:add_attachments",
        "mixed_subtype of subclasses",
        how="wraps",
    ),
    Patch(
        f"{ALTERNATIVES}._add_bodies",
        "rendering:add_bodies",
        "alternative_subtype of subclasses",
        how="wraps",
    ),
    Patch(MIXED, "rendering:mixed_subtype", "for code that reads it", fills=True, unless=MIXED),
    Patch(
        ALTERNATIVE,
        "rendering:alternative_subtype",
        "for code that reads it",
        fills=True,
        unless=ALTERNATIVE,
    ),
    Patch(
        f"{MESSAGE}.get_connection",
        "hooks:get_connection",
        "for code that calls it",
        fills=True,
    ),
    Patch(
        f"{MAIL}.handler:MailersHandler.create_connection",
        "backends:create_connection",
        "backends without 'alias'",
        how="wraps",
    ),
    Patch(f"{HANDLER}.__init__", "log:handler_init", "email_backend; connection()", how="wraps"),
    Patch(
        f"{HANDLER}.send_mail", "log:handler_send_mail", "email_backend; connection()", how="wraps"
    ),
    Patch(f"{HANDLER}.connection", "hooks:connection", "for code that calls it", fills=True),
)

LEFTOVERS: tuple[Patch, ...] = (
    Patch(
        CONFLICTS,
        "settings:check_conflicts",
        "EMAIL_* settings together with MAILERS are accepted until the app is loaded",
        how="wraps",
        needs=CONFLICTS,
    ),
)
