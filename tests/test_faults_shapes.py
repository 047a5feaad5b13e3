"""What exceptions of other people's backends tell by their shape."""

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from email.utils import formatdate
from http.client import RemoteDisconnected
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPServerDisconnected
from types import SimpleNamespace

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.dispatch import Signal
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_many
from django_mailers.delivery.faults import fault_of_error
from django_mailers.errors import MailersFailed

from .support.faults import (
    ACCOUNT,
    BUSY,
    CONFIGURATION,
    LIMITED,
    MESSAGE,
    NETWORK,
    SENDER,
    UNKNOWN,
    busy,
    limited,
)
from .support.http import APIServer
from .support.messages import message
from .support.servers import DEAF, DROP, STALL, TIMEOUT, certificates, enter, server_context
from .support.smtp import SHORT_TIMEOUT

ALIAS = "api"


def named(name, *bases, **attributes):
    """Give an exception whose class is called `name`."""
    return type(name, bases or (Exception,), attributes)("?")


def answered(status, headers=None, text="", *, base=Exception):
    """Give an exception as requests and httpx raise them, and Anymail."""
    response = SimpleNamespace(status_code=status, headers=headers or {}, text=text)
    return named("HTTPStatusError", base, response=response)


def client_error(code, text="", status=400, **headers):
    """Give an exception as botocore raises it."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    response = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": metadata}
    return named("ClientError", response=response)


def raised(error, *inner, by="context"):
    """Give `error` as it is caught when it was raised while the `inner` ones were handled."""

    def fail(first, *others):
        if not others:
            raise first
        try:
            fail(*others)
        except Exception as cause:
            if by == "context":
                raise first  # noqa: B904
            raise first from cause

    try:
        fail(error, *inner)
    except Exception as caught:
        return caught


class AnswerTests(SimpleTestCase):
    def test_statuses(self):
        for faults in [
            dict.fromkeys((401, 402, 403), ACCOUNT),
            dict.fromkeys((400, 404, 413, 422), MESSAGE),
            dict.fromkeys((200, 302, 408, 409, 500, 502, 503, 504, 599), UNKNOWN),
            {429: BUSY},
        ]:
            for status, fault in faults.items():
                with self.subTest(status=status):
                    by_itself = named("APIError", status_code=status)
                    by_response = answered(status)
                    wrapped = raised(RuntimeError("?"), answered(status), by="cause")
                    aiohttps = named("ClientResponseError", status=status, headers={})
                    for error in (by_itself, by_response, wrapped, aiohttps):
                        self.assertEqual(fault_of_error(error), fault)

    def test_retry_after(self):
        date = formatdate(1_000_000_000, usegmt=True)
        soon = formatdate(1_000_000_060, usegmt=True)
        for status in (429, 503):
            for headers, fault in [
                ({"Retry-After": "30"}, busy(30)),
                ({"retry-after": " 30 "}, busy(30)),
                ({"Retry-After": soon, "Date": date}, busy(60)),
                ({"Retry-After": date, "Date": soon}, busy(0)),
                ({"Retry-After": date}, busy(0)),
            ]:
                with self.subTest(status=status, headers=headers):
                    self.assertEqual(fault_of_error(answered(status, headers)), fault)
            for value in ("soon", "-1", "9" * 5000, "Sat, 99 Sep 2001 01:46:40 GMT", None, 7):
                with self.subTest(status=status, value=value):
                    error = answered(status, {"Retry-After": value})
                    self.assertEqual(fault_of_error(error), BUSY if status == 429 else UNKNOWN)

    def test_retry_after_by_our_clock(self):
        error = answered(503, {"Retry-After": formatdate(time.time() + 60, usegmt=True)})
        fault = fault_of_error(error)
        self.assertAlmostEqual(fault.retry_after, 60, delta=5)
        self.assertEqual(fault._replace(retry_after=None), busy(None))

    def test_words(self):
        for status, text, fault in [
            (403, "The from address does not match a verified Sender Identity.", SENDER),
            (422, "The 'From' address is not a Sender Signature on your account.", SENDER),
            (401, "Maximum credits exceeded", LIMITED),
            (400, "You have reached your daily sending limit. Retry in 2 hours", limited(7200)),
            (400, "'to' parameter is not a valid address", MESSAGE),
            (500, "Sending paused", UNKNOWN),
        ]:
            with self.subTest(status=status, text=text):
                self.assertEqual(fault_of_error(answered(status, text=text)), fault)

    def test_amazon(self):
        for error, fault in [
            (client_error("Throttling", "Maximum sending rate exceeded."), LIMITED),
            (client_error("Throttling", "Rate exceeded"), LIMITED),
            (client_error("ThrottlingException"), LIMITED),
            (client_error("TooManyRequestsException", status=429), BUSY),
            (client_error("AccountSendingPausedException"), LIMITED),
            (client_error("SendingPausedException"), LIMITED),
            (client_error("AccountSuspendedException"), LIMITED),
            (client_error("MailFromDomainNotVerifiedException"), SENDER),
            (client_error("MessageRejected", "Email address is not verified."), SENDER),
            (client_error("MessageRejected", "Illegal content"), MESSAGE),
            (client_error("MessageRejected", "Sending suspended for this account"), LIMITED),
            (client_error("InvalidClientTokenId", status=403), ACCOUNT),
            (client_error("SignatureDoesNotMatch", status=403), ACCOUNT),
            (client_error("ExpiredToken", status=400), ACCOUNT),
            (client_error("ConfigurationSetDoesNotExist"), ACCOUNT),
            (client_error("InvalidParameterValue"), MESSAGE),
            (client_error("ServiceUnavailable", status=503), UNKNOWN),
            (client_error("ServiceUnavailable", status=503, **{"retry-after": "3"}), busy(3)),
            (client_error("InternalFailure", status=500), UNKNOWN),
            # Anymail, if each of several messages failed: an answer without an error.
            (named("AnymailAPIError", response={"ResponseMetadata": {}}), UNKNOWN),
        ]:
            with self.subTest(response=error.response):
                self.assertEqual(fault_of_error(error), fault)
                wrapped = raised(named("AnymailAPIError"), error, by="cause")
                self.assertEqual(fault_of_error(wrapped), fault)


class NameTests(SimpleTestCase):
    def test_names(self):
        for fault, names in [
            (NETWORK, "ConnectTimeout NewConnectionError NameResolutionError ConnectError"),
            (NETWORK, "EndpointConnectionError ConnectTimeoutError ClientConnectorError"),
            (BUSY, "PoolTimeout"),
            (ACCOUNT, "NoCredentialsError"),
            (MESSAGE, "AnymailRecipientsRefused AnymailSerializationError ParamValidationError"),
            (MESSAGE, "AnymailUnsupportedFeature AnymailInvalidAddress AnymailCancelSend"),
            (CONFIGURATION, "AnymailConfigurationError MissingSchema"),
            (UNKNOWN, "ReadTimeout ReadError ProtocolError ConnectionError AnymailAPIError"),
        ]:
            for name in names.split():
                with self.subTest(name=name):
                    self.assertEqual(fault_of_error(named(name)), fault)
                    # As Anymail makes it, of its own class and that of requests.
                    both = named("AnymailRequestsAPIError", type(named(name)))
                    self.assertEqual(fault_of_error(both), fault)

    def test_causes(self):
        for names, fault in [
            (("MaxRetryError", "NewConnectionError"), NETWORK),
            (("MaxRetryError", "NameResolutionError"), NETWORK),
            ((ConnectionRefusedError,), NETWORK),
            ((socket.gaierror,), NETWORK),
            # A connection that was not made in time, explained by its name.
            (("ConnectTimeoutError", TimeoutError), NETWORK),
            (("ProtocolError", RemoteDisconnected), UNKNOWN),
            (("ReadTimeoutError", TimeoutError), UNKNOWN),
            ((ConnectionResetError,), UNKNOWN),
            # About anything, this far inside.
            ((ValueError,), UNKNOWN),
            ((ImproperlyConfigured,), CONFIGURATION),
        ]:
            for by in ("context", "cause"):
                with self.subTest(names=names, by=by):
                    inner = [named(name) if isinstance(name, str) else name("?") for name in names]
                    error = raised(named("ConnectionError", OSError), *inner, by=by)
                    self.assertEqual(fault_of_error(error), fault)

    def test_in_the_arguments(self):
        error = urllib.error.URLError(ConnectionRefusedError(111, "Connection refused"))
        self.assertEqual(fault_of_error(error), NETWORK)

    def after(self, first, second, *, directly=False):
        """Judge what is raised by an attempt that is made because of the `first` exception."""

        def attempt():
            raise second

        def send():
            try:
                raise first
            except Exception:
                if directly:
                    raise second  # noqa: B904
                attempt()

        try:
            send()
        except Exception as error:
            return fault_of_error(error)

    def test_another_attempt(self):  # (H49)
        """After a timeout it was tried again, in vain: the first time it may have arrived."""

        def refused():
            return ConnectionRefusedError(111, "Connection refused")

        for first, second, fault in [
            (TimeoutError("timed out"), refused(), UNKNOWN),
            (named("ReadTimeout"), refused(), UNKNOWN),
            (RemoteDisconnected("?"), refused(), UNKNOWN),
            (answered(500), refused(), UNKNOWN),
            (named("ReadTimeout"), answered(401), UNKNOWN),
            (answered(401), named("ReadTimeout", OSError), UNKNOWN),
            (answered(401), TimeoutError("timed out"), UNKNOWN),
            (answered(401), refused(), NETWORK),
            (named("ConnectTimeout"), answered(401), ACCOUNT),
            (SMTPDataError(554, b"Spam"), SMTPServerDisconnected("?"), UNKNOWN),
            (KeyError("host"), refused(), NETWORK),
        ]:
            with self.subTest(first=first, second=second):
                self.assertEqual(self.after(first, second), fault)
        # It may come from a socket right there.
        outcome = self.after(answered(401), TimeoutError("timed out"), directly=True)
        self.assertEqual(outcome, UNKNOWN)

    def test_errors_of_code_that_stand_for_others(self):
        for first, fault in [
            (named("ReadTimeout"), UNKNOWN),
            (json.JSONDecodeError("?", "<html>", 0), UNKNOWN),
            (answered(500), UNKNOWN),
            (KeyError("subject"), MESSAGE),
        ]:
            for directly in (False, True):
                with self.subTest(first=first, directly=directly):
                    second = ValueError("No")
                    self.assertEqual(self.after(first, second, directly=directly), fault)
        refused = ConnectionRefusedError(111, "Connection refused")
        self.assertEqual(self.after(refused, ValueError("No"), directly=True), NETWORK)

    def test_replies_of_smtp(self):
        for reply, fault in [
            (SMTPDataError(554, b"Spam"), MESSAGE),
            (SMTPAuthenticationError(535, b"Wrong"), ACCOUNT),
            (SMTPDataError(-1, b"Huh"), UNKNOWN),
            (MailersFailed({"a": SMTPDataError(554, b"Spam"), "b": TimeoutError()}), UNKNOWN),
        ]:
            with self.subTest(reply=reply):
                error = raised(named("BackendError"), reply, by="cause")
                self.assertEqual(fault_of_error(error), fault)

    def test_a_circle(self):
        first, second = named("ReadTimeout"), KeyError("?")
        error = raised(ConnectionRefusedError(111, "?"), first)
        first.__context__ = second
        second.__context__ = error
        self.assertEqual(fault_of_error(error), UNKNOWN)

    def test_what_the_caller_handles(self):
        """Mail is sent because of an error, too: that is not the error of the mail."""
        lost = named("ConnectionError", OSError)

        def send():
            raise lost

        try:
            raise ConnectionRefusedError(111, "The database is down.")
        except ConnectionRefusedError:
            try:
                send()
            except OSError as error:
                self.assertIsInstance(error.__context__, ConnectionRefusedError)
                now = fault_of_error(error)
        self.assertEqual(now, UNKNOWN)

    def test_what_a_former_caller_has_handled(self):
        def send():
            try:
                raise named("ConnectionError", OSError)
            except OSError as error:
                return error

        def report():
            try:
                raise ConnectionRefusedError(111, "The database is down.")
            except ConnectionRefusedError:
                return send()

        error = report()
        self.assertIsInstance(error.__context__, ConnectionRefusedError)
        self.assertEqual(fault_of_error(error), UNKNOWN)

    def test_receivers(self):  # (H48)
        """A receiver may be told that the message was sent, and fail at something else."""
        sent = Signal()

        def receiver(**kwargs):
            raise errors.pop()

        sent.connect(receiver)
        errors = [ConnectionRefusedError(111, "No"), ValueError("?"), answered(401)]
        faults = []
        while errors:
            # Not assertRaises(), which drops the traceback.
            try:
                sent.send(None)
            except Exception as error:
                faults.append(fault_of_error(error))
        self.assertEqual(faults, [UNKNOWN] * 3)


class URLBackend(BaseEmailBackend):
    """What people write for the API of a service: with urllib."""

    def __init__(self, *, url, timeout=TIMEOUT, verify=True, alias=None):
        super().__init__(alias=alias)
        self.url, self.timeout = url, timeout
        self.context = ssl.create_default_context() if verify else None

    def send_messages(self, email_messages):
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self.context),
        )
        for email in email_messages:
            content = json.dumps({"subject": email.subject, "text": email.body}).encode()
            request = urllib.request.Request(self.url, content, method="POST")
            with opener.open(request, timeout=self.timeout) as response:
                email.id = json.loads(response.read())["id"]
        return len(email_messages)


class RealTests(SimpleTestCase):
    """Over real HTTP, through a backend that nobody knows."""

    taken = (200, {}, b'{"id": 1}')

    def judge(self, url, email=None, **options):
        entry = {"BACKEND": f"{__name__}.URLBackend", "OPTIONS": {"url": url, **options}}
        with override_settings(MAILERS={ALIAS: entry}):
            [result] = send_many([email or message()], using=ALIAS)
        if isinstance(result.error, urllib.error.HTTPError):
            result.error.close()
        return result.status, result.fault

    def check(self, answer, status, fault, *, email=None, **options):
        server = enter(self, APIServer(answer))
        with self.subTest(answer=answer):
            self.assertEqual(self.judge(server.url, email, **options), (status, fault))

    def test_answers(self):
        self.check(self.taken, "sent", None)
        for code, status, fault in [
            (400, "refused", MESSAGE),
            (401, "failed", ACCOUNT),
            (404, "refused", MESSAGE),
            (422, "refused", MESSAGE),
            (429, "failed", BUSY),
            (500, "unknown", UNKNOWN),
            (503, "unknown", UNKNOWN),
        ]:
            self.check((code, {}, b""), status, fault)
        for code in (429, 503):
            self.check((code, {"Retry-After": "7"}, b""), "failed", busy(7))
        self.check((200, {}, b"<html>"), "unknown", UNKNOWN)

    @tag("slow")
    def test_lost(self):
        large = message(body="x" * 12_000_000)
        for answer, email in [(DROP, None), (STALL, None), (DEAF, large)]:
            self.check(answer, "unknown", UNKNOWN, email=email, timeout=SHORT_TIMEOUT)

    def test_no_server(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/", "http://nowhere.invalid/"):
            with self.subTest(url=url):
                self.assertEqual(self.judge(url), ("failed", NETWORK))

    def test_tls(self):
        wrong = server_context(certificates.unknown_ca)
        server = enter(self, APIServer(self.taken, tls_context=wrong))
        self.assertEqual(self.judge(server.url), ("failed", ACCOUNT))
        self.assertEqual(server.taken, [])
        # It waits for the end of a header, which is in no handshake.
        plain = enter(self, APIServer(self.taken))
        url = f"https://127.0.0.1:{plain.port}/"
        self.assertEqual(self.judge(url, timeout=SHORT_TIMEOUT), ("failed", NETWORK))

    def test_message(self):
        self.assertEqual(self.judge("http://127.0.0.1:9/", message(body=b"?")), ("failed", MESSAGE))
