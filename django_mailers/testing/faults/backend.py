"""The BACKEND that `failing()` puts into MAILERS: another mailer, with a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from django_mailers.backends._wrapping.originals import Originals
from django_mailers.backends._wrapping.targets import Targets
from django_mailers.backends.base import ReportingBackend
from django_mailers.delivery import RecipientResult, SendResult
from django_mailers.delivery.copies import shallow_copy
from django_mailers.delivery.identity import for_mailer
from django_mailers.delivery.judging import judge
from django_mailers.options import FLAG, Kind, Option
from django_mailers.types import Mailer, Message

from ..mailers import make_mailer
from ..wanted import bare_address
from .fault import CLOSING, Fault

OK = (250, "OK")


class EmailBackend(ReportingBackend):
    """Sends through the mailer `over`, an entry of MAILERS, unless the `fault` strikes."""

    option_kinds: ClassVar[Mapping[str, Option]] = {
        "fault": Option(Kind("a Fault", (Fault,)), is_required=True),
        "over": Option(Kind("an entry of MAILERS", (Mapping,)), is_required=True),
        "fail_silently": Option(FLAG, False),
    }

    # Headers that the mailer below should not have are removed when a message is handed on.
    renders_mime = True

    fault: Fault
    over: Mapping[str, Any]

    def set_options(self, given: Mapping[str, Any]) -> None:
        super().set_options(given)
        # Errors that the mailer below would ignore are not raised here, either.
        self.fail_silently |= bool(self.over.get("OPTIONS", {}).get("fail_silently"))
        self._targets = Targets(self._make)
        self._is_open = False
        # The fault must not hide errors in its settings.
        self._make(self._key)

    def open(self) -> bool | None:
        """Open the mailer below, unless the fault is one of the connection."""
        try:
            self._connect()
            opened = self._targets.open(self._key)
        except OSError:
            if self.fail_silently:
                return None
            raise
        self._is_open = True
        return opened

    def close(self) -> None:
        self._is_open = False
        self._targets.close()

    def send_many(self, messages: Sequence[Message]) -> list[SendResult]:
        try:
            if not self._is_open:
                self._connect()
        except OSError as error:
            return [judge(message, error, handed_over=False) for message in messages]
        outcomes: list[Any] = [self._outcome(message) for message in messages]
        taken = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, SendResult)]
        if taken:
            target = self._targets.get(self._key)
            originals = Originals(
                [messages[n] for n in taken],
                [
                    for_mailer(self._outgoing(messages[n], outcomes[n]), target.mailer)
                    for n in taken
                ],
            )
            results = originals.restore(target.send(originals.outgoing))
            for number, result in zip(taken, results, strict=True):
                outcomes[number] = self._with_refused(result, outcomes[number])
        return outcomes

    @property
    def _key(self) -> str:
        return self.alias or "default"

    def _make(self, alias: str) -> Mailer:
        return make_mailer(alias, self.over)

    def _connect(self) -> None:
        if self.fault.is_of_connection and self.fault.strikes():
            raise self.fault.error()

    def _outcome(self, message: Message) -> SendResult | list[str]:
        """Return the result of a message that fails; else the recipients that are refused."""
        fault = self.fault
        if fault.is_of_connection:
            return []
        affected = fault.affected(message)
        if not affected or not fault.strikes():
            return []
        if fault.at == "rcpt" and isinstance(fault.code, int) and fault.code != CLOSING:
            everybody = list(map(bare_address, message.recipients()))
            if len(affected) < len(everybody):
                return affected
        error = fault.error(bare_address(message.from_email), affected)
        return judge(message, error, handed_over=fault.at == "end")

    def _outgoing(self, message: Message, refused: list[str]) -> Message:
        """Return the message to hand on: a copy without the recipients that are `refused`, if any.

        Its headers are those of the message, as a server sends it on to the others.
        """
        if not refused:
            return message
        copied = shallow_copy(message)
        kept = [one for one in message.recipients() if bare_address(one) not in refused]
        # A partial can be pickled and copied, unlike a lambda: mail.outbox copies.
        vars(copied)["recipients"] = partial(list, kept)
        return copied

    def _with_refused(self, result: SendResult, refused: list[str]) -> SendResult:
        if not refused or result.status != "sent":
            return result
        error: Any = self.fault.error("", refused)
        replies = {
            address: (code, text.decode()) for address, (code, text) in error.recipients.items()
        }
        known = {bare_address(one.address): one for one in result.recipients}
        recipients = []
        for address in map(bare_address, result.message.recipients()):
            fallback = known.get(address) or RecipientResult(address, *OK)
            given = replies.get(address)
            recipients.append(fallback if given is None else RecipientResult(address, *given))
        return result._replace(recipients=tuple(recipients))
