"""`django_mailers.testing.server`: the SMTP server of projects' tests, and of these."""

import base64
import contextlib
import smtplib
import socket
import ssl
import threading

from django.test import SimpleTestCase

from django_mailers.testing.server import EXTENSIONS, ReceivedMessage, SMTPServer

from .support.messages import ADA, BOB, EVE
from .support.servers import HOST, TIMEOUT, certificates, enter, server_context

CONTENT = b"Subject: Hello\r\n\r\nText\r\n"
HELLO = b"EHLO client.example\r\n"
START = b"".join([HELLO, b"MAIL FROM:<ada@example.com>\r\n", b"RCPT TO:<bob@example.com>\r\n"])


class ServerTestCase(SimpleTestCase):
    def serve(self, **options):
        self.server = enter(self, SMTPServer(**options))
        return self.server

    def connect(self):
        client = smtplib.SMTP(HOST, self.server.port, "client.example", TIMEOUT)
        self.addCleanup(client.close)
        return client

    def replies(self, sent):
        """What the server says to these bytes, and to QUIT after them, but for its greeting."""
        with socket.create_connection((HOST, self.server.port), TIMEOUT) as talk:
            talk.sendall(sent + b"QUIT\r\n")
            with talk.makefile("r", encoding="utf-8", newline="") as file:
                greeting, *lines, end = file.read().split("\r\n")
        self.assertEqual((greeting, end), ("220 smtp.test ESMTP", ""))
        self.assertEqual(lines.pop(), "221 Bye")
        return [line for line in lines if not line.startswith("250-")]


class MessageTests(ServerTestCase):
    def test_what_is_kept(self):
        server = self.serve()
        content = b"Subject: Hello\r\n\r\n.one\r\n..two\r\n.\r\n"
        with self.connect() as client:
            client.sendmail(ADA, [BOB, EVE], content, ["BODY=8BITMIME"])
        (session,) = server.sessions
        self.assertTrue(session.ended.wait(TIMEOUT))
        self.assertEqual(
            server.messages,
            [
                ReceivedMessage(
                    ADA, [f"size={len(content)}", "BODY=8BITMIME"], [BOB, EVE], content, session
                )
            ],
        )
        self.assertEqual(server.messages[0].parse()["Subject"], "Hello")
        self.assertEqual(
            (session.ehlo, session.tls, session.client, session.user),
            ("client.example", None, None, None),
        )
        self.assertEqual(session.commands, ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"])

    def test_pipelining(self):
        self.serve()
        self.assertEqual(
            self.replies(START + b"DATA\r\n.\r\n" + START[len(HELLO) :] + b"DATA\r\nx\r\n.\r\n"),
            [
                "250 SMTPUTF8",
                *["250 OK"] * 2,
                "354 End data with <CR><LF>.<CR><LF>",
                *["250 OK"] * 3,
                "354 End data with <CR><LF>.<CR><LF>",
                "250 OK",
            ],
        )
        self.assertEqual([one.content for one in self.server.messages], [b"", b"x\r\n"])

    def test_chunking(self):
        self.serve(extensions=["CHUNKING"])
        self.assertEqual(
            self.replies(START + b"BDAT 3\r\nQUIBDAT 2 LAST\r\n\r\nBDAT 1 LAST\r\nx"),
            ["250 CHUNKING", *["250 OK"] * 4, "503 5.5.1 Bad sequence of commands"],
        )
        self.assertEqual([one.content for one in self.server.messages], [b"QUI\r\n"])

    def test_chunking_that_is_not_offered(self):
        self.serve()
        replies = self.replies(START + b"BDAT 0 LAST\r\n")
        self.assertEqual(replies[-1], "500 5.5.1 Unknown command")

    def test_wait_for(self):
        server = self.serve()
        with self.assertRaisesMessage(TimeoutError, "0 of 1 messages have arrived."):
            server.wait_for(1, timeout=0.01)

        def send():
            with smtplib.SMTP(HOST, server.port, timeout=TIMEOUT) as client:
                for _ in range(2):
                    client.sendmail(ADA, [BOB], CONTENT)

        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join, TIMEOUT)
        self.assertEqual([one.content for one in server.wait_for(2)], [CONTENT] * 2)

    def test_several_at_a_time(self):
        server = self.serve()
        clients = [self.connect() for _ in range(5)]
        for client in clients:
            client.sendmail(ADA, [BOB], CONTENT)
        for client in clients:
            client.quit()
        self.assertEqual([one.session for one in server.messages], server.sessions)


