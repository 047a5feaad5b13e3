"""The rules of who may import what, checked by reading the source, and what a bare import costs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from django.test import SimpleTestCase

import django_mailers

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "django_mailers"

# What nothing but itself imports: leaves of the tree, which most projects never load.
LEAVES = ("testing", "migrate", "mailbox", "management")
# Which of them a command is the front of, and what a part imports of an extra (see pyproject.toml).
COMMANDS_MAY_IMPORT = ("migrate",)
EXTRAS = {"migrate": ("libcst",)}
# From the top down: a part may import the parts after it, besides itself.
LAYERS = ("backends", "render", "smtp")
# What every part may import: see the design of the house.
GROUND = ("emailsettings", "ownership", "signatures")
# The backport, and what puts it in place, deal with Django's modules as they are.
BACKPORT = ("backport", "polyfill")
IMPORTING_CALLS = {"__import__", "import_module", "import_string"}


def within(name: str, *parents: str) -> bool:
    """Whether the dotted `name` is one of `parents`, or below one."""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def imported_names(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute dotted name of whatever `source` imports, wherever in it.

    `from a import b` imports "a.b", be it a module or a name in one. A call of import_module() and
    its like counts if it has the name as a literal.
    """
    parents = module.split(".") if is_package else module.split(".")[:-1]

    def absolute(name: str, level: int) -> str:
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


def objection(importer: str, name: str) -> str | None:
    """Give the rule that forbids the module `importer` (below django_mailers) to import `name`."""
    part = importer.partition(".")[0]
    own = within(name, PACKAGE)
    target = name.removeprefix(f"{PACKAGE}.") if own else ""
    rule = None
    if (part and within(target, part)) or (own and part != "smtp" and within(target, *GROUND)):
        pass
    elif part == "smtp" and not within(name, *sys.stdlib_module_names):
        rule = "smtp/ imports the standard library and itself"
    elif part == "backport" and own:
        rule = "backport/ imports Django, the ground and itself"
    elif within(target, "backport") and not within(importer, "polyfill", "management.commands"):
        rule = "only polyfill.py and commands import backport/"
    elif within(target, *COMMANDS_MAY_IMPORT) and within(importer, "management.commands"):
        pass
    elif within(target, *LEAVES):
        rule = f"nothing imports {target.partition('.')[0]}/"
    elif own and part in LAYERS and not within(target, *LAYERS[LAYERS.index(part) :]):
        rule = f"imports go downward: {part} -> {', '.join(LAYERS[LAYERS.index(part) + 1 :])}"
    elif not own and not within(
        # asgiref comes with Django, whose documentation names it for asynchronous code.
        name,
        "django",
        "asgiref",
        *EXTRAS.get(part, ()),
        *sys.stdlib_module_names,
    ):
        rule = "Django is the only dependency"
    elif (
        part not in BACKPORT
        and name.startswith("django.core.mail.")
        and name.count(".") > "django.core.mail.name".count(".")
        and not within(name, "django.core.mail.backends")
    ):
        rule = "names of django.core.mail are imported from there"
    return rule


