"""The messages that are sent in a part of a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, overload

from asgiref.sync import sync_to_async
from django.core import mail

from django_mailers.types import Message

logger = logging.getLogger("django_mailers.testing")


def outbox() -> list[Message]:
    """Return what `mail.outbox` has now.

    (H30) It is a new list in each test, and does not exist outside of tests.
    """
    return list(getattr(mail, "outbox", ()))


class SentMail(Sequence[Message]):
    """The messages that have been sent since captureMail() began, until it ends.

    It equals a list of the same messages. Threads and tasks share `mail.outbox`, so messages that
    any of them sends in the meantime are here, too.
    """

    def __init__(self) -> None:
        # The messages themselves, as the id() of one that is gone may be that of another.
        self._before = outbox()
        self._final: list[Message] | None = None

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...

    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        return self._messages()[index]

    def __len__(self) -> int:
        return len(self._messages())

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SentMail | list):
            return self._messages() == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<SentMail: {self._messages()!r}>"

    def end(self) -> None:
        """Keep the messages sent until now, and add no more."""
        self._final = self._messages()
        self._before = []

    def _messages(self) -> list[Message]:
        if self._final is not None:
            return self._final
        known = {id(message) for message in self._before}
        return [message for message in outbox() if id(message) not in known]


class captureMail:
    """A context, which gives the messages that are sent in it: a SentMail.

    on_commit   Whether to call the functions that the block gives to `transaction.on_commit()`, at
                the end of the block, unless it raises an exception: Django's TestCase never
                commits. Each function is called once, even in nested contexts.

    It may be nested, and used with `async with`, which `on_commit` needs in a coroutine, as
    connections of databases belong to a thread.
    """

    def __init__(self, *, on_commit: bool = False) -> None:
        self._on_commit = on_commit
        self._starts: dict[str, int] = {}

    def __enter__(self) -> SentMail:
        self._sent = SentMail()
        if self._on_commit:
            from django.db import connections

            self._starts = {alias: len(connections[alias].run_on_commit) for alias in connections}
        return self._sent

    def __exit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        try:
            if exc is None:
                for alias, start in self._starts.items():
                    _commit(alias, start)
        finally:
            self._sent.end()

    async def __aenter__(self) -> SentMail:
        return await sync_to_async(self.__enter__)()

    async def __aexit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        await sync_to_async(self.__exit__)(exc_type, exc, traceback)


def _commit(alias: str, start: int) -> None:
    """Call what was given to on_commit() after its first `start` functions, and forget it."""
    from django.db import connections

    connection: Any = connections[alias]
    # Read again each time: a rollback to a savepoint replaces the list.
    while len(connection.run_on_commit) > start:
        _, function, is_robust = connection.run_on_commit.pop(start)
        try:
            function()
        except Exception as error:
            if not is_robust:
                raise
            # As after a real commit; the traceback is for the author of the test.
            logger.exception("on_commit(robust=True): %s", type(error).__name__)


def waiting_functions() -> int:
    """Return how many functions wait in this thread for a commit that never happens."""
    from django.db import connections

    return sum(
        len(connection.run_on_commit) for connection in connections.all(initialized_only=True)
    )
