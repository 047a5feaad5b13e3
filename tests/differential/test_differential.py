"""Adding the app changes nothing about what a project sends: see docs/migrating.rst.

Every entry of `cases_*.py` is carried out by a bare Django and with the app, on this Python, and
the outcomes are compared: envelope, meaning of the message, value, exception, warnings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django
from django.test import SimpleTestCase, tag

from .compare import is_deprecated, kind, strange_warnings
from .differences import DIFFERENCES, REFUSED_BY_61, SILENT, TAKEN_BY_POOLED

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SERIES = ".".join(map(str, django.VERSION[:2]))
# On Django 6.1 the bridge is off, and code that was written before MAILERS is an error with it.
WAYS = ("settings",) if django.VERSION >= (6, 1) else ("settings", "mailers", "pooled")

Outcomes = dict[str, dict[str, Any]]


def run(way, group):
    """Carry out the entries of a group in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.run(
        [sys.executable, "-m", "tests.differential.run", way, group],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if process.returncode:
        raise AssertionError(f"{way} {group}: {process.stderr}")
    outcomes: Outcomes = json.loads(process.stdout)
    return outcomes


@tag("slow")
class DifferentialTests(SimpleTestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = [("main", way) for way in ("bare", *WAYS)]
        if SERIES != "6.1":  # which refuses to start with such handlers
            groups += [("logging", way) for way in ("bare", *WAYS) if way != "pooled"]
        # As many at a time as most machines have processors.
        with ThreadPoolExecutor(2) as pool:
            done = pool.map(lambda pair: run(pair[1], pair[0]), groups)
            cls.outcomes: dict[str, Outcomes] = {}
            for (_, way), outcomes in zip(groups, done, strict=True):
                cls.outcomes.setdefault(way, {}).update(outcomes)

    def pairs(self, way):
        for name, ours in self.outcomes[way].items():
            yield name, self.outcomes["bare"][name], ours

    def test_number_of_entries(self):
        self.assertGreaterEqual(len(self.outcomes["settings"]), 150)
        self.assertEqual(self.outcomes["settings"].keys(), self.outcomes["bare"].keys())

    def test_outcomes(self):
        """They are equal, or better, as `differences.py` says with the reason."""
        named = DIFFERENCES.get(SERIES, {})
        for way in WAYS:
            with self.subTest(way=way):
                found = {
                    name: difference
                    for name, bare, ours in self.pairs(way)
                    if (difference := kind(bare, ours)) is not None
                }
                expected = {
                    name: found[name] if found.get(name) in kinds else difference.kind
                    for name, difference in named.items()
                    if name in self.outcomes[way] and way in difference.ways
                    if not (difference.sometimes and name not in found)
                    if (kinds := difference.kind.split("|"))
                }
                self.assertEqual(found, expected)

    def test_named_entries_exist(self):
        for series, named in DIFFERENCES.items():
            self.assertEqual(named.keys() - self.outcomes["bare"].keys(), set(), series)
        self.assertEqual(REFUSED_BY_61 - self.outcomes["bare"].keys(), set())

    def test_warnings(self):
        """There are none but pending deprecations, each at a line of the project."""
        for way in WAYS:
            found = {
                name: strange
                for name, bare, ours in self.pairs(way)
                if (strange := strange_warnings(bare, ours))
                # Who calls a handler of a project is Python's logging.
                and not name.startswith("logging_")
            }
            self.assertEqual(found, {}, way)

    def test_what_6_1_refuses_is_deprecated(self):
        """At a line of the project, if it is no error already."""
        for way in WAYS:
            refused = REFUSED_BY_61 - SILENT
            if way == "pooled":
                refused -= TAKEN_BY_POOLED
            silent = [
                name
                for name, _, ours in self.pairs(way)
                if name in refused and not ours.get("raised") and not is_deprecated(ours)
            ]
            self.assertEqual(silent, [], way)

    def test_what_6_1_refuses(self):
        """The list is right: it is what Django 6.1 says."""
        if SERIES != "6.1":
            self.skipTest("Only Django 6.1 knows.")
        raised = {name for name, bare in self.outcomes["bare"].items() if bare.get("raised")}
        self.assertEqual(REFUSED_BY_61 - raised, set())
