"""Python processes for tests that need one of their own: the install happens once in each."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import warnings
from importlib.metadata import entry_points
from pathlib import Path

from django.test import SimpleTestCase

REPOSITORY = Path(__file__).resolve().parents[2]
# PYTHONWARNINGS that make every warning an error.
STRICT = "error"

PYTEST_PLUGIN = "django_mailers.pytest_plugin"
# It is known to pytest already where the package is installed, as by nox.
PLUGIN_IS_INSTALLED = any(entry.value == PYTEST_PLUGIN for entry in entry_points(group="pytest11"))

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


def python_environment(path):
    """Return the environment of a Python that imports from `path`, without settings."""
    environment = {**os.environ, "PYTHONWARNINGS": "error::PendingDeprecationWarning"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in path)
    return environment


def run_python(
    source,
    *,
    folder=None,
    settings_module=None,
    with_app=True,
    timeout=120,
):
    """Run `source` in a new Python process, with every deprecation of Django's an error.

    Arguments: `folder`, to run in and to import from; `settings_module`, for
    DJANGO_SETTINGS_MODULE, which is unset otherwise; `with_app`, whether django_mailers can be
    imported; `timeout`, in seconds. `configure(**settings)` is there to be called.
    """
    path = [folder] if folder is not None else []
    if with_app:
        path.append(REPOSITORY)
    environment = python_environment(path)
    if settings_module is not None:
        environment["DJANGO_SETTINGS_MODULE"] = settings_module
    return subprocess.run(
        [sys.executable, "-c", CONFIGURE + textwrap.dedent(source)],
        cwd=folder or REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_command(*args, timeout=120):
    """Run a Python that does not begin with Django, whose lazy objects eventlet evaluates."""
    return subprocess.run(
        [sys.executable, *args],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class ProcessTestCase(SimpleTestCase):
    def assertRuns(self, source, **options):
        """Run `source`, whose assertions are the test's, and return what it printed."""
        result = run_python(source, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def project(self, **files):
        """Write `files`, sources by module name ("app__models" is app/models.py); return where."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, source in files.items():
            path = Path(folder.name, *name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            if path.parent != Path(folder.name):
                path.with_name("__init__.py").touch()
            path.write_text(textwrap.dedent(source))
        return Path(folder.name)


def in_child(function):
    """Return what `function` returns in a forked process."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of threads. The child needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text)
