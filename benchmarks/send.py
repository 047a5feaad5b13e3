"""How much faster `django_mailers.backends.smtp` is than Django's own SMTP backend.

Run it from the folder above: `python -m benchmarks.send`, with the names of rows for only those.
What is compared is timed in one process, in turns; the servers are processes of their own. The
median of the turns counts, for a ratio that of the ratios in each: a machine that is slower for a
while is slower for both. Each turn begins without connections, or with a new process, as the row
says. The client has one core, unless the row says something else. The exit status is 1 if a ratio
is below what is required of it, or could not be measured. It needs Django 6.1, for `MAILERS`.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
from importlib import metadata
from typing import Any

from .rows import ROWS, Row, Target, mailer
from .servers import INSTALLATION, NotInstalled, Servers
from .work import set_up, versions

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
NAMES = [row.name for row in ROWS]


def measure(row: Row, targets: list[Target], turns: int) -> dict[str, list[float]]:
    """Return the seconds that a message takes in each turn, by the names of the ways of `row`."""
    from django_mailers.smtp import close_pools

    restrict(row.cores)

    def run(number: int, count: int) -> float:
        # Else a session of the turn before would send the first messages of this one.
        close_pools()
        gc.collect()
        work = row.ways[number].work or row.work
        return work(targets[number], count) / count

    seconds: list[list[float]] = [[] for _ in row.ways]
    order = range(len(row.ways))
    for number in order:
        # What is loaded once in a process is loaded now.
        run(number, 1)
    for turn in range(turns):
        for number in order if turn % 2 else reversed(order):
            seconds[number].append(run(number, row.ways[number].messages or row.messages))
    return {way.name: measured for way, measured in zip(row.ways, seconds, strict=True)}


def is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def restrict(cores: int) -> None:
    """Let this process, and those that it starts, run on so many cores, if the system can do it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(CORES)[-cores:])


def show(row: Row, measured: dict[str, list[float]]) -> bool:
    """Print what was measured; return whether it is as required."""
    good = True
    print(f"\n{row.name}: {row.messages:,} x {row.title}")
    for way in row.ways:
        own = measured[way.name]
        seconds = statistics.median(own)
        line = f"  {way.name:28}{seconds * 1e3:9.3f} ms{1 / seconds:10,.0f}/s"
        for other, required in way.required.items():
            pairs = zip(measured[other], own, strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            good &= ratio >= required
            line += (
                f"{ratio:8.2f}x {other}, {'required' if ratio >= required else 'BELOW'} {required}x"
            )
        print(line, flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.send")
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"what to measure: {', '.join(NAMES)}"
    )
    parser.add_argument("--turns", type=int, default=5, help="the default is 5")
    options = parser.parse_args()
    if options.turns < 1:
        parser.error("There must be a turn.")
    unknown = set(options.rows) - set(NAMES)
    if unknown:
        parser.error(f"There is no {', '.join(sorted(unknown))} among {', '.join(NAMES)}.")
    rows = [row for row in ROWS if row.name in options.rows or not options.rows]

    with Servers() as servers:
        missing: dict[str, str] = {}
        mailers: dict[str, Any] = {}
        targets: dict[str, list[Target]] = {}
        for row in rows:
            if row.package and not is_installed(row.package):
                missing[row.name] = f"{row.package} is not installed."
                continue
            try:
                port = servers.port(row.server)
            except NotInstalled:
                missing[row.name] = INSTALLATION
                continue
            targets[row.name] = []
            for way in row.ways:
                target = Target(port, f"{row.name}: {way.name}", mailer(row, way, port))
                mailers[target.alias] = target.mailer
                targets[row.name].append(target)
        set_up(MAILERS=mailers)
        print(f"{versions()}, {servers.bundle.read_text().count('BEGIN CERT')} CA certificates")
        for rtt, measured in servers.distances:
            print(f"RTT {rtt * 1e3:.0f} ms: {measured * 1e3:.2f} ms measured")
        good = True
        for row in rows:
            if row.name in targets:
                good &= show(row, measure(row, targets[row.name], options.turns))
    for reason in dict.fromkeys(missing.values()):
        names = ", ".join(name for name in missing if missing[name] == reason)
        print(f"\nNot measured: {names}.", reason, file=sys.stderr)
    return int(not good or bool(missing))


if __name__ == "__main__":
    sys.exit(main())
