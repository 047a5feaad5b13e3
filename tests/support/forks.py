"""Scripts that each run in a process of its own, which a process with Django loaded forks."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from unittest import skipUnless

from .processes import CONFIGURE, REPOSITORY, ProcessTestCase, python_environment
from .servers import enter

# What django.setup() loads before any app. To load it takes most of the time of a short script.
# The process that is left by serve() is a fork, and what follows is the script's.
SERVER = """
import django.urls, django.utils.log
def serve():
    import gc, json, os, sys
    # The forks share what is loaded, and do not look at it when they end.
    gc.freeze()
    for line in sys.stdin:
        script, *outputs = json.loads(line)
        child = os.fork()
        if not child:
            for number, path in enumerate(outputs, 1):
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(file, number)
                os.close(file)
            return compile(script, "<string>", "exec")
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)
    raise SystemExit
exec(serve())
"""


class ForkServer:
    """A context with a process that forks one for each script."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=REPOSITORY,
            env=python_environment([REPOSITORY]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.number = 0
        return self

    def __exit__(self, *exc_info):
        # The end of its input ends it.
        self.process.communicate()
        self.folder.cleanup()

    def run(self, source):
        """Return what subprocess.run() returns for a Python that runs `source`."""
        self.number += 1
        outputs = [Path(self.folder.name, f"{self.number}.{name}") for name in ("out", "err")]
        print(
            json.dumps([source, *map(str, outputs)]),
            file=self.process.stdin,
            flush=True,
        )
        code = int(self.process.stdout.readline())
        return subprocess.CompletedProcess([], code, *(path.read_text() for path in outputs))


@skipUnless(hasattr(os, "fork"), "Processes cannot be forked here.")
class ForkingTestCase(ProcessTestCase):
    """For scripts that would load the same modules of Django first in any case."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fork_server = enter(cls, ForkServer())

    def assertRunsForked(self, source):
        """As assertRuns() does, in a process that has loaded what django.setup() loads first."""
        result = self.fork_server.run(CONFIGURE + textwrap.dedent(source))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout
