"""runtests.py ends: a test that stands still does not stop it forever."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.test import SimpleTestCase, tag

from .support.processes import REPOSITORY
from .support.servers import enter

HANGING = """
import threading, unittest

class {name}Tests(unittest.TestCase):
    def test(self):
        {statement}
"""


@tag("slow")
class HangTests(SimpleTestCase):
    def run_tests(self, *arguments, limit=1, **statements):
        """Run tests of these statements, one in each class; return the process when it is over.

        None of them may take more than `limit` seconds.
        """
        folder = enter(self, tempfile.TemporaryDirectory())
        for name, statement in statements.items():
            source = HANGING.format(name=name, statement=statement)
            Path(folder, f"test_{name.lower()}.py").write_text(source)
        return subprocess.run(
            [sys.executable, REPOSITORY / "runtests.py", folder, *arguments],
            env=os.environ | {"TEST_TIMEOUT": str(limit)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def assertEnded(self, process):
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("Timeout (0:00:01)!\n", process.stderr)
        self.assertIn('test_stuck.py", line 6 in test\n', process.stderr)

    def test_in_one_process(self):
        self.assertEnded(self.run_tests(Stuck="threading.Event().wait()"))

    def test_in_a_worker(self):
        process = self.run_tests("--parallel=2", Stuck="threading.Event().wait()", Fine="pass")
        self.assertEnded(process)
        self.assertIn("A worker has ended before its tests.\n", process.stderr)

    def test_a_worker_that_dies(self):
        dies = "threading.Event().wait(0.3), __import__('os')._exit(3)"
        process = self.run_tests("--parallel=2", Dies=dies, Fine="pass")
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("A worker has ended before its tests.\n", process.stderr)

    def test_several_that_together_take_longer(self):
        # Each has time to spare, on a busy machine too.
        statements = dict.fromkeys("ABCDEFGH", "threading.Event().wait(0.5)")
        process = self.run_tests(limit=3, **statements)
        self.assertEqual(process.returncode, 0, process.stderr)
