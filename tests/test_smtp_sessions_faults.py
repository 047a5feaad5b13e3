"""What the server refuses and breaks, and what Django's SMTP backend makes of it."""

import smtplib
import socket

from django.core.mail import mailers
from django.test import override_settings

from .support.messages import message
from .support.servers import (
    DROP,
    HOST,
    POLITE,
    STALL,
    ScriptedServer,
    SMTPServer,
    certificates,
    enter,
    spoilt,
    trusting_the_ca,
)
from .support.sessions import (
    LOGIN,
    PASSWORD,
    STAGES,
    SessionTestCase,
    leaving_its_socket_open,
    reached,
    send,
)
from .support.smtp import serving
from .support.utils import SMTP


class RefusedByTheServerTests(SessionTestCase):
    def test_mail_and_data(self):
        for verb, commands, error in [
            ("MAIL", ["EHLO", "MAIL"], "SMTPSenderRefused({}, b'{}', 'ada@example.com')"),
            ("DATA", ["EHLO", "MAIL", "RCPT", "DATA"], "SMTPDataError({}, b'{}')"),
        ]:
            for code, text in [(451, "4.3.0 Try later"), (554, "5.7.1 Spam")]:
                server = SMTPServer(refuse={verb: f"{code} {text}"})
                with self.subTest(verb=verb, code=code), serving(server):
                    self.assertFails(error.format(code, text), send)
                    self.assertEqual(server.messages, [])
                    self.assertCommands(server, [*commands, "RSET", "QUIT"])

    def test_every_recipient(self):
        for code, text in [(450, "4.2.1 Busy"), (550, "5.1.1 Unknown")]:
            server = SMTPServer(refuse={"RCPT": f"{code} {text}"})
            with self.subTest(code=code), serving(server):
                self.assertFails(
                    "SMTPRecipientsRefused({"
                    f"'one@example.com': ({code}, b'{text}'), "
                    f"'two@example.com': ({code}, b'{text}')"
                    "})",
                    send,
                    message(to=["one@example.com", "two@example.com"]),
                )
                self.assertCommands(server, ["EHLO", "MAIL", "RCPT", "RCPT", "RSET", "QUIT"])

    def test_one_recipient_of_several(self):
        # H34: the refusal is lost.
        server = self.serve(SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}))
        email = message(to=["one@example.com", "gone@example.com", "two@example.com"])
        self.assertEqual(send(email), 1)
        (arrived,) = server.messages
        self.assertEqual(arrived.rcpt_tos, ["one@example.com", "two@example.com"])
        self.assertCommands(server, ["EHLO", "MAIL", "RCPT", "RCPT", "RCPT", "DATA", "QUIT"])

    def test_one_message_of_several(self):
        # H34: what was sent before is not reported, what comes after is not tried.
        server = self.serve(SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}))
        emails = [message(to=[f"{name}@example.com"]) for name in ("one", "gone", "two")]
        self.assertFails(
            "SMTPRecipientsRefused({'gone@example.com': (550, b'5.1.1 Unknown')})",
            mailers["relay"].send_messages,
            emails,
        )
        self.assertEqual([m.rcpt_tos for m in server.messages], [["one@example.com"]])
        self.assertCommands(
            server, ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "RSET", "QUIT"]
        )

    def test_connection_the_caller_opened_outlives_a_refused_message(self):
        server = self.serve(SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}))
        with mailers["relay"] as relay:
            error = self.error(relay.send_messages, [message(to=["gone@example.com"])])
            self.assertIs(type(error), smtplib.SMTPRecipientsRefused)
            self.assertEqual(relay.send_messages([message()]), 1)
        self.assertCommands(
            server, ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
        )

    def test_data_command(self):
        for reply, error in [
            ("451 4.3.0 Try later", "SMTPDataError(451, b'4.3.0 Try later')"),
            ("554 5.7.1 No", "SMTPDataError(554, b'5.7.1 No')"),
        ]:
            server = ScriptedServer(spoilt("DATA", reply))
            with self.subTest(reply), serving(server):
                self.assertFails(error, send)
                self.assertEqual(server.commands, [["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]])

    def test_greeting(self):
        for reply, error in [
            ("421 4.3.2 Too busy", "SMTPConnectError(421, b'4.3.2 Too busy')"),
            ("554 5.7.1 Not you", "SMTPConnectError(554, b'5.7.1 Not you')"),
        ]:
            server = ScriptedServer(spoilt(None, reply, (None, DROP)))
            with self.subTest(reply), serving(server):
                self.assertFails(error, send)
                self.assertEqual(server.commands, [[]])

    def test_ehlo_then_helo(self):
        server = self.serve(SMTPServer(refuse={"EHLO": "502 5.5.1 Unknown command"}))
        self.assertEqual(send(), 1)
        self.assertEqual(server.messages[0].mail_options, [])
        self.assertCommands(server, ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"])

    def test_ehlo_and_helo(self):
        for code, text in [(421, "4.3.2 Too busy"), (550, "5.7.1 Not you")]:
            server = SMTPServer(refuse={"EHLO": f"{code} {text}", "HELO": f"{code} {text}"})
            with self.subTest(code=code), serving(server):
                self.assertFails(f"SMTPHeloError({code}, b'{text}')", send)
                self.assertCommands(server, ["EHLO", "HELO", "QUIT"])

    def test_server_that_shuts_down(self):
        # 421 may be the answer to anything, and then the connection is over: no RSET, no QUIT.
        for stage, error in [
            ("MAIL", "SMTPSenderRefused(421, b'4.3.2 Bye', 'ada@example.com')"),
            ("RCPT", "SMTPRecipientsRefused({'bob@example.com': (421, b'4.3.2 Bye')})"),
            ("DATA", "SMTPDataError(421, b'4.3.2 Bye')"),
            (".", "SMTPDataError(421, b'4.3.2 Bye')"),
        ]:
            server = ScriptedServer(spoilt(stage, "421 4.3.2 Bye", (None, DROP)))
            with self.subTest(stage), serving(server):
                self.assertFails(error, send)
                self.assertEqual(server.commands, [reached(stage)])


class FaultTests(SessionTestCase):
    """The server goes away, falls silent or talks nonsense, after each step of a session."""

    def test_drop(self):
        for stage in STAGES:
            server = ScriptedServer(spoilt(stage, DROP))
            with self.subTest(stage), serving(server):
                self.assertFails("SMTPServerDisconnected('Connection unexpectedly closed')", send)
                self.assertEqual(server.commands, [reached(stage)])

    def test_stall(self):
        # What was reached is not compared: on a busy machine the timeout may meet a stage before.
        for stage in STAGES:
            server = ScriptedServer(spoilt(stage, STALL))
            with self.subTest(stage), serving(server, timeout=0.1):
                self.assertFails(
                    "SMTPServerDisconnected('Connection unexpectedly closed: timed out')", send
                )

    def test_stall_in_the_tls_handshake(self):
        self.serve(ScriptedServer([(None, STALL)]), use_ssl=True, timeout=0.05)
        error = self.error(send)
        self.assertIs(type(error), TimeoutError)

    def test_garbage(self):
        reset = ("RSET", "250 OK")
        for stage, error, *then in [
            (None, "SMTPConnectError(-1, b'')"),
            ("EHLO", "SMTPServerDisconnected('Server not connected')"),
            ("MAIL", "SMTPSenderRefused(-1, b'', 'ada@example.com')", reset),
            ("RCPT", "SMTPRecipientsRefused({'bob@example.com': (-1, b'')})", reset),
            ("DATA", "SMTPDataError(-1, b'')"),
            (".", "SMTPDataError(-1, b'')", reset),
        ]:
            server = ScriptedServer(spoilt(stage, b"\xff?\r\n", *then))
            with self.subTest(stage), serving(server):
                self.assertFails(error, send)

    def test_half_a_reply(self):
        # Of a reply of several lines the last is missing, but its code was already there.
        server = ScriptedServer(spoilt(".", b"250-Queued as\r\n", (None, DROP)))
        with serving(server):
            self.assertFails("SMTPServerDisconnected('Connection unexpectedly closed')", send)

    def test_drop_between_messages(self):
        # The server has had enough of an idle connection. Its loss is noticed by the message
        # that comes next; close() then makes the mailer usable again.
        server = self.serve(ScriptedServer([*POLITE, ("MAIL", DROP)], POLITE))
        with mailers["relay"] as relay:
            self.assertEqual(relay.send_messages([message()]), 1)
            self.assertFails(
                "SMTPServerDisconnected('Connection unexpectedly closed')",
                relay.send_messages,
                [message()],
            )
            relay.close()
            self.assertEqual(relay.send_messages([message()]), 1)
        self.assertEqual(
            server.commands,
            [
                ["EHLO", "MAIL", "RCPT", "DATA", ".", "MAIL"],
                ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"],
            ],
        )

    def test_nobody_listens(self):
        with socket.socket() as bound:
            bound.bind((HOST, 0))  # and no listen(): the port is taken, and refuses
            options = {"host": HOST, "port": bound.getsockname()[1]}
            with override_settings(MAILERS={"relay": {"BACKEND": SMTP, "OPTIONS": options}}):
                error = self.error(send)
        self.assertIs(type(error), ConnectionRefusedError)

    def test_quit_that_fails_does_no_harm(self):
        # The message is delivered: whoever heard of an error would send it again.
        for reply in [DROP, "421 4.3.2 Bye", b"?\r\n"]:
            with self.subTest(reply), serving(ScriptedServer([*POLITE, ("QUIT", reply)])):
                self.assertEqual(send(), 1)

    def test_quit_without_an_answer(self):
        self.serve(ScriptedServer([*POLITE, ("QUIT", STALL)]))
        with mailers["relay"] as relay:
            self.assertEqual(relay.send_messages([message()]), 1)
            # Not by OPTIONS: what comes before QUIT has all the time it takes.
            relay.connection.sock.settimeout(0.05)
        self.assertIsNone(relay.connection)

    def test_quit_with_an_endless_reply(self):
        for silently in [False, True]:
            server = ScriptedServer([*POLITE, ("QUIT", b"2" * 10_000 + b"\r\n")])
            with self.subTest(silently), serving(server, fail_silently=silently):
                if silently:
                    self.assertEqual(send(), 1)
                else:
                    self.assertFails("SMTPResponseException(500, 'Line too long.')", send)


class FailSilentlyTests(SessionTestCase):
    """`fail_silently` in OPTIONS: the failures of the wire and of the server count as not sent."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        enter(cls, trusting_the_ca())

    def assertSwallowed(self, server, **options):
        with serving(server, fail_silently=True, **options):
            self.assertEqual(send(), 0)

    def test_connection_refused(self):
        with socket.socket() as bound:
            bound.bind((HOST, 0))
            options = {"host": HOST, "port": bound.getsockname()[1], "fail_silently": True}
            with override_settings(MAILERS={"relay": {"BACKEND": SMTP, "OPTIONS": options}}):
                self.assertEqual(send(), 0)

    def test_certificate(self):
        self.assertSwallowed(
            SMTPServer(tls="implicit", certificate=certificates.expired), use_ssl=True
        )
        self.assertSwallowed(
            SMTPServer(tls="starttls", certificate=certificates.unknown_ca), use_tls=True
        )

    def test_starttls_not_offered(self):
        server = SMTPServer(users={"ada": PASSWORD})
        with leaving_its_socket_open():
            self.assertSwallowed(server, use_tls=True, **LOGIN)
        # Swallowed, but not passed over: nothing is sent in the clear.
        self.assertCommands(server, ["EHLO"])

    def test_password(self):
        with leaving_its_socket_open():
            self.assertSwallowed(SMTPServer(users={"ada": "another"}), **LOGIN)

    def test_refusals(self):
        for verb in ["MAIL", "RCPT", "DATA"]:
            with self.subTest(verb):
                server = SMTPServer(refuse={verb: "550 5.7.1 No"})
                self.assertSwallowed(server)
                self.assertEqual(server.sessions[0].commands[-3:], [verb, "RSET", "QUIT"])

    def test_faults(self):
        for stage in STAGES:
            with self.subTest(stage):
                self.assertSwallowed(ScriptedServer(spoilt(stage, DROP)))

    def test_timeout(self):
        self.assertSwallowed(ScriptedServer([(None, STALL)]), timeout=0.05)

    def test_other_messages_are_sent(self):
        server = self.serve(
            SMTPServer(refuse={"RCPT gone@example.com": "550 5.1.1 Unknown"}), fail_silently=True
        )
        emails = [message(to=[f"{name}@example.com"]) for name in ("one", "gone", "two")]
        self.assertEqual(mailers["relay"].send_messages(emails), 2)
        self.assertEqual(
            [m.rcpt_tos for m in server.messages], [["one@example.com"], ["two@example.com"]]
        )

    def test_other_messages_on_a_lost_connection(self):
        self.serve(ScriptedServer([*POLITE, ("MAIL", DROP)]), fail_silently=True)
        self.assertEqual(mailers["relay"].send_messages([message(), message(), message()]), 1)

    def test_mistakes_of_the_message_are_not_swallowed(self):
        server = self.serve(SMTPServer(), fail_silently=True)
        for email in [
            message(to=["bob@@example.com"]),
            message(to=["bob@example.com\nBcc: eve@example.com"]),
            message(subject="x\r\nBcc: eve@example.com"),
        ]:
            with self.subTest(**vars(email)):
                self.assertIsInstance(self.error(send, email), ValueError)
        self.assertCommands(server, ["QUIT"], ["QUIT"], ["QUIT"])

    def test_mistakes_of_the_options_are_not_swallowed(self):
        self.serve(SMTPServer(), fail_silently=True, timeout=0)
        self.assertFails("ValueError('Non-blocking socket (timeout=0) is not supported')", send)
