"""`--help` of the migration, which needs a project in one of its two forms only."""

import os
import subprocess
import sys
import tempfile

from django.test import SimpleTestCase, tag

from django_mailers.management.commands.migratemailers import DESCRIPTION

from .support.processes import REPOSITORY
from .support.servers import enter


@tag("slow")
class HelpTests(SimpleTestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = enter(self, tempfile.TemporaryDirectory())

    def run_python(self, *arguments, **environment):
        inherited = {
            name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
        }
        process = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "500"} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        return process.stdout

    def test_without_settings(self):
        """Neither named nor there to be imported."""
        form = ("-m", "django_mailers.migrate", "--help")
        usage, description, *options = self.run_python(*form).split("\n\n")

        self.assertTrue(usage.startswith("usage: python -m django_mailers.migrate [-h]"), usage)
        self.assertEqual(description, DESCRIPTION)
        for option in ("--installed", "--show-secrets", "--check", "--diff", "--write"):
            self.assertIn(f"\n  {option} ", "".join(options))

        missing = self.run_python(*form, DJANGO_SETTINGS_MODULE="nowhere.settings")
        self.assertEqual(missing.split("\n\n"), [usage, description, *options])

    def test_the_command_of_a_project_has_the_same(self):
        with open(os.path.join(self.folder, "settings.py"), "w") as file:
            file.write("SECRET_KEY = 'x'\nINSTALLED_APPS = ['django_mailers']\n")
        without = self.run_python("-m", "django_mailers.migrate", "--help")
        named = self.run_python(
            "-m", "django", "migratemailers", "--help", DJANGO_SETTINGS_MODULE="settings"
        )

        self.assertEqual(
            named.replace("-m django migratemailers", "-m django_mailers.migrate").split("\n\n")[
                1:
            ],
            without.split("\n\n")[1:],
        )
        self.assertIn("migratemailers [-h]", named)
