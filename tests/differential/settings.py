"""Settings of a project that sends mail, as they are in the way that the process is to run.

Nothing but the app, and for some ways MAILERS, tells the ways apart. MAIL_WAY and MAIL_PORT are set
by run.py.
"""

import os

WAY = os.environ["MAIL_WAY"]
HOST = "127.0.0.1"
PORT = int(os.environ["MAIL_PORT"])

SECRET_KEY = "only for tests"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "tests.differential.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_FROM_EMAIL = "Shop <shop@example.com>"
SERVER_EMAIL = "root@example.com"
ADMINS = [("Ann", "ann@example.com"), ("Bob", "bob@example.com")]
DEFAULT_EXCEPTION_REPORTER = "tests.differential.log.Reporter"
MANAGERS = [("Mae", "mae@example.com")]

if WAY != "bare":
    INSTALLED_APPS = ["django_mailers", *INSTALLED_APPS]

SMTP = "django.core.mail.backends.smtp.EmailBackend"
POOLED = "django_mailers.backends.smtp.EmailBackend"
if WAY in {"mailers", "pooled"}:
    SERVER = {"host": HOST, "port": PORT}
    MAILERS = {
        "default": {"BACKEND": POOLED if WAY == "pooled" else SMTP, "OPTIONS": SERVER},
    }
else:
    EMAIL_HOST = HOST
    EMAIL_PORT = PORT

if "MAIL_LOGGING" in os.environ:
    from .handlers import LOGGING  # noqa: F401
