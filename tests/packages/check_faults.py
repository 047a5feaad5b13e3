"""What went wrong when real packages talk to a service: Anymail by requests, SES by botocore.

The service is a server of the tests, so that each fault is a real one, with all of its causes.
"""

import os
import socket
import threading
import warnings
from types import SimpleNamespace
from unittest import mock

from anymail.message import AnymailRecipientStatus
from botocore.config import Config
from django.core.mail import InvalidMailer
from django.test import SimpleTestCase, override_settings

from django_mailers import RemovedInDjango2028Warning, send_many

from ..support.faults import ACCOUNT, BUSY, LIMITED, MESSAGE, NETWORK, SENDER, UNKNOWN, busy
from ..support.http import APIServer
from ..support.messages import message
from ..support.servers import DEAF, DROP, STALL, certificates, enter, server_context
from ..support.utils import LOCMEM

TIMEOUT = 0.3
# Larger than what sockets hold.
LARGE = b"x" * 12_000_000


def nobody():
    """Give a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def large():
    email = message()
    email.attach("large.bin", LARGE, "application/octet-stream")
    return email


class FaultTests:
    """The same for each package; `entry(url)` gives its entry of MAILERS."""

    def setUp(self):
        super().setUp()
        enter(self, mock.patch.dict(os.environ, {"no_proxy": "*"}))

    def judge(self, url, email=None):
        with override_settings(MAILERS={"api": self.entry(url)}):
            [result] = send_many([email or message()], using="api")
        return result.status, result.fault

    def check(self, answer, status, fault, *, email=None):
        with self.subTest(answer=answer), APIServer(answer) as server:
            self.assertEqual(self.judge(server.url, email), (status, fault))
            self.assertEqual(len(server.taken), 1 if status == "sent" else 0)

    def test_no_answer(self):
        for answer in (DROP, STALL):
            self.check(answer, "unknown", UNKNOWN)

    def test_no_answer_before_the_body_was_read(self):
        self.check(DEAF, "unknown", UNKNOWN, email=large())

    def test_no_server(self):
        for url in (f"http://127.0.0.1:{nobody()}/", "http://nowhere.invalid/"):
            with self.subTest(url=url):
                self.assertEqual(self.judge(url), ("failed", NETWORK))

    def test_connect_timeout(self):
        listener = enter(self, socket.create_server(("127.0.0.1", 0), backlog=0))
        where = listener.getsockname()
        for _ in range(2):
            # They fill the queue. Others get no answer.
            waiting = enter(self, socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(where)
        self.assertEqual(self.judge(f"http://127.0.0.1:{where[1]}/"), ("failed", NETWORK))

    def test_certificate(self):
        context = server_context(certificates.unknown_ca)
        server = enter(self, APIServer((200, {}, b"{}"), tls_context=context))
        self.assertEqual(self.judge(server.url), ("failed", ACCOUNT))
        self.assertEqual(server.taken, [])

    def test_no_tls(self):
        """A server that closes in the handshake was sent nothing."""
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def close():
                listener.accept()[0].close()

            thread = threading.Thread(target=close, daemon=True)
            thread.start()
            url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
            self.assertEqual(self.judge(url), ("failed", NETWORK))
            thread.join(10)


class AnymailTests(FaultTests, SimpleTestCase):
    def entry(self, url):
        options = {"api_key": "secret", "api_url": url, "timeout": TIMEOUT}
        return {"BACKEND": "anymail.backends.brevo.EmailBackend", "OPTIONS": options}

    def test_answers(self):
        self.check((201, {}, b'{"messageId": "1"}'), "sent", None)
        no = b'{"code": "no", "message": "No"}'
        for code, status, fault in [
            (400, "refused", MESSAGE),
            (401, "failed", ACCOUNT),
            (402, "failed", ACCOUNT),
            (403, "failed", ACCOUNT),
            (404, "refused", MESSAGE),
            (413, "refused", MESSAGE),
            (422, "refused", MESSAGE),
            (429, "failed", BUSY),
            (500, "unknown", UNKNOWN),
            (502, "unknown", UNKNOWN),
            (503, "unknown", UNKNOWN),
            (504, "unknown", UNKNOWN),
        ]:
            self.check((code, {}, no), status, fault)
        for code in (429, 503):
            self.check((code, {"Retry-After": "7"}, no), "failed", busy(7))

    def test_words(self):
        for code, text, fault in [
            (400, b'{"message": "Sender not verified: the domain is not verified"}', SENDER),
            (403, b'{"message": "Your daily sending limit is reached"}', LIMITED),
        ]:
            self.check((code, {}, text), "failed", fault)

    def test_answers_that_cannot_be_read(self):
        for content in (b"<html>", b"[]", b"{}"):
            with APIServer((201, {}, content)) as server:
                self.assertEqual(self.judge(server.url), ("unknown", UNKNOWN))
                self.assertEqual(len(server.taken), 1)

    def test_message(self):
        unserializable = message()
        unserializable.esp_extra = {"when": object()}
        unsupported = message()
        unsupported.merge_data = {"bob@example.com": {"a": 1}}
        unsupported.envelope_sender = "bounces@example.com"
        address = message(to=["not an address"])
        for email in (unserializable, unsupported, address):
            with self.subTest(extra=vars(email).keys()):
                self.check((201, {}, b"{}"), "failed", MESSAGE, email=email)

    def test_configuration(self):
        entries = {"api": {"BACKEND": "anymail.backends.brevo.EmailBackend"}}
        with override_settings(MAILERS=entries), self.assertRaises(InvalidMailer):
            send_many([message()], using="api")

    def test_wrong_url(self):
        status, fault = self.judge("no URL")
        self.assertEqual((status, fault.kind), ("failed", "configuration"))


class RecipientsTests(SimpleTestCase):
    """What Anymail says of each recipient."""

    def judge(self, *statuses, **options):
        entry = {"BACKEND": "anymail.backends.test.EmailBackend", "OPTIONS": options}
        told = {str(n): AnymailRecipientStatus(None, one) for n, one in enumerate(statuses)}
        email = message()
        email.anymail_test_response = {"recipient_status": told}
        with override_settings(MAILERS={"api": entry}):
            # The second time it says the same again.
            results = send_many([email, email], using="api")
        outcomes = {(result.status, result.fault) for result in results}
        self.assertEqual(len(outcomes), 1)
        return outcomes.pop()

    def test_refused(self):
        for statuses in (["rejected"], ["invalid"], ["rejected", "invalid"]):
            for ignored in (False, True):
                with self.subTest(statuses=statuses, ignored=ignored):
                    outcome = self.judge(*statuses, ignore_recipient_status=ignored)
                    self.assertEqual(outcome, ("refused", MESSAGE))
        self.assertEqual(self.judge("failed", "rejected"), ("refused", MESSAGE))

    def test_taken(self):
        for statuses in (["sent"], ["queued"], ["rejected", "sent"], ["unknown"], [None]):
            with self.subTest(statuses=statuses):
                self.assertEqual(self.judge(*statuses), ("sent", None))

    def test_what_another_mailer_has_said(self):
        email = message()
        email.anymail_status = SimpleNamespace(status={"rejected"})
        with override_settings(MAILERS={"api": {"BACKEND": LOCMEM}}):
            [result] = send_many([email], using="api")
        self.assertEqual(result.status, "sent")


class SESTests(FaultTests, SimpleTestCase):
    """django-ses; botocore tries again by itself, unless it is told not to."""

    def entry(self, url):
        config = Config(
            proxies={},
            retries={"total_max_attempts": 1},
            connect_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
        )
        options = {
            "aws_access_key": "KEY",
            "aws_secret_key": "secret",
            "aws_region_name": "eu-west-1",
            "aws_region_endpoint": url,
            "aws_auto_throttle": None,
            "aws_config": config,
            "use_ses_v2": True,
        }
        return {"BACKEND": "django_ses.SESBackend", "OPTIONS": options}

    def setUp(self):
        super().setUp()
        enter(self, override_settings(AWS_SES_AUTO_THROTTLE=None))
        enter(self, warnings.catch_warnings())
        # On Django 5.2 django-ses renders with an argument that only 5.2's own classes had (H26).
        warnings.simplefilter("ignore", RemovedInDjango2028Warning)

    def test_answers(self):
        self.check((200, {"x-amzn-RequestId": "2"}, b'{"MessageId": "1"}'), "sent", None)
        for code, name, text, status, fault in [
            (400, "MessageRejected", "Email address is not verified.", "failed", SENDER),
            (400, "MessageRejected", "No", "refused", MESSAGE),
            (400, "MailFromDomainNotVerifiedException", "No", "failed", SENDER),
            (400, "AccountSuspendedException", "No", "failed", LIMITED),
            (400, "SendingPausedException", "No", "failed", LIMITED),
            (400, "BadRequestException", "No", "refused", MESSAGE),
            (403, "InvalidClientTokenId", "No", "failed", ACCOUNT),
            (403, "SignatureDoesNotMatch", "No", "failed", ACCOUNT),
            (429, "TooManyRequestsException", "Too many requests", "failed", BUSY),
            (429, "TooManyRequestsException", "Maximum sending rate exceeded.", "failed", LIMITED),
            (500, "InternalFailure", "No", "unknown", UNKNOWN),
            (503, "ServiceUnavailable", "No", "unknown", UNKNOWN),
        ]:
            headers = {"x-amzn-ErrorType": name}
            content = f'{{"message": "{text}"}}'.encode()
            with self.subTest(name=name, text=text):
                self.check((code, headers, content), status, fault)
        slow = (429, {"x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "7"}, b"{}")
        self.check(slow, "failed", BUSY)


class AnymailSESTests(SESTests):
    """Anymail's backend for the same service wraps what botocore raises."""

    def entry(self, url):
        config = super().entry(url)["OPTIONS"]["aws_config"]
        params = {
            "aws_access_key_id": "KEY",
            "aws_secret_access_key": "secret",
            "region_name": "eu-west-1",
            "endpoint_url": url,
            "config": config,
        }
        options = {"client_params": params}
        return {"BACKEND": "anymail.backends.amazon_ses.EmailBackend", "OPTIONS": options}
