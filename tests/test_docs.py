"""Every code block of the documentation and of the README runs, on every Django.

A page is followed as its reader would follow it, in a fresh project made by `startproject`:

- a block with the name of a file (its caption; in Markdown a comment as its first line) becomes
  that file of the project, or its end. The file is imported, the settings are loaded with it, and
  every mailer of MAILERS is built;
- `python` blocks without a name are executed and `pycon` blocks are doctested, those that follow
  each other in one process and one namespace;
- `sh` and `console` blocks are run in the project's folder; what a `console` block shows of a
  command's output is compared, "..." standing for anything, as in doctests.

Mail goes over STARTTLS and AUTH to a real server, which the pages read from the environment; each
page says below whom its mail has reached in the end. Every warning is an error.
"""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from django.core.mail import InvalidMailer, mailers
from django.core.management import call_command
from django.test import SimpleTestCase, override_settings, tag

from .support.processes import PLUGIN_IS_INSTALLED, PYTEST_PLUGIN, STRICT
from .support.servers import SMTPServer, enter, trusting_the_ca
from .support.utils import FILEBASED

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.rst"))]

RST_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n(?P<options>(?:(?P=indent) +:.*\n)*)\n"
    r"(?P<text>(?:(?P=indent) +\S.*\n|\n)+)",
    re.MULTILINE,
)
MARKDOWN_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<options>)(?P<text>(?:.*\n)*?)(?P=indent)```\n",
    re.MULTILINE,
)
# Lines that show code, or take it from elsewhere, in ways that the patterns above do not know.
STRAY_RST = re.compile(
    r"^(?! *\.\. [\w-]+::).*::$|^ *>>>.*$|"
    r"^.*\.\. (?:code|doctest|highlight|include|literal|parsed|raw|source|test)\S*::.*$",
    re.MULTILINE,
)
STRAY_MARKDOWN = re.compile(
    r"^ *(?:```|~~~).*$|^(?: {4}|\t).*$|^.*<(?:code|pre)\b.*$", re.MULTILINE
)

FILES = {"ini", "python"}
EXECUTED = {"pycon", "python"}
COMMANDS = {"console", "sh"}
# The only commands that are not run, and why. .ci/run does run those of the README.
NOT_RUN = {
    r"python3? -m venv \S+": "makes a virtual environment; the one of the tests has it all",
    r"(python -m |\S*/)?pip install .+": "installs packages, into such an environment",
    r"python runtests\.py.*": "runs this very suite",
}


class Block(NamedTuple):
    page: str
    line: int
    language: str
    file: str
    text: str

    @property
    def place(self):
        return f"{self.page}, line {self.line}"

    @property
    def is_known(self):
        return self.language in (FILES if self.file else EXECUTED | COMMANDS)


def parse(page, text):
    """Return the blocks of a page, and the lines that show code but belong to no block."""
    markdown = page.endswith(".md")
    pattern = MARKDOWN_BLOCK if markdown else RST_BLOCK
    blocks = []
    for match in pattern.finditer(text):
        code = textwrap.dedent(match["text"]).rstrip("\n") + "\n"
        file = re.search(r":caption: (\S+)$", match["options"], re.MULTILINE)
        file = file or re.match(r"# (\S+\.\w+)\n", code)
        line = text.count("\n", 0, match.start("text")) + 1
        blocks.append(Block(page, line, match["language"], file[1] if file else "", code))
    stray = (STRAY_MARKDOWN if markdown else STRAY_RST).findall(pattern.sub("", text))
    return blocks, [line.strip() for line in stray]


def commands(block):
    """Yield the commands of an `sh` or `console` block, each with the output that is shown."""
    # In the environment of the tests instead of one that is not made, see NOT_RUN.
    text = re.sub(r"\.venv\S*/bin/python", "python", block.text)
    if block.language == "sh":
        yield from ((command, "") for command in re.split(r"\n| && ", text) if command)
    else:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def steps(blocks):
    """Part blocks into what is done at once: commands, or a file and the code that follows it."""
    step = []
    for block in blocks:
        if step and (block.file or {block.language, step[0].language} & COMMANDS):
            yield step
            step = []
        step.append(block)
    if step:
        yield step


