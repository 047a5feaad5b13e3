"""The test project in a process of its own, on a free port, with a server for its mail."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ..support.processes import REPOSITORY, STRICT
from ..support.servers import HOST, SMTPServer

TIMEOUT = 60
ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")


class Shop(contextlib.ExitStack):
    """A context manager; `url` is where the site is, `smtp` the server that has its mail."""

    def __enter__(self):
        super().__enter__()
        # If this fails, what was started before has to end.
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.smtp = stack.enter_context(SMTPServer())
            self.manage("migrate", "--verbosity=0")
            self.url = stack.enter_context(self._running())
            self.push(stack.pop_all())
        return self

    def manage(self, *arguments):
        """Run a command of manage.py to its end; it must succeed."""
        done = subprocess.run(
            **self._process(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"manage.py {arguments[0]}:\n{done.stdout}")

    def log(self):
        """Return what the site has written to its log."""
        return (self.folder / "log").read_text()

    @contextlib.contextmanager
    def _running(self):
        with (self.folder / "log").open("w") as log:
            command = self._process("runserver", "--noreload", f"{HOST}:0")
            process = subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=log)
        with process:
            try:
                yield self._address(process)
            finally:
                process.terminate()

    def _address(self, process):
        """Return the address that the site says it has. Its output ends where it fails to start."""
        for line in process.stdout:
            if found := ADDRESS.search(line):
                return found[0]
        raise AssertionError(f"manage.py runserver:\n{self.log()}")

    def _process(self, *arguments):
        """Return the arguments for subprocess that run manage.py with `arguments`."""
        path = [REPOSITORY / "testproject", REPOSITORY]
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": STRICT,
            "SHOP_FOLDER": str(self.folder),
            "SMTP_PORT": str(self.smtp.port),
        }
        return {
            "args": [sys.executable, "manage.py", *arguments],
            "cwd": REPOSITORY / "testproject",
            "env": os.environ | environment,
            "stdin": subprocess.DEVNULL,
            "text": True,
        }
