"""What went wrong, and what follows from it: the table of faults, row by row."""

import socket
import ssl
from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from django.core.mail import InvalidMailer, MailerDoesNotExist
from django.test import SimpleTestCase

from django_mailers import SendResult
from django_mailers.delivery.faults import Fault, fault_of, fault_of_error
from django_mailers.delivery.report import RecipientResult
from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.smtp import PoolTimeout

NETWORK = Fault("network", moves=True, rests=True, repeats=True)
BUSY = Fault("busy", moves=True, rests=False, repeats=True)
ACCOUNT = Fault("account", moves=True, rests=True, repeats=False)
SENDER = Fault("account", moves=True, rests=False, repeats=False, is_alarming=True)
MESSAGE = Fault("message", moves=False, rests=False, repeats=False)
SENT = Fault("sent", moves=False, rests=False, repeats=False)
UNKNOWN = Fault("unknown", moves=False, rests=True, repeats=False)
CONFIGURATION = Fault("configuration", moves=False, rests=False, repeats=False)


def busy(seconds):
    return Fault("busy", moves=True, rests=True, repeats=True, retry_after=seconds)


def limited(seconds=None):
    return Fault("account", True, True, seconds is not None, seconds)


def refused(*replies):
    return SMTPRecipientsRefused(
        {f"{number}@example.com": reply for number, reply in enumerate(replies)}
    )


class ErrorTests(SimpleTestCase):
    def test_replies(self):
        for error, expected in [
            (SMTPConnectError(554, b"No"), NETWORK),
            (SMTPHeloError(501, b"No"), NETWORK),
            (SMTPAuthenticationError(535, b"5.7.8 Wrong"), ACCOUNT),
            (SMTPAuthenticationError(454, b"4.7.0 Temporary authentication failure"), limited()),
            (SMTPAuthenticationError(421, b"Closing"), NETWORK),
            (SMTPNotSupportedError("SMTP AUTH extension not supported by server."), ACCOUNT),
            (SMTPNotSupportedError("SMTPUTF8 not supported by server"), MESSAGE),
            (SMTPSenderRefused(421, b"Closing", "a"), NETWORK),
            (SMTPSenderRefused(451, b"Later", "a"), BUSY),
            (SMTPSenderRefused(550, b"No", "a"), SENDER),
            (SMTPSenderRefused(552, b"Too big", "a"), MESSAGE),
            (SMTPSenderRefused(530, b"5.7.0 Authentication required", "a"), ACCOUNT),
            (SMTPSenderRefused(550, b"5.4.5 Daily user sending quota exceeded", "a"), limited()),
            (SMTPDataError(451, b"Try again in 300 seconds"), busy(300)),
            (SMTPDataError(554, b"Spam"), MESSAGE),
            (SMTPDataError(454, b"Throttling failure: Maximum sending rate exceeded."), limited()),
            (SMTPDataError(554, b"Sending paused for this account."), limited()),
            (refused((550, b"5.1.1 Gone")), MESSAGE),
            (refused((450, b"4.2.0 Greylisted for 60 seconds")), busy(60)),
            (refused((450, b"Later"), (550, b"Gone")), BUSY),
        ]:
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error), expected)
                self.assertEqual(fault_of_error(error, handed_over=False), expected)

    def test_certain_by_type(self):
        for error, expected in [
            (ConnectionRefusedError(111, "Connection refused"), NETWORK),
            (socket.gaierror(-2, "Name or service not known"), NETWORK),
            (ssl.SSLCertVerificationError(1, "certificate verify failed"), ACCOUNT),
            (PoolTimeout("No session"), BUSY),
            (RateLimited("No", 7), busy(7)),
            (ValueError("?"), MESSAGE),
            (TypeError("?"), MESSAGE),
            (InvalidMailer("?"), CONFIGURATION),
            (MailerDoesNotExist(alias="x"), CONFIGURATION),
        ]:
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error), expected)
                self.assertEqual(fault_of_error(error, handed_over=False), expected)

    def test_by_phase(self):
        for error in (
            TimeoutError("timed out"),
            ConnectionResetError(104, "Connection reset by peer"),
            SMTPServerDisconnected("Connection unexpectedly closed"),
            SMTPDataError(-1, b"Huh"),
        ):
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error, handed_over=False), NETWORK)
                self.assertEqual(fault_of_error(error, handed_over=True), UNKNOWN)
                self.assertEqual(fault_of_error(error), UNKNOWN)

    def test_several_mailers(self):
        lost, busy, wrong = TimeoutError(), PoolTimeout(), SMTPAuthenticationError(535, b"No")
        for errors, expected in [
            ({}, NETWORK),
            ({"a": busy}, BUSY),
            ({"a": busy, "b": wrong}, ACCOUNT),
            ({"a": ConnectionRefusedError(), "b": busy}, BUSY),
            ({"a": wrong, "b": SMTPDataError(554, b"Spam")}, MESSAGE),
            ({"a": SMTPDataError(554, b"Spam"), "b": lost}, UNKNOWN),
        ]:
            with self.subTest(errors=errors):
                self.assertEqual(fault_of_error(MailersFailed(errors)), expected)
        failed = SendResult("m", "failed", error=MailersFailed({"a": lost, "b": busy}))
        self.assertEqual(fault_of(failed), BUSY)


class ResultTests(SimpleTestCase):
    def test_results(self):
        yes, no = RecipientResult("a", 250, "OK"), RecipientResult("b", 550, "No")
        later = RecipientResult("c", 450, "Later")
        for result, expected in [
            (SendResult("m", "sent", 250, "OK", (yes,)), None),
            (SendResult("m", "sent", 250, "OK", (yes, no)), SENT),
            (SendResult("m", "queued"), None),
            (SendResult("m", "skipped"), None),
            (SendResult("m", "unknown", error=ConnectionRefusedError()), UNKNOWN),
            (SendResult("m", "refused", 550, "No"), MESSAGE),
            (SendResult("m", "refused", 450, "Later"), BUSY),
            (SendResult("m", "refused", 550, "No", error=SMTPSenderRefused(550, b"", "")), SENDER),
            (SendResult("m", "refused", recipients=(no,)), MESSAGE),
            (SendResult("m", "refused", recipients=(no, later)), BUSY),
            (SendResult("m", "refused"), MESSAGE),
            (SendResult("m", "failed"), NETWORK),
            (SendResult("m", "failed", error=TimeoutError()), NETWORK),
            (SendResult("m", "failed", error=LookupError("No such template")), MESSAGE),
        ]:
            with self.subTest(result=result, recipients=result.recipients):
                self.assertEqual(fault_of(result), expected)
