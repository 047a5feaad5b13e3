#!/usr/bin/env python
"""Run the test suite on whatever Django is installed, with Django's own runner.

    python runtests.py [LABEL ...] [-k PATTERN] [--parallel [N]] [any option of `manage.py test`]

A label is a dotted name, with or without the leading `tests.`: "test_mail.SendMailTests". Every
warning of Django and of django_mailers is an error, and so is every ResourceWarning, wherever it
comes from, the ones that Python can only report while it collects garbage included.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

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


def set_up_worker(report: Path) -> None:
    """Do in a parallel worker what it does not inherit: from Python 3.14 on it is not forked."""
    make_warnings_errors()
    record_unraisable(report)


def make_runner_class(report: Path) -> Any:
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
        process_setup_args = (report,)

    return type("Runner", (get_runner(settings),), {"parallel_test_suite": Suite})


def run(argv: list[str], report: Path) -> int:
    """Run the tests that `argv` names; return how many have failed."""
    import django
    from django.test.runner import get_max_test_processes

    django.setup()
    runner_class = make_runner_class(report)
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
        gc.collect()
        if report.exists():
            print(f"Raised where Python could not raise:\n{report.read_text()}", file=sys.stderr)
            failures += 1
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
