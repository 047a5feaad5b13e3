"""A Memcached of its own for a test that needs a cache which processes share."""

import importlib.util
import shutil
import socket
import subprocess
import time
from unittest import SkipTest

from .redis import free_port
from .servers import HOST, TIMEOUT

BACKEND = "django.core.cache.backends.memcached.PyMemcacheCache"


class Memcached:
    """A context with a memcached. Raises SkipTest if there is none, or no Python client for it."""

    host = HOST

    def __enter__(self):
        if shutil.which("memcached") is None:
            raise SkipTest("There is no memcached in PATH (on Debian: the package memcached).")
        if importlib.util.find_spec("pymemcache") is None:
            raise SkipTest("The Python package 'pymemcache' is not installed.")
        # Another process may take the port in between.
        for _ in range(5):
            self.port = free_port()
            command = ["memcached", "-l", self.host, "-p", str(self.port), "-U", "0", "-m", "16"]
            # As root it runs as another user.
            self._process = subprocess.Popen([*command, "-u", "nobody"])
            if self._listens():
                return self
            self.__exit__()
        raise RuntimeError("memcached did not start.")

    def __exit__(self, *exc_info):
        self._process.terminate()
        self._process.wait(TIMEOUT)

    @property
    def caches(self):
        """CACHES, whose default is this Memcached."""
        return {"default": {"BACKEND": BACKEND, "LOCATION": f"{self.host}:{self.port}"}}

    def _listens(self):
        """Whether it can be connected to, once it has started."""
        end = time.monotonic() + TIMEOUT
        while self._process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection((self.host, self.port), TIMEOUT).close()
                return True
            except OSError:
                time.sleep(0.01)
        return False
