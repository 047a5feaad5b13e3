"""The hints of the checks lead to what was meant."""

import pkgutil
import tempfile
from pathlib import Path

from django.test import SimpleTestCase, override_settings
from django.test.utils import extend_sys_path
from django.utils.module_loading import import_string

from django_mailers import backends
from django_mailers.backends.base import ReportingBackend, Wrapper
from django_mailers.checks import check_mailers
from django_mailers.options import ALIAS, NAME, Option

from .support.utils import LOCMEM, OURS, SMTP


class PathTests(SimpleTestCase):
    maxDiff = None

    def meant(self, path):
        """The (id, hint) of what is said of a BACKEND."""
        with override_settings(MAILERS={"default": {"BACKEND": LOCMEM}, "it": {"BACKEND": path}}):
            (found,) = check_mailers(None)
        return found.id, found.hint

    def test_each_of_ours(self):
        """Also one that was added later; not the private modules, nor `base`."""
        modules = [module.name for module in pkgutil.iter_modules(backends.__path__)]
        names = [name for name in modules if not name.startswith("_") and name != "base"]
        self.assertLess({"smtp", "maildir", "failover"}, {*names})
        for name in names:
            path = f"django_mailers.backends.{name}.EmailBackend"
            with self.subTest(name):
                self.assertEqual(import_string(path).__module__, f"django_mailers.backends.{name}")
                for wrong in (f"django_mailers.{name}.EmailBackend", f"{path}s"):
                    expected = ("mailers.E004", f"Did you mean '{path}'?")
                    self.assertEqual(self.meant(wrong), expected)
        for wrong in ("django_mailers.backends.base.Wrappr", "django_mailers.mailboxes.X"):
            self.assertEqual(self.meant(wrong), ("mailers.E004", f"Did you mean '{OURS}'?"))

    def test_misspelt(self):
        for path, meant in [
            ("django_mailers.smtp.EmailBackend", OURS),
            ("django_mailers.EmailBackend", OURS),
            ("django_mailers.backend.smtp.EmailBackend", OURS),
            ("django_mailers.backends.smtp.SMTPBackend", OURS),
            ("django_mailers.backends.EmailBackend", OURS),
            *(
                (path, "django_mailers.backends.redirect.EmailBackend")
                for path in (
                    "django_mailers.backends.redirct.EmailBackend",
                    "django_mailers.redirect.EmailBackend",
                    "django_mailers.backends.redirect.Redirect",
                )
            ),
            ("django.core.mail.backend.smtp.EmailBackend", SMTP),
            ("django.core.mail.backends.locmem.EmailBackends", LOCMEM),
        ]:
            with self.subTest(path):
                self.assertEqual(self.meant(path), ("mailers.E004", f"Did you mean '{meant}'?"))

    def test_modules(self):
        """Whether something has imported the module before (then it is an attribute), or not."""
        with tempfile.TemporaryDirectory() as folder, extend_sys_path(folder):
            package = Path(folder, "package_of_hints")
            package.mkdir()
            (package / "__init__.py").touch()
            (package / "mail.py").write_text("class EmailBackend:\n    pass\n")
            (package / "broken.py").write_text("raise ValueError('s3cr3t')\n")
            expected = "Did you mean 'package_of_hints.mail.EmailBackend'?"
            self.assertEqual(self.meant("package_of_hints.mail"), ("mailers.E004", expected))
            self.assertEqual(self.meant("package_of_hints.mail"), ("mailers.E005", expected))
            ids_and_hints = self.meant("package_of_hints.broken")
        self.assertEqual(
            ids_and_hints,
            (
                "mailers.E004",
                "Install the package, or correct the path. It ends with the name of the class.",
            ),
        )
        for path in (OURS, SMTP):
            module = path.removesuffix(".EmailBackend")
            import_string(path)
            with self.subTest(module):
                self.assertEqual(self.meant(module), ("mailers.E005", f"Did you mean '{path}'?"))

    def test_nothing_alike(self):
        cure = "Install the package, or correct the path. It ends with the name of the class."
        for path in ("mailprovider.EmailBackend", "smtp", "", "django_mailers_x.Backend"):
            with self.subTest(path):
                self.assertEqual(self.meant(path), ("mailers.E004", cure))


class Archiving(Wrapper):
    option_kinds = {"using": Option(ALIAS), "archive": Option(ALIAS)}


class InDatabase(ReportingBackend):
    """Its `using` is a database."""

    option_kinds = {"using": Option(NAME)}


class ReferenceTests(SimpleTestCase):
    def test_options_by_their_kind(self):
        """An option of the kind ALIAS refers to a mailer, whatever its name, and no other does."""
        archiving = {"using": "default", "archive": "defualt"}
        with override_settings(
            MAILERS={
                "default": {"BACKEND": LOCMEM},
                "it": {"BACKEND": f"{__name__}.Archiving", "OPTIONS": archiving},
                "kept": {"BACKEND": f"{__name__}.InDatabase", "OPTIONS": {"using": "replica"}},
            }
        ):
            (found,) = check_mailers(None)
        self.assertEqual(
            (found.id, found.msg, found.hint),
            (
                "mailers.E012",
                "MAILERS['it']: OPTIONS 'archive' names 'defualt', which is not in MAILERS.",
                "Did you mean 'default'?",
            ),
        )
