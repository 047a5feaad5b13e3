"""Settings of a project that has MAILERS, and packages that were written before it.

The checks here are run by themselves (`nox -s packages`), as what they need is in no extra:

    DJANGO_SETTINGS_MODULE=tests.packages.settings python runtests.py tests.packages -p "check_*.py"
"""

from celery import Celery

SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = [
    "django_mailers",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "anymail",
    "django_mail_preview",
    "django_ses",
    "djcelery_email",
    "mailer",
    "post_office",
    "taggit",
    "wagtail",
    "wagtail.admin",
    "wagtail.contrib.forms",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.users",
    "tests.packages",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
# Tables without the history of the packages: wagtail's alone is a hundred migrations.
MIGRATION_MODULES = dict.fromkeys(
    (
        *("auth", "contenttypes", "django_ses", "mailer", "post_office", "taggit"),
        *("wagtailadmin", "wagtailcore", "wagtaildocs", "wagtailforms", "wagtailimages"),
        "wagtailusers",
    )
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
    {
        "BACKEND": "post_office.template.backends.post_office.PostOfficeTemplates",
        "NAME": "post_office",
        "APP_DIRS": True,
        "OPTIONS": {},
    },
]
MAILERS = {"default": {"OPTIONS": {"host": "127.0.0.1", "port": 9}}}
WAGTAILADMIN_BASE_URL = "http://localhost"
MAILERS_BRIDGE = True

# Without handlers of the project's, post_office puts up its own and reports to the console.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "loggers": {"post_office": {"handlers": ["null"], "propagate": False}},
}

# django-mailer's lock is a file in the current folder.
MAILER_USE_FILE_LOCK = False

# Tasks run at once, but for that as in a worker: their arguments have been JSON, and what they
# raise is raised.
celery = Celery("packages", set_as_current=True)
celery.conf.update(task_always_eager=True, task_eager_propagates=True, broker_url="memory://")
