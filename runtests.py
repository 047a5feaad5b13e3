#!/usr/bin/env python
"""Run the test suite on whatever Django is installed, with Django's own runner.

    python runtests.py [LABEL ...] [-k PATTERN] [--parallel [N]] [any option of `manage.py test`]

A label is a dotted name, with or without the leading `tests.`: "test_mail.SendMailTests". Every
warning of Django and of django_mailers is an error, and so is every ResourceWarning, wherever it
comes from, the ones that Python can only report while it collects garbage included.

A test that takes more than five minutes (or TEST_TIMEOUT seconds) ends the run with the tracebacks
of all threads.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import multiprocessing
import os
import sys
import tempfile
import threading
import unittest
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

# How long a test may take, in seconds. The slowest one takes a minute on a busy machine.
TIMEOUT = float(os.environ.get("TEST_TIMEOUT", "300"))
HERE = Path(__file__).resolve().parent
OWN_CODE = (r"django\b", r"django_mailers\b", r"tests\b", r"testproject\b", r"__main__$")


def make_warnings_errors() -> None:
    """Turn the warnings that concern this project into errors.

    Deprecations raised inside third-party packages stay warnings: nothing here could act on them.
    """
    warnings.resetwarnings()
    warnings.simplefilter("default")
    warnings.simplefilter("error", ResourceWarning)
    for module in OWN_CODE:
        warnings.filterwarnings("error", module=module)


def record_unraisable(report: Path) -> None:
    """Append what Python cannot raise (a socket collected while open) to the file `report`.

    A file, as the runner's parallel workers are processes of their own.
    """
    show = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        with report.open("a") as file:
            file.write(f"{unraisable.exc_value!r} in {unraisable.object!r}\n")
        show(unraisable)

    sys.unraisablehook = hook


def end_hangs(seconds: float) -> None:
    """Have a test that takes longer end its process, after the tracebacks of all threads.

    What a suite does outside of a test, such as setUpClass(), may take as long.
    """
    depth = 0
    run_suite, run_test = unittest.TestSuite.run, unittest.TestCase.run

    def watch() -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)

    def watched_suite(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal depth
        depth += 1
        watch()
        try:
            return run_suite(self, *args, **kwargs)
        finally:
            depth -= 1
            if not depth:
                # A worker without work may wait for longer.
                faulthandler.cancel_dump_traceback_later()

    def watched_test(self: Any, *args: Any, **kwargs: Any) -> Any:
        if depth:
            watch()
        try:
            return run_test(self, *args, **kwargs)
        finally:
            if depth:
                watch()

    unittest.TestSuite.run = watched_suite  # type: ignore[method-assign]
    unittest.TestCase.run = watched_test  # type: ignore[method-assign]


@contextmanager
def ending_with_workers(number: int, seconds: float) -> Iterator[None]:
    """End this process when one of its workers has ended, and the run is not over soon.

    multiprocessing.Pool starts another worker then, and waits for the lost result forever. There
    are `number` workers, so that a later one replaces another.
    """
    is_over = threading.Event()

    def has_lost_one(workers: set[Any]) -> bool:
        replaces = any(int(worker.name.rpartition("-")[2]) > number for worker in workers)
        return replaces or bool(wait([worker.sentinel for worker in workers], timeout=0))

    def look() -> None:
        workers: set[Any] = set()
        while not has_lost_one(workers):
            if is_over.wait(0.1):
                return
            workers.update(multiprocessing.active_children())
        # A worker that replaced one of those that are killed below would outlive this process, wait
        # for a lock that no one holds any longer, and keep the output open.
        Pool._maintain_pool = staticmethod(lambda *args: None)  # type: ignore[attr-defined]
        # They end by themselves when there is no more work. Their exit codes are for the pool to
        # read: the second to ask for one gets a wrong one.
        if not is_over.wait(min(seconds, 60)):
            print("A worker has ended before its tests.", file=sys.stderr, flush=True)
            for worker in workers.union(multiprocessing.active_children()):
                worker.kill()
            os._exit(1)

    # The thread does nothing but wait while the pool forks.
    multithreaded = "This process .* is multi-threaded, use of fork"
    warnings.filterwarnings("ignore", multithreaded, DeprecationWarning, "multiprocessing")
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def set_up_worker(report: Path, timeout: float) -> None:
    """Do in a parallel worker what it does not inherit: from Python 3.14 on it is not forked."""
    make_warnings_errors()
    record_unraisable(report)
    if multiprocessing.get_start_method() != "fork":
        end_hangs(timeout)


def make_runner_class(report: Path, timeout: float) -> Any:
    """Return the class of Django's runner, with workers that are set up as this process is."""
    import django
    from django.conf import settings
    from django.test.runner import ParallelTestSuite
    from django.test.utils import get_runner

    # Django 5.2: it knows two start methods, neither of which is Python 3.14's default.
    if django.VERSION < (6, 0) and multiprocessing.get_start_method() == "forkserver":
        multiprocessing.set_start_method("fork", force=True)

    class Suite(ParallelTestSuite):
        process_setup = set_up_worker
        process_setup_args = (report, timeout)

        def run(self, result: Any) -> Any:
            # Every module of the tests is loaded. Without them a collection takes a tenth of the
            # time, and the forked workers share the memory.
            gc.freeze()
            with ending_with_workers(self.processes, timeout):
                return super().run(result)

    return type("Runner", (get_runner(settings),), {"parallel_test_suite": Suite})


def run(argv: list[str], report: Path) -> int:
    """Run the tests that `argv` names; return how many have failed."""
    import django
    from django.test.runner import get_max_test_processes

    django.setup()
    runner_class = make_runner_class(report, TIMEOUT)
    end_hangs(TIMEOUT)
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("labels", nargs="*", default=["tests"])
    parser.add_argument("-v", "--verbosity", type=int, default=1)
    parser.add_argument("--noinput", action="store_false", dest="interactive")
    runner_class.add_arguments(parser)
    options = vars(parser.parse_args(argv))
    if not options["tags"]:
        # They take a quarter of an hour, and a core: `--tag interrupts`.
        options["exclude_tags"] = [*(options["exclude_tags"] or ()), "interrupts"]
    if options["parallel"] == "auto":
        options["parallel"] = get_max_test_processes()
    labels = [
        label if label.startswith("tests") or os.sep in label else f"tests.{label}"
        for label in options.pop("labels")
    ]
    print(f"Django {django.__version__}, Python {sys.version.split()[0]}")
    return runner_class(**options).run_tests(labels)


def main(argv: list[str]) -> int:
    sys.path.insert(0, str(HERE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    make_warnings_errors()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "unraisable.txt")
        record_unraisable(report)
        failures = run(argv, report)
        gc.unfreeze()
        gc.collect()
        if report.exists():
            print(f"Raised where Python could not raise:\n{report.read_text()}", file=sys.stderr)
            failures += 1
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
