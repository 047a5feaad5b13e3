"""Settings of the test suite: what a project on Django 6.1 would write, on every Django."""

import django_mailers

# So the suite runs on the install that happens while settings are being loaded. test_polyfill.py
# covers the one that INSTALLED_APPS brings, in processes of its own.
django_mailers.install()

SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_mailers",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "tests.urls"
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
]
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {"host": "127.0.0.1", "port": 9},
    },
    "bulk": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"},
}
# The suite is what Django 6.1 does; the bridge is tested in processes of its own (test_bridge.py).
MAILERS_BRIDGE = False
