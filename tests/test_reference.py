"""The API reference: it has every public name, and no name that is not there."""

import re
from importlib import import_module, util
from pathlib import Path

from django.test import SimpleTestCase

import django_mailers
from django_mailers import options

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.rst"
BACKENDS = ROOT / "django_mailers" / "backends"
FIXTURES = ROOT / "django_mailers" / "pytest_plugin.py"
# The modules whose `__all__` users import from.
PUBLIC = [
    *("backends.base", "delivery.faults", "diagnosis", "errors", "headers", "routing", "signals"),
    *("testing", "views"),
]
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception|data):: (\S+)$", re.MULTILINE)
MEMBERS = re.compile(r"^\.\. autoclass:: (\S+)\n   :members: (.+)$", re.MULTILINE)
# What autodoc cannot import, or has no docstring.
BY_HAND = re.compile(r"^\.\. py:(?!currentmodule)\w+:: ([\w.]+)", re.MULTILINE)
# Those that `from django_mailers import ...` finds as well, and that are described by that name.
SHORT = {f"django_mailers.{name}" for name in django_mailers.__all__}


def described_as(module, name):
    short = f"django_mailers.{name}"
    return short if short in SHORT else f"django_mailers.{module}.{name}"


class ReferenceTests(SimpleTestCase):
    def setUp(self):
        self.text = PAGE.read_text()
        self.names = DIRECTIVE.findall(self.text)
        self.documented = {*self.names, *BY_HAND.findall(self.text)}

    def test_every_public_name_is_there(self):
        expected = SHORT - {"django_mailers.__version__"}
        for module in PUBLIC:
            names = import_module(f"django_mailers.{module}").__all__
            expected |= {described_as(module, name) for name in names}
        self.assertEqual(expected - self.documented, set())

    def test_every_backend_is_there(self):
        modules = {path.stem for path in BACKENDS.glob("[a-z]*.py")} - {"base"}
        self.assertIn("failover", modules)
        expected = {f"django_mailers.backends.{module}.EmailBackend" for module in modules}
        self.assertEqual(expected - self.documented, set())

    def test_every_kind_of_option_is_there(self):
        kinds = [name for name, kind in vars(options).items() if isinstance(kind, options.Kind)]
        self.assertIn("ALIAS", kinds)
        self.assertEqual([kind for kind in kinds if f"``{kind}``" not in self.text], [])

    def test_every_fixture_is_there(self):
        fixtures = re.findall(r"^@pytest\.fixture\ndef (\w+)", FIXTURES.read_text(), re.MULTILINE)
        self.assertIn("smtp_server", fixtures)
        self.assertEqual([name for name in fixtures if f"\n``{name}``\n" not in self.text], [])

    def test_every_name_exists(self):
        for name in self.names:
            with self.subTest(name):
                module, _, attribute = name.rpartition(".")
                self.assertTrue(getattr(import_module(module), attribute).__doc__)

    def test_every_member_is_described(self):
        """autodoc leaves out what has no docstring, and says nothing."""
        found = MEMBERS.findall(self.text)
        self.assertIn("django_mailers.SendResult", dict(found))
        for name, members in found:
            module, _, attribute = name.rpartition(".")
            for member in members.split(","):
                with self.subTest(f"{name}.{member}"):
                    described = getattr(getattr(import_module(module), attribute), member.strip())
                    self.assertTrue(described.__doc__)

    def test_names_by_hand_exist(self):
        for name in BY_HAND.findall(self.text):
            module, _, attribute = name.rpartition(".")
            # It imports a package that not everybody has.
            if module == "django_mailers.diagnosis.health" and not util.find_spec("health_check"):
                continue
            with self.subTest(name):
                self.assertTrue(hasattr(import_module(module), attribute))

    def test_each_name_stands_once(self):
        self.assertEqual(len(self.names), len({*self.names}))
