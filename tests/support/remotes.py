"""Python processes that do what a test tells them, one thing after the other.

Such a process reads lines of JSON, each with a source to execute, and answers each with a line of
JSON: the value of `result`.
"""

import json
import os
import subprocess
import sys
import textwrap

from .processes import CONFIGURE, REPOSITORY
from .servers import TIMEOUT


class Remote:
    """A context with such a process. `with_gevent` patches its standard library first."""

    def __init__(self, *, with_gevent=False):
        # Before anything of Django, whose lazy objects gevent evaluates.
        patch = "from gevent import monkey; monkey.patch_all();" if with_gevent else ""
        self.command = [sys.executable, "-c", f"{patch}from {__name__} import main; main()"]

    def __enter__(self):
        environment = {**os.environ, "PYTHONWARNINGS": "error::PendingDeprecationWarning"}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.process = subprocess.Popen(
            self.command,
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        return self

    def __exit__(self, *exc_info):
        try:
            self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def start(self, source):
        """Begin to execute `source`; `finish()` returns the `result` that it sets."""
        self.process.stdin.write(json.dumps(textwrap.dedent(source)) + "\n")
        self.process.stdin.flush()

    def finish(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("The process has ended; its errors are above.")
        return json.loads(line)

    def run(self, source):
        self.start(source)
        return self.finish()


def main():
    namespace = {}
    exec(CONFIGURE, namespace)
    for line in sys.stdin:
        namespace["result"] = None
        exec(json.loads(line), namespace)
        print(json.dumps(namespace["result"]), flush=True)