def broken_rules(source: str, path: str) -> list[str]:
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
    def test_the_package_keeps_them(self) -> None:
        package = ROOT / PACKAGE
        paths = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
        self.assertIn("polyfill.py", paths)
        self.assertIn("backport/backends/smtp.py", paths)

        self.assertEqual(
            [line for path in paths for line in broken_rules((package / path).read_text(), path)],
            [],
        )

    def test_broken_rules_are_found(self) -> None:
        only_django = "Django is the only dependency"
        wire = "smtp/ imports the standard library and itself"
        room = "backport/ imports Django, the ground and itself"
        nobody = "only polyfill.py and commands import backport/"
        names = "names of django.core.mail are imported from there"
        for path, source, expected in [
            ("smtp/pool.py", "import django", f"django: {wire}"),
            ("smtp/pool.py", "from ..render import f", f"django_mailers.render.f: {wire}"),
            ("smtp/pool.py", "import aiosmtpd.smtp", f"aiosmtpd.smtp: {wire}"),
            ("smtp/__init__.py", "from .. import apps", f"django_mailers.apps: {wire}"),
            ("backport/mail.py", "from django_mailers import x", f"django_mailers.x: {room}"),
            ("backport/mail.py", "from .. import polyfill", f"django_mailers.polyfill: {room}"),
            ("backport/backends/smtp.py", "import attrs", f"attrs: {only_django}"),
            ("apps.py", "from .backport import mail", f"django_mailers.backport.mail: {nobody}"),
            ("apps.py", "from . import backport", f"django_mailers.backport: {nobody}"),
            (
                "backends/smtp.py",
                "from django_mailers.backport.backends.smtp import EmailBackend",
                f"django_mailers.backport.backends.smtp.EmailBackend: {nobody}",
            ),
            (
                "log.py",
                "importlib.import_module('django_mailers.backport.log')",
                f"django_mailers.backport.log: {nobody}",
            ),
            (
                "log.py",
                "import_module('.backport.log', 'django_mailers')",
                f"django_mailers.backport.log: {nobody}",
            ),
            (
                "delivery.py",
                "from .testing import x",
                "django_mailers.testing.x: nothing imports testing/",
            ),
            (
                "testing/server.py",
                "import django_mailers.mailbox.views",
                "django_mailers.mailbox.views: nothing imports mailbox/",
            ),
            (
                "checks.py",
                "from .migrate import x",
                "django_mailers.migrate.x: nothing imports migrate/",
            ),
            (
                "apps.py",
                "from .management.commands import mailers",
                "django_mailers.management.commands.mailers: nothing imports management/",
            ),
            (
                "backends/smtp.py",
                "from ..delivery import x",
                "django_mailers.delivery.x: imports go downward: backends -> render, smtp",
            ),
            (
                "render.py",
                "from .backends import smtp",
                "django_mailers.backends.smtp: imports go downward: render -> smtp",
            ),
            ("delivery.py", "import requests", f"requests: {only_django}"),
            (
                "delivery.py",
                "from django.core.mail.message import EmailMessage",
                f"django.core.mail.message.EmailMessage: {names}",
            ),
        ]:
            with self.subTest(path=path, source=source):
                self.assertEqual(broken_rules(source, path), [f"{path}:1: {expected}"])

    def test_imports_are_found_wherever_they_stand(self) -> None:
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

    def test_what_is_allowed(self) -> None:
        for path, source in [
            ("__init__.py", "from django_mailers.polyfill import install"),
            ("apps.py", "from django_mailers import polyfill"),
            ("polyfill.py", "from .backport import conf"),
            ("management/commands/sendtestemail.py", "from django_mailers import backport"),
            ("management/commands/mailers.py", "from django_mailers.management import x"),
            ("management/commands/migratemailers.py", "from django_mailers.migrate import audit"),
            ("migrate/transformer.py", "import libcst"),
            ("backport/conf.py", "from django_mailers.emailsettings import defined_settings"),
            ("render/__init__.py", "from django_mailers.ownership import belongs_to"),
            ("backport/mail.py", "from django.core.mail.message import EmailMessage"),
            ("backport/backends/smtp.py", "from ..exceptions import InvalidMailer"),
            ("backends/smtp.py", "from ..render import x"),
            ("backends/smtp.py", "from ..smtp.pool import Pool"),
            ("backends/failover.py", "from .smtp import EmailBackend"),
            ("backends/failover.py", "from django.core.mail import InvalidMailer, mailers"),
            ("backends/failover.py", "from django.core.mail.backends.base import BaseEmailBackend"),
            ("smtp/pool.py", "import ssl, email.policy"),
            ("smtp/pool.py", "from .session import Session"),
            ("testing/__init__.py", "from .server import Server"),
        ]:
            with self.subTest(path=path, source=source):
                self.assertEqual(broken_rules(source, path), [])


class BareImportTests(SimpleTestCase):
    def test_it_imports_no_django(self) -> None:
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
