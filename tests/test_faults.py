"""What went wrong, and what follows from it: the table of faults, row by row."""

import socket
import ssl
from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

import hypothesis
from django.core.mail import InvalidMailer, MailerDoesNotExist
from django.test import SimpleTestCase, tag
from hypothesis import strategies as st

from django_mailers import SendReport, SendResult
from django_mailers.delivery.faults import Fault, fault_of, fault_of_error
from django_mailers.delivery.report import STATUSES, RecipientResult
from django_mailers.errors import MailersFailed, RateLimited
from django_mailers.smtp import OutOfStepError, PoolTimeout

from .support.faults import (
    ACCOUNT,
    BUSY,
    CONFIGURATION,
    LIMITED,
    MESSAGE,
    NETWORK,
    SENDER,
    SENT,
    UNKNOWN,
    busy,
    limited,
)
from .support.generated import DETERMINISTIC
from .support.processes import run_python


def refused(*replies):
    return SMTPRecipientsRefused(
        {f"{number}@example.com": reply for number, reply in enumerate(replies)}
    )


class ReplyTests(SimpleTestCase):
    """Whatever is known of the phase, a reply is a reply."""

    def check(self, *pairs):
        for error, fault in pairs:
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error), fault)
                self.assertEqual(fault_of_error(error, handed_over=False), fault)

    def test_greeting(self):
        self.check(
            (SMTPConnectError(421, b"Closing"), NETWORK),
            (SMTPConnectError(554, b"5.7.1 No"), NETWORK),
            (SMTPHeloError(501, b"No"), NETWORK),
        )

    def test_login(self):
        self.check(
            (SMTPAuthenticationError(535, b"5.7.8 Wrong"), ACCOUNT),
            (SMTPAuthenticationError(525, b"5.7.1 Unauthorized IP address"), ACCOUNT),
            (SMTPAuthenticationError(454, b"4.7.0 Temporary authentication failure"), LIMITED),
            (SMTPAuthenticationError(454, b"4.7.0 Too many. Try again in 5 minutes"), limited(300)),
            (SMTPAuthenticationError(451, b"Maximum credits exceeded"), LIMITED),
            (SMTPAuthenticationError(421, b"Closing"), NETWORK),
            (SMTPNotSupportedError("SMTP AUTH extension not supported by server."), ACCOUNT),
        )

    def test_sender(self):
        for code, text, fault in [
            (421, b"Closing", NETWORK),
            (421, b"4.7.28 An unusual rate of mail", LIMITED),
            (451, b"Later", BUSY),
            (454, b"Throttling failure: Maximum sending rate exceeded.", LIMITED),
            (530, b"5.7.0 Authentication required", ACCOUNT),
            (550, b"No", SENDER),
            (550, b"5.1.8 Bad outbound sender", SENDER),
            (550, b"5.7.1 Sender not verified", SENDER),
            (550, b"5.4.5 Daily user sending quota exceeded", LIMITED),
            (550, b"5.2.1 Mailbox disabled", SENDER),
            (552, b"Too big", MESSAGE),
            (552, b"5.3.4 Message size exceeds fixed limit", MESSAGE),
            (554, b"5.3.4 Message size exceeds fixed limit", MESSAGE),
            (553, b"5.6.7 Addresses must be ASCII", MESSAGE),
            # The class of the enhanced code is not that of the code.
            (550, b"4.4.5 No", SENDER),
        ]:
            self.check((SMTPSenderRefused(code, text, "ada@example.com"), fault))

    def test_recipients(self):
        gone, later = (550, b"5.1.1 Gone"), (450, b"4.2.0 Greylisted for 60 seconds")
        self.check(
            (refused(gone), MESSAGE),
            (refused(later), busy(60)),
            (refused((550, b"5.2.2 The daily quota of the mailbox is exceeded")), MESSAGE),
            (refused((452, b"4.2.2 The daily quota of the mailbox is exceeded")), BUSY),
            # Postfix says at RCPT what it thinks of MAIL.
            (refused((553, b"5.7.1 <a@b.example>: Sender address rejected: not owned")), SENDER),
            (refused((554, b"5.7.1 <x@y.example>: Relay access denied")), ACCOUNT),
            (refused((421, b"Closing")), NETWORK),
            # Not final while one of them may be taken later, and nobody has it.
            (refused(gone, later), busy(60)),
            (refused(gone, later, (450, b"Try again in 2 minutes")), busy(120)),
            (refused(gone, (554, b"5.7.1 Relaying denied")), ACCOUNT),
            (refused(later, (554, b"5.7.1 Relaying denied")), ACCOUNT),
            (SMTPRecipientsRefused({}), MESSAGE),
        )

    def test_content(self):
        for code, text, fault in [
            (451, b"Try again in 300 seconds", busy(300)),
            (451, b"Try again later", BUSY),
            (451, b"Try again in 5 or retry in 300 seconds, or try again in 7 seconds", BUSY),
            (452, b"4.3.1 Disk full", BUSY),
            (454, b"Throttling failure: Daily message quota exceeded.", LIMITED),
            (550, b"Domain a.example has exceeded the max emails per hour (9/9) allowed", LIMITED),
            (550, b"5.7.60 Client does not have permissions", SENDER),
            (550, b"The from address does not match a verified Sender Identity", SENDER),
            (554, b"Message rejected: Email address is not verified.", SENDER),
            (554, b"Message rejected: Sending paused for this account.", LIMITED),
            (554, b"5.2.252 SendAsDenied; not allowed", SENDER),
            (554, b"5.7.1 Spam", MESSAGE),
            (552, b"5.3.4 Too big", MESSAGE),
        ]:
            self.check((SMTPDataError(code, text), fault))

    def test_extensions(self):
        self.check((SMTPNotSupportedError("SMTPUTF8 not supported by server"), MESSAGE))

    def test_no_replies(self):
        for error in (SMTPSenderRefused(-1, b"Huh", "a"), refused((-1, b"Huh"))):
            self.check((error, NETWORK))


