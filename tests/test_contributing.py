"""CONTRIBUTING.md: the table of the rooms has them all."""

import re
from pathlib import Path

from django.test import SimpleTestCase

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "django_mailers"


class RoomTests(SimpleTestCase):
    def test_every_room_is_in_the_table(self):
        text = (ROOT / "CONTRIBUTING.md").read_text()
        table = re.findall(r"^\| (?:[0-9]+)? *\| (`.*?) \| .* \|$", text, re.MULTILINE)
        listed = {name for names in table for name in re.findall(r"`([a-z_]+)/?`", names)}
        rooms = {
            path.stem
            for path in PACKAGE.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").exists()
        }
        self.assertEqual(rooms - listed, set())
