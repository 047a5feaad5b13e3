"""Backends that stand on django_mailers.backends.base, and backends for them to send through."""

from django.core.mail import InvalidMailer
from django.core.mail.backends.base import BaseEmailBackend

from django_mailers.backends.base import ReportingBackend, Wrapper
from django_mailers.delivery import SendReport, SendResult
from django_mailers.options import ALIAS, ALIASES, COUNT, FLAG, NAME, Option


class FailoverBackend(Wrapper):
    """Sends through the first of `mailers` that can be reached.

    A message that was handed over, or may have been, is never given to another mailer.
    """

    option_kinds = {"mailers": Option(ALIASES, is_required=True)}

    def send_through(self, messages):
        results = [None] * len(messages)
        remaining = [*range(len(messages))]
        for alias in self.mailers:
            given = self.hand_on(alias, [messages[number] for number in remaining])
            for number, result in zip(remaining, given, strict=True):
                results[number] = result
            remaining = [number for number in remaining if results[number].status == "failed"]
        return results

    def open(self):
        for alias in self.mailers:
            try:
                return self.open_target(alias)
            except OSError as caught:
                error = caught
        raise error


class ForwardingBackend(Wrapper):
    """Sends what it is given through `using`."""

    option_kinds = {"using": Option(ALIAS, is_required=True)}


class PrefixBackend(ForwardingBackend):
    """Puts a prefix before each subject, and drops the messages that are secret."""

    option_kinds = {"prefix": Option(NAME, "[test] ")}

    def outgoing(self, message):
        if message.subject == "secret":
            return SendResult(message, "skipped", reason="secret")
        changed = self.copy(message)
        changed.subject = self.prefix + message.subject
        changed.extra_headers["X-Prefixed"] = "yes"
        changed.to.append("archive@example.com")
        return changed


class TeeBackend(ForwardingBackend):
    """Gives the mailers `also` what `using` has taken, afterwards."""

    option_kinds = {"also": Option(ALIASES)}

    def send_through(self, messages):
        results = super().send_through(messages)
        taken = [result.message for result in results if result.status == "sent"]
        for alias in self.also or ():
            self.hand_on(alias, taken)
        return results


class TwiceBackend(Wrapper):
    """Hands on each message twice, and gives the receiver what it takes to drop one of them."""

    option_kinds = {"mailers": Option(ALIASES, is_required=True)}

    def send_through(self, messages):
        fixed = [self.fix_identity(message) for message in messages]
        for alias in self.mailers * 2:
            results = self.hand_on(alias, messages, fixed)
        return results


class RoutingBackend(Wrapper):
    """Sends each message through the mailer that its subject names."""

    def send_through(self, messages):
        return [self.hand_on(message.subject, [message])[0] for message in messages]


class ShelfBackend(ReportingBackend):
    """Puts messages on a shelf with room for `size`, and refuses the others."""

    option_kinds = {
        "shelf": Option(NAME, is_required=True),
        "size": Option(COUNT, 1000, "messages"),
        "fail_silently": Option(FLAG, False),
    }
    shelves = {}

    def send_many(self, messages):
        shelf = self.shelves.setdefault(self.shelf, [])
        return [self.put(message, shelf) for message in messages]

    def put(self, message, shelf):
        try:
            message.message()
        except Exception as error:
            return SendResult(message, "failed", error=error)
        if len(shelf) >= self.size:
            return SendResult(message, "refused", 452, "No room", error=OSError("No room"))
        shelf.append(str(message.subject))
        return SendResult(message, "sent", 250, "On the shelf")


class ForeignBackend:
    """All that a BACKEND needs. It notes what it is called with, and has no `alias`."""

    log = []

    def __init__(self, alias=None, **options):
        pass

    def send_messages(self, email_messages):
        for message in email_messages:
            self.log.append(message)
            message.anymail_status = f"status of {message.subject}"
        return len(email_messages)


class SilentBackend(ForeignBackend):
    def send_messages(self, email_messages):
        super().send_messages(email_messages)


class RaisingBackend(ForeignBackend):
    """It raises an error when it has the message."""

    def send_messages(self, email_messages):
        super().send_messages(email_messages)
        raise TimeoutError("timed out")


class HalfMadeBackend(ForeignBackend):
    """Nothing listens where it connects, and it closes what it does not have."""

    def open(self):
        raise ConnectionRefusedError("refused")

    def close(self):
        self.connection.close()


class ReportingForeignBackend(BaseEmailBackend):
    """It knows what became of its messages, without a base class of ours, and notes the batches."""

    batches = []

    def open(self):
        self.batches.append("open")
        return True

    def close(self):
        self.batches.append("close")

    def send_many(self, messages):
        self.batches.append([str(message.subject) for message in messages])
        return [SendResult(message, "sent", 250, "OK") for message in messages]


class MiscountingBackend(ReportingForeignBackend):
    def send_many(self, messages):
        return super().send_many(messages)[1:]


class MisconfiguredBackend(ReportingForeignBackend):
    """It finds out at its second message that it cannot go on."""

    def send_many(self, messages):
        error = InvalidMailer("No token.", alias=self.alias)
        sent, *others = messages
        self.batches.append([sent.subject])
        results = [SendResult(sent, "sent")]
        results += [SendResult(message, "failed", error=error) for message in others]
        error.report = SendReport(results)
        raise error
