"""`failing`: what it raises is what smtplib raises, and `send_many()` says what became of it."""

import asyncio
import pickle
import re
import smtplib
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core import mail
from django.core.mail import InvalidMailer, MailerDoesNotExist, mailers
from django.test import SimpleTestCase, override_settings, tag
from django.utils.functional import lazystr

from django_mailers import asend_mail, send_many
from django_mailers.delivery import RecipientResult
from django_mailers.testing import (
    DISCONNECT,
    SMTPServer,
    assertMailSent,
    failing,
    override_mailers,
)

from .backend_contract import BackendContract
from .support.messages import ADA, BOB, EVE, message
from .support.servers import (
    POLITE,
    STALL,
    TIMEOUT,
    ScriptedServer,
    enter,
    server_context,
    spoilt,
    trusting_the_ca,
)
from .support.smtp import SHORT_TIMEOUT
from .support.utils import LOCMEM, OURS, SMTP

BACKEND = "django_mailers.testing.faults.backend.EmailBackend"


def described(error):
    """What can be told about an exception of smtplib."""
    return type(error), error.args, getattr(error, "sender", None)


def raised(email):
    """What sending raises, without what the exception keeps alive."""
    mailer = mailers["bulk"]
    try:
        mailer.send_messages([email])
    except Exception as error:
        return described(error)
    finally:
        mailer.close()
    return None


class ParityTests(SimpleTestCase):
    """Django's SMTP backend and a real server in the same trouble raise the same."""

    def refused(self, command, reply, **options):
        refused = ["EHLO", "HELO"] if command == "EHLO" else [command]
        return SMTPServer(refuse=dict.fromkeys(refused, reply), **options)

    def check(self, server, *, options=(), timeout=TIMEOUT, **fault):
        email = message(to=[BOB, EVE])
        with server:
            real = {"host": server.host, "port": server.port, "timeout": timeout, **dict(options)}
            with override_mailers(bulk={"BACKEND": SMTP, "OPTIONS": real}):
                expected = raised(email)
        self.assertIsNotNone(expected)
        with failing("bulk", **fault):
            self.assertEqual(raised(email), expected)

    def test_replies(self):
        enter(self, trusting_the_ca())
        tls = {"ssl_context": server_context()}
        for at, command, server_options, options in [
            ("connect", "CONNECT", {}, {}),
            ("helo", "EHLO", {}, {}),
            ("starttls", "STARTTLS", tls, {"use_tls": True}),
            ("auth", "AUTH", {"users": {"u": "p"}}, {"username": "u", "password": "p"}),
            ("mail", "MAIL", {}, {}),
            ("rcpt", "RCPT", {}, {}),
            ("end", "DATA", {}, {}),
        ]:
            for code in (451, 421, 550):
                reply = f"{code} {code // 100}.0.0 Refused by failing()"
                with self.subTest(at=at, code=code):
                    server = self.refused(command, reply, **server_options)
                    self.check(server, options=options, at=at, code=code)
            with self.subTest(at=at, code="disconnect"):
                server = self.refused(command, DISCONNECT, **server_options)
                self.check(server, options=options, at=at, code="disconnect")

    def test_data(self):
        for code in (451, 421, 554):
            reply = f"{code} {code // 100}.0.0 Refused by failing()"
            polite = [step for step in POLITE if step[0] != "RCPT"]
            script = [*polite[:3], ("RCPT", "250 OK"), ("RCPT", "250 OK"), ("DATA", reply)]
            with self.subTest(code):
                self.check(ScriptedServer(script), at="data", code=code)

    @tag("slow")
    def test_timeouts(self):
        for at, stage in [("helo", "EHLO"), ("mail", "MAIL"), ("rcpt", "RCPT")]:
            with self.subTest(at):
                server = ScriptedServer(spoilt(stage, STALL))
                self.check(server, timeout=SHORT_TIMEOUT, at=at, code="timeout")

    def test_addresses(self):
        """As in the envelope: without names, and with the domain as it was written, in ASCII."""
        email = message(
            from_email="Ada <Ada@Example.ORG>",
            to=["Bob <Bob@Example.COM>", "eve@Bücher.example", '"a b"@xn--bcher-kva.example'],
        )
        for at, command in [("mail", "MAIL"), ("rcpt", "RCPT")]:
            reply = "550 5.0.0 Refused by failing()"
            with self.subTest(at), self.refused(command, reply) as server:
                real = {"BACKEND": SMTP, "OPTIONS": server.mailer_options}
                with override_mailers(bulk=real):
                    expected = raised(email)
            with failing("bulk", 550, at):
                self.assertEqual(raised(email), expected)
        server = enter(self, SMTPServer(refuse={"RCPT Bob@Example.COM": "550 5.0.0 No"}))
        with override_mailers(bulk={"BACKEND": OURS, "OPTIONS": server.mailer_options}):
            (result,) = send_many([email], using="bulk")
        with failing("bulk", 550, recipients="Bob@example.com"):
            (failed,) = send_many([email], using="bulk")
        self.assertEqual(
            [(one.address, one.code) for one in failed.recipients],
            [(one.address, one.code) for one in result.recipients],
        )

    def test_no_server(self):
        with SMTPServer() as gone:
            options = {"host": gone.host, "port": gone.port, "timeout": TIMEOUT}
        with override_mailers(bulk={"BACKEND": SMTP, "OPTIONS": options}):
            expected = raised(message())
        with failing("bulk", at="connect", code="refused"):
            self.assertEqual(raised(message()), expected)
        with (
            failing("bulk", at="connect", code="timeout"),
            self.assertRaisesMessage(TimeoutError, "timed out"),
        ):
            message().send(using="bulk")


