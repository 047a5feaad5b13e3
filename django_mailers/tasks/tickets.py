"""The data that is stored with a message: where it goes, and how often that was tried."""

# No annotations from the future: a NamedTuple would compile each of them, at import.
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from django_mailers.delivery.codec import UnreadableMessage

VERSION = 1


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


def new_id() -> str:
    return secrets.token_hex(16)


def read_ticket(stored: Mapping[str, Any]) -> Ticket:
    """Return the ticket that `as_json()` has made; raises UnreadableMessage for another version."""
    try:
        version = stored["version"]
        if version != VERSION:
            raise UnreadableMessage(
                f"The message was queued by another version of django_mailers: its ticket is of "
                f"version {version!r}, and this version reads {VERSION}."
            )
        values = {name: stored[name] for name in Ticket._fields}
        values["doubts"] = tuple((int(attempt), str(token)) for attempt, token in values["doubts"])
        return Ticket(**values)
    except (LookupError, TypeError) as error:
        raise UnreadableMessage(f"The ticket cannot be read ({type(error).__name__}).") from None
