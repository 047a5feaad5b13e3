"""send_many(): what is said of each message, over real SMTP and over backends of every style."""

import io
import json
import pickle
import signal
import socket
import tempfile
import unittest
from pathlib import Path
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, MailerDoesNotExist
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import SendError, SendReport, SendResult, delivery, send_many

from .support.deliveries import AGAIN, ALIAS, TAKEN, facts
from .support.messages import message
from .support.servers import DROP, POLITE, STALL, ScriptedServer, enter, spoilt
from .support.smtp import SHORT_TIMEOUT, serving, statuses
from .support.utils import LOCMEM


class ReplayingBackend(BaseEmailBackend):
    """Does with each message what `replay` says next: returns that, or raises it."""

    def __init__(self, *, replay, log, alias=None):
        super().__init__(alias=alias)
        self.replay, self.log = iter(replay), log

    def open(self):
        self.log.append("open")
        return False  # Some do, whatever has happened (H17).

    def close(self):
        self.log.append("close")

    def send_messages(self, email_messages):
        self.log += [email.subject for email in email_messages]
        outcome = next(self.replay)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def interrupting(method):
    def interrupted(*args):
        method(*args)
        signal.raise_signal(signal.SIGUSR1)

    return interrupted


class BareBackend:
    """All that a BACKEND has to have."""

    def __init__(self, alias=None):
        pass

    def send_messages(self, email_messages):
        return len(email_messages)


class BrokenAtCloseBackend(BareBackend):
    def open(self):
        pass

    def close(self):
        raise SMTPServerDisconnected("ada@example.com")


class UnopenableBackend(BareBackend):
    def __init__(self, *, log, error, alias=None):
        self.log, self.error = log, error

    def open(self):
        self.log.append("open")
        raise self.error

    def close(self):
        self.log.append("close")


class KnowingBackend(BareBackend):
    """It knows what became of each message. No base class is needed for that."""

    def __init__(self, *, results, log, alias=None):
        self.results, self.log = results, log

    def send_many(self, messages):
        self.log.append([email.subject for email in messages])
        if isinstance(self.results, Exception):
            raise self.results
        return self.results


