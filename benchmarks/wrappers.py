"""What a mailer that composes others costs for each message, besides what the others cost.

Run it from the folder above: `python -m benchmarks.wrappers`. A batch is sent through each wrapper,
and in turn directly, to a mailer that does nothing; the difference of the fastest turns counts. The
exit status is 1 if a wrapper takes longer than it may.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from .work import USUAL, set_up, versions

BATCH = 100
TURNS = 300
# Microseconds for each message, the copy included.
LIMIT = 20
HERE = "benchmarks.backends"
ROUTE = "django_mailers.backends.route.EmailBackend"
CONFIGURATION = {"BACKEND": f"{HERE}.NullBackend", "OPTIONS": {}}


def mailers() -> dict[str, dict[str, Any]]:
    """Return MAILERS: "null", and wrappers over it. What each does is its alias."""

    def over(name: str, **options: Any) -> dict[str, Any]:
        path = name if "." in name else f"{HERE}.{name}"
        return {"BACKEND": path, "OPTIONS": options}

    return {
        "null": over("NullBackend"),
        "hand on": over("HandingOnBackend", using="null"),
        "copy and change": over("ChangingBackend", using="null"),
        "fix the Message-ID": over("FixingBackend", using="null"),
        "route to an alias": over(ROUTE, resolver=lambda message: "null"),
        "route to a dict": over(ROUTE, resolver=lambda message: CONFIGURATION),
        "three in a row": over("ChangingBackend", using="two"),
        "two": over("HandingOnBackend", using="hand on"),
    }


def fastest(alias: str, messages: Sequence[Any], best: float) -> float:
    """Send `messages` through the mailer `alias`; return the seconds, or `best` if that is less."""
    from django_mailers import send_many

    start = time.perf_counter()
    report = send_many(messages, using=alias)
    seconds = time.perf_counter() - start
    if report.counts["sent"] != len(messages):
        raise RuntimeError(f"{alias}: {report.summary()}")
    return min(best, seconds)


def main() -> int:
    set_up(MAILERS=mailers())

    from django.core.mail import EmailMultiAlternatives

    messages = [EmailMultiAlternatives(**USUAL) for _ in range(BATCH)]
    for message in messages:
        message.attach("terms.txt", "Terms", "text/plain")
    times = dict.fromkeys(mailers(), float("inf"))
    for _ in range(TURNS):
        for alias in times:
            times[alias] = fastest(alias, messages, times[alias])
    print(versions())
    print(f"microseconds for each message, in a batch of {BATCH}")
    is_slow = False
    for alias, seconds in times.items():
        if alias not in {"null", "two"}:
            each = (seconds - times["null"]) / BATCH * 1e6
            is_slow |= each > LIMIT
            print(f"{alias:20} {each:6.1f}  (at most {LIMIT})")
    return int(is_slow)


if __name__ == "__main__":
    sys.exit(main())
