"""The mailers that a wrapper sends through, and those that it has opened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext

from django_mailers.delivery import SendReport, send_over
from django_mailers.types import Mailer, Message


class Target:
    """A mailer in use. Threads that share an open one take turns, if it cannot do that itself."""

    def __init__(self, alias: str, mailer: Mailer, *, is_shared: bool) -> None:
        self.alias = alias
        self.mailer = mailer
        self._is_shared = is_shared
        # Backends of ours may be used by several threads. Of others the connection is watched,
        # which is for one thread at a time.
        knows = hasattr(mailer, "send_many")
        self._turn = threading.Lock() if is_shared and not knows else nullcontext()

    def send(self, messages: Sequence[Message]) -> SendReport:
        with self._turn:
            return send_over(self.mailer, messages, using=self.alias, keep_open=self._is_shared)

    def open(self) -> bool | None:
        with self._turn:
            return self.mailer.open() if hasattr(self.mailer, "open") else None

    def close(self) -> None:
        with self._turn:
            if hasattr(self.mailer, "close"):
                self.mailer.close()


class Targets:
    """The mailers of one wrapper, by alias; kept only between `open()` and `close()`.

    `make` makes the mailer of an alias.
    """

    def __init__(self, make: Callable[[str], Mailer]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._opened: dict[str, Target] | None = None

    def get(self, alias: str) -> Target:
        """Return the mailer `alias`: while the wrapper is open always the same, else a new one."""
        with self._lock:
            if self._opened is not None:
                return self._kept(self._opened, alias)
        return Target(alias, self._make(alias), is_shared=False)

    def keep(self) -> None:
        """Keep the mailers that are used from now on, until `close()`."""
        with self._lock:
            if self._opened is None:
                self._opened = {}

    def open(self, alias: str) -> bool | None:
        """Open the mailer `alias` and keep it; return what its `open()` returns."""
        self.keep()
        target = self.get(alias)
        try:
            return target.open()
        except BaseException:
            self._forget(target)
            target.close()
            raise

    def close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened or {}, None
        with ExitStack() as stack:
            for target in opened.values():
                stack.callback(target.close)

    def _kept(self, opened: dict[str, Target], alias: str) -> Target:
        if alias not in opened:
            opened[alias] = Target(alias, self._make(alias), is_shared=True)
        return opened[alias]

    def _forget(self, target: Target) -> None:
        with self._lock:
            if self._opened is not None and self._opened.get(target.alias) is target:
                del self._opened[target.alias]
                # With nothing open it is as before: nobody may call close() now.
                self._opened = self._opened or None
