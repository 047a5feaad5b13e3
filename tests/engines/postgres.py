"""A PostgreSQL of its own, run by a user of its own: it does not start as root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import SkipTest

from ..support.redis import free_port

PATHS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
USER = "postgres"


class Postgres:
    """A context with a PostgreSQL server on a free port of 127.0.0.1, without a password."""

    def __enter__(self):
        if not PATHS:
            raise SkipTest("There is no PostgreSQL (on Debian: the package postgresql).")
        self._bin = PATHS[-1]
        self._folder = tempfile.mkdtemp()
        shutil.chown(self._folder, USER, USER)
        self.port = free_port()
        try:
            data = f"{self._folder}/data"
            self._run("initdb", "--auth=trust", "--no-sync", "-D", data)
            options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c fsync=off "
            options += f"-c unix_socket_directories={self._folder}"
            self._run("pg_ctl", "-w", "-D", data, "-l", f"{data}.log", "-o", options, "start")
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *exc_info):
        self._run("pg_ctl", "-m", "immediate", "-D", f"{self._folder}/data", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program, *arguments):
        as_user = {} if os.geteuid() else {"user": USER, "group": USER, "extra_groups": []}
        subprocess.run(
            [self._bin / program, *arguments],
            check=True,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            **as_user,
        )
