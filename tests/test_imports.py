"""The rules of who may import what, checked by reading the source, and what a bare import costs."""

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from django.test import SimpleTestCase, tag

import django_mailers

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "django_mailers"

# The rooms, from the top down: a room imports itself, those of the rows below its own, and nothing
# else; see "The house" in CONTRIBUTING.md. The package's own __init__ is "".
ROWS = [
    ("", "management", "pytest_plugin"),
    ("migrate", "diagnosis", "testing"),
    ("apps",),
    ("checks",),
    ("bridge",),
    ("log", "middleware", "views"),
    ("errorreports",),
    ("backends",),
    ("tasks", "routing", "headers"),
    ("delivery",),
    ("dkim", "render", "smtp"),
    ("polyfill",),
    ("backport",),
    (
        *("deprecation", "emailsettings", "options", "conf", "errors", "signals"),
        *("legacyapi", "mailboxes", "ownership", "signatures", "types", "wording"),
    ),
]
ROOMS = {room: number for number, row in enumerate(ROWS) for room in row}
GROUND = ROWS[-1]
# Rooms that only these import.
IMPORTED_BY = {
    "management": (),
    "pytest_plugin": (),
    "migrate": ("management.commands.migratemailers",),
    "diagnosis": ("management.commands.mailers",),
    "testing": ("pytest_plugin",),
    "apps": (),
    "polyfill": ("", "apps", "bridge"),
    "backport": ("polyfill",),
}
# Within the ground: "who called?" needs to know whose code a frame runs; and the arguments of a
# class are in its table, and Django's SMTP backend among the settings.
WITHIN_GROUND = {
    "conf": ("options",),
    "deprecation": ("ownership",),
    "signatures": ("emailsettings", "options"),
}
EXTRAS = {
    "diagnosis": ("dns", "health_check"),
    "dkim": ("cryptography",),
    "migrate": ("libcst",),
    "pytest_plugin": ("pytest",),
    "testing": ("trustme",),
    "tasks": ("django_tasks_db",),
}
# They deal with Django's modules as they are.
INSIDE_DJANGO = ("backport", "polyfill")
IMPORTING_CALLS = {"__import__", "import_module", "import_string"}


def within(name, *parents):
    """Whether the dotted `name` is one of `parents`, or below one."""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def imported_names(source, module, is_package):
    """Yield the line and the absolute dotted name of whatever `source` imports, wherever in it.

    `from a import b` imports "a.b", be it a module or a name in one. A call of import_module() and
    its like counts if it has the name as a literal.
    """
    parents = module.split(".") if is_package else module.split(".")[:-1]

    def absolute(name, level):
        base = parents[: len(parents) - level + 1] if level else []
        return ".".join([*base, *([name] if name else [])])

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(node.module or "", node.level)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            name = node.args[0]
            if (
                called in IMPORTING_CALLS
                and isinstance(name, ast.Constant)
                and isinstance(name.value, str)
            ):
                tail = name.value.lstrip(".")
                yield node.lineno, absolute(tail, len(name.value) - len(tail))


def objection(importer, name):
    """Give the rule that forbids the module `importer` (below django_mailers) to import `name`."""
    room = importer.partition(".")[0]
    if room not in ROOMS:
        return f"{room} is a new room: give it a row in tests/test_imports.py"
    if within(name, PACKAGE):
        return objection_to_own(importer, room, name.removeprefix(PACKAGE).lstrip("."))
    if room == "smtp" and not within(name, *sys.stdlib_module_names):
        return "smtp/ imports the standard library and itself"
    # asgiref comes with Django, whose documentation names it for asynchronous code.
    allowed = ("django", "asgiref", *EXTRAS.get(room, ()), *sys.stdlib_module_names)
    if not within(name, *allowed):
        return "Django is the only dependency"
    if (
        room not in INSIDE_DJANGO
        and name.startswith("django.core.mail.")
        and name.count(".") > "django.core.mail.name".count(".")
        and not within(name, "django.core.mail.backends")
    ):
        return "names of django.core.mail are imported from there"
    return None


