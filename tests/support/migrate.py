"""Folders with the code and the settings of projects, for `migratemailers` to read."""

import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
import textwrap
from pathlib import Path
from unittest import mock

from django_mailers.migrate import configuration
from django_mailers.migrate.audit import audit
from django_mailers.migrate.block import render
from django_mailers.migrate.rewrite import rewritten

from .servers import enter


class SourceMixin:
    """A folder with Python files, audited from inside it so that findings show short paths."""

    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory())).resolve()

    def write(self, files):
        """Write files, each in a package, and return their paths from the folder on."""
        paths = []
        for name, source in files.items():
            path = Path(name)
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            if path.parent.name and path.name != "__init__.py":
                (self.folder / path.parent / "__init__.py").touch()
            (self.folder / path).write_text(textwrap.dedent(source))
            paths.append(path)
        return paths

    def audit(self, paths, *settings):
        with inside(self.folder):
            report = audit(paths, *settings)
        self.assertEqual(report.unreadable, [])
        return report

    def rewrite(self, content):
        """The source after all sure changes, which a second run must not want to change again."""
        path = self.folder / "module.py"
        for _ in range(2):
            path.write_bytes(content)
            fixes = self.audit([path]).fixes()
            after = rewritten(content, fixes[path]) if fixes else content
            if after == content:
                return content
            content = after
        self.fail(f"A second run changes it again:\n{content.decode()}")


@contextlib.contextmanager
def inside(folder):
    """contextlib.chdir() of Python 3.11."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


NOT_SHOWN = "the password is not shown: put it into the environment, or use --show-secrets"
KEYWORDS = "'django-upgrade --target-version 6.0 --only mail_api_kwargs' adds the names"
HANDLE = "handle the error, or pass using= with an alias whose OPTIONS have 'fail_silently': True"
SILENT = f"fail-silently: fail_silently is deprecated; {HANDLE}"
USING = "pass using= with an alias when the mail is sent"


class LayoutMixin:
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.folder = Path(enter(self, tempfile.TemporaryDirectory())).resolve()
        enter(self, inside(self.folder))
        enter(self, mock.patch.object(sys, "path", [str(self.folder), *sys.path]))
        enter(self, mock.patch.object(sys, "dont_write_bytecode", True))

    def write(self, files):
        for name, source in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))

    def render(self, module, environment=None):
        """The block for the settings `module`, as they are in this environment."""
        with mock.patch.dict(sys.modules), mock.patch.dict(os.environ, environment or {}):
            importlib.invalidate_caches()
            found = importlib.import_module(module)
            return render(configuration.of_module(found, name=module))

    def options(self, block):
        """The options as they are written."""
        lines = [line.strip(" ,") for line in block.text.splitlines() if line.startswith(" " * 12)]
        return {line.split('"')[1]: line.partition(": ")[2] for line in lines}
