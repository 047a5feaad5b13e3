"""A clock for tests of what waits and counts, and a cache that goes by it."""

import contextlib
from unittest import mock

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from django_mailers.backends._wrapping import clock as real

CACHE = f"{__name__}.ClockCache"


class Clock:
    """A context in which the time stands still, but for what is slept and set.

    `slept` has how long each sleep was. `on_sleep`, if it is given, is called before it.
    """

    # Far from 0, as the real one is.
    def __init__(self, now=1_700_000_000.0):
        self.now = now
        self.passed = 0.0
        self.slept = []
        self.on_sleep = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for name, function in [
                ("time", lambda: self.now),
                ("monotonic", lambda: self.passed),
                ("sleep", self.sleep),
            ]:
                stack.enter_context(mock.patch.object(real, name, function))
            stack.enter_context(mock.patch.object(ClockCache, "clock", self))
            ClockCache.values.clear()
            stack.callback(ClockCache.values.clear)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info):
        self._stack.close()

    def sleep(self, seconds):
        if self.on_sleep is not None:
            self.on_sleep(seconds)
        self.slept.append(seconds)
        self.go(seconds)

    def go(self, seconds):
        """Let time pass."""
        self.now += seconds
        self.passed += seconds


class ClockCache(BaseCache):
    """A cache in this process, which forgets a value when its time has passed by `clock`.

    As the server of a real cache has it, that is not the time that may be set back.
    """

    clock = Clock()
    values = {}
    # An exception that everything raises.
    error = None

    def __init__(self, location, params):
        super().__init__(params)

    def get(self, key, default=None, version=None):
        return self._found(key, default)

    def get_many(self, keys, version=None):
        found = {key: self._found(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        if self._found(key) is not None:
            return False
        self.values[key] = value, self.clock.passed + timeout
        return True

    def incr(self, key, delta=1, version=None):
        value = self._found(key)
        if value is None:
            raise ValueError(f"Key {key!r} not found")
        self.values[key] = value + delta, self.values[key][1]
        return value + delta

    def _found(self, key, default=None):
        if self.error is not None:
            raise self.error
        value, until = self.values.get(key, (default, 0))
        return value if until > self.clock.passed else default
