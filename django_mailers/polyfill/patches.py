"""What the install changes in Django: one table. (Django 6.0: all but the class.)"""

from __future__ import annotations

from dataclasses import dataclass

from .trampolines import How


@dataclass(frozen=True)
class Patch:
    """One change to Django.

    `target` is "module" or "module:name" of Django, `replacement` the same below the room that has
    the patch, or None to take the target away. A module is published under the target's name, as
    soon as its parent is imported. A class gives its members to the target, or becomes it where
    there is none. A function does for the target what `how` says, see `trampolines.redirect()`.
    Anything else is put in the target's place; with `fills` only if nothing is there, or only what
    another patch has taken away. `needs` and `unless`, "module:name", say that the patch is for a
    Django that has that name, or has not.
    """

    target: str
    replacement: str | None
    reason: str
    how: How = "replaces"
    fills: bool = False
    needs: str | None = None
    unless: str | None = None

    @property
    def publishes(self) -> bool:
        """Whether the target is a module that this Django does not have."""
        return ":" not in self.target

    @property
    def module(self) -> str:
        """The module whose import the patch waits for."""
        if self.publishes:
            return self.target.rpartition(".")[0]
        return self.target.partition(":")[0]


MAIL = "django.core.mail"
MESSAGE = f"{MAIL}.message:EmailMessage"
ALTERNATIVES = f"{MAIL}.message:EmailMultiAlternatives"
COMMAND = "django.core.management.commands.sendtestemail:Command"
# The first Django whose messages are rendered with Python's modern email API is 6.0.
# Django 5.2: what is `unless` it renders.
RENDERS = f"{MESSAGE}._add_bodies"

