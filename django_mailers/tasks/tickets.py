"""The data that is stored with a message: where it goes, and how often that was tried."""

# No annotations from the future: a NamedTuple would compile each of them, at import.
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from django_mailers.delivery.codec import UnreadableMessage

VERSION = 1
# In seconds. So long claims are kept, as engines give up on a task earlier than that; and no
# message waits for longer until it is tried again.
WEEK = 7 * 24 * 60 * 60


class Ticket(NamedTuple):
    """The arguments of a task besides the message, made when the message is queued.

    id         a random name of the message, for claims and the log.
    alias      the alias of the background mailer.
    using      the alias of the mailer that delivers.
    claims     the alias of the cache with the claims, None without one.
    attempts   how often it is tried at most.
    delay      how long it waits before it is tried again, in seconds; doubled each time,
    max_delay  up to this.
    attempt    which run this is. Each has a claim of its own.
    tries      how many of the runs before it count as attempts: those that waited for a rate limit
               of this project do not.
    doubts     runs whose claim the cache did not confirm, with the token of each.
    task_backend, queue_name, priority
               where it is queued again. Not every engine tells its tasks how they were queued.
    """

    id: str
    alias: str | None
    using: str
    claims: str | None
    attempts: int
    delay: float
    max_delay: float
    attempt: int = 1
    tries: int = 0
    doubts: tuple[tuple[int, str], ...] = ()
    task_backend: str = "default"
    queue_name: str = "default"
    priority: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"version": VERSION, **self._asdict(), "doubts": [list(one) for one in self.doubts]}

    @property
    def wait(self) -> float:
        """The seconds before the next attempt, if nobody asks for another time."""
        # Above, the power would only become too large for a float.
        return min(self.max_delay, self.delay * 2.0 ** min(self.tries, 60))

    def next(self, *, counts: bool = True, doubt: str | None = None) -> "Ticket":
        """Return the ticket of the next run. `doubt` is the token of a claim of this one."""
        doubts = self.doubts if doubt is None else (*self.doubts, (self.attempt, doubt))
        return self._replace(
            attempt=self.attempt + 1, tries=self.tries + (1 if counts else 0), doubts=doubts
        )


_NONE = type(None)
_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "using", "task_backend", "queue_name"), (str,)),
    **dict.fromkeys(("alias", "claims"), (str, _NONE)),
    **dict.fromkeys(("attempts", "attempt", "tries", "priority"), (int,)),
    **dict.fromkeys(("delay", "max_delay"), (int, float)),
}


def new_id() -> str:
    return secrets.token_hex(16)


def read_ticket(stored: Mapping[str, Any]) -> Ticket:
    """Return the ticket that `as_json()` has made; raises UnreadableMessage for anything else."""
    try:
        version = stored["version"]
        values = {name: stored[name] for name in Ticket._fields} if version == VERSION else {}
        doubts = tuple((int(attempt), str(token)) for attempt, token in values.get("doubts", ()))
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableMessage(f"The ticket cannot be read ({type(error).__name__}).") from None
    if not values:
        raise UnreadableMessage(
            f"The message was queued by another version of django_mailers: its ticket is of "
            f"version {version!r}, and this version reads {VERSION}."
        )
    for name, types in _TYPES.items():
        # Not when it is used, which may be after the message was handed over.
        if not isinstance(values[name], types):
            raise UnreadableMessage(f"The ticket cannot be read ({name!r} is of another type).")
    return Ticket(**{**values, "doubts": doubts})