class FaultTests(SimpleTestCase):
    """A server that misbehaves at one stage of the first message; the second one is sent."""

    gone = SMTPServerDisconnected("Connection unexpectedly closed")

    def check(self, stage, reply, expected, *, connections, **options):
        """Send two messages, and compare what is said of the first."""
        script = spoilt(stage, reply)
        if connections == 1:
            scripts = [[*script, ("RSET", "250 OK"), *AGAIN]]
        else:
            refused_early = isinstance(reply, str) and stage != "DATA" and reply[:3] != "421"
            scripts = [[*script, ("RSET", "250 OK")] if refused_early else script, POLITE]
        for fail_silently in (False, True):
            with (
                self.subTest(stage=stage, reply=reply, fail_silently=fail_silently),
                serving(ScriptedServer(*scripts), fail_silently=fail_silently, **options) as server,
            ):
                report = send_many([message(), message()], using=ALIAS)
                self.assertEqual(facts(report), [expected, ("sent", 250, "OK", [TAKEN], "None")])
                self.assertEqual(len(server.received), connections)

    def test_disconnected(self):
        for stage in ("MAIL", "RCPT", "DATA"):
            failed = ("failed", None, "", [], repr(self.gone))
            self.check(stage, DROP, failed, connections=2)
        self.check(".", DROP, ("unknown", None, "", [], repr(self.gone)), connections=2)

    @tag("slow")
    def test_stalled(self):
        error = SMTPServerDisconnected("Connection unexpectedly closed: timed out")
        for stage, status in (("DATA", "failed"), (".", "unknown")):
            expected = (status, None, "", [], repr(error))
            self.check(stage, STALL, expected, connections=2, timeout=SHORT_TIMEOUT)

    def test_refused(self):
        for code in (421, 450, 550):
            connections = 2 if code == 421 else 1
            with self.subTest(code=code):
                reply, no = f"{code} No", (code, b"No")
                sender = repr(SMTPSenderRefused(*no, "ada@example.com"))
                expected = ("refused", code, "No", [], sender)
                self.check("MAIL", reply, expected, connections=connections)
                bob = "bob@example.com"
                recipients = repr(SMTPRecipientsRefused({bob: no}))
                expected = ("refused", None, "", [(bob, code, "No")], recipients)
                self.check("RCPT", reply, expected, connections=connections)
                expected = ("refused", code, "No", [], repr(SMTPDataError(*no)))
                self.check(".", reply, expected, connections=connections)
                # Django's backend would say MAIL next, in the middle of a transaction.
                self.check("DATA", reply, expected, connections=2)

    def test_replies_that_are_neither_yes_nor_no(self):
        for reply, code, text in [
            ("Huh? Huh", -1, b"Huh"),
            ("252 Perhaps", 252, b"Perhaps"),
            ("334 More", 334, b"More"),
        ]:
            with self.subTest(reply=reply):
                error = repr(SMTPSenderRefused(code, text, "ada@example.com"))
                self.check("MAIL", reply, ("failed", None, "", [], error), connections=2)
                error = repr(SMTPDataError(code, text))
                self.check("DATA", reply, ("failed", None, "", [], error), connections=2)
                self.check(".", reply, ("unknown", None, "", [], error), connections=2)

    def test_garbage_about_a_recipient(self):
        refused = {"bob@example.com": (-1, b"Huh")}
        expected = (
            "failed",
            None,
            "",
            [("bob@example.com", -1, "Huh")],
            repr(SMTPRecipientsRefused(refused)),
        )
        self.check("RCPT", "Huh? Huh", expected, connections=2)

    def test_endless_reply(self):
        error = "SMTPResponseException(500, 'Line too long.')"
        endless = b"250 " + b"x" * 9000 + b"\r\n"
        self.check(".", endless, ("unknown", None, "", [], error), connections=2)
        self.check("MAIL", endless, ("failed", None, "", [], error), connections=2)

    def test_no_new_connection(self):
        closing = [(None, "421 Closing")]
        with serving(ScriptedServer(spoilt("MAIL", DROP), closing)) as server:
            messages = [message(), message(), message()]
            report = send_many(messages, using=ALIAS)
        no = ("failed", None, "", [], "SMTPConnectError(421, b'Closing')")
        self.assertEqual(facts(report), [("failed", None, "", [], repr(self.gone)), no, no])
        self.assertEqual(len(server.received), 2)
        self.assertEqual(report.retryable, messages)