# In this order: a function comes before those that call it, as other threads may be sending mail.
# So everything that is changed works with what is not changed yet, and with calls that had begun.
PATCHES: tuple[Patch, ...] = (
    # Names that code asks for to find out whether this Django has MAILERS.
    Patch(f"{MAIL}.exceptions", "exceptions", "module of 6.1"),
    Patch(f"{MAIL}.deprecation", "deprecation", "module of 6.1"),
    Patch(f"{MAIL}.handler", "handler", "module of 6.1"),
    Patch(
        "django.utils.deprecation:RemovedInDjango2028Warning",
        "deprecation:RemovedInDjango2028Warning",
        "category of 6.1's deprecations",
        unless="django.utils.deprecation:RemovedInDjango2028Warning",
    ),
    Patch(
        "django.utils.deprecation:RemovedInDjango70Warning",
        "deprecation:RemovedInDjango2028Warning",
        "the category's first name; there are both or neither",
        unless="django.utils.deprecation:RemovedInDjango70Warning",
    ),
    Patch(f"{MAIL}:InvalidMailer", "exceptions:InvalidMailer", "name of 6.1"),
    Patch(f"{MAIL}:MailerDoesNotExist", "exceptions:MailerDoesNotExist", "name of 6.1"),
    Patch(f"{MAIL}:DEFAULT_MAILER_ALIAS", "handler:DEFAULT_MAILER_ALIAS", "name of 6.1"),
    Patch(f"{MAIL}:MailersHandler", "handler:MailersHandler", "name of 6.1"),
    Patch(f"{MAIL}:mailers", "mail:mailers", "the handler of MAILERS"),
    Patch(f"{MAIL}:__all__", "mail:__all__", "names of 6.1"),
    Patch(
        f"{MAIL}:__getattr__",
        "django52.legacy:getattribute",
        "legacy names warn, as in 6.0",
        unless=RENDERS,
    ),
    Patch(f"{MAIL}:BadHeaderError", None, "comes by __getattr__ now", unless=RENDERS),
    Patch(f"{MAIL}:SafeMIMEText", None, "comes by __getattr__ now", unless=RENDERS),
    Patch(f"{MAIL}:SafeMIMEMultipart", None, "comes by __getattr__ now", unless=RENDERS),
    Patch(
        f"{MAIL}.message:forbid_multi_line_headers",
        "django52.legacy:forbid_multi_line_headers",
        "warns, as in 6.0",
        how="wraps",
        unless=RENDERS,
    ),
    Patch(
        f"{MAIL}.message:sanitize_address",
        "django52.legacy:sanitize_address",
        "warns, as in 6.0",
        how="wraps",
        unless=RENDERS,
    ),
    # Backends.
    Patch(
        f"{MAIL}.backends.base:BaseEmailBackend",
        "backends.base:BaseEmailBackend",
        "alias; unknown options are errors",
    ),
    Patch(
        f"{MAIL}.backends.smtp:EmailBackend.__init__",
        "backends.smtp:init",
        "options from MAILERS alone; host required; ports of TLS and SSL",
    ),
    Patch(
        f"{MAIL}.backends.smtp:EmailBackend",
        "backends.smtp:EmailBackend",
        "envelope addresses by the modern email API",
    ),
    Patch(
        f"{MAIL}.backends.console:EmailBackend.__init__",
        "backends.console:init",
        "fail_silently is its own option",
        how="wraps",
    ),
    Patch(
        f"{MAIL}.backends.filebased:EmailBackend.__init__",
        "backends.filebased:init",
        "file_path from MAILERS alone",
        how="wraps",
    ),
    Patch(f"{MAIL}.backends.locmem:EmailBackend", "backends.locmem:EmailBackend", "sent_using"),
    # Rendering.
    Patch(MESSAGE, "django52.rendering:EmailMessage", "modern email API", unless=RENDERS),
    Patch(
        ALTERNATIVES,
        "django52.rendering:EmailMultiAlternatives",
        "modern email API",
        unless=RENDERS,
    ),
    Patch(
        f"{MESSAGE}.attach",
        "django52.rendering:attach",
        "takes a MIMEPart",
        how="wraps",
        unless=RENDERS,
    ),
    Patch(
        f"{MESSAGE}.message",
        "django52.rendering:message",
        "Python's modern email API, as from 6.0 on",
        how="wraps",
        unless=RENDERS,
    ),
    Patch(
        f"{MESSAGE}.message",
        "message:message",
        'refuses "Bcc" and line breaks among the names of extra headers',
        how="wraps",
        needs=RENDERS,
    ),
    # Sending.
    Patch(f"{MESSAGE}.get_connection", None, "a hook that 6.1 refuses"),
    Patch(MESSAGE, "message:EmailMessage", "send(using=); keeps no connection it did not get"),
    Patch(ALTERNATIVES, "message:EmailMultiAlternatives", "keyword-only arguments"),
    Patch(f"{MAIL}:send_mail", "mail:send_mail", "using="),
    Patch(f"{MAIL}:send_mass_mail", "mail:send_mass_mail", "using="),
    Patch(f"{MAIL}:mail_admins", "mail:mail_admins", "using=; ADMINS as addresses"),
    Patch(f"{MAIL}:mail_managers", "mail:mail_managers", "using=; MANAGERS as addresses"),
    # Who sends in Django itself.
    Patch("django.utils.log:AdminEmailHandler.connection", None, "a hook that 6.1 refuses"),
    Patch("django.utils.log:AdminEmailHandler.__init__", "log:init", "using=", how="wraps"),
    Patch("django.utils.log:AdminEmailHandler", "log:AdminEmailHandler", "sends through MAILERS"),
    Patch(
        "django.middleware.common:BrokenLinkEmailsMiddleware",
        "middleware:BrokenLinkEmailsMiddleware",
        "using; send_mail() to override",
    ),
    Patch(f"{COMMAND}.add_arguments", "sendtestemail:add_arguments", "--using", how="wraps"),
    Patch(f"{COMMAND}.handle", "sendtestemail:handle", "--using"),
    # Behind those that gave it a path, which MAILERS leaves no use for.
    Patch(f"{MAIL}:get_connection", "mail:get_connection", "builds from MAILERS"),
    # Settings, checks and tests. No backend reads EMAIL_* settings any more.
    Patch("django.core.checks:Tags.mail", "checks:TAG", "tag of 6.1's checks"),
    Patch("django.core.checks.mail", "checks", "module of 6.1"),
    Patch(
        "django.conf:LazySettings.__setattr__",
        "conf:setattribute",
        "cached EMAIL_* values do not outlive the setting of MAILERS",
        how="wraps",
    ),
    Patch(
        "django.conf:LazySettings.__getattr__",
        "conf:getattribute",
        "EMAIL_* settings warn, and do not exist together with MAILERS",
        how="wraps",
    ),
    Patch(
        "django.conf:UserSettingsHolder.__setattr__",
        "conf:set_on_holder",
        "EMAIL_* settings warn",
        how="wraps",
    ),
    Patch(
        "django.conf:LazySettings.configure",
        "conf:configure",
        "MAILERS together with EMAIL_* settings is an error",
        how="wraps",
    ),
    Patch(
        "django.conf:LazySettings._setup",
        "conf:set_up",
        "the project's own settings are looked at when the app is loaded",
        how="wraps",
    ),
    Patch(
        "django.conf:Settings.__init__",
        "conf:init",
        "EMAIL_* settings of a module warn; MAILERS together with them is an error",
        how="wraps",
    ),
    Patch("django.conf:LazySettings", "conf:LazySettings", "dir() without missing settings"),
    Patch(
        "django.test.utils:setup_test_environment",
        "environment:setup_test_environment",
        "every mailer is locmem in tests",
        how="wraps",
    ),
    Patch(
        "django.test.utils:teardown_test_environment",
        "environment:teardown_test_environment",
        "and is restored afterwards",
        how="wraps",
    ),
)