def objection_to_own(importer, room, target):
    """The same for `target`, the name of something below django_mailers."""
    part = target.partition(".")[0]
    # Else a name of the package's own.
    other = part if part in ROOMS else ""
    importers = IMPORTED_BY.get(other)
    rule = None
    if other == room or other in WITHIN_GROUND.get(room, ()):
        pass
    elif room == "smtp":
        rule = "smtp/ imports the standard library and itself"
    elif room == "backport" and other not in GROUND:
        rule = "backport/ imports Django, the ground and itself"
    elif importers is not None and not any(
        within(importer, name) if name else not importer for name in importers
    ):
        rule = only(other)
    elif ROOMS[other] <= ROOMS[room]:
        rule = f"imports go downward: {other or 'the package'} is not below {room}"
    return rule


def only(room):
    importers = [name or "the package" for name in IMPORTED_BY[room]]
    return f"{room} is imported by {', '.join(importers) or 'nobody'} only"


def compared_names(source):
    """Return the lines of `source` that compare something with the name of a module of ours or of
    Django's: as a literal, a constant with one, or this module's `__name__`."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def is_name(node):
        if isinstance(node, ast.Name):
            value = PACKAGE if node.id == "__name__" else constants.get(node.id)
        else:
            value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        if not isinstance(value, str):
            return False
        # "django" alone may be a logger or a distribution.
        return within(value.rstrip("."), PACKAGE) or value.startswith("django.")

    lines = []
    for node in ast.walk(tree):
        parts = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            if ast.unparse(node).endswith((" in sys.modules", "__name__ == '__main__'")):
                continue
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "startswith":
            parts = node.args
        if any(is_name(sub) for part in parts for sub in ast.walk(part)):
            lines.append(node.lineno)
    return lines


def broken_rules(source, path):
    """Check the source of `path`, relative to the package; return a line for each objection."""
    module = path.removesuffix(".py").replace("/", ".")
    is_package = module.rpartition(".")[2] == "__init__"
    if is_package:
        module = module.removesuffix("__init__").rstrip(".")
    dotted = f"{PACKAGE}.{module}".rstrip(".")
    return [
        f"{path}:{line}: {name}: {rule}"
        for line, name in sorted(imported_names(source, dotted, is_package))
        if (rule := objection(module, name))
    ]


class ImportRulesTests(SimpleTestCase):
    @tag("slow")
    def test_the_package_keeps_them(self):
        package = ROOT / PACKAGE
        paths = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
        self.assertIn("polyfill/patches.py", paths)
        self.assertIn("backport/backends/smtp.py", paths)

        self.assertEqual(
            [line for path in paths for line in broken_rules((package / path).read_text(), path)],
            [],
        )

    def test_every_room_is_known(self):
        package = ROOT / PACKAGE
        rooms = {path.relative_to(package).parts[0] for path in package.rglob("*.py")}
        unknown = {room.removesuffix(".py") for room in rooms} - ROOMS.keys() - {"__init__"}
        self.assertEqual(unknown, set())

    @tag("slow")
    def test_no_name_of_a_module_is_compared(self):
        """What two rooms must agree on is a name in a room below both."""
        package = ROOT / PACKAGE
        found = [
            f"{path.relative_to(package)}:{line}"
            for path in package.rglob("*.py")
            for line in compared_names(path.read_text())
        ]
        self.assertEqual(found, [])

    def test_compared_names_are_found(self):
        for source, lines in [
            ("name == 'django_mailers'", [1]),
            ("PATH = 'django_mailers.backends.route.EmailBackend'\na\npath_of(x) == PATH", [3]),
            ("x.__module__ in {'a', 'django.utils'}", [1]),
            ("name.startswith('django.')", [1]),
            ("name.partition('.')[0] == __name__.partition('.')[0]", [1]),
            # Whether a module is loaded, and other text.
            ("'django.test.utils' in sys.modules", []),
            ("name == 'django-mailers'", []),
            ("name == '__main__'", []),
        ]:
            with self.subTest(source):
                self.assertEqual(compared_names(source), lines)

    def test_broken_rules_are_found(self):
        only_django = "Django is the only dependency"
        wire = "smtp/ imports the standard library and itself"
        room = "backport/ imports Django, the ground and itself"
        names = "names of django.core.mail are imported from there"

        def upward(part, importer):
            return f"imports go downward: {part} is not below {importer}"

        for path, source, expected in [
            ("smtp/pool.py", "import django", f"django: {wire}"),
            ("smtp/pool.py", "from ..render import f", f"django_mailers.render.f: {wire}"),
            ("smtp/pool.py", "from ..options import f", f"django_mailers.options.f: {wire}"),
            ("smtp/pool.py", "import aiosmtpd.smtp", f"aiosmtpd.smtp: {wire}"),
            ("smtp/__init__.py", "from .. import apps", f"django_mailers.apps: {wire}"),
            ("backport/mail.py", "from django_mailers import x", f"django_mailers.x: {room}"),
            ("backport/mail.py", "from .. import polyfill", f"django_mailers.polyfill: {room}"),
            ("backport/backends/smtp.py", "import attrs", f"attrs: {only_django}"),
            (
                "apps.py",
                "from .backport import mail",
                f"django_mailers.backport.mail: {only('backport')}",
            ),
            (
                "log.py",
                "importlib.import_module('django_mailers.backport.log')",
                f"django_mailers.backport.log: {only('backport')}",
            ),
            (
                "log.py",
                "import_module('.backport.log', 'django_mailers')",
                f"django_mailers.backport.log: {only('backport')}",
            ),
            (
                "backends/smtp.py",
                "from ..polyfill import installed",
                f"django_mailers.polyfill.installed: {only('polyfill')}",
            ),
            (
                "delivery/report.py",
                "from ..testing import x",
                f"django_mailers.testing.x: {only('testing')}",
            ),
            (
                "checks/entries.py",
                "from ..migrate import x",
                f"django_mailers.migrate.x: {only('migrate')}",
            ),
            (
                "migrate/audit.py",
                "from ..management.commands import mailers",
                f"django_mailers.management.commands.mailers: {only('management')}",
            ),
            (
                "delivery/report.py",
                "from ..backends import x",
                f"django_mailers.backends.x: {upward('backends', 'delivery')}",
            ),
            (
                "delivery/aio.py",
                "from ..checks import x",
                f"django_mailers.checks.x: {upward('checks', 'delivery')}",
            ),
            (
                "render/__init__.py",
                "from ..smtp import x",
                f"django_mailers.smtp.x: {upward('smtp', 'render')}",
            ),
            (
                "checks/entries.py",
                "from .. import send_many",
                f"django_mailers.send_many: {upward('the package', 'checks')}",
            ),
            (
                "options.py",
                "from .signatures import x",
                f"django_mailers.signatures.x: {upward('signatures', 'options')}",
            ),
            (
                "attic.py",
                "import re",
                "re: attic is a new room: give it a row in tests/test_imports.py",
            ),
            ("delivery/report.py", "import requests", f"requests: {only_django}"),
            (
                "delivery/report.py",
                "from django.core.mail.message import EmailMessage",
                f"django.core.mail.message.EmailMessage: {names}",
            ),
        ]:
            with self.subTest(path=path, source=source):
                self.assertEqual(broken_rules(source, path), [f"{path}:1: {expected}"])

    def test_imports_are_found_wherever_they_stand(self):
        source = """\
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from ..log import a
            def f():
                import django, django.conf
                class C:
                    from .. import b as c
        """
        wire = "smtp/ imports the standard library and itself"

        self.assertEqual(
            broken_rules(textwrap.dedent(source), "smtp/session.py"),
            [
                f"smtp/session.py:3: django_mailers.log.a: {wire}",
                f"smtp/session.py:5: django: {wire}",
                f"smtp/session.py:5: django.conf: {wire}",
                f"smtp/session.py:7: django_mailers.b: {wire}",
            ],
        )

    def test_what_is_allowed(self):
        for path, source in [
            ("__init__.py", "from django_mailers.polyfill import install"),
            ("apps.py", "from django_mailers import polyfill"),
            ("polyfill/__init__.py", "from ..backport import conf"),
            ("management/commands/mailers.py", "from django_mailers.management import x"),
            ("management/commands/migratemailers.py", "from django_mailers.migrate import audit"),
            ("migrate/transformer.py", "import libcst"),
            ("pytest_plugin.py", "import pytest"),
            ("pytest_plugin.py", "from django_mailers.testing import x"),
            ("backport/conf.py", "from django_mailers.emailsettings import defined_settings"),
            ("render/__init__.py", "from django_mailers.ownership import belongs_to"),
            ("backport/mail.py", "from django.core.mail.message import EmailMessage"),
            ("backport/backends/smtp.py", "from ..exceptions import InvalidMailer"),
            ("backends/smtp.py", "from ..render import x"),
            ("backends/smtp.py", "from ..smtp.pool import Pool"),
            ("backends/base.py", "from ..delivery import x"),
            ("backends/failover.py", "from .smtp import EmailBackend"),
            ("backends/failover.py", "from django.core.mail import InvalidMailer, mailers"),
            ("backends/failover.py", "from django.core.mail.backends.base import BaseEmailBackend"),
            ("smtp/pool.py", "import ssl, email.policy"),
            ("smtp/pool.py", "from .session import Session"),
            ("testing/__init__.py", "from .server import Server"),
        ]:
            with self.subTest(path=path, source=source):
                self.assertEqual(broken_rules(source, path), [])


def imported_tests(source, path):
    """Return a line for each module of tests that the source of `path`, in tests/, imports."""
    dotted = f"tests.{path.removesuffix('.py').replace('/', '.')}"
    return [
        f"{path}:{line}: {name}"
        for line, name in sorted(imported_names(source, dotted, path.endswith("__init__.py")))
        if within(name, "tests")
        and any(part.startswith(("test_", "check_")) for part in name.split("."))
    ]


class TestModulesTests(SimpleTestCase):
    """What tests share is in tests/support/: no module of tests imports another."""

    @tag("slow")
    def test_they_do_not_import_each_other(self):
        tests = ROOT / "tests"
        paths = [path.relative_to(tests).as_posix() for path in tests.rglob("*.py")]
        for path in ("support/servers.py", "engines/cases.py", "typing/mailing.py"):
            self.assertIn(path, paths)
        self.assertEqual(
            [line for path in paths for line in imported_tests((tests / path).read_text(), path)],
            [],
        )

    def test_what_is_found(self):
        for path, source, name in [
            ("test_a.py", "from .test_b import x", "tests.test_b.x"),
            ("test_a.py", "from . import test_b", "tests.test_b"),
            ("test_a.py", "import tests.test_b", "tests.test_b"),
            ("support/a.py", "def f():\n    from ..test_b import x", "tests.test_b.x"),
            ("packages/check_a.py", "from .check_b import x", "tests.packages.check_b.x"),
            ("test_a.py", "import_module('tests.test_b')", "tests.test_b"),
        ]:
            with self.subTest(path, source=source):
                line = source.count("\n") + 1
                self.assertEqual(imported_tests(source, path), [f"{path}:{line}: {name}"])

    def test_what_is_allowed(self):
        for source in (
            "from .support.servers import SMTPServer",
            "from .backend_contract import BackendContract",
            "from django_mailers.checks import check_mailers",
            "from test.support import os_helper",
        ):
            with self.subTest(source):
                self.assertEqual(imported_tests(source, "test_a.py"), [])


class BareImportTests(SimpleTestCase):
    def test_it_imports_no_django(self):
        # In a process of its own, as this one has long imported Django.
        program = """\
            import sys
            import django_mailers
            print(dir(django_mailers))
            print([name for name in sys.modules if name.partition(".")[0] == "django"])
        """
        process = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

        self.assertEqual(process.stderr, "")
        self.assertEqual(
            process.stdout,
            f"{sorted(django_mailers.__all__)}\n[]\n",
        )
