"""The options of a pool."""

# No annotations from the future: a NamedTuple would compile each of them, at import.
from typing import NamedTuple


class _PoolOptions(NamedTuple):
    pool_size: int
    max_messages: int | None
    max_age: float
    max_idle: float
    check_after: float
    acquire_timeout: float | None


class PoolOptions(_PoolOptions):
    """How many sessions there are, and for how long.

    pool_size        Sessions at most; 0 for a new one each time, as many as there are users.
    max_messages     Messages after which a session is closed; None for as many as the server takes
                     (10 if it is known to queue or refuse the 11th), at most 1,000.
    max_age          Seconds after which a session is closed, once it is free. Up to a tenth
                     less, at random, so that sessions opened together do not all end together.
    max_idle         Seconds without use after which a session is closed, by the next use of the
                     pool (there is no thread to do it sooner).
    check_after      Seconds without use after which a NOOP proves a session before it is used.
    acquire_timeout  Seconds to wait for a session to become free; None for any time.

    It is a tuple, since one is made for each message, to find its pool. Raises `ValueError` for
    numbers below 0, or 1 for `max_messages`.
    """

    __slots__ = ()

    def __new__(
        cls,
        pool_size: int = 4,
        max_messages: int | None = None,
        max_age: float = 300,
        max_idle: float = 30,
        check_after: float = 5,
        acquire_timeout: float | None = 30,
    ) -> "PoolOptions":
        if pool_size < 0:
            raise ValueError(f"'pool_size' must be an int, 0 or greater, not {pool_size!r}")
        if max_messages is not None and max_messages < 1:
            raise ValueError(f"'max_messages' must be an int greater than 0, not {max_messages!r}")
        items = (pool_size, max_messages, max_age, max_idle, check_after, acquire_timeout)
        return tuple.__new__(cls, items)
