"""Tests that need a Python process of their own: the install happens once in a process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# PYTHONWARNINGS that make every warning an error, but for what importing aiosmtpd 1.4.6 gives on
# Python 3.15.
STRICT = "error,ignore:'typing.ByteString' and:DeprecationWarning"

# A project that keeps what it sends, for scripts that only need some settings.
CONFIGURE = """
from django.conf import settings
def configure(**options):
    locmem = "django.core.mail.backends.locmem.EmailBackend"
    options.setdefault("MAILERS", {"default": {"BACKEND": locmem}, "b": {"BACKEND": locmem}})
    options.setdefault("INSTALLED_APPS", ["django_mailers"])
    options.setdefault("MAILERS_BRIDGE", False)
    options.setdefault("SECRET_KEY", "x")
    options.setdefault("USE_TZ", True)
    settings.configure(**options)
    import django
    django.setup()
"""


def run_python(
    source: str,
    *,
    folder: str | Path | None = None,
    settings_module: str | None = None,
    with_app: bool = True,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run `source` in a new Python process, with every deprecation of Django's an error.

    Arguments: `folder`, to run in and to import from; `settings_module`, for
    DJANGO_SETTINGS_MODULE, which is unset otherwise; `with_app`, whether django_mailers can be
    imported; `timeout`, in seconds. `configure(**settings)` is there to be called.
    """
    environment = {**os.environ, "PYTHONWARNINGS": "error::PendingDeprecationWarning"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    if settings_module is not None:
        environment["DJANGO_SETTINGS_MODULE"] = settings_module
    path = [str(folder)] if folder is not None else []
    if with_app:
        path.append(str(REPOSITORY))
    environment["PYTHONPATH"] = os.pathsep.join(path)
    return subprocess.run(
        [sys.executable, "-c", CONFIGURE + textwrap.dedent(source)],
        cwd=folder or REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