class OverAnyBackendTests(SimpleTestCase):
    def replay(self, *outcomes):
        """Send as many messages, named 0, 1, ..., to a ReplayingBackend with a new `self.log`."""
        self.log = []
        entry = {
            "BACKEND": "tests.test_delivery.ReplayingBackend",
            "OPTIONS": {"replay": outcomes, "log": self.log},
        }
        messages = [message(subject=str(number)) for number in range(len(outcomes))]
        with override_settings(MAILERS={ALIAS: entry}):
            return send_many(messages, using=ALIAS)

    def test_what_is_returned(self):
        report = self.replay(1, True, ["task"], ("task",), 2)
        self.assertEqual(facts(report), ["sent"] * 5)
        report = self.replay(0, False, None, [], "sent", object())
        self.assertEqual(facts(report), ["unknown"] * 6)
        self.assertEqual(report.retryable, [])
        self.assertEqual(self.log, ["open", "0", "1", "2", "3", "4", "5", "close"])

    def test_what_is_raised(self):
        for error, status in [
            (ValueError("Header values may not contain ..."), "failed"),
            (ConnectionRefusedError(111, "Connection refused"), "failed"),
            (socket.gaierror(-2, "Name or service not known"), "failed"),
            (SMTPAuthenticationError(535, b"Wrong"), "failed"),
            (SMTPRecipientsRefused({}), "refused"),
            (ConnectionResetError(104, "Connection reset by peer"), "unknown"),
            (TimeoutError("timed out"), "unknown"),
            (SMTPServerDisconnected("Connection unexpectedly closed"), "unknown"),
            (SMTPException("?"), "unknown"),
            (SMTPDataError(-1, b"Huh"), "unknown"),
            (json.JSONDecodeError("Expecting value", "<html>", 0), "unknown"),
            (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "unknown"),
            (KeyError("id"), "unknown"),
        ]:
            with self.subTest(error=error):
                report = self.replay(error, 1)
                self.assertEqual(facts(report), [(status, None, "", [], repr(error)), "sent"])
                self.assertIs(report[0].error, error)
                self.assertEqual(self.log, ["open", "0", "close", "open", "1", "close"])

    def test_refusals(self):
        recipients = SMTPRecipientsRefused({"bob@example.com": (550, b"G\xf6ne")})
        sender, data = SMTPSenderRefused(451, "Later", "a"), SMTPDataError(554, b"Spam")
        self.assertEqual(
            facts(self.replay(recipients, sender, data)),
            [
                ("refused", None, "", [("bob@example.com", 550, "G\ufffdne")], repr(recipients)),
                ("refused", 451, "Later", [], repr(sender)),
                ("refused", 554, "Spam", [], repr(data)),
            ],
        )

    def test_interruption(self):
        with self.assertRaises(KeyboardInterrupt):
            self.replay(1, KeyboardInterrupt())
        self.assertEqual(self.log, ["open", "0", "1", "close"])

    @unittest.skipUnless(hasattr(signal, "SIGUSR1"), "Windows has no such signals.")
    def test_a_time_limit(self):
        """What a signal handler raises is not about the message; Celery's is an Exception."""

        def handler(*args):
            raise TimeoutError("The time is up.")

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handler))
        for name, log in [("send_messages", ["open", "0"]), ("open", ["open"])]:
            interrupted = interrupting(getattr(ReplayingBackend, name))
            with (
                self.subTest(name),
                mock.patch.object(ReplayingBackend, name, interrupted),
                self.assertRaises(TimeoutError),
            ):
                self.replay(1, 1)
            self.assertEqual(self.log, [*log, "close"])

    def test_errors_of_the_configuration(self):
        with self.assertRaises(MailerDoesNotExist):
            send_many([], using="missing")
        wrong = InvalidMailer("OPTIONS must define 'key'.", alias=ALIAS)
        with self.assertRaises(InvalidMailer) as caught:
            self.replay(1, wrong, 1)
        self.assertIs(caught.exception, wrong)
        # What was sent before is not lost with it.
        report = caught.exception.report
        failed = ("failed", None, "", [], repr(wrong))
        self.assertEqual(facts(report), ["sent", failed, failed])
        self.assertEqual(self.log, ["open", "0", "1", "close"])

    def test_what_goes_wrong_when_it_connects(self):
        path = "tests.test_delivery.UnopenableBackend"
        for error, is_raised in [
            (OSError("No route"), False),
            (LookupError("No token"), False),
            (InvalidMailer("Wrong key."), True),
        ]:
            log = []
            entry = {"BACKEND": path, "OPTIONS": {"log": log, "error": error}}
            with self.subTest(error=error), override_settings(MAILERS={ALIAS: entry}):
                if is_raised:
                    with self.assertRaises(InvalidMailer) as caught:
                        send_many([message(), message()], using=ALIAS)
                    self.assertIs(caught.exception, error)
                else:
                    report = send_many([message(), message()], using=ALIAS)
                    self.assertEqual(facts(report), [("failed", None, "", [], repr(error))] * 2)
                self.assertEqual(log, ["open", "close"])

    @override_settings(MAILERS={ALIAS: {"BACKEND": "tests.test_delivery.BrokenAtCloseBackend"}})
    def test_what_goes_wrong_when_it_closes(self):
        with self.assertLogs("django_mailers.delivery") as logs:
            report = send_many([message()], using=ALIAS)
        self.assertEqual(facts(report), ["sent"])
        self.assertEqual(
            logs.output,
            [
                "WARNING:django_mailers.delivery:"
                "A mailer could not be closed: SMTPServerDisconnected."
            ],
        )

    @override_settings(MAILERS={ALIAS: {"BACKEND": "tests.test_delivery.BareBackend"}})
    def test_neither_open_nor_close(self):
        self.assertEqual(facts(send_many([message(), message()], using=ALIAS)), ["sent"] * 2)

    def test_djangos_backends(self):
        folder = enter(self, tempfile.TemporaryDirectory())
        stream = io.StringIO()
        messages = [message(subject="a"), message(subject="b\nc"), message(subject="d")]
        for name, options, knows in [
            ("console", {"stream": stream}, True),
            ("console", {"stream": io.StringIO(), "fail_silently": True}, False),
            ("filebased", {"file_path": folder}, True),
            ("locmem", {}, True),
        ]:
            path = f"django.core.mail.backends.{name}.EmailBackend"
            entry = {"BACKEND": path, "OPTIONS": options}
            with (
                self.subTest(path=path, options=options),
                override_settings(MAILERS={ALIAS: entry}),
            ):
                report = send_many(messages, using=ALIAS)
                self.assertEqual(
                    statuses(report), ["sent", "failed" if knows else "unknown", "sent"]
                )
                self.assertEqual(isinstance(report[1].error, ValueError), knows)
        self.assertEqual([email.subject for email in mail.outbox], ["a", "d"])
        [file] = Path(folder).iterdir()
        for output in (stream.getvalue(), file.read_text()):
            lines = [line for line in output.splitlines() if line.startswith("Subject")]
            self.assertEqual(lines, ["Subject: a", "Subject: d"])

        dummy = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
        with override_settings(MAILERS={ALIAS: dummy}):
            self.assertEqual(facts(send_many(messages, using=ALIAS)), ["sent"] * 3)


