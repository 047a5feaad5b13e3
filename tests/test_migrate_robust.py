"""`migratemailers` where files, links, pipes and folders are not what one expects."""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from unittest import mock, skipIf, skipUnless

from django.test import SimpleTestCase, tag

from django_mailers.migrate import files, modules
from django_mailers.migrate.audit import audit

from .support.migrate import inside
from .support.processes import REPOSITORY
from .support.projects import MANAGE
from .support.servers import enter

CODE = "from django.core.mail import get_connection\nget_connection()\n"
WRITTEN = "from django.core.mail import mailers\nmailers.default\n"


class FolderMixin:
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.outside = Path(enter(self, tempfile.TemporaryDirectory())).resolve()
        self.folder = self.outside / "project"
        self.folder.mkdir()
        enter(self, inside(self.folder))

    def write(self, files):
        for name, source in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)

    def environment(self):
        inherited = {key: value for key, value in os.environ.items() if key[:6] != "DJANGO"}
        return inherited | {"PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}

    def manage(self, *arguments, folder="."):
        process = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder / folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return process.returncode, process.stdout, process.stderr


class LinkTests(FolderMixin, SimpleTestCase):
    def test_links(self):
        """Nothing outside is read or written, and nothing inside twice."""
        foreign = self.outside / "foreign.py"
        foreign.write_text(CODE)
        (self.outside / "package").mkdir()
        (self.outside / "package/more.py").write_text(CODE)
        self.write({"shop/mail.py": CODE, "shop/.deploy/local.py": CODE, "shop/data.txt": CODE})
        for name, target in [
            ("out.py", foreign),
            ("package", self.outside / "package"),
            ("again.py", self.folder / "shop/mail.py"),
            ("local.py", self.folder / "shop/.deploy/local.py"),
            ("text.py", self.folder / "shop/data.txt"),
            ("loop", self.folder / "shop"),
            (".#mail.py", Path("ann@host.1234")),
        ]:
            (self.folder / "shop" / name).symlink_to(target)
        found = files.python_files([Path("shop")])
        self.assertEqual(
            [path.as_posix() for path in found], ["shop/local.py", "shop/mail.py", "shop/text.py"]
        )
        # But a file that is asked for is what was meant.
        self.assertEqual(files.python_files([Path("shop/out.py")]), [Path("shop/out.py")])
        self.write({"settings.py": "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django_mailers']\n"})
        status, stdout, _ = self.manage(
            "-m", "django_mailers.migrate", "--settings", "settings", "--write", "shop"
        )
        self.assertEqual(status, 0)
        self.assertEqual(
            stdout,
            "shop/local.py: 2 changes\nshop/mail.py: 2 changes\nshop/text.py: 2 changes\n",
        )
        self.assertEqual(foreign.read_text(), CODE)
        self.assertEqual((self.folder / "shop/mail.py").read_text(), WRITTEN)

    def test_settings_that_are_a_link(self):
        self.write({"deploy/live.py": "EMAIL_HOST = 'a'\n"})
        (self.folder / "settings.py").symlink_to("deploy/live.py")
        with mock.patch.object(sys, "path", [str(self.folder), *sys.path]):
            report = audit(files.python_files([Path()]), "settings")
        self.assertEqual(
            [f"{finding.path}:{finding.line} {finding.code}" for finding in report.findings],
            ["deploy/live.py:1 setting-defined"],
        )


class UnreadableTests(FolderMixin, SimpleTestCase):
    @skipUnless(hasattr(os, "mkfifo"), "There are no pipes with a name.")
    def test_what_is_no_file(self):
        os.mkfifo("pipe.py")
        (self.folder / "folder.py").mkdir()
        self.write({"good.py": CODE})
        report = audit(files.python_files([Path()]))
        self.assertEqual(report.unreadable, ["pipe.py: it is not a regular file"])
        self.assertEqual([str(finding.path) for finding in report.findings], ["good.py"])

    def test_encodings(self):
        """Those that are none, too: each is a sentence, and the command ends with status 2."""
        self.write(
            {
                "rot.py": "# coding: rot13\n",
                "hex.py": "# coding: hex\n",
                "settings.py": "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django_mailers']\n",
                "manage.py": MANAGE,
            }
        )
        status, _, stderr = self.manage(
            "manage.py", "migratemailers", "--check", "rot.py", "hex.py"
        )
        self.assertEqual(
            (status, stderr),
            (
                2,
                "CommandError: Not audited:\n"
                "rot.py: rot13 is not a text encoding\n"
                "hex.py: hex is not a text encoding\n",
            ),
        )

    def test_nesting(self):
        self.write({"deep.py": f"x = {'(' * 5000}{')' * 5000}\n"})
        [error] = audit([Path("deep.py")]).unreadable
        self.assertIn(
            error,
            {"deep.py:1: too many nested parentheses", "deep.py: the code is nested too deeply"},
        )

    @skipIf(sys.version_info >= (3, 15), "There is no newer Python yet.")
    def test_code_for_a_newer_python(self):
        this = ".".join(map(str, sys.version_info[:2]))
        for version, source in [
            ((3, 11), "try: pass\nexcept* ValueError: pass\n"),
            ((3, 12), "x = 1\ntype Names = list[str]\n"),
            ((3, 12), "x = 1\ndef first[T](items: list[T]) -> T: ...\n"),
            ((3, 12), 'x = {}\ny = f"{x["a"]}"\n'),
            ((3, 13), "x = 1\nclass Names[T = str]: ...\n"),
            ((3, 14), "try: pass\nexcept KeyError, ValueError: pass\n"),
            ((3, 14), "x = 1\ny = t'{x}'\n"),
            ((3, 15), "x = 1\nlazy import json\n"),
        ]:
            self.write({"new.py": source})
            found = audit([Path("new.py")]).unreadable
            with self.subTest(source):
                if sys.version_info >= version:
                    self.assertEqual(found, [])
                    continue
                [error] = found
                self.assertTrue(error.startswith("new.py:2: "), error)
                newer = ".".join(map(str, version))
                # What an older Python says first may be true of one in between as well.
                self.assertRegex(
                    error,
                    rf"; it looks like Python ({newer}|3.12), and this is {this}: run the command "
                    r"with the Python of the project$",
                )
        self.write({"wrong.py": "x = 1\nx = = 2\n"})
        self.assertEqual(audit([Path("wrong.py")]).unreadable, ["wrong.py:2: invalid syntax"])


class OutputTests(FolderMixin, SimpleTestCase):
    SETTINGS = (
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django_mailers', 'shop']\nDEBUG = True\n"
        "if DEBUG:\n    EMAIL_HOST = 'a'\nelse:\n    EMAIL_HOST = 'b'\n"
    )

    @tag("slow")
    def test_no_absolute_paths(self):
        """Not even from a folder that is not above the files."""
        self.write(
            {
                "manage.py": MANAGE,
                "settings.py": self.SETTINGS,
                "shop/__init__.py": "",
                "shop/mail.py": CODE,
                "deeper/empty.txt": "",
            }
        )
        for folder, here, manage in [(".", "", "manage.py"), ("deeper", "../", "../manage.py")]:
            with self.subTest(folder):
                status, stdout, stderr = self.manage(manage, "migratemailers", folder=folder)
                self.assertEqual((status, stderr), (0, ""))
                self.assertNotIn(str(self.outside), stdout)
                self.assertIn(f"# Put this at the end of {here}settings.py, and delete", stdout)
                self.assertIn(f"at {here}settings.py:5 and {here}settings.py:7:", stdout)
                self.assertIn(f"\n{here}shop/mail.py:2:1: get-connection", stdout)

    def test_an_error_that_names_a_path(self):
        self.write(
            {
                "manage.py": MANAGE,
                "settings.py": self.SETTINGS + "EMAIL_BACKEND = 'shop.mail.Missing'\n",
                "shop/__init__.py": "",
                "shop/mail.py": "from shop import nothing\n",
            }
        )
        status, stdout, _ = self.manage("manage.py", "migratemailers")
        self.assertEqual(status, 0)
        self.assertIn("cannot import name 'nothing' from 'shop' (shop/__init__.py)", stdout)
        self.assertNotIn(str(self.outside), stdout)

    @tag("slow")
    def test_no_warnings_of_other_code(self):
        source = "x = '\\d'\ny = 1 is 1\nassert (1, 'x')\n"
        self.write(
            {
                "manage.py": MANAGE,
                "settings.py": self.SETTINGS,
                "shop/__init__.py": "",
                "shop/mail.py": source + CODE,
            }
        )
        for option in ("always", "error::SyntaxWarning"):
            status, _, stderr = self.manage(
                "-W", option, "manage.py", "migratemailers", "--diff", "shop/mail.py"
            )
            self.assertEqual((status, "Syntax" in stderr, "mail.py" in stderr), (0, False, False))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(audit([Path("shop/mail.py")]).unreadable, [])

    @tag("slow")
    def test_a_reader_that_leaves(self):
        """As `| head` does: no traceback, and `--write` writes every file all the same."""
        names = [f"shop/mail{number}.py" for number in range(20)]
        self.write(
            {
                "manage.py": MANAGE,
                "settings.py": self.SETTINGS,
                "shop/__init__.py": "",
            }
            | dict.fromkeys(names, CODE + "get_connection('a.B')\n" * 100)
        )
        for option, status in [("--check", 1), ("--diff", 0), ("--write", 0)]:
            reader, writer = os.pipe()
            os.close(reader)
            process = subprocess.run(
                [sys.executable, "manage.py", "migratemailers", option],
                cwd=self.folder,
                env=self.environment(),
                stdout=writer,
                stderr=writer if option == "--write" else subprocess.PIPE,
                timeout=60,
                check=False,
            )
            os.close(writer)
            self.assertEqual(process.returncode, status)
            self.assertNotIn(b"BrokenPipe", process.stderr or b"")
        written = {(self.folder / name).read_text()[:52] for name in names}
        self.assertEqual(written, {"from django.core.mail import get_connection, mailers"})


class NameTests(FolderMixin, SimpleTestCase):
    def test_settings_in_a_folder_that_looks_like_a_package(self):
        """They are what --settings calls them, and so are those beside them."""
        self.write(
            {
                "__init__.py": "",
                "manage.py": MANAGE,
                "base.py": "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django_mailers', 'shop']\n"
                "EMAIL_HOST = 'a'\n",
                "settings.py": "from base import *\nEMAIL_PORT = 2525\n",
                "shop/__init__.py": "",
                "shop/letters.py": "from django.core.mail import EmailMessage\n"
                "class Letter(EmailMessage): pass\n",
                "shop/mail.py": "from shop.letters import Letter\nimport settings\n"
                "Letter().send(fail_silently=False)\nsettings.EMAIL_HOST\n",
            }
        )
        status, stdout, stderr = self.manage(
            "manage.py", "migratemailers", "--settings", "settings", "--check", "."
        )
        self.assertEqual((status, stderr), (1, ""))
        self.assertEqual(
            [": ".join(line.split(": ")[:2]) for line in stdout.splitlines()[:-2]],
            [
                "base.py:3:1: setting-defined",
                "settings.py:2:1: setting-defined",
                "shop/mail.py:3:15: fail-silently",
                "shop/mail.py:4:1: setting-read",
            ],
        )

    def test_names(self):
        self.write({"__init__.py": "", "shop/__init__.py": "", "shop/mail.py": "", "conf.py": ""})
        shop = self.folder / "shop/mail.py"
        # Neither folder is known: the outermost package counts.
        self.assertEqual(modules.module_name(shop), "project.shop.mail")
        self.assertEqual(modules.module_name(shop, self.folder), "shop.mail")
        with mock.patch.object(sys, "path", [str(self.folder), *sys.path]):
            self.assertEqual(modules.module_name(shop), "shop.mail")
            self.assertEqual(modules.import_root("conf"), self.folder)
            self.assertEqual(modules.import_root("shop"), self.folder)
            self.assertEqual(modules.import_root("shop.mail"), self.folder)
            self.assertEqual(modules.locate("shop.mail"), shop)
        with mock.patch.object(sys, "path", [str(self.outside), *sys.path]):
            self.assertEqual(modules.module_name(shop), "project.shop.mail")
