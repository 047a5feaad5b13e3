"""The API reference: it has every public name, and no name that is not there."""

import re
from importlib import import_module
from pathlib import Path

from django.test import SimpleTestCase

import django_mailers

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.rst"
# The modules whose `__all__` users import from.
PUBLIC = ["signals"]
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception|data):: (\S+)$", re.MULTILINE)


class ReferenceTests(SimpleTestCase):
    def setUp(self):
        self.names = DIRECTIVE.findall(PAGE.read_text())

    def test_every_public_name_is_there(self):
        expected = {f"django_mailers.{name}" for name in django_mailers.__all__}
        for module in PUBLIC:
            names = import_module(f"django_mailers.{module}").__all__
            expected |= {f"django_mailers.{module}.{name}" for name in names}
        expected.remove("django_mailers.__version__")
        documented = {*self.names, *re.findall(r"^\.\. py:\w+:: (\S+)$", PAGE.read_text(), re.M)}
        self.assertEqual(expected - documented, set())

    def test_every_name_exists(self):
        for name in self.names:
            with self.subTest(name):
                module, _, attribute = name.rpartition(".")
                self.assertTrue(getattr(import_module(module), attribute).__doc__)
