"""The texts of the deprecations, and a test case that compares them as a whole."""

import warnings

from django.test import SimpleTestCase

from django_mailers import RemovedInDjango2028Warning, polyfill

from .utils import LOCMEM, ExactErrors

SEE_MIGRATING = "See 'Migrating email to mailers' in Django's documentation for recommended"
GET_CONNECTION = f"get_connection() is deprecated. {SEE_MIGRATING} replacements."
FAIL_SILENTLY = f"The 'fail_silently' argument is deprecated. {SEE_MIGRATING} replacements."
AUTH = (
    "The 'auth_user' and 'auth_password' arguments are deprecated. "
    "Set 'username' and 'password' OPTIONS in MAILERS instead."
)
CONNECTION = (
    "The 'connection' argument is deprecated. Switch to the 'using' argument with a MAILERS alias."
)
CONNECTION_READ = "The EmailMessage.connection attribute is deprecated."
CONNECTION_SET = (
    "The EmailMessage.connection attribute is deprecated. "
    "Switch to EmailMessage.send(using=...) with a MAILERS alias."
)
SMTP_CREATED = "Directly creating EmailBackend instances is deprecated. Use mail.mailers instead."
FAIL_SILENTLY_READ = (
    "BaseEmailBackend.fail_silently is deprecated. "
    "A subclass that supports fail_silently must set its own attribute."
)
NO_DEFAULT_MAILER = (
    "Django 2028 will not have a default mailer. "
    "Configure settings.MAILERS to avoid errors when sending email."
)
EMAIL_BACKEND_ARGUMENT = "The 'email_backend' argument is deprecated. Use 'using' instead."
MIMEBASE = "MIMEBase attachments are deprecated. Use an email.message.MIMEPart instead."
MODERN = "Python's modern email API (with email.message.EmailMessage or email.policy.default)"
FORBID = (
    "The internal API forbid_multi_line_headers() is deprecated. "
    f"{MODERN} will reject multi-line headers."
)
SANITIZE = (
    f"The internal API sanitize_address() is deprecated. {MODERN} will handle most required "
    "validation and encoding. Use Python's email.headerregistry.Address to construct formatted "
    "addresses from component parts."
)
RESULT = "The return value of EmailMessage.message() is an email.message.EmailMessage."
TO = ["to@example.com"]
ONE = ("subject", "body", None, TO)
# Where Django deprecates something itself, on 6.1 and in part on 6.0, it does so in its own way.
OUTCOMES = {entry.target: entry.outcome for entry in polyfill.installed()}


def is_django_own(target):
    """Tell whether what the backport would put at `target` is Django's own on this version."""
    return OUTCOMES.get(target, "not needed") == "not needed"


def unsupported(cls, names):
    return (
        f"{cls.__module__}.{cls.__qualname__}.__init__() does not support {names}. "
        "In Django 2028, BaseEmailBackend will raise a TypeError for unknown keyword arguments."
    )


def positional(names, function):
    return (
        f"Passing positional argument(s) {names} to {function}() is deprecated. "
        "Use keyword arguments instead."
    )


def recorded(use):
    """Call `use`; return category, text, file and line of each warning, repeated ones too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    return [(w.category, str(w.message), w.filename, w.lineno) for w in caught]


class DeprecationTestCase(ExactErrors, SimpleTestCase):
    maxDiff = None

    def assertDeprecated(self, use, *texts, line_of=None):
        """Calling `use` gives warnings with these texts, each once, and no other warning.

        All point at `use`, or at `line_of`, which is a lambda or a function of one statement.
        """
        code = (line_of or use).__code__
        line = code.co_firstlineno + (code.co_name != "<lambda>")
        self.assertEqual(
            recorded(use),
            [(RemovedInDjango2028Warning, text, code.co_filename, line) for text in texts],
        )

    def assertDeprecatedInside(self, module, use, *texts):
        """Like `assertDeprecated()`, except that the warnings point into `module`."""
        self.assertEqual(
            [(category, text, filename) for category, text, filename, _ in recorded(use)],
            [(RemovedInDjango2028Warning, text, module.__file__) for text in texts],
        )


EMAIL_SETTINGS = {
    "EMAIL_BACKEND": LOCMEM,
    "EMAIL_FILE_PATH": "/tmp/mail",
    "EMAIL_HOST": "192.0.2.1",
    "EMAIL_HOST_PASSWORD": "secret",
    "EMAIL_HOST_USER": "user",
    "EMAIL_PORT": 587,
    "EMAIL_SSL_CERTFILE": "cert.pem",
    "EMAIL_SSL_KEYFILE": "key.pem",
    "EMAIL_TIMEOUT": 5,
    "EMAIL_USE_SSL": False,
    "EMAIL_USE_TLS": True,
}
# They say what mail looks like, not how it is sent, and stay.
OTHER_SETTINGS = {
    "EMAIL_SUBJECT_PREFIX": "[x] ",
    "EMAIL_USE_LOCALTIME": True,
    "DEFAULT_FROM_EMAIL": "from@example.com",
    "SERVER_EMAIL": "server@example.com",
}


def deprecated(name):
    return f"The {name} setting is deprecated. Migrate to MAILERS before Django 2028."
