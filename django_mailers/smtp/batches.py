"""Batches: a list of messages, spread over several sessions of a pool."""

from __future__ import annotations

import _thread
import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from .envelope import Envelope, Result
from .interrupts import note_sent
from .lease import Lease
from .pool import Pool
from .slots import LOOK

# After how many messages a helper finds out whether it helps, and the share of its time that the
# process may spend computing so that it does.
TRIAL = 8
FULL_LOAD = 0.7
# About how many seconds a helper works before it looks whether it is to stop: each time it has to
# wait for the last reply. And how many seconds it is waited for when it is to stop.
STRETCH = 1.0
PATIENCE = 5.0


class Load:
    """Whether this process has been computing all the time since this was made.

    Then its threads wait for the GIL and not for a server, and more of them only make it change
    hands more often. With one core they would take turns anyway, and while one of them waits for
    the server, the next one computes.
    """

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def is_cpu_bound(self) -> bool:
        if cores() == 1 or not getattr(sys, "_is_gil_enabled", lambda: True)():
            return False
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return cpu > FULL_LOAD * wall


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # Not on macOS and Windows.
        return os.cpu_count() or 1


class Helper:
    """A thread that delivers a share, or only the beginning of it if that does not help.

    Whatever happens to it, `results()` has everything that is known by then.
    """

    def __init__(self, pool: Pool, share: Sequence[Envelope], load: Load) -> None:
        self.stop = False
        self.done: list[Result] = []
        self._pool, self._share, self._load = pool, share, load
        self._begun = 0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="django_mailers-smtp")
        # Held until the thread has come to its end.
        self._at_work = threading.Lock()
        self._at_work.acquire()

    def start(self) -> None:
        """Begin. Raises `RuntimeError` if no thread can be started."""
        self._thread.start()

    def leave(self) -> None:
        """Let `join()` return: there is nothing more to come."""
        self._at_work.release()

    def join(self, timeout: float = math.inf) -> None:
        """Wait until the thread has come to its end, and at most `timeout` seconds."""
        # Not Thread.join(), see _start().
        deadline = time.monotonic() + timeout
        while not self._at_work.acquire(timeout=max(0, min(LOOK, deadline - time.monotonic()))):
            is_over = self._thread.ident is not None and not self._thread.is_alive()
            if is_over or time.monotonic() >= deadline:
                break

    def results(self) -> list[Result]:
        """Return a Result for each message of the share; "untried" for those left."""
        results, error = list(self.done), self._error
        told = error if isinstance(error, Exception) else None
        if error is not None and told is None:
            told = RuntimeError(f"The thread was ended by {type(error).__name__}.")
        # Nobody knows how far the thread came with these.
        results += [Result("unknown", error=told) for _ in range(self._begun - len(results))]
        if told is None and results:
            told = results[-1].error
        left = len(self._share) - len(results)
        return results + [Result("untried", error=told) for _ in range(left)]

    def _run(self) -> None:
        try:
            self._deliver()
        except BaseException as error:
            # In a thread it would only be printed. Here it becomes the error of the messages.
            self._error = error
        finally:
            self.leave()

    def _deliver(self) -> None:
        # A helper that has to wait for a session does not help: the whole batch would wait for it.
        with Lease(self._pool, wait=False) as lease:
            size = TRIAL
            while self._begun < len(self._share) and not self.stop:
                part = self._share[self._begun : self._begun + size]
                is_trial, started = not self._begun, time.monotonic()
                self._begun += len(part)
                self.done += lease.deliver(part)
                if self.done[-1].status == "untried" or (is_trial and self._load.is_cpu_bound()):
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
        with Lease(pool) as lease:
            results += lease.deliver(shares[0])
            for helper in helpers:
                helper.join()
            results += [result for helper in helpers for result in helper.results()]
            # What a helper left, or could not get a session or a thread for: many servers take
            # fewer sessions at a time than they are asked for.
            left = [number for number, result in enumerate(results) if result.status == "untried"]
            if len(left) < len(results):
                again = lease.deliver([messages[number] for number in left])
                for number, result in zip(left, again, strict=True):
                    results[number] = result
    except BaseException as error:
        _stop(helpers)
        # All that is known by now; the note of an interrupted delivery tells the rest.
        known = results if len(results) > len(shares[0]) else results + _done(helpers)
        note_sent(error, sum(result.status == "sent" for result in known), len(messages))
        raise
    return results


def _start(helpers: Sequence[Helper]) -> None:
    """Start as many of `helpers` as there are threads for.

    Another thread does that: Thread.start() uses an Event, and an interrupt of the main thread in
    it can leave the lock of the Event taken, so that the new thread would wait for ever.
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
