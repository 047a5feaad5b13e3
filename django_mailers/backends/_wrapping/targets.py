"""The mailers that a wrapper sends through, and those that it has opened."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack

from django_mailers.delivery import SendReport, send_over
from django_mailers.smtp.locks import Lockable, locked
from django_mailers.types import Mailer, Message


class Target(Lockable):
    """A mailer in use. Threads that share an open one take turns, if it cannot do that itself."""

    def __init__(self, alias: str, mailer: Mailer, *, is_shared: bool) -> None:
        super().__init__()
        self.alias = alias
        self.mailer = mailer
        self._is_shared = is_shared
        # Backends of ours may be used by several threads. Of others the connection is watched,
        # which is for one thread at a time.
        self._takes_turns = is_shared and not hasattr(mailer, "send_many")

    def send(self, messages: Sequence[Message]) -> SendReport:
        return self._send_in_turn(messages) if self._takes_turns else self._send(messages)

    def open(self) -> bool | None:
        return self._open_in_turn() if self._takes_turns else self._open()

    def close(self) -> None:
        if self._takes_turns:
            self._close_in_turn()
        else:
            self._close()

    def _send(self, messages: Sequence[Message]) -> SendReport:
        return send_over(self.mailer, messages, using=self.alias, keep_open=self._is_shared)

    def _open(self) -> bool | None:
        return self.mailer.open() if hasattr(self.mailer, "open") else None

    def _close(self) -> None:
        if hasattr(self.mailer, "close"):
            self.mailer.close()

    _send_in_turn = locked(_send)
    _open_in_turn = locked(_open)
    _close_in_turn = locked(_close)


class Targets(Lockable):
    """The mailers of one wrapper, by alias; kept only between `open()` and `close()`.

    `make` makes the mailer of an alias.
    """

    def __init__(self, make: Callable[[str], Mailer]) -> None:
        super().__init__()
        self._make = make
        self._opened: dict[Hashable, Target] | None = None

    def get(self, alias: str) -> Target:
        """Return the mailer `alias`: while the wrapper is open always the same, else a new one."""
        return self.get_made(alias, alias, lambda: self._make(alias))

    def get_made(self, key: Hashable, alias: str, make: Callable[[], Mailer]) -> Target:
        """Return the mailer that `make` makes; while the wrapper is open, one for each `key`."""
        if self._opened is None:
            return Target(alias, make(), is_shared=False)
        return self._kept(key, alias, make)

    @locked
    def keep(self) -> None:
        """Keep the mailers that are used from now on, until `close()`."""
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
        with ExitStack() as stack:
            for target in self._take_opened():
                stack.callback(target.close)

    @locked
    def _take_opened(self) -> list[Target]:
        opened, self._opened = self._opened or {}, None
        return [*opened.values()]

    @locked
    def _kept(self, key: Hashable, alias: str, make: Callable[[], Mailer]) -> Target:
        if self._opened is None:
            # Another thread closed it a moment ago.
            return Target(alias, make(), is_shared=False)
        if key not in self._opened:
            self._opened[key] = Target(alias, make(), is_shared=True)
        return self._opened[key]

    @locked
    def _forget(self, target: Target) -> None:
        if self._opened is not None and self._opened.get(target.alias) is target:
            del self._opened[target.alias]
            # With nothing open it is as if never opened: perhaps nobody calls close() now.
            self._opened = self._opened or None
