"""How much faster `django_mailers.render` is than Django's own rendering.

Run it from the folder above: `python -m benchmarks.render`. Both ways are timed in one process, in
turns, and the median of the turns counts. The exit status is 1 if a ratio is below what is required
of it, or a peak of memory above.
"""

from __future__ import annotations

import email.policy
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

from .work import USUAL, set_up, versions

TURNS = 9
# Of one way in one turn, about.
SECONDS = 0.1
# Of Django's peak.
MEMORY = 1.1

# As tools that inline the styles write it: lines too long for mail, which have to be encoded.
ROW = (
    '<tr><td class="item" style="color: #333333; padding: 8px">Rucksack, Größe {0}, dunkelgrün.'
    " Waterproof, with two pockets and a rain cover; ships within three days.</td>"
    '<td class="price" style="text-align: right">{0},00 €</td></tr>\n'
)
HTML = "<!DOCTYPE html>\n<html><body><table>\n{}</table></body></html>\n".format(
    "".join(ROW.format(number) for number in range(90))
)


class Work(NamedTuple):
    name: str
    required: float
    arguments: dict[str, Any]


def works() -> list[Work]:
    """Return the messages to render, by the arguments of `EmailMultiAlternatives`."""
    many = [f"customer{number}@example.com" for number in range(50)]
    data = random.Random(1).randbytes(1 << 20)
    return [
        Work("1 KB text", 40, USUAL),
        Work("text + 20 KB HTML in UTF-8", 10, USUAL | {"alternatives": [(HTML, "text/html")]}),
        Work("50 recipients", 40, USUAL | {"to": many}),
        Work(
            "1 MB attachment",
            4,
            USUAL | {"attachments": [("invoice.pdf", data, "application/pdf")]},
        ),
    ]


def seconds(function: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def peak(function: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main() -> int:
    set_up()

    from django.core.mail import EmailMultiAlternatives

    from django_mailers.render import render

    print(versions())
    print(f"{'':28}{'Django':>12}{'render()':>12}{'ratio':>8}{'required':>10}{'peak memory':>24}")
    failed = False
    for work in works():
        message = EmailMultiAlternatives(**work.arguments)

        def native(message: Any = message) -> bytes:
            return message.message(policy=email.policy.SMTP).as_bytes()

        def ours(message: Any = message) -> bytes:
            return render(message)

        # A rule of ours is tried when a process first uses it.
        native(), ours()
        ways = [native, ours]
        times = [max(1, int(SECONDS / seconds(way, 1))) for way in ways]
        turns: list[list[float]] = [[], []]
        for turn in range(TURNS):
            # Neither has always the cache that the other one filled.
            for way in (0, 1) if turn % 2 else (1, 0):
                turns[way].append(seconds(ways[way], times[way]))
        before, after = map(statistics.median, turns)
        ratio = before / after
        memory = [peak(way) for way in ways]
        failed |= ratio < work.required or memory[1] > memory[0] * MEMORY
        print(
            f"{work.name:28}{before * 1e6:9.1f} µs{after * 1e6:9.1f} µs"
            f"{ratio:7.1f}x{work.required:9}x"
            f"{memory[0] / 1024:12,.0f} ->{memory[1] / 1024:6,.0f} KiB"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