class SendingTests(SimpleTestCase):
    def statuses(self, *emails):
        return [result.status for result in send_many(emails, using="bulk")]

    def sent(self):
        return [(email.subject, email.sent_using) for email in mail.outbox]

    def test_by_default(self):
        with failing("bulk") as fault:
            with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
                message().send(using="bulk")
            message("other").send()
        self.assertEqual(caught.exception.recipients, {BOB: (451, b"4.0.0 Refused by failing()")})
        message("later").send(using="bulk")
        self.assertEqual(self.sent(), [("other", "default"), ("later", "bulk")])
        self.assertEqual((fault.tried, fault.struck), (1, 1))
        self.assertEqual(repr(fault), "<Fault 451 at 'rcpt': 1 of 1>")

    def test_what_became_of_it(self):
        for at, code, status, given in [
            ("connect", 421, "failed", None),
            ("connect", "timeout", "failed", None),
            ("connect", "refused", "failed", None),
            ("helo", 550, "failed", None),
            ("starttls", 454, "failed", None),
            ("starttls", "disconnect", "failed", None),
            ("auth", 535, "failed", None),
            ("mail", 451, "refused", 451),
            ("mail", 550, "refused", 550),
            ("mail", "disconnect", "failed", None),
            ("rcpt", 550, "refused", None),
            ("rcpt", 421, "refused", None),
            ("rcpt", "timeout", "failed", None),
            ("data", 554, "refused", 554),
            ("data", "disconnect", "failed", None),
            ("end", 451, "refused", 451),
            ("end", 554, "refused", 554),
            ("end", "disconnect", "unknown", None),
            ("end", "timeout", "unknown", None),
        ]:
            with self.subTest(at=at, code=code), failing("bulk", code, at) as fault:
                (result,) = send_many([message()], using="bulk")
                self.assertEqual((result.status, result.code), (status, given))
                self.assertEqual(described(result.error), described(fault.error(ADA, [BOB])))
                is_temporary = status == "failed" or (status == "refused" and code < 500)
                self.assertIs(result.is_retryable, is_temporary)
        self.assertEqual(mail.outbox, [])

    def test_times(self):
        emails = [message(str(number)) for number in range(4)]
        with failing("bulk", at="mail", times=2) as fault:
            self.assertEqual(self.statuses(*emails), ["refused", "refused", "sent", "sent"])
            self.assertEqual(self.statuses(message("4")), ["sent"])
        self.assertEqual(self.sent(), [("2", "bulk"), ("3", "bulk"), ("4", "bulk")])
        self.assertEqual((fault.tried, fault.struck), (5, 2))

    def test_times_of_a_connection(self):
        with failing("bulk", at="connect", code="refused", times=1) as fault:
            self.assertEqual(self.statuses(message("1"), message("2")), ["failed", "failed"])
            self.assertEqual(self.statuses(message("1"), message("2")), ["sent", "sent"])
        self.assertEqual((fault.tried, fault.struck), (2, 1))

    def test_a_connection_that_is_open(self):
        with failing("bulk", at="auth", code=535, times=1) as fault:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                mailers["bulk"].open()
            with mailers["bulk"] as mailer:
                for _ in range(2):
                    self.assertEqual(mailer.send_messages([message()]), 1)
            self.assertEqual((fault.tried, fault.struck), (2, 1))

    def test_rate(self):
        def pattern(**options):
            with failing("bulk", at="data", rate=0.5, **options):
                return self.statuses(*(message(str(n)) for n in range(40)))

        first = pattern(seed=1)
        self.assertEqual(pattern(seed=1), first)
        self.assertNotEqual(pattern(seed=2), first)
        self.assertEqual({*first}, {"refused", "sent"})
        limited = pattern(seed=1, times=3)
        self.assertEqual(limited.count("refused"), 3)
        self.assertEqual(limited[: limited.index("refused")], first[: first.index("refused")])
        for rate, status in [(0, "sent"), (1, "refused")]:
            with failing("bulk", rate=rate):
                self.assertEqual(self.statuses(message(), message()), [status] * 2)

    def test_some_recipients(self):
        """The message is sent to the others, and its header names them all."""
        email = message(to=[f"Bob <{BOB}>"], cc=[EVE], bcc=["Ann <ann@example.com>"])
        with failing("bulk", 550, recipients=["Eve <eve@EXAMPLE.com>", "nobody@example.com"]):
            (result,) = send_many([email], using="bulk")
        self.assertEqual(
            (result.status, result.is_success, result.message is email), ("sent", False, True)
        )
        self.assertEqual(
            result.recipients,
            (
                RecipientResult(BOB, 250, "OK"),
                RecipientResult(EVE, 550, "5.0.0 Refused by failing()"),
                RecipientResult("ann@example.com", 250, "OK"),
            ),
        )
        sent = assertMailSent(using="bulk", to=BOB, cc=EVE, recipients=[BOB, "ann@example.com"])
        self.assertEqual(sent.message()["Cc"], EVE)
        self.assertEqual(pickle.loads(pickle.dumps(sent)).recipients(), sent.recipients())
        self.assertNotIn("recipients", vars(email))

    def test_send_with_some_recipients(self):
        with failing("bulk", recipients=BOB):
            self.assertEqual(message(to=[BOB, EVE]).send(using="bulk"), 1)
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                message(to=[BOB]).send(using="bulk")
            self.assertEqual(message(to=[EVE]).send(using="bulk"), 1)

    def test_421_refuses_them_all(self):
        with failing("bulk", 421, recipients=EVE):
            (result,) = send_many([message(to=[BOB, EVE])], using="bulk")
        self.assertEqual(result.status, "refused")
        self.assertEqual([one.address for one in result.recipients], [EVE])

    def test_kinds_of_recipients(self):
        """An iterator, which only the first Fault could read; what is lazy; a Unicode domain."""
        email = message(to=["Bob <bob@Bücher.example>"])
        for recipients in (
            iter(["bob@bücher.example"]),
            lazystr("bob@xn--bcher-kva.example"),
            [re.compile("@Bücher")],
            re.compile(r"@xn--bcher-kva\.example$"),
        ):
            with self.subTest(recipients):
                override = failing("bulk", recipients=recipients)
                for _ in range(2):
                    with override:
                        self.assertEqual(self.statuses(email, message()), ["refused", "sent"])

    def test_messages_to_some_recipients(self):
        with failing("bulk", 552, "end", recipients=re.compile("^eve")) as fault:
            emails = [message(), message(to=[BOB, EVE]), message()]
            self.assertEqual(self.statuses(*emails), ["sent", "refused", "sent"])
        self.assertEqual((fault.tried, fault.struck), (1, 1))

    def test_a_real_server_gets_what_it_would(self):
        server = enter(self, SMTPServer())
        entry = {"BACKEND": OURS, "OPTIONS": server.mailer_options}
        with override_mailers(bulk=entry), failing("bulk", recipients=EVE, times=1):
            emails = [message("1", to=[BOB, EVE]), message("2", to=[EVE])]
            report = send_many(emails, using="bulk")
        self.assertEqual([result.status for result in report], ["sent", "sent"])
        self.assertEqual([one.code for one in report[0].recipients], [250, 451])
        received = server.wait_for(2, TIMEOUT)
        self.assertEqual([one.rcpt_tos for one in received], [[BOB], [EVE]])
        self.assertEqual(received[0].parse()["To"], f"{BOB}, {EVE}")

    def test_over_another_one(self):
        with (
            failing("bulk", at="mail", recipients=BOB),
            failing("bulk", at="data", recipients=EVE),
        ):
            report = send_many([message(), message(to=[EVE]), message(to=[ADA])], using="bulk")
        self.assertEqual([result.status for result in report], ["refused", "refused", "sent"])
        self.assertEqual(
            [type(result.error) for result in report[:2]],
            [smtplib.SMTPSenderRefused, smtplib.SMTPDataError],
        )

    def test_fail_silently(self):
        """The project's own option, which only a real mailer has in tests."""
        for options, is_silent in [({}, False), ({"fail_silently": True}, True)]:
            real = {"BACKEND": SMTP, "OPTIONS": {"host": "192.0.2.1", **options}}
            with (
                self.subTest(options),
                override_mailers(bulk=real),
                failing("bulk", at="connect", code=421),
            ):
                mailer = mailers["bulk"]
                self.assertIs(mailer.fail_silently, is_silent)
                if is_silent:
                    self.assertIsNone(mailer.open())
                    self.assertEqual(mailer.send_messages([message()]), 0)

    def test_a_message_that_is_wrong(self):
        with failing("bulk", times=0):
            self.assertEqual(
                self.statuses(message(), message("a\nb"), message(to=[])),
                ["sent", "failed", "skipped"],
            )

    def test_threads(self):
        with failing("bulk", at="mail", times=10) as fault, ThreadPoolExecutor(4) as threads:
            statuses = threads.map(lambda n: self.statuses(message(str(n)))[0], range(40))
            self.assertEqual(sorted(statuses), ["refused"] * 10 + ["sent"] * 30)
        self.assertEqual((fault.tried, fault.struck), (40, 10))

    async def test_coroutines(self):
        @failing("bulk", at="end", code="timeout", times=1)
        async def send():
            results = [asend_mail(str(n), "Text", ADA, [BOB], using="bulk") for n in range(3)]
            return await asyncio.gather(*results, return_exceptions=True)

        outcomes = await send()
        self.assertEqual(sorted(map(str, outcomes))[:2], ["1", "1"])
        self.assertEqual(len(mail.outbox), 2)

    @failing("bulk", times=1)
    def test_a_decorator(self):
        self.assertEqual(self.statuses(message(), message()), ["refused", "sent"])

    def test_each_call_begins_with_a_new_fault(self):
        @failing("bulk", times=1)
        def send():
            return self.statuses(message(), message())

        self.assertEqual([send(), send()], [["refused", "sent"]] * 2)