class ErrorTests(SimpleTestCase):
    def test_certain_by_type(self):
        for error, fault in [
            (ConnectionRefusedError(111, "Connection refused"), NETWORK),
            (socket.gaierror(-2, "Name or service not known"), NETWORK),
            (ssl.SSLCertVerificationError(1, "certificate verify failed"), ACCOUNT),
            (PoolTimeout("No session"), BUSY),
            (RateLimited("No", 7), busy(7)),
            (InvalidMailer("?"), CONFIGURATION),
            (MailerDoesNotExist(alias="x"), CONFIGURATION),
        ]:
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error), fault)
                self.assertEqual(fault_of_error(error, handed_over=False), fault)

    def test_about_the_message(self):  # (H48)
        for error in (ValueError("?"), TypeError("?"), UnicodeEncodeError("ascii", "ü", 0, 1, "?")):
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error), MESSAGE)
                # There was no message: these are raised for a password that is not ASCII.
                self.assertEqual(fault_of_error(error, handed_over=False), ACCOUNT)

    def test_by_phase(self):
        for error, early in [
            (TimeoutError("timed out"), NETWORK),
            (ConnectionResetError(104, "Connection reset by peer"), NETWORK),
            (OSError(113, "No route to host"), NETWORK),
            (SMTPServerDisconnected("Connection unexpectedly closed"), NETWORK),
            (OutOfStepError("The server replied to nothing."), NETWORK),
            (SMTPDataError(-1, b"Huh"), NETWORK),
            (SMTPResponseException(500, "Line too long."), NETWORK),
            (SMTPResponseException(454, b"TLS not available"), NETWORK),
            (SMTPResponseException(554, b"No TLS"), ACCOUNT),
            (SMTPException("No suitable authentication method found."), ACCOUNT),
            (ssl.SSLEOFError(8, "EOF occurred"), NETWORK),
            (FileNotFoundError(2, "No such file", "ca.pem"), ACCOUNT),
            (LookupError("No token"), NETWORK),
        ]:
            with self.subTest(error=error):
                self.assertEqual(fault_of_error(error, handed_over=False), early)
                self.assertEqual(fault_of_error(error, handed_over=True), UNKNOWN)
                self.assertEqual(fault_of_error(error), UNKNOWN)

    def test_several_mailers(self):
        lost, full, wrong = TimeoutError(), PoolTimeout(), SMTPAuthenticationError(535, b"No")
        spam, limit = SMTPDataError(554, b"Spam"), RateLimited("No", 7)
        for errors, fault in [
            ([], NETWORK),
            ([full], BUSY),
            ([full, limit], busy(7)),
            ([full, wrong], ACCOUNT),
            ([wrong, SMTPSenderRefused(550, b"No", "")], ACCOUNT._replace(is_alarming=True)),
            ([ConnectionRefusedError(), full], BUSY),
            ([wrong, spam], MESSAGE),
            ([spam, lost], UNKNOWN),
        ]:
            with self.subTest(errors=errors):
                failed = MailersFailed({str(n): error for n, error in enumerate(errors)})
                self.assertEqual(fault_of_error(failed), fault)
                self.assertEqual(fault_of_error(MailersFailed({"inner": failed})), fault)
        # What is known of the whole is known of each.
        failed = MailersFailed({"a": lost, "b": full})
        self.assertEqual(fault_of_error(failed), UNKNOWN)
        self.assertEqual(fault_of_error(failed, handed_over=False), BUSY)
        self.assertEqual(fault_of(SendResult("m", "failed", error=failed)), BUSY)
        failed.errors["c"] = failed
        self.assertEqual(fault_of_error(failed, handed_over=False), BUSY)


