"""Real servers that fail in each phase, over our SMTP backend and over Django's."""

import smtplib
import socket
from concurrent.futures import ThreadPoolExecutor

from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_many

from .support.faults import ACCOUNT, BUSY, LIMITED, MESSAGE, NETWORK, SENDER, UNKNOWN
from .support.messages import message
from .support.servers import (
    DEAF,
    DROP,
    POLITE,
    STALL,
    TIMEOUT,
    ScriptedServer,
    SMTPServer,
    certificates,
    enter,
    spoilt,
    trusting_the_ca,
)
from .support.smtp import SHORT_TIMEOUT, greeting, serving
from .support.utils import OURS, SMTP

ALIAS = "relay"
REPLIES = {"450": "450 Later", "550": "550 No", "421": "421 Closing"}
ENDS = {"close": DROP, "stall": STALL}
# What no socket takes at once.
LARGE = b"x" * 12_000_000


class InOneGoBackend(BaseEmailBackend):
    """Connects, sends and disconnects where nobody can watch."""

    def __init__(self, *, host, port, timeout, alias=None):
        super().__init__(alias=alias)
        self.where, self.timeout = (host, port), timeout

    def send_messages(self, email_messages):
        with smtplib.SMTP(*self.where, timeout=self.timeout) as server:
            for email in email_messages:
                server.send_message(email.message())
        return len(email_messages)


class Unreachable(EmailMessage):
    """Its content is fetched, and cannot be."""

    def message(self, **kwargs):
        raise ConnectionRefusedError(111, "Connection refused")