@failing("bulk", at="connect", code="refused")
class ClassTests(SimpleTestCase):
    def test_it_fails(self):
        with self.assertRaises(ConnectionRefusedError):
            message().send(using="bulk")
        self.assertEqual(settings.MAILERS["default"], {"BACKEND": LOCMEM})


class MistakeTests(SimpleTestCase):
    def test_mistakes(self):
        events = "disconnect, timeout, refused"
        for options, text in [
            ({"code": 250}, f"'code' must be from 400 to 599, or one of {events}."),
            ({"code": "451"}, f"'code' must be from 400 to 599, or one of {events}."),
            (
                {"at": "quit"},
                "'at' must be one of connect, helo, starttls, auth, mail, rcpt, data, end.",
            ),
            (
                {"code": "refused"},
                "'refused' needs at='connect': there is no connection.",
            ),
            ({"rate": 2}, "'rate' must be from 0 to 1."),
            ({"rate": "0.5"}, "'rate' must be from 0 to 1."),
            ({"times": "1"}, "'times' must be a whole number, and not negative."),
            ({"times": 1.5}, "'times' must be a whole number, and not negative."),
            ({"times": -1}, "'times' must be a whole number, and not negative."),
            ({"at": "auth", "recipients": BOB}, "At 'auth' no recipients are known yet."),
        ]:
            with self.subTest(options), self.assertRaisesMessage(ValueError, text):
                failing("bulk", **options)

    def test_wrong_types(self):
        with self.assertRaisesMessage(TypeError, "'recipients[0]' must be a str, or a pattern"):
            failing("bulk", recipients=[5])
        with self.assertRaisesMessage(TypeError, "'alias' must be a str, not <function "):
            failing(lambda: None)

    def test_an_unknown_mailer(self):
        with self.assertRaises(MailerDoesNotExist), failing("other"):
            self.fail("It began.")

    def test_what_is_wrong_with_the_mailer_below(self):
        with (
            override_mailers(bulk={"BACKEND": OURS}),
            failing("bulk"),
            self.assertRaises(InvalidMailer),
        ):
            message().send(using="bulk")


class ContractTests(BackendContract, SimpleTestCase):
    """With a fault that does not strike it is the mailer below."""

    backend = BACKEND
    opens = False

    def options(self):
        mail.outbox.clear()
        return {"fault": failing("it", times=0).fault, "over": {"BACKEND": LOCMEM}}

    def arrived(self):
        return [str(email.subject) for email in mail.outbox]


class OverASessionContractTests(BackendContract, SimpleTestCase):
    backend = BACKEND

    def options(self):
        self.server = enter(self, SMTPServer())
        over = {"BACKEND": OURS, "OPTIONS": self.server.mailer_options}
        return {"fault": failing("it", times=0).fault, "over": over}

    def arrived(self):
        return [str(one.parse()["Subject"]) for one in self.server.messages]

    def test_override_settings(self):
        """MAILERS may have another entry under its alias in the meantime."""
        mailer = mailers["it"]
        with override_settings(MAILERS={}):
            self.assertEqual(mailer.send_messages([message("a")]), 1)
        self.assertArrived("a")
