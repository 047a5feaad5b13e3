"""The outcome of a verification: steps, each with its details and a hint."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One thing that was tried. It has no password and no token.

    name      what it was: "connect", "tls", "login" …
    ok        whether it succeeded.
    detail    what was found out.
    hint      what to do about it, if it failed or will fail soon; "" if nothing has to be done.
    ms        how long it took, in milliseconds; None if it did not use the network.
    """

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    ms: float | None = None


@dataclass(frozen=True)
class Verification:
    """The steps by which a mailer was verified, in their order.

    alias    its alias.
    steps    the steps; after one that failed there may be no more.
    targets  the verifications of the mailers that it sends through.
    """

    alias: str
    steps: Sequence[Step]
    targets: Sequence[Verification] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether every step has succeeded, those of the other mailers included."""
        return all(step.ok for step in self.steps) and all(target.ok for target in self.targets)

    @property
    def failed(self) -> Step | None:
        """The first step that failed; None if none did, or only one of another mailer."""
        return next((step for step in self.steps if not step.ok), None)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "alias": self.alias,
            "ok": self.ok,
            "steps": [vars(step) for step in self.steps],
            "targets": [target.as_dict() for target in self.targets],
        }


class Stopwatch:
    """Milliseconds since it was made."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._start = clock()

    @property
    def ms(self) -> float:
        return round((self._clock() - self._start) * 1000, 1)