def execute():
    """Import the files that were written, and follow the code after them.

    The source of this function is the program of a process of its own, in which nothing of Django
    is imported before the project does it.
    """
    import doctest
    import importlib
    import json
    import sys

    import django

    modules, blocks = json.load(sys.stdin)
    django.setup()

    from django.core.mail import mailers

    for module in modules:
        importlib.import_module(module)
    for alias in mailers:
        mailers[alias]
    namespace = {"__name__": "__main__"}
    for page, line, language, _, text in blocks:
        if language == "python":
            exec(compile("\n" * (line - 1) + text, page, "exec"), namespace)
        else:
            test = doctest.DocTestParser().get_doctest(text, namespace, page, page, line - 1)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            if runner.run(test, clear_globs=False).failed:
                sys.exit(1)
            namespace = test.globs


class BlockTests(SimpleTestCase):
    def test_every_block_is_known(self):
        unknown = []
        for page in PAGES:
            blocks, stray = parse(str(page.relative_to(ROOT)), page.read_text())
            unknown += [block for block in blocks if not block.is_known]
            unknown += [(page.name, line) for line in stray]
        self.assertEqual(unknown, [])

    def test_every_page_with_blocks_is_followed(self):
        pages = [
            str(page.relative_to(ROOT)) for page in PAGES if parse(page.name, page.read_text())[0]
        ]
        self.assertEqual(sorted(case.page for case in PageMixin.__subclasses__()), sorted(pages))

    def test_what_is_no_known_block(self):
        code = "\n\n    import this\n"
        for page, text, shown in [
            ("a.rst", f".. code-block::{code}", ".. code-block::"),
            ("a.rst", f".. code:: python{code}", ".. code:: python"),
            ("a.rst", f"* - .. code-block:: python{code}", "* - .. code-block:: python"),
            ("a.rst", f"Like this::{code}", "Like this::"),
            ("a.rst", ".. literalinclude:: a.py\n", ".. literalinclude:: a.py"),
            ("a.rst", ">>> import this\n", ">>> import this"),
            ("a.md", "```\nimport this\n```\n", "```"),
            ("a.md", "~~~ python\nimport this\n~~~\n", "~~~ python"),
            ("a.md", f"Like this:{code}", "import this"),
            ("a.md", "<pre>import this</pre>\n", "<pre>import this</pre>"),
        ]:
            with self.subTest(text=text):
                blocks, stray = parse(page, text)
                self.assertEqual((blocks, stray[:1]), ([], [shown]))
        for language, file in [("text", ""), ("ini", ""), ("sh", "run.sh")]:
            self.assertIs(Block("a.rst", 1, language, file, "").is_known, False)