class ReportingBackendTests(SimpleTestCase):
    def send(self, messages, results):
        self.log = []
        entry = {
            "BACKEND": "tests.test_delivery.KnowingBackend",
            "OPTIONS": {"results": results, "log": self.log},
        }
        with override_settings(MAILERS={ALIAS: entry}):
            return send_many(messages, using=ALIAS)

    def test_what_it_says_is_the_report(self):
        error = TimeoutError("timed out")
        nobody = mail.EmailMessage("Nobody")
        messages = [message(subject="a"), nobody, message(subject="b")]
        recipient = delivery.RecipientResult(*TAKEN)
        taken = SendResult(messages[0], "sent", 250, "2.0.0 Queued", (recipient,))
        # About another object, a copy for example: in the report it is about the caller's.
        lost = SendResult(message(subject="copy"), "unknown", error=error)

        report = self.send(messages, [taken, lost])

        self.assertEqual(
            [*report],
            [
                taken._replace(via=ALIAS),
                SendResult(nobody, "skipped", reason="no recipients"),
                SendResult(messages[2], "unknown", error=error, via=ALIAS),
            ],
        )
        self.assertIs(report[0].recipients[0].is_refused, False)
        self.assertEqual(self.log, [["a", "b"]])

    def test_via(self):
        """The mailer that has the message, or may have it."""
        email = message()
        for status, via in [
            ("sent", ALIAS),
            ("queued", ALIAS),
            ("unknown", ALIAS),
            ("refused", None),
            ("failed", None),
            ("skipped", None),
        ]:
            with self.subTest(status):
                self.assertEqual(self.send([email], [SendResult(email, status)])[0].via, via)
        [result] = self.send([email], [SendResult(email, "sent", via="another")])
        self.assertEqual(result.via, "another")
        self.assertEqual(repr(result), "SendResult(status='sent', code=None, via='another')")
        with override_settings(MAILERS={"default": {"BACKEND": LOCMEM}}):
            [result] = send_many([email])
        self.assertEqual(result.via, "default")

    def test_it_is_not_asked_for_nothing(self):
        self.assertEqual(facts(self.send([mail.EmailMessage("Nobody")], [])), ["skipped"])
        self.assertEqual(self.log, [])

    def test_results_that_are_none_of_the_messages(self):
        name = "tests.test_delivery.KnowingBackend.send_many()"
        sent = SendResult(message(), "sent")
        for results, text in [
            ([sent], f"{name} returned 1 results for 2 messages."),
            ([sent] * 3, f"{name} returned 3 results for 2 messages."),
            ([sent, "sent"], f"{name} must return a list of SendResult."),
            (None, f"{name} must return a list of SendResult."),
            (2, f"{name} must return a list of SendResult."),
        ]:
            with self.subTest(results=results), self.assertRaises(TypeError) as caught:
                self.send([message(), message()], results)
            self.assertEqual(str(caught.exception), text)

    def test_errors_of_the_configuration(self):
        messages = [message(), mail.EmailMessage("Nobody"), message()]
        error = InvalidMailer("Wrong token.", alias=ALIAS)
        failed = ("failed", None, "", [], repr(error))
        sent = SendReport([SendResult(messages[0], "sent"), SendResult(messages[2], "failed")])
        for report, expected in [
            (None, [failed, "skipped", failed]),
            # It is not about these messages.
            (SendReport([SendResult(message(), "sent")] * 2), [failed, "skipped", failed]),
            (sent, ["sent", "skipped", "failed"]),
        ]:
            if report is not None:
                error.report = report
            with self.subTest(report=report), self.assertRaises(InvalidMailer) as caught:
                self.send(messages, error)
            self.assertIs(caught.exception, error)
            self.assertEqual(facts(error.report), expected)


