"""A mailer that tries again, as long as that gives nobody a second copy."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence

from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import Fault, fault_of, fault_of_error
from django_mailers.options import ALIAS, COUNT, DELAY, SECONDS, Option
from django_mailers.smtp import is_injected
from django_mailers.types import Message

from ._wrapping import clock
from ._wrapping.waiting import wait
from .base import Wrapper

logger = logging.getLogger("django_mailers.backends")

OPTIONS = {
    "using": Option(ALIAS, is_required=True),
    "attempts": Option(COUNT, 3),
    "delay": Option(DELAY, 1, "seconds"),
    "max_delay": Option(DELAY, 30, "seconds"),
    "deadline": Option(SECONDS, 60, "seconds"),
}


class EmailBackend(Wrapper):
    """Sends through `using`, and sends again what was certainly not sent and may succeed later.

    It waits between the attempts, in the thread that sends: use it in workers, not in requests. No
    connection of a pool is held meanwhile. The results are those of each message's last attempt.
    """

    option_kinds = OPTIONS

    attempts: int
    delay: float
    max_delay: float
    deadline: float

    def send_through(self, messages: Sequence[Message]) -> list[SendResult]:
        end = clock.monotonic() + self.deadline
        results = self.hand_on(self.using, messages)
        for attempt in range(1, self.attempts):
            faults = {n: it for n, result in enumerate(results) if (it := fault_of(result))}
            again, seconds = self._plan(faults, attempt, end)
            if not again:
                break
            self._log([faults[number] for number in again], seconds)
            wait(self, seconds, messages)
            given = self.hand_on(self.using, [messages[number] for number in again])
            for number, result in zip(again, given, strict=True):
                results[number] = result
        return results

    def open(self) -> bool | None:
        """Open the mailer `using`, and keep it open until `close()`; if it fails, try again.

        The rules, and the number of attempts, are those of sending.
        """
        end = clock.monotonic() + self.deadline
        for attempt in range(1, self.attempts):
            try:
                return super().open()
            except Exception as error:
                # An error of any backend; its fault decides.
                if is_injected(error):
                    raise
                faults = {0: fault_of_error(error, handed_over=False)}
                again, seconds = self._plan(faults, attempt, end)
                if not again:
                    raise
            self._log([*faults.values()], seconds)
            clock.sleep(seconds)
        return super().open()

    def _plan(
        self, faults: Mapping[int, Fault], attempt: int, end: float
    ) -> tuple[list[int], float]:
        """Return the numbers of the messages to send again, and after how many seconds.

        They are sent as one batch: the longest time that a server asks for counts for all of them.
        A message is given up if that is later than `end`.
        """
        left = end - clock.monotonic()
        asked = {n: fault.retry_after or 0 for n, fault in faults.items() if fault.repeats}
        again = {n: seconds for n, seconds in asked.items() if seconds <= left}
        if not again:
            return [], 0
        earliest = max(again.values())
        # A large power of 2 would not be a float.
        longest = min(self.max_delay, self.delay * 2 ** min(attempt - 1, 100), left - earliest)
        # "Full jitter": processes that saw the same failure do not all come back at once (H45).
        return [*again], earliest + random.uniform(0, longest)  # noqa: S311

    def _log(self, faults: Sequence[Fault], seconds: float) -> None:
        kinds = ", ".join(sorted({fault.kind for fault in faults}))
        text = "MAILERS[%r]: %d could not be sent (%s), and will be tried again in %.3g seconds."
        logger.info(text, self.alias, len(faults), kinds, seconds)
