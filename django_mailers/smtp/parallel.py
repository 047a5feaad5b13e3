"""A batch that is spread over several sessions of a pool."""

from __future__ import annotations

import _thread
import math
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from .envelope import Envelope, Result
from .interrupts import note_sent
from .slots import LOOK

if TYPE_CHECKING:
    from .pool import Pool

# Messages by which a helper finds out whether it is of any help, and the part of the time that the
# process computes in, above which it is not.
TRIAL = 8
FULL_LOAD = 0.7
# Seconds that a helper works on, in about, before it looks whether it is to stop: each time it has
# to wait for the last reply. And how long it is waited for when it is to stop.
STRETCH = 1.0
PATIENCE = 5.0


class Load:
    """Whether this process computes all the time, since this was made, so that the threads of it
    wait for each other instead of for a server."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def is_full(self) -> bool:
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            return False
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return cpu > FULL_LOAD * wall


class Helper:
    """A thread that delivers a share, or only the beginning of it if that is no help.

    Whatever happens to it, what it has found out stays in `results()`.
    """

    def __init__(self, pool: Pool, share: Sequence[Envelope], load: Load) -> None:
        self.stop = False
        self.done: list[Result] = []
        self._pool, self._share, self._load = pool, share, load
        self._begun = 0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="django_mailers-smtp")
        # Held until it has come to its end.
        self._at_work = threading.Lock()
        self._at_work.acquire()

    def start(self) -> None:
        """Begin. Raises `RuntimeError` where no thread can be had."""
        self._thread.start()

    def leave(self) -> None:
        """Let `join()` return: nothing more is to come."""
        self._at_work.release()

    def join(self, timeout: float = math.inf) -> None:
        """Wait until it has come to its end, and at most `timeout` seconds."""
        # Not Thread.join(), see _start().
        deadline = time.monotonic() + timeout
        while not self._at_work.acquire(timeout=max(0, min(LOOK, deadline - time.monotonic()))):
            is_over = self._thread.ident is not None and not self._thread.is_alive()
            if is_over or time.monotonic() >= deadline:
                break

    def results(self) -> list[Result]:
        """Return a Result for each message of the share; "skipped" for those it left."""
        results, error = list(self.done), self._error
        told = error if isinstance(error, Exception) else None
        if error is not None and told is None:
            told = RuntimeError(f"The thread was ended by {type(error).__name__}.")
        # Nobody knows how far it came with those.
        results += [Result("unknown", error=told) for _ in range(self._begun - len(results))]
        if told is None and results:
            told = results[-1].error
        left = len(self._share) - len(results)
        return results + [Result("skipped", error=told) for _ in range(left)]

    def _run(self) -> None:
        try:
            self._deliver()
        except BaseException as error:
            # In a thread it would only be printed. It is told as what became of the messages.
            self._error = error
        finally:
            self.leave()

    def _deliver(self) -> None:
        # Who waits for a session is no help, and all would wait for him.
        with self._pool.lease(wait=False) as lease:
            size = TRIAL
            while self._begun < len(self._share) and not self.stop:
                part = self._share[self._begun : self._begun + size]
                is_trial, started = not self._begun, time.monotonic()
                self._begun += len(part)
                self.done += lease.deliver(part)
                if self.done[-1].status == "skipped" or (is_trial and self._load.is_full()):
                    break
                rate = len(part) / max(time.monotonic() - started, 0.001)
                size = max(TRIAL, int(rate * STRETCH))


def deliver_in_parallel(pool: Pool, messages: Sequence[Envelope], parallel: int) -> list[Result]:
    """Deliver `messages` over up to `parallel` sessions; return a Result for each, in order."""
    size, longer = divmod(len(messages), parallel)
    ends = [size * n + min(n, longer) for n in range(parallel + 1)]
    shares = [messages[start:end] for start, end in pairwise(ends)]
    load = Load()
    helpers = [Helper(pool, share, load) for share in shares[1:]]
    results: list[Result] = []
    try:
        _start(helpers)
        with pool.lease() as lease:
            results += lease.deliver(shares[0])
            for helper in helpers:
                helper.join()
            results += [result for helper in helpers for result in helper.results()]
            # What a helper left, or could not get a session or a thread for: many servers take
            # fewer at a time than one would like.
            left = [number for number, result in enumerate(results) if result.status == "skipped"]
            if len(left) < len(results):
                again = lease.deliver([messages[number] for number in left])
                for number, result in zip(left, again, strict=True):
                    results[number] = result
    except BaseException as error:
        _stop(helpers)
        # All that is known by now; of a delivery that was interrupted its own note tells.
        known = results if len(results) > len(shares[0]) else results + _done(helpers)
        note_sent(error, sum(result.status == "sent" for result in known), len(messages))
        raise
    return results


def _start(helpers: Sequence[Helper]) -> None:
    """Start as many of `helpers` as there are threads for.

    That is done by another thread: of Thread.start(), an Event is part, and an interrupt of the
    main thread there can leave its lock taken, so that the new thread would wait for ever.
    """
    try:
        _thread.start_new_thread(_start_each, (helpers,))
    except RuntimeError:
        for helper in helpers:
            helper.leave()


def _start_each(helpers: Sequence[Helper]) -> None:
    left = list(helpers)
    # The system has no more threads, or the interpreter is about to end: one session sends it all.
    with suppress(RuntimeError):
        while left:
            left[0].start()
            del left[0]
    for helper in left:
        helper.leave()


def _stop(helpers: Sequence[Helper]) -> None:
    for helper in helpers:
        helper.stop = True
    deadline = time.monotonic() + PATIENCE
    for helper in helpers:
        helper.join(max(0, deadline - time.monotonic()))


def _done(helpers: Sequence[Helper]) -> list[Result]:
    return [result for helper in helpers for result in helper.done]
