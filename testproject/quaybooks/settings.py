"""Settings of Quay Books, for development on Django 5.2, 6.0 and 6.1."""

from importlib.util import find_spec
from pathlib import Path

import django_mailers

# Needed for "using" in LOGGING: Django 5.2 and 6.0 configure logging before they load the apps,
# with a handler that does not have "using" yet. Without that line, "django_mailers" in
# INSTALLED_APPS is enough. On Django 6.1 this does nothing.
django_mailers.install()

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "a project to try things out with has no secrets"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django_mailers",
    "shop",
    "demo",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "quaybooks.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL = "static/"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"

# In production each of these is an SMTP account of its own, so that a newsletter which the provider
# holds back does not delay a password reset.
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.console.EmailBackend",
    },
    "newsletter": {
        "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "OPTIONS": {"file_path": BASE_DIR / "sent_mail"},
    },
    "errors": {
        "BACKEND": "django.core.mail.backends.console.EmailBackend",
    },
}
# With django-mail-preview, which is optional, /__mail-preview__/ shows what the shop has sent.
if find_spec("django_mail_preview"):
    INSTALLED_APPS.append("django_mail_preview")
    MAILERS |= {
        "screen": MAILERS["default"],
        "disk": MAILERS["newsletter"],
        "preview": {
            "BACKEND": "django_mail_preview.backends.EmailBackend",
        },
        "default": {
            "BACKEND": "django_mailers.backends.tee.EmailBackend",
            "OPTIONS": {"using": "screen", "also": ["preview"]},
        },
        "newsletter": {
            "BACKEND": "django_mailers.backends.tee.EmailBackend",
            "OPTIONS": {"using": "disk", "also": ["preview"]},
        },
    }
# With django-tasks-db, which is optional, too, the demo sends mail in the background. On Django 5.2
# it needs django-tasks.
if find_spec("django_tasks_db") and (find_spec("django.tasks") or find_spec("django_tasks")):
    INSTALLED_APPS.append("django_tasks_db")
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
DEFAULT_FROM_EMAIL = "Quay Books <shop@quaybooks.example>"
SERVER_EMAIL = "server@quaybooks.example"
EMAIL_SUBJECT_PREFIX = "[Quay Books] "
ADMINS = ["admin@quaybooks.example"]
MANAGERS = ["counter@quaybooks.example"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "in_production": {"()": "django.utils.log.RequireDebugFalse"},
        "in_development": {"()": "django.utils.log.RequireDebugTrue"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "filters": ["in_development"]},
        "mail_admins": {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "ERROR",
            "filters": ["in_production"],
            "using": "errors",
        },
    },
    "loggers": {
        "django": {"level": "INFO", "handlers": ["console", "mail_admins"]},
        "django_mailers": {"handlers": ["console"]},
    },
}
