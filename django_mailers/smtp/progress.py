"""How far the delivery of some messages has come, over one session after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from .envelope import Envelope, Result

# The rest is given up after so many sessions in a row that ended without taking or refusing a
# message: then it is the server that does not work, and not one of the messages.
MOST_ENDS = 3
UNSETTLED = Result("untried")


class Progress:
    """Which of `messages` are settled, and which are left.

    A message at which a session ends, before it was handed over, is tried a second time: by the
    next session if this one worked before, else last, so that one message at which a server fails
    does not hold up the others. A message that may have arrived is never tried again.
    """

    def __init__(self, messages: Sequence[Envelope]) -> None:
        self.messages = messages
        self.sent = 0
        # One for each message, in order, once nothing is left.
        self.results: list[Result] = [UNSETTLED] * len(messages)
        # The numbers of the messages to be sent next.
        self.left = deque(range(len(messages)))
        # The results of messages at which a session ended, and which of them are tried last.
        self._met_end: dict[int, Result] = {}
        self.last: list[int] = []
        self._ends = 0

    def next(self, most: int) -> list[int]:
        """Return the numbers of up to `most` messages that are to be sent next."""
        if not self.left:
            self.left.extend(self.last)
            self.last.clear()
        left = self.left
        if most >= len(left):
            self.left = deque()
            return list(left)
        return [left.popleft() for _ in range(most)]

    def settle_sent(self, numbers: Sequence[int], results: Sequence[Result]) -> None:
        """Settle several messages, all of which were sent."""
        self.sent += len(results)
        if len(results) == len(self.results):
            self.results = list(results)
        else:
            for number, result in zip(numbers, results, strict=True):
                self.results[number] = result

    def settle(self, number: int, result: Result) -> None:
        self.results[number] = result
        if result.status == "sent":
            self.sent += 1

    def put_back(self, numbers: Sequence[int]) -> None:
        """Leave messages that `next()` has returned to the next session."""
        self.left.extendleft(reversed(numbers))

    def give_up(self, error: Exception | None) -> None:
        """Settle the messages that are left: no session can be had, and `error` says why."""
        for number in (*self.left, *self.last):
            skipped = Result("untried", error=error, is_open=True)
            self.settle(number, self._met_end.get(number, skipped))
        self.left.clear()
        self.last.clear()

    def end(self, results: Sequence[tuple[int, Result]], *, has_worked: bool) -> None:
        """Settle the messages of a session that has ended, as far as they are, and plan the rest.

        `results` are those of the messages that `next()` returned, with their numbers;
        `has_worked` says whether the session took or refused one of them.
        """
        left: list[int] = []
        culprit: tuple[int, Result] | None = None
        was_met = False
        for number, result in results:
            if not result.is_open:
                self.settle(number, result)
                was_met |= result.status == "unknown"
            elif was_met or result.status == "untried":
                left.append(number)
            else:
                was_met = True
                culprit = number, result
                left.append(number)
        if culprit is not None:
            self._judge(*culprit, left, has_worked)
        self.put_back(left)
        self._ends = 0 if has_worked else self._ends + 1
        if self._ends >= MOST_ENDS:
            self.give_up(next((result.error for _, result in results if result.error), None))

    def _judge(self, number: int, result: Result, left: list[int], has_worked: bool) -> None:
        """Decide about the message at which a session ended; its number is in `left`."""
        if number in self._met_end or not (has_worked or len(self.messages) > 1):
            left.remove(number)
            self.settle(number, result)
            return
        self._met_end[number] = result
        if not has_worked:
            left.remove(number)
            self.last.append(number)