class ResultTests(SimpleTestCase):
    def test_results(self):
        yes, no = RecipientResult("a", 250, "OK"), RecipientResult("b", 550, "No")
        later = RecipientResult("c", 450, "Later")
        sender = SMTPSenderRefused(550, b"No", "")
        for result, fault in [
            (SendResult("m", "sent"), None),
            (SendResult("m", "sent", 250, "OK", (yes,)), None),
            (SendResult("m", "sent", 250, "OK", (yes, no)), SENT),
            (SendResult("m", "queued"), None),
            (SendResult("m", "skipped"), None),
            (SendResult("m", "unknown", error=ConnectionRefusedError()), UNKNOWN),
            (SendResult("m", "refused", 550, "No"), MESSAGE),
            (SendResult("m", "refused", 450, "Later"), BUSY),
            (SendResult("m", "refused", 550, "No", error=sender), SENDER),
            (SendResult("m", "refused", recipients=(no,)), MESSAGE),
            (SendResult("m", "refused", recipients=(no, later)), BUSY),
            (SendResult("m", "refused", error=sender), SENDER),
            (SendResult("m", "refused"), MESSAGE),
            (SendResult("m", "refused", error=TimeoutError()), MESSAGE),
            (SendResult("m", "failed"), NETWORK),
            (SendResult("m", "failed", 421, "Closing"), NETWORK),
            (SendResult("m", "failed", error=TimeoutError()), NETWORK),
        ]:
            with self.subTest(result=result, recipients=result.recipients):
                self.assertEqual(fault_of(result), fault)
                self.assertEqual(result.fault, fault)

    def test_phases(self):
        for error, connecting, rendering, sending in [
            (LookupError("?"), NETWORK, MESSAGE, MESSAGE),
            (ValueError("?"), ACCOUNT, MESSAGE, MESSAGE),
            (ConnectionRefusedError(111, "?"), NETWORK, MESSAGE, NETWORK),
            (SMTPServerDisconnected("?"), NETWORK, NETWORK, NETWORK),
            (FileNotFoundError(2, "?"), ACCOUNT, MESSAGE, ACCOUNT),
            (InvalidMailer("?"), CONFIGURATION, CONFIGURATION, CONFIGURATION),
        ]:
            for phase, fault in [
                ("connecting", connecting),
                ("rendering", rendering),
                ("sending", sending),
                (None, sending),
            ]:
                with self.subTest(error=error, phase=phase):
                    result = SendResult("m", "failed", error=error, phase=phase)
                    self.assertEqual(result.fault, fault)

    def test_what_may_be_sent_again(self):
        for error, is_retryable in [
            (ValueError("?"), False),
            (TimeoutError(), True),
            (SMTPAuthenticationError(535, b"Wrong"), True),
            (None, True),
        ]:
            with self.subTest(error=error):
                result = SendResult("m", "failed", error=error)
                self.assertIs(result.is_retryable, is_retryable)
                self.assertEqual(SendReport([result]).retryable, ["m"] * is_retryable)

    def test_imported_when_it_is_asked_for(self):
        process = run_python(
            """
import sys
configure(MAILERS={"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}})
from django.core.mail import EmailMessage
from django_mailers import send_many
send_many([EmailMessage("s", "t", "a@example.com", ["b@example.com"])])
names = ("faults", "answers", "shapes", "httpanswers", "faulttable")
print(any(f"django_mailers.delivery.{name}" in sys.modules for name in names))
"""
        )
        self.assertEqual((process.stdout, process.stderr), ("False\n", ""))