class ReplyTests(ServerTestCase):
    def test_wrong_commands(self):
        self.serve(extensions=["SMTPUTF8"])
        for sent, reply in [
            (b"EHLO\r\n", "501 5.5.4 EHLO needs a name"),
            (b"HELO\r\n", "501 5.5.4 HELO needs a name"),
            (b"HELO x\r\n", "250 smtp.test"),
            (b"MAIL FROM:<a@b>\r\n", "503 5.5.1 Bad sequence of commands"),
            (HELLO + b"RCPT TO:<a@b>\r\n", "503 5.5.1 Bad sequence of commands"),
            (HELLO + b"DATA\r\n", "503 5.5.1 Bad sequence of commands"),
            (HELLO + b"AUTH PLAIN\r\n", "503 5.5.1 Bad sequence of commands"),
            (HELLO + b"STARTTLS\r\n", "503 5.5.1 Bad sequence of commands"),
            (HELLO + b"MAIL TO:<a@b>\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            (HELLO + b"MAIL FROM:<a b@c>\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            (HELLO + b"MAIL FROM:a@b\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            (HELLO + b"MAIL FROM:<a@b> X=1\r\n", "555 5.5.4 MAIL parameters not recognized"),
            (HELLO + b'MAIL FROM:<"a>b"@c>\r\n', "250 OK"),
            (HELLO + b"MAIL FROM:<>\r\n", "250 OK"),
            (HELLO + "MAIL FROM:<é@b>\r\n".encode(), "553 5.6.7 The address needs SMTPUTF8"),
            (HELLO + "MAIL FROM:<é@b> SMTPUTF8\r\n".encode(), "250 OK"),
            (START + b"RCPT TO:<>\r\n", "501 5.5.4 Syntax: RCPT TO:<address>"),
            (START + "RCPT TO:<é@b>\r\n".encode(), "553 5.6.7 The address needs SMTPUTF8"),
            (START + b"MAIL FROM:<a@b>\r\n", "503 5.5.1 Bad sequence of commands"),
            (START + b"RSET\r\nDATA\r\n", "503 5.5.1 Bad sequence of commands"),
            (b"VRFY a@b\r\n", "252 2.5.2 Cannot verify, but will take a message"),
            (b"NOOP\r\n", "250 OK"),
            (b"WHAT\r\n", "500 5.5.1 Unknown command"),
            (b"NOOP \xff\r\n", "500 5.5.2 Not UTF-8"),
            # A line ends by CRLF, and by nothing else.
            (b"NOOP\nNOOP\rNOOP\r\n", "500 5.5.1 Unknown command"),
        ]:
            with self.subTest(sent):
                self.assertEqual(self.replies(sent)[-1], reply)

    def test_ascii_only(self):
        self.serve(extensions=[])
        sent = HELLO + "MAIL FROM:<é@b>\r\n".encode()
        self.assertEqual(self.replies(sent), ["250 smtp.test", "500 5.5.2 Not ASCII"])

    def test_extensions(self):
        self.serve()
        client = self.connect()
        client.ehlo()
        offered = {line.split()[0].lower() for line in EXTENSIONS}
        self.assertEqual(set(client.esmtp_features), offered)

    def test_refuse(self):
        server = self.serve(refuse={"RCPT eve@example.com": "550 5.1.1 Unknown"})
        client = self.connect()
        self.assertEqual(client.sendmail(ADA, [BOB, EVE], CONTENT), {EVE: (550, b"5.1.1 Unknown")})
        server.refuse = {"DATA": "451 4.3.0 Later"}
        with self.assertRaises(smtplib.SMTPDataError) as caught:
            client.sendmail(ADA, [BOB], CONTENT)
        self.assertEqual(caught.exception.args, (451, b"4.3.0 Later"))
        server.refuse = {"NOOP": "421 Bye"}
        self.assertEqual(client.noop(), (421, b"Bye"))
        self.assertEqual([one.rcpt_tos for one in server.messages], [[BOB]])

    def test_its_own_error(self):
        with self.assertRaises(TypeError), SMTPServer(refuse={"NOOP": 250}) as self.server:
            self.assertEqual(self.connect().noop(), (500, b"Internal error"))


class SecurityTests(ServerTestCase):
    def trust(self):
        context = ssl.create_default_context()
        certificates.ca.configure_trust(context)
        return context

    def test_starttls_and_login(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                server = self.serve(
                    ssl_context=server_context(), users={"ada": "s3cret"}, mechanisms=[mechanism]
                )
                client = self.connect()
                client.ehlo()
                self.assertNotIn("auth", client.esmtp_features)
                no_tls = (530, b"5.7.0 Must issue a STARTTLS command first")
                self.assertEqual(client.mail(ADA), no_tls)
                self.assertEqual(client.docmd("AUTH PLAIN"), no_tls)
                client.starttls(context=self.trust())
                client.ehlo()
                self.assertEqual(client.esmtp_features["auth"].split(), [mechanism])
                self.assertEqual(client.mail(ADA), (530, b"5.7.0 Authentication required"))
                for user, password in [("ada", "other"), ("bob", "s3cret")]:
                    with self.assertRaises(smtplib.SMTPAuthenticationError):
                        client.login(user, password)
                client.login("ada", "s3cret")
                client.sendmail(ADA, [BOB], CONTENT)
                (session,) = server.sessions
                self.assertEqual((session.tls, session.user), (client.sock.version(), "ada"))

    def test_login_step_by_step(self):
        self.serve(users={"ada": "s3cret"})
        encoded = base64.b64encode(b"\0ada\0s3cret").decode()
        for answers, reply in [
            ([encoded], (235, b"2.7.0 Authentication successful")),
            (["*"], (501, b"5.5.2 Not base64, or cancelled")),
            (["="], (501, b"5.5.2 Not base64, or cancelled")),
        ]:
            with self.subTest(answers), contextlib.closing(self.connect()) as client:
                client.ehlo()
                self.assertEqual(client.docmd("AUTH PLAIN"), (334, b""))
                self.assertEqual([client.docmd(answer) for answer in answers], [reply])
        with contextlib.closing(self.connect()) as client:
            client.ehlo()
            self.assertEqual(client.docmd("AUTH CRAM-MD5"), (504, b"5.5.4 Unknown mechanism"))

    def test_login_that_is_not_required(self):
        server = self.serve(users={"ada": "s3cret"}, require_login=False)
        self.connect().sendmail(ADA, [BOB], CONTENT)
        self.assertEqual([one.session.user for one in server.messages], [None])

    def test_what_came_before_tls_is_dropped(self):
        server = self.serve(ssl_context=server_context())
        client = self.connect()
        client.ehlo()
        client.send("STARTTLS\r\nMAIL FROM:<eve@example.com>\r\n")
        self.assertEqual(client.getreply(), (220, b"2.0.0 Ready to start TLS"))
        client.sock = self.trust().wrap_socket(client.sock, server_hostname=HOST)
        client.file = None
        client.ehlo()
        client.noop()
        self.assertEqual(server.sessions[0].commands, ["EHLO", "STARTTLS", "EHLO", "NOOP"])

    def test_implicit_tls_and_the_name_of_the_client(self):
        context = server_context(client_ca=certificates.ca)
        server = self.serve(ssl_context=context, implicit_tls=True)
        trust = self.trust()
        certificates.client.configure_cert(trust)
        with smtplib.SMTP_SSL(HOST, server.port, timeout=TIMEOUT, context=trust) as client:
            client.sendmail(ADA, [BOB], CONTENT)
        (session,) = server.sessions
        self.assertEqual(session.client, "client.example")

    def test_tls_without_a_certificate(self):
        text = "'implicit_tls' needs an 'ssl_context'."
        with self.assertRaisesMessage(ValueError, text):
            SMTPServer(implicit_tls=True)
