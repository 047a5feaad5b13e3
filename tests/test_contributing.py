"""CONTRIBUTING.md: the table of the rooms has them all, and the tests are as it says."""

import ast
import re
from pathlib import Path

from django.test import SimpleTestCase, tag

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


class StyleTests(SimpleTestCase):
    """Tests have no annotations, and files of at most 700 lines."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tests = ROOT / "tests"
        # `typing` is about annotations.
        cls.sources = {
            path.relative_to(tests).as_posix(): path.read_text()
            for path in sorted(tests.rglob("*.py"))
            if path.relative_to(tests).parts[0] != "typing"
        }

    def test_no_file_is_long(self):
        self.assertIn("differential/world.py", self.sources)
        self.assertEqual(
            [name for name, source in self.sources.items() if source.count("\n") > 700], []
        )

    @tag("slow")
    def test_no_function_is_annotated(self):
        found = [
            f"{name}:{node.lineno}"
            for name, source in self.sources.items()
            for node in ast.walk(ast.parse(source))
            if (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns)
            or (isinstance(node, ast.arg) and node.annotation)
        ]
        self.assertEqual(found, [])
