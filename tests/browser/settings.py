"""The settings of the test project, but for where its data is and who delivers its mail."""

import os
from pathlib import Path

from quaybooks.settings import *  # noqa: F403
from quaybooks.settings import DATABASES, MAILERS

FOLDER = Path(os.environ["SHOP_FOLDER"])

DATABASES["default"]["NAME"] = FOLDER / "db.sqlite3"
ROOT_URLCONF = "tests.browser.urls"
MAIL_PREVIEW_ROOT = FOLDER / "preview"
MAILERS["smtp"] = {
    "BACKEND": "django_mailers.backends.smtp.EmailBackend",
    "OPTIONS": {"host": "127.0.0.1", "port": int(os.environ["SMTP_PORT"]), "timeout": 10},
}
for alias in ("default", "newsletter"):
    MAILERS[alias]["OPTIONS"]["using"] = "smtp"