class PageMixin:
    page: str
    # The recipients of each message that the page sends over SMTP.
    arrives: list[list[str]] = []
    # The environment variable that names the file with the certificate authority of the server.
    ca_variable = "SSL_CERT_FILE"

    @tag("slow")
    def test_page(self):
        enter(self, trusting_the_ca())
        refuse = {"RCPT nobody@example.com": "550 5.1.1 No such user"}
        server = enter(self, SMTPServer(tls="starttls", users={"shop": "secret"}, refuse=refuse))
        self.folder = Path(enter(self, tempfile.TemporaryDirectory()))
        self.environment = os.environ | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "PYTHONWARNINGS": STRICT,
            "SMTP_HOST": server.host,
            "SMTP_PORT": str(server.port),
            "SMTP_USER": "shop",
            "SMTP_PASSWORD": "secret",
        }
        self.environment[self.ca_variable] = self.environment.pop("SSL_CERT_FILE")
        # Not the suite's: each manage.py knows its own.
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)
        call_command("startproject", "mysite", str(self.folder))
        # As in production; with DEBUG on there are no error reports.
        self.write("mysite/settings.py", "DEBUG = False\n")
        blocks, _ = parse(self.page, (ROOT / self.page).read_text())
        if not any('"django_mailers"' in block.text for block in blocks):
            self.write("mysite/settings.py", 'INSTALLED_APPS += ["django_mailers"]\n')
        self.follow(blocks)
        self.assertEqual([message.rcpt_tos for message in server.messages], self.arrives)

    def write(self, file, text):
        with (self.folder / file).open("a") as stream:
            stream.write(f"\n{text}")

    def follow(self, blocks):
        modules = []
        for step in steps(blocks):
            first = step[0]
            if first.language in COMMANDS:
                self.run_commands(first)
                continue
            code = [block for block in step if not block.file]
            if first.file:
                self.write(first.file, first.text)
                modules += re.findall(r"^(\S+)\.py$", first.file.replace("/", "."))
            # A process costs more than all that it does here: a file waits for the next one,
            # unless it defines mailers, which the next might define anew.
            if code or "MAILERS" in first.text:
                self.execute(first, modules, code)
                modules = []
        if modules:
            self.execute(first, modules, [])

    def execute(self, block, modules, code):
        program = f"{inspect.getsource(execute)}\nexecute()"
        environment = self.environment | {"DJANGO_SETTINGS_MODULE": "mysite.settings"}
        given = json.dumps([modules, code])
        process = self.run_process([sys.executable, "-c", program], env=environment, input=given)
        self.assertEqual(process.returncode, 0, f"{block.place}\n{process.stdout}")

    def run_commands(self, block):
        """Fail unless a command's output is what is shown or, if none is, its exit status is 0."""
        for command, expected in commands(block):
            if any(re.fullmatch(pattern, command) for pattern in NOT_RUN):
                continue
            # The README speaks to someone in a checkout of the repository.
            folder = ROOT if "testproject/" in command else self.folder
            process = self.run_process(command, shell=True, cwd=folder)
            if expected:
                check = doctest.OutputChecker().check_output
                succeeded = check(expected, process.stdout, doctest.ELLIPSIS)
            else:
                succeeded = process.returncode == 0
            self.assertTrue(succeeded, f"{block.place}: {command}\n{process.stdout}")

    def run_process(self, command, **options):
        return subprocess.run(
            command,
            **{"cwd": self.folder, "env": self.environment, "timeout": 120} | options,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class QuickstartTests(PageMixin, SimpleTestCase):
    page = "docs/quickstart.rst"
    arrives = [["ann@example.com"], ["ann@example.com"], ["ops@example.com"]]


class MailersTests(PageMixin, SimpleTestCase):
    page = "docs/mailers.rst"
    arrives = [["ann@example.com"]]


class DeployingTests(PageMixin, SimpleTestCase):
    page = "docs/deploying.rst"
    arrives = [["ann@example.com"]]


class BackgroundTests(PageMixin, SimpleTestCase):
    page = "docs/background.rst"


class UnsubscribingTests(PageMixin, SimpleTestCase):
    page = "docs/unsubscribing.rst"


class VerifyingTests(PageMixin, SimpleTestCase):
    page = "docs/verifying.rst"


class SettingsTests(PageMixin, SimpleTestCase):
    page = "docs/settings.rst"
    arrives = [["ann@example.com"]]
    # That nothing trusts by itself.
    ca_variable = "SMTP_CA_FILE"

    def test_errors(self):
        """The page has the text of every error of MAILERS, and no other, in this order."""
        folder = enter(self, tempfile.TemporaryDirectory())
        Path(folder, "mail").touch()
        entries = [
            {"BACKEND": "mailprovider.EmailBackend"},
            {"OPTIONS": {"alias": "news"}},
            {"OPTIONS": {"host": "smtp.example.com", "user": "shop", "passwd": "secret"}},
            {"OPTIONS": {"port": 587}},
            {"OPTIONS": {"host": "smtp.example.com", "use_tls": True, "use_ssl": True}},
            {"BACKEND": FILEBASED},
            {"BACKEND": FILEBASED, "OPTIONS": {"file_path": f"{folder}/mail"}},
            {"BACKEND": FILEBASED, "OPTIONS": {"file_path": f"{folder}/mail/bulk"}},
            {"BACKEND": FILEBASED, "OPTIONS": {"file_path": folder}},
        ]
        raised = []
        for entry in entries:
            with (
                override_settings(MAILERS={"bulk": entry}),
                # For the last entry: root may write everywhere.
                patch("os.access", return_value=False),
                self.assertRaises(InvalidMailer) as caught,
            ):
                mailers["bulk"]
            raised.append(str(caught.exception).replace(folder, "/srv"))
        page = re.sub(r"\s+", " ", (ROOT / self.page).read_text())
        self.assertEqual(re.findall(r"\* - ``(MAILERS\[.*?)`` - ", page), raised)


class SendingTests(PageMixin, SimpleTestCase):
    page = "docs/sending.rst"
    arrives = [
        ["ann@example.com"],
        ["ann@example.com"],
        ["ops@example.com"],
        *[["ann@example.com", "bob@example.com", "archive@example.com"]] * 2,
        *[["ann@example.com"]] * 3,
        *[["ann@example.com"], ["bob@example.com"]] * 4,
        ["ann@xn--teeknnchen-t5a.example"],
        ["ops@example.com"],
    ]


class DeliveryTests(PageMixin, SimpleTestCase):
    page = "docs/delivery.rst"
    arrives = [
        ["ann@example.com"],
        ["bob@example.com"],
        ["cleo@example.com"],
        ["dan@example.com"],
        ["ops@example.com"],
        ["ann@example.com"],
        ["ann@example.com"],
    ]


class FaultsTests(PageMixin, SimpleTestCase):
    page = "docs/faults.rst"
    arrives = [["ann@example.com"]]


class BackendsTests(PageMixin, SimpleTestCase):
    page = "docs/backends.rst"
    arrives = [["ann@example.com"]]


class FailoverTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/failover.rst"
    arrives = [["ann@example.com"]] * 2


class RoundRobinTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/roundrobin.rst"
    arrives = [["ann@example.com"]] * 8


class RouteTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/route.rst"
    arrives = [["ann@example.com"]] * 2 + [["bob@example.com"]] * 3 + [["cleo@example.com"]]


class SMTPTests(PageMixin, SimpleTestCase):
    page = "docs/smtp.rst"
    arrives = [["ann@example.com"]] * 11


class RateLimitTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/ratelimit.rst"
    arrives = [["ann@example.com"]] * 2


class RetryTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/retry.rst"
    arrives = [["ann@example.com"]]


class TestingTests(PageMixin, SimpleTestCase):
    page = "docs/testing.rst"

    def run_process(self, command, **options):
        environment = options.pop("env", self.environment)
        if not PLUGIN_IS_INSTALLED:
            environment = environment | {"PYTEST_PLUGINS": PYTEST_PLUGIN}
        return super().run_process(command, env=environment, **options)


class SeeingTests(PageMixin, SimpleTestCase):
    page = "docs/seeing.rst"
    arrives = [["ann@example.com"]]


class HowItWorksTests(PageMixin, SimpleTestCase):
    page = "docs/howitworks.rst"


class BridgeTests(PageMixin, SimpleTestCase):
    page = "docs/bridge.rst"


class ChecksTests(PageMixin, SimpleTestCase):
    page = "docs/checks.rst"


class ErrorReportingTests(PageMixin, SimpleTestCase):
    page = "docs/errorreporting.rst"
    arrives = [["ops@example.com"], ["editors@example.com"]]


class MigratingTests(PageMixin, SimpleTestCase):
    page = "docs/migrating.rst"
    arrives = [["ann@example.com"], ["ann@example.com"], ["bob@example.com"], ["carol@example.com"]]

    def run_process(self, command, **options):
        # The page begins before the migration, with settings that 6.1 warns about.
        environment = options.pop("env", self.environment)
        relaxed = {"PYTHONWARNINGS": f"{STRICT},ignore::PendingDeprecationWarning"}
        return super().run_process(command, env=environment | relaxed, **options)


class ReadmeTests(PageMixin, SimpleTestCase):
    page = "README.md"
    arrives = [["ann@example.com"]]


class DefaultsTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/defaults.rst"
    arrives = [["ann@example.com", "archive@example.com"], ["ann@example.com", "ben@example.com"]]


class ObserveTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/observe.rst"
    arrives = [["ann@example.com"]]

    def follow(self, blocks):
        # In the place of what is not installed.
        standins = ROOT / "tests" / "support" / "standins"
        if importlib.util.find_spec("prometheus_client") is None:
            shutil.copy(standins / "prometheus_client.py", self.folder)
        if importlib.util.find_spec("opentelemetry") is None:
            shutil.copytree(standins / "opentelemetry", self.folder / "opentelemetry")
        super().follow(blocks)


class RedirectTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/redirect.rst"
    arrives = [
        ["dora@shop.example"],
        ["team@shop.example"],
        ["team@shop.example"],
        ["tester@example.org"],
    ]


class TeeTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/tee.rst"
    arrives = [["ann@example.com"]]


class TransformTests(PageMixin, SimpleTestCase):
    page = "docs/mailers/transform.rst"
    arrives = [["ann@example.com"]]
