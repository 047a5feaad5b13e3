"""Settings of the processes that queue, and of the workers; the environment says with which engine.

ENGINE is the name of one in `engines.py`, FOLDER a folder for what the processes share, and
SMTP_PORT, REDIS and POSTGRES say where the servers are.
"""

import os
from pathlib import Path

import django_mailers

django_mailers.install()

ENGINE = os.environ["ENGINE"]
FOLDER = Path(os.environ["FOLDER"])
REDIS = os.environ.get("REDIS", "")
SMTP = {"host": "127.0.0.1", "port": int(os.environ["SMTP_PORT"]), "timeout": 10}
BACKEND = "django_mailers.backends.tasks.EmailBackend"

SECRET_KEY = "only for tests"
USE_TZ = True
DEBUG = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django_mailers", "tests.engines"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }
}
if os.environ.get("POSTGRES"):
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ["POSTGRES"],
    }
if REDIS:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"{REDIS}/1",
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": FOLDER / "cache",
            "OPTIONS": {"MAX_ENTRIES": 1_000_000},
        }
    }
MAILERS = {
    "default": {
        "BACKEND": BACKEND,
        "OPTIONS": {"using": "smtp", "attempts": 8, "delay": 1, "max_delay": 3},
    },
    # Without a cache the engine's own count of attempts is all there is.
    "unclaimed": {"BACKEND": BACKEND, "OPTIONS": {"using": "crashing", "claims": None}},
    "crashing": {"BACKEND": "tests.engines.crashing.EmailBackend", "OPTIONS": SMTP},
    "crash": {
        "BACKEND": BACKEND,
        "OPTIONS": {"using": "crashing", "attempts": 3, "delay": 1, "max_delay": 2},
    },
    "smtp": {"BACKEND": "django_mailers.backends.smtp.EmailBackend", "OPTIONS": SMTP},
    "reliable": {"BACKEND": BACKEND, "OPTIONS": {"using": "failover"}},
    "failover": {
        "BACKEND": "django_mailers.backends.failover.EmailBackend",
        "OPTIONS": {"mailers": ["down", "smtp"]},
    },
    # Nobody listens at this port.
    "down": {"OPTIONS": {"host": "127.0.0.1", "port": 1, "timeout": 10}},
    # More messages than attempts: to wait for the limit is not one of them.
    "limited": {"BACKEND": BACKEND, "OPTIONS": {"using": "limit", "attempts": 2}},
    "limit": {
        "BACKEND": "django_mailers.backends.ratelimit.EmailBackend",
        "OPTIONS": {"using": "smtp", "rate": "2/s"},
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": FOLDER / "log.txt"}},
    "loggers": {"django_mailers": {"handlers": ["file"], "level": "DEBUG"}},
}

if ENGINE == "database":
    INSTALLED_APPS.append("django_tasks_db")
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
elif ENGINE == "rq":
    INSTALLED_APPS.append("django_rq")
    TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend"}}
    RQ_QUEUES = {"default": {"URL": f"{REDIS}/0"}}
elif ENGINE in {"celery", "celery-late"}:
    INSTALLED_APPS.append("django_tasks_fennel")
    TASKS = {"default": {"BACKEND": "django_tasks_fennel.CeleryBackend"}}
    CELERY_BROKER_URL = CELERY_RESULT_BACKEND = f"{REDIS}/0"
    CELERY_RESULT_EXTENDED = True
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
    CELERY_TASK_ACKS_LATE = ENGINE == "celery-late"
    CELERY_TASK_REJECT_ON_WORKER_LOST = ENGINE == "celery-late"
    # The mutex of a worker that was killed would be held for five minutes.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3, "unacked_mutex_expire": 2}
elif ENGINE == "redis":
    INSTALLED_APPS.append("django_tasks_redis")
    TASKS = {
        "default": {
            "BACKEND": "django_tasks_redis.RedisTaskBackend",
            "OPTIONS": {
                "REDIS_URL": f"{REDIS}/0",
                "REDIS_CLAIM_TIMEOUT": 2,
                "REDIS_BLOCK_TIMEOUT": 200,
            },
        }
    }

from . import crashing  # noqa: E402

crashing.note_results(FOLDER / "results.txt")
