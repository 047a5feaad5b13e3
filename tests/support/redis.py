"""A Redis of its own for a test that needs a cache which processes share."""

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import tempfile
from unittest import SkipTest

from .servers import HOST, TIMEOUT

BACKEND = "django.core.cache.backends.redis.RedisCache"
# Another process may take a port between the moment it was found free and the server's start.
TRIES = 5


class Redis:
    """A context with a redis-server that keeps nothing on disk.

    Raises SkipTest if there is no redis-server in PATH, or no Python client for it.
    """

    host = HOST
    port: int

    def __enter__(self):
        if shutil.which("redis-server") is None:
            raise SkipTest(
                "There is no redis-server in PATH (on Debian: the package redis-server)."
            )
        if importlib.util.find_spec("redis") is None:
            raise SkipTest("The Python package 'redis' is not installed.")
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.start(folder)
            stack.callback(self.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info):
        self._stack.close()

    @property
    def location(self):
        return f"redis://{self.host}:{self.port}"

    @property
    def caches(self):
        """CACHES, whose default is this Redis."""
        return {"default": {"BACKEND": BACKEND, "LOCATION": self.location}}

    def start(self, folder="/"):
        """Start the server; after `stop()` again at the same port, and empty."""
        for _ in range(TRIES):
            port = getattr(self, "port", None) or free_port()
            command = ["redis-server", "--bind", self.host, "--port", str(port), "--dir", folder]
            self._process = subprocess.Popen(
                [*command, "--save", "", "--appendonly", "no"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            said = []
            for line in self._process.stdout:
                said.append(line)
                if "ready to accept connections" in line.lower():
                    self.port = port
                    return
            self.stop()
        raise RuntimeError(f"redis-server did not start:\n{''.join(said)}")

    def stop(self):
        self._process.terminate()
        # It says goodbye, which somebody has to read.
        self._process.communicate(timeout=TIMEOUT)


def free_port():
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]