class ReportTests(SimpleTestCase):
    def test_in_numbers(self):
        results = [
            SendResult(message(), "refused", 550, "<bob@example.com> is gone"),
            SendResult(message(), "sent"),
            SendResult(message(), "skipped"),
            SendResult(message(), "sent"),
        ]
        report = SendReport(results, using="bulk")
        self.assertEqual(
            report.counts,
            {"sent": 2, "queued": 0, "refused": 1, "failed": 0, "unknown": 0, "skipped": 1},
        )
        self.assertEqual((len(report), list(report), report[0]), (4, results, results[0]))
        self.assertEqual(report[1:3], tuple(results[1:3]))
        self.assertEqual(repr(report), "<SendReport using='bulk': 2 sent, 1 refused, 1 skipped>")
        self.assertEqual(repr(SendReport([])), "<SendReport using=None: no messages>")

    def test_no_address_and_no_text_is_shown(self):
        refused = (delivery.RecipientResult("bob@example.com", 550, "bob@example.com is gone"),)
        error = SMTPRecipientsRefused({"bob@example.com": (550, b"bob@example.com is gone")})
        result = SendResult(message(), "refused", 550, "bob@example.com", refused, error)
        self.assertEqual(repr(result), "SendResult(status='refused', code=550)")
        report = SendReport([result])
        self.assertEqual(repr(report), "<SendReport using=None: 1 refused>")
        with self.assertRaises(SendError) as caught:
            report.raise_for_failures()
        self.assertEqual(str(caught.exception), "1 refused")
        self.assertEqual(repr(caught.exception), "SendError(<SendReport using=None: 1 refused>)")
        self.assertIs(caught.exception.report, report)
        self.assertIs(caught.exception.__cause__, error)

    def test_what_may_be_sent_again(self):
        recipient = delivery.RecipientResult
        later, never = recipient("a@example.com", 450, ""), recipient("b@example.com", 550, "")
        for result, is_success, is_retryable in [
            (SendResult("m", "sent"), True, False),
            (SendResult("m", "sent", 250, "", (later,)), False, False),
            (SendResult("m", "skipped"), True, False),
            (SendResult("m", "queued"), True, False),
            (SendResult("m", "unknown"), False, False),
            (SendResult("m", "unknown", 450), False, False),
            (SendResult("m", "failed"), False, True),
            (SendResult("m", "refused"), False, False),
            (SendResult("m", "refused", 450), False, True),
            (SendResult("m", "refused", 550), False, False),
            (SendResult("m", "refused", recipients=(never,)), False, False),
            (SendResult("m", "refused", recipients=(never, later)), False, True),
        ]:
            with self.subTest(result=result, recipients=result.recipients):
                self.assertIs(result.is_success, is_success)
                self.assertIs(result.is_retryable, is_retryable)
                report = SendReport([result])
                self.assertEqual(report.failures, [] if is_success else [result])
                self.assertEqual(report.retryable, ["m"] if is_retryable else [])

    @override_settings(MAILERS={"bulk": {"BACKEND": LOCMEM}})
    def test_retry(self):
        again, done = message(subject="again"), message(subject="done")
        report = SendReport([SendResult(done, "sent"), SendResult(again, "failed")], using="bulk")
        retried = send_many(report.retryable, using=report.using)
        self.assertEqual([result.message for result in retried], [again])
        self.assertEqual([(m.subject, m.sent_using) for m in mail.outbox], [("again", "bulk")])
        self.assertEqual(retried.retryable, [])

    def test_pickle(self):
        report = SendReport([SendResult(message(), "refused", 550, "No")], using="bulk")
        error = pickle.loads(pickle.dumps(SendError(report)))
        self.assertIs(type(error), SendError)
        self.assertEqual(repr(error.report), repr(report))
        self.assertEqual(facts(error.report), facts(report))
