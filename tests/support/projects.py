"""Django projects of a few files, each in a folder and in processes of its own.

For what a test inside this process cannot show: what happens while a project starts. A script
that can do without files needs processes.run_python() only.
"""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from .processes import REPOSITORY, run_python
from .servers import enter

MAILERS = {
    "default": {"OPTIONS": {"host": "192.0.2.1"}},
    "bulk": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"},
}
MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    execute_from_command_line(sys.argv)
"""


class ProjectMixin:
    """A test case with a project: `write()` its files, then run a `script()` or a `command()`."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory())).resolve()

    def write(self, name, *parts):
        """A file of the project, of parts that may each be indented."""
        (self.folder / name).write_text("".join(textwrap.dedent(part) for part in parts))

    def write_settings(self, *, install=False, **settings):
        """settings.py, with MAILERS unless `settings` has it as None.

        The backport is installed while they are read if `install` is true; if not, with the apps.
        """
        defaults = {"SECRET_KEY": "x", "INSTALLED_APPS": ["django_mailers"], "MAILERS": MAILERS}
        values = {
            name: value
            for name, value in (defaults | settings).items()
            if (name, value) != ("MAILERS", None)
        }
        self.write(
            "settings.py",
            "import django_mailers\n\ndjango_mailers.install()\n" if install else "",
            *(f"{name} = {value!r}\n" for name, value in values.items()),
        )

    def script(self, *parts):
        """What a script of these parts prints, which must be JSON and nothing else."""
        source = "".join(textwrap.dedent(part) for part in parts)
        process = run_python(source, folder=self.folder, settings_module="settings")
        self.assertEqual((process.returncode, process.stderr), (0, ""), process.stdout)
        return json.loads(process.stdout)

    def command(self, *arguments):
        """The output of a Python with this command line; it must succeed, without a warning."""
        process = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "settings",
                "PYTHONPATH": os.pathsep.join([str(self.folder), str(REPOSITORY)]),
                "PYTHONWARNINGS": "error",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        self.assertEqual(process.returncode, 0, process.stdout)
        return process.stdout