class Hostile(Exception):
    """An exception on which nothing can be read."""

    @property
    def response(self):
        raise RuntimeError("No")

    status_code = args = response

    def __str__(self):
        raise RuntimeError("No")


# What one would not expect in an exception, and texts that mean something.
ANYTHING = st.one_of(
    st.none(),
    st.integers(-1, 999),
    st.text(max_size=40),
    st.binary(max_size=40),
    st.from_regex(rb"[45]\.[0-9]{1,3}\.[0-9]{1,3} [ -~]{0,40}", fullmatch=True),
    st.from_regex(rb"(daily limit|try again in [0-9]{1,9} (s|h)|paused)", fullmatch=True),
    st.dictionaries(st.text(max_size=3), st.tuples(st.integers(), st.binary(max_size=9))),
)
CODES = st.one_of(st.integers(400, 599), ANYTHING)
KEYS = st.sampled_from(["Error", "ResponseMetadata", "Code", "Message", "HTTPStatusCode"])
RESPONSES = st.dictionaries(KEYS, ANYTHING | st.dictionaries(KEYS, ANYTHING)) | ANYTHING
NUMBERS_OF_ARGUMENTS = {
    SMTPSenderRefused: 3,
    SMTPDataError: 2,
    SMTPAuthenticationError: 2,
    SMTPConnectError: 2,
    SMTPResponseException: 2,
    SMTPRecipientsRefused: 1,
    SMTPNotSupportedError: 1,
    SMTPServerDisconnected: 1,
    ssl.SSLError: 2,
    OSError: 2,
    RuntimeError: 1,
    Hostile: 1,
}


@st.composite
def errors(draw, depth=2):
    """Draw an exception, in which there may be others."""
    if depth and draw(st.booleans()):
        inner = [draw(errors(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
        failed = MailersFailed({str(number): error for number, error in enumerate(inner)})
        return failed if draw(st.booleans()) else RuntimeError(*inner)
    kind = draw(st.sampled_from(list(NUMBERS_OF_ARGUMENTS)))
    number = NUMBERS_OF_ARGUMENTS[kind]
    error = kind(*[draw(CODES if n == 0 else ANYTHING) for n in range(number)])
    if kind is RuntimeError:
        error.response, error.status_code = draw(RESPONSES), draw(CODES)
    return error


@st.composite
def results(draw):
    replies = draw(st.lists(st.tuples(st.integers(-1, 999), ANYTHING), max_size=3))
    return SendResult(
        "m",
        draw(st.sampled_from(STATUSES)),
        draw(CODES),
        draw(ANYTHING),
        tuple(RecipientResult("a", *reply) for reply in replies),
        draw(st.none() | errors()),
        phase=draw(st.sampled_from([None, "connecting", "rendering", "sending"])),
    )


MANY = hypothesis.settings(DETERMINISTIC, max_examples=200)


@tag("slow")
class TotalTests(SimpleTestCase):
    """Each exception and each result has a fault, whatever is in it."""

    def check(self, fault):
        self.assertIsInstance(fault, Fault)
        # Nothing is moved, or repeated, that may have been sent.
        if fault.kind in {"sent", "unknown"}:
            self.assertFalse(fault.moves or fault.repeats)

    def test_errors(self):
        @MANY
        @hypothesis.given(errors(), st.sampled_from([None, True, False]))
        def judge(error, handed_over):
            fault = fault_of_error(error, handed_over=handed_over)
            self.check(fault)
            self.assertFalse(handed_over is False and fault.kind == "unknown")

        judge()

    def test_results(self):
        @MANY
        @hypothesis.given(results())
        def judge(result):
            fault = fault_of(result)
            if result.status in {"sent", "queued", "skipped"}:
                self.assertIn(fault, [SENT, None])
            else:
                self.check(fault)
                self.assertEqual(fault.kind == "unknown", result.status == "unknown")

        judge()