class Phases:
    backend = None
    # Whether a 421 is about the session, and not about the message.
    status_of_421 = None

    def judge(self, script, *, email=None, **options):
        """Give the status and the fault of a message to a server that plays `script`."""
        is_silent = any(reply in (STALL, DEAF) for _, reply in script)
        timeout = SHORT_TIMEOUT if is_silent else TIMEOUT
        given = {"backend": self.backend, "timeout": timeout, **options}
        with serving(ScriptedServer(script), **given):
            [result] = send_many([email or message()], using=ALIAS)
        return result.status, result.fault

    def check(self, stage, **expected):
        """Compare what is said if `stage` gets each of the replies."""
        for name, outcome in expected.items():
            reply = {**REPLIES, **ENDS}[name.lstrip("_")]
            is_refused = name in {"_450", "_550"}
            resets = is_refused and (self.backend == OURS or stage != "DATA")
            script = spoilt(stage, reply, *([("RSET", "250 OK")] if resets else []))
            with self.subTest(stage=stage, reply=name):
                self.assertEqual(self.judge(script), outcome)

    def test_greeting(self):
        for reply in (*REPLIES.values(), *ENDS.values(), "Huh? Huh"):
            with self.subTest(reply=reply):
                self.assertEqual(self.judge([(None, reply)]), ("failed", NETWORK))

    def test_ehlo(self):
        for reply in (*REPLIES.values(), *ENDS.values()):
            with self.subTest(reply=reply):
                both = [] if reply in {DROP, STALL, "421 Closing"} else [("HELO", reply)]
                script = [*spoilt("EHLO", reply), *both]
                if reply == "421 Closing" and self.backend == SMTP:
                    script.append(("HELO", DROP))
                self.assertEqual(self.judge(script), ("failed", NETWORK))

    def test_sender(self):
        self.check(
            "MAIL",
            _450=("refused", BUSY),
            _550=("refused", SENDER),
            _421=(self.status_of_421, NETWORK),
            close=("failed", NETWORK),
            stall=("failed", NETWORK),
        )

    def test_recipients(self):
        self.check(
            "RCPT",
            _450=("refused", BUSY),
            _550=("refused", MESSAGE),
            _421=(self.status_of_421, NETWORK),
            close=("failed", NETWORK),
            stall=("failed", NETWORK),
        )

    def test_data(self):
        self.check(
            "DATA",
            _450=("refused", BUSY),
            _550=("refused", MESSAGE),
            _421=(self.status_of_421, NETWORK),
            close=("failed", NETWORK),
            stall=("failed", NETWORK),
        )

    def test_end_of_content(self):
        self.check(
            ".",
            _450=("refused", BUSY),
            _550=("refused", MESSAGE),
            _421=(self.status_of_421, NETWORK),
            close=("unknown", UNKNOWN),
            stall=("unknown", UNKNOWN),
        )

    def test_in_the_content(self):
        """Without its end no server takes a message: it surely has not arrived."""
        email = message()
        email.attach("large.bin", LARGE, "application/octet-stream")
        for action in (DROP, DEAF):
            script = [*spoilt("DATA", "354 Go ahead"), (None, action)]
            with self.subTest(action=action):
                self.assertEqual(self.judge(script, email=email), ("failed", NETWORK))

    def test_login(self):
        login = {"username": "ada", "password": "right"}
        for reply, fault in [
            ("535 5.7.8 Wrong", ACCOUNT),
            ("454 4.7.0 Temporary authentication failure", LIMITED),
            ("421 Closing", NETWORK),
            (DROP, NETWORK),
            (STALL, NETWORK),
        ]:
            script = [*greeting("PLAIN"), ("AUTH", reply)]
            with self.subTest(reply=reply):
                self.assertEqual(self.judge(script, **login), ("failed", fault))
        for mechanisms in ("XYZ", ""):
            with self.subTest(mechanisms=mechanisms):
                script = greeting(mechanisms)
                self.assertEqual(self.judge(script, **login), ("failed", ACCOUNT))
        self.assertEqual(self.judge(POLITE[:2], **login), ("failed", ACCOUNT))

    def test_starttls(self):
        offered = [POLITE[0], ("EHLO", "250-scripted.test\r\n250 STARTTLS")]
        for reply, fault in [
            (["454 Not now"], NETWORK),
            (["554 Never"], ACCOUNT),
            (["421 Closing"], NETWORK),
            ([DROP], NETWORK),
            ([STALL], NETWORK),
            # In the handshake
            (["220 Go ahead", DROP], NETWORK),
            (["220 Go ahead", STALL], NETWORK),
        ]:
            script = [*offered, *zip(["STARTTLS", None], reply, strict=False)]
            with self.subTest(reply=reply):
                self.assertEqual(self.judge(script, use_tls=True), ("failed", fault))
        self.assertEqual(self.judge(POLITE[:2], use_tls=True), ("failed", ACCOUNT))

    def test_tls_from_the_first_byte(self):
        for action, fault in [(DROP, NETWORK), (STALL, NETWORK), ("220 Hello", ACCOUNT)]:
            with self.subTest(action=action):
                self.assertEqual(self.judge([(None, action)], use_ssl=True), ("failed", fault))

    def test_certificate(self):
        for tls, options in [("starttls", {"use_tls": True}), ("implicit", {"use_ssl": True})]:
            for certificate in ("expired", "wrong_host", "unknown_ca"):
                server = SMTPServer(tls=tls, certificate=getattr(certificates, certificate))
                with (
                    self.subTest(tls=tls, certificate=certificate),
                    trusting_the_ca(),
                    serving(server, backend=self.backend, **options),
                ):
                    [result] = send_many([message()], using=ALIAS)
                    self.assertEqual((result.status, result.fault), ("failed", ACCOUNT))

    def test_client_certificate(self):
        server = SMTPServer(tls="implicit", client_ca=certificates.ca)
        with trusting_the_ca(), serving(server, backend=self.backend, use_ssl=True):
            [result] = send_many([message()], using=ALIAS)
        self.assertEqual((result.status, result.fault), ("failed", ACCOUNT))

    def test_no_server(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        for host, number in [("127.0.0.1", port), ("nowhere.invalid", 25)]:
            options = {"host": host, "port": number, "timeout": 5}
            entries = {ALIAS: {"BACKEND": self.backend, "OPTIONS": options}}
            with self.subTest(host=host), override_settings(MAILERS=entries):
                [result] = send_many([message()], using=ALIAS)
                self.assertEqual((result.status, result.fault), ("failed", NETWORK))

    def test_some_recipients(self):  # (H47)
        refuse = {"RCPT gone@example.com": "550 Gone", "RCPT busy@example.com": "450 Later"}
        with serving(SMTPServer(refuse=refuse), backend=self.backend):
            both = message(to=["busy@example.com", "gone@example.com"])
            some = message(to=["bob@example.com", "gone@example.com"])
            later = message(to=["bob@example.com", "busy@example.com"])
            results = send_many([both, some, later, message()], using=ALIAS)
        self.assertEqual(
            [(result.status, result.fault and result.fault.kind) for result in results],
            [("refused", "busy"), ("sent", "sent"), ("sent", "sent"), ("sent", None)],
        )
        self.assertEqual(results.retryable, [both])

    def test_message(self):
        with serving(SMTPServer(), backend=self.backend):
            wrong = [message(subject="a\nb"), Unreachable(to=["bob@example.com"])]
            results = send_many(wrong, using=ALIAS)
        self.assertEqual(
            [(result.status, result.fault, result.phase) for result in results],
            [("failed", MESSAGE, "rendering")] * 2,
        )
        self.assertEqual(results.retryable, [])


class OursTests(Phases, SimpleTestCase):
    backend = OURS
    status_of_421 = "failed"

    def test_no_session_in_time(self):
        with (
            serving(SMTPServer(), backend=OURS, pool_size=1, acquire_timeout=0) as server,
            mailers[ALIAS],
            ThreadPoolExecutor(1) as executor,
        ):
            # Another thread: the one that has the session would wait for itself.
            sending = executor.submit(send_many, [message()], using=ALIAS)
            [result] = sending.result(TIMEOUT)
        self.assertEqual((result.status, result.fault), ("failed", BUSY))
        self.assertEqual(server.messages, [])

    def test_token(self):
        """What a project's function to log in raises is not about the message."""
        options = {"auth": "xoauth2", "username": "ada", "token": f"{__name__}.no_token"}
        script = greeting("XOAUTH2")
        self.assertEqual(self.judge(script, **options), ("failed", NETWORK))
        options["token"] = f"{__name__}.wrong_token"
        self.assertEqual(self.judge(script, **options), ("failed", ACCOUNT))

    def test_ca_file(self):
        options = {"use_tls": True, "ca_file": "/nowhere/ca.pem"}
        self.assertEqual(self.judge(POLITE[:2], **options), ("failed", ACCOUNT))


def no_token():
    raise LookupError("No token")


def wrong_token():
    return "tökèn"


class DjangosTests(Phases, SimpleTestCase):
    backend = SMTP
    status_of_421 = "refused"

    def test_fail_silently(self):
        for stage, outcome in [("MAIL", ("failed", NETWORK)), (".", ("unknown", UNKNOWN))]:
            with self.subTest(stage=stage):
                script = spoilt(stage, DROP)
                self.assertEqual(self.judge(script, fail_silently=True), outcome)


class InOneGoTests(SimpleTestCase):
    """Where nobody watches, what the server says is known, and how far it came is not."""

    judge = Phases.judge
    backend = f"{__name__}.InOneGoBackend"

    def test_replies(self):
        for stage, reply, outcome in [
            ("MAIL", "550 No", ("refused", SENDER)),
            ("RCPT", "450 Later", ("refused", BUSY)),
            (".", "554 Spam", ("refused", MESSAGE)),
        ]:
            with self.subTest(stage=stage, reply=reply):
                script = spoilt(stage, reply, ("RSET", "250 OK"))
                self.assertEqual(self.judge(script), outcome)
        self.assertEqual(self.judge([(None, "421 Closing")]), ("failed", NETWORK))

    @tag("slow")
    def test_ends(self):
        for stage in ("EHLO", "MAIL", "RCPT", "DATA", "."):
            for action in (DROP, STALL):
                with self.subTest(stage=stage, action=action):
                    self.assertEqual(self.judge(spoilt(stage, action)), ("unknown", UNKNOWN))

    def test_connecting(self):
        """A timeout has passed socket.create_connection(), or it has not."""
        listener = enter(self, socket.create_server(("127.0.0.1", 0), backlog=0))
        where = listener.getsockname()
        for _ in range(2):
            # They fill the queue. Others get no answer.
            waiting = enter(self, socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(where)
        options = {"host": where[0], "port": where[1], "timeout": 0.2}
        entries = {ALIAS: {"BACKEND": self.backend, "OPTIONS": options}}
        with override_settings(MAILERS=entries):
            [result] = send_many([message()], using=ALIAS)
        self.assertIsInstance(result.error, TimeoutError)
        self.assertEqual((result.status, result.fault), ("failed", NETWORK))
