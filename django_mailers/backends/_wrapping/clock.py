"""The clocks of wrappers that wait and count, in one place: tests put their own here."""

from __future__ import annotations

import time as _time


def time() -> float:
    """Return the time that processes and machines have in common, in seconds. It may go back."""
    return _time.time()


def monotonic() -> float:
    """Return the time of this process, which never goes back, in seconds."""
    return _time.monotonic()


def sleep(seconds: float) -> None:
    # Looked up when it is called: gevent may have replaced it.
    _time.sleep(seconds)
