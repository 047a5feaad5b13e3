"""Real SMTP sessions of the mailers that `MAILERS` defines under Django's own BACKEND path.

What arrives at a real server, and what comes back when the server or the wire fails. An exception
is compared by its repr(), which for smtplib's holds everything: class, code, reply, address.
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from unittest import skipUnless

from django.core import mail
from django.core.mail import EmailMessage, mailers, send_mail, send_mass_mail
from django.test import override_settings

from .support.messages import message
from .support.servers import (
    TIMEOUT,
    SMTPServer,
    enter,
    trusting_the_ca,
)
from .support.sessions import ONE_MESSAGE, PASSWORD, SessionTestCase, send
from .support.smtp import entry, serving
from .support.utils import REFUSES_LOCAL_PARTS, SMTP, legacy_settings


class DeliveryTests(SessionTestCase):
    def test_send_mail(self):
        server = self.serve(SMTPServer())
        sent = send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"], using="relay")
        self.assertEqual(sent, 1)
        (arrived,) = server.messages
        self.assertEqual(arrived.mail_from, "ada@example.com")
        self.assertEqual(arrived.rcpt_tos, ["bob@example.com"])
        self.assertEqual(arrived.session.ehlo, mail.DNS_NAME.get_fqdn())
        self.assertIsNone(arrived.session.tls)
        self.assertIsNone(arrived.session.user)
        self.assertCommands(server, ONE_MESSAGE)

    def test_send_mail_connects_for_each_message(self):
        server = self.serve(SMTPServer())
        for _ in range(2):
            send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"], using="relay")
        self.assertCommands(server, ONE_MESSAGE, ONE_MESSAGE)

    def test_send_mass_mail_connects_once(self):
        server = self.serve(SMTPServer())
        addresses = [f"{number}@example.com" for number in range(3)]
        data = [("Hi", "Text", "ada@example.com", [address]) for address in addresses]
        self.assertEqual(send_mass_mail(data, using="relay"), 3)
        self.assertEqual(
            [arrived.rcpt_tos for arrived in server.messages], [[a] for a in addresses]
        )
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"])

    def test_message_send(self):
        server = self.serve(SMTPServer())
        self.assertEqual(send(), 1)
        self.assertCommands(server, ONE_MESSAGE)

    def test_context_manager_connects_once(self):
        server = self.serve(SMTPServer())
        with mailers["relay"] as relay:
            self.assertEqual(relay.send_messages([message()]), 1)
            self.assertEqual(relay.send_messages([message(), message()]), 2)
        self.assertIsNone(relay.connection)
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"])

    def test_open_and_close(self):
        server = self.serve(SMTPServer())
        relay = mailers["relay"]
        self.assertIs(relay.open(), True)
        self.assertIs(relay.open(), False)
        relay.send_messages([message()])
        relay.send_messages([message()])
        self.assertIsNone(relay.close())
        self.assertIsNone(relay.close())
        self.assertIs(relay.open(), True)
        relay.close()
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * 2, "QUIT"], ["QUIT"])

    def test_each_access_gives_a_new_instance(self):
        server = self.serve(SMTPServer())
        with mailers["relay"] as one, mailers["relay"] as other:
            self.assertIsNot(one, other)
            self.assertIsNot(one.connection, other.connection)
        self.assertCommands(server, ["QUIT"], ["QUIT"])

    def test_aliases_lead_to_their_servers(self):
        news, bills = enter(self, SMTPServer()), enter(self, SMTPServer())
        with override_settings(
            MAILERS={"news": entry(news, backend=SMTP), "bills": entry(bills, backend=SMTP)}
        ):
            message(to=["reader@example.com"]).send(using="news")
            message(to=["debtor@example.com"]).send(using="bills")
        self.assertEqual([m.rcpt_tos for m in news.messages], [["reader@example.com"]])
        self.assertEqual([m.rcpt_tos for m in bills.messages], [["debtor@example.com"]])

    def test_default_mailer(self):
        server = enter(self, SMTPServer())
        with override_settings(MAILERS={"default": entry(server, backend=SMTP)}):
            send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"])
            message().send()
            mailers.default.send_messages([message()])
        self.assertCommands(server, ONE_MESSAGE, ONE_MESSAGE, ONE_MESSAGE)

    def test_nothing_to_send_does_not_connect(self):
        server = self.serve(SMTPServer())
        nobody = EmailMessage("Hello", "Text", "ada@example.com")
        self.assertEqual(mailers["relay"].send_messages([]), 0)
        self.assertEqual(send_mass_mail([], using="relay"), 0)
        self.assertEqual(nobody.send(using="relay"), 0)
        self.assertCommands(server)

    def test_message_without_recipients_is_passed_over(self):
        server = self.serve(SMTPServer())
        nobody = EmailMessage("Hello", "Text", "ada@example.com")
        self.assertEqual(mailers["relay"].send_messages([nobody, message()]), 1)
        self.assertCommands(server, ONE_MESSAGE)


class EnvelopeAndContentTests(SessionTestCase):
    def arrived(self, email, **options):
        """Send `email`, give what the server got."""
        with serving(SMTPServer(**options)) as server:
            send(email)
        (arrived,) = server.messages
        return arrived

    def test_bytes_on_the_wire(self):
        arrived = self.arrived(
            message(
                to=["Bob <bob@example.com>", "eve@example.com"],
                from_email="Ada <ada@example.com>",
                body="one\r\ntwo\n\nthree",
                headers={
                    "Date": "Fri, 20 Nov 2026 10:00:00 -0000",
                    "Message-ID": "<1@example.com>",
                },
            )
        )
        expected = (
            b'Content-Type: text/plain; charset="utf-8"\r\n'
            b"Content-Transfer-Encoding: 7bit\r\n"
            b"MIME-Version: 1.0\r\n"
            b"Subject: Hello\r\n"
            b"From: Ada <ada@example.com>\r\n"
            b"To: Bob <bob@example.com>, eve@example.com\r\n"
            b"Date: Fri, 20 Nov 2026 10:00:00 -0000\r\n"
            b"Message-ID: <1@example.com>\r\n"
            b"\r\n"
            b"one\r\ntwo\r\n\r\nthree\r\n"
        )
        self.assertEqual(arrived.content, expected)
        self.assertEqual(arrived.mail_options, [f"size={len(expected)}"])

    def test_lines_that_begin_with_a_dot(self):
        arrived = self.arrived(message(body=".\n..\n.two\nthree.\n.\n"))
        body = arrived.content.partition(b"\r\n\r\n")[2]
        self.assertEqual(body, b".\r\n..\r\n.two\r\nthree.\r\n.\r\n")

    def test_non_ascii_text(self):
        arrived = self.arrived(
            EmailMessage("Grüße", "Füße ✓", "Jörg <ada@example.com>", ["Zoë <bob@example.com>"])
        )
        parsed = message_from_bytes(arrived.content, policy=policy.default)
        self.assertEqual(parsed["Subject"], "Grüße")
        self.assertEqual(parsed["From"], "Jörg <ada@example.com>")
        self.assertEqual(parsed["To"], "Zoë <bob@example.com>")
        self.assertEqual(parsed.get_content(), "Füße ✓\r\n")
        head = arrived.content.partition(b"\r\n\r\n")[0]
        self.assertTrue(head.isascii())
        self.assertEqual(arrived.mail_from, "ada@example.com")
        self.assertEqual(arrived.rcpt_tos, ["bob@example.com"])

    def test_only_the_envelope_has_the_bcc(self):
        arrived = self.arrived(
            message(
                to=["to@example.com"],
                cc=["cc@example.com"],
                bcc=["bcc@example.com", "Hidden <bcc2@example.com>"],
            )
        )
        self.assertEqual(
            arrived.rcpt_tos,
            ["to@example.com", "cc@example.com", "bcc@example.com", "bcc2@example.com"],
        )
        parsed = message_from_bytes(arrived.content, policy=policy.default)
        self.assertEqual((parsed["To"], parsed["Cc"]), ("to@example.com", "cc@example.com"))
        self.assertNotIn(b"bcc", arrived.content.lower())

    def test_idna_domains(self):
        # Also where the server offers SMTPUTF8, with which the domains could stay as they are.
        for smtputf8 in [False, True]:
            with self.subTest(smtputf8=smtputf8):
                email = message(to=["Bob <bob@bücher.example>"], from_email="ada@müller.example")
                arrived = self.arrived(email, smtputf8=smtputf8)
                self.assertEqual(arrived.mail_from, "ada@xn--mller-kva.example")
                self.assertEqual(arrived.rcpt_tos, ["bob@xn--bcher-kva.example"])
                self.assertEqual(arrived.mail_options, [f"size={len(arrived.content)}"])

    def test_from_header_does_not_change_the_envelope(self):
        headers = {"From": "Newsletter <news@example.com>"}
        arrived = self.arrived(message(from_email="bounce@example.com", headers=headers))
        self.assertEqual(arrived.mail_from, "bounce@example.com")
        parsed = message_from_bytes(arrived.content, policy=policy.default)
        self.assertEqual(parsed["From"], "Newsletter <news@example.com>")

    @override_settings(DEFAULT_FROM_EMAIL="Shop <shop@example.com>")
    def test_default_from_email(self):
        self.assertEqual(self.arrived(message(from_email=None)).mail_from, "shop@example.com")

    def test_local_mailbox(self):
        self.assertEqual(self.arrived(message(to=["postmaster"])).rcpt_tos, ["postmaster"])


class RefusedBeforeSendingTests(SessionTestCase):
    """What is wrong with a message is found before the server hears anything of it."""

    def setUp(self):
        self.server = self.serve(SMTPServer())

    def assertNothingSent(self):
        self.assertCommands(self.server, ["QUIT"])
        self.assertEqual(self.server.messages, [])
        self.server.sessions.clear()

    @skipUnless(REFUSES_LOCAL_PARTS, "Django leaves it to Python")
    def test_non_ascii_local_part(self):
        # Among good recipients too; and though the server offers SMTPUTF8.
        for email in [
            message(to=["bob@example.com", "jörg@example.com"]),
            message(to=["bob@example.com"], bcc=["jörg@example.com"]),
            message(from_email="jörg@example.com"),
        ]:
            with self.subTest(**vars(email)):
                self.assertInvalid(
                    "Invalid address 'jörg@example.com': local-part contains non-ASCII characters)",
                    send,
                    email,
                )
                self.assertNothingSent()

    def test_address_injection(self):
        for address in [
            "bob@example.com\r\nRCPT TO:<eve@example.com>",
            "bob@example.com>\r\nRCPT TO:<eve@example.com",
            "bob@example.com\nBcc: eve@example.com",
            "Bob\r\nBcc: eve@example.com <bob@example.com>",
            '"Bob\nBcc: eve@example.com" <bob@example.com>',
        ]:
            for email in [
                message(to=[address]),
                message(cc=[address]),
                message(bcc=[address]),
                message(from_email=address),
            ]:
                with self.subTest(address=address, **vars(email)):
                    error = self.error(send, email)
                    self.assertIsInstance(error, ValueError)
                    # The reasons that follow are the email package's: of its version, unordered.
                    self.assertRegex(str(error), rf"^Invalid address {re.escape(repr(address))}: .")
                    self.assertNothingSent()

    def test_more_or_less_than_one_address(self):
        for address in ["bob@example.com, eve@example.com", "undisclosed-recipients:;"]:
            with self.subTest(address=address):
                self.assertInvalid(
                    f"Invalid address {address!r}: must be a single address",
                    send,
                    message(to=[address]),
                )
                self.assertNothingSent()

    def test_header_injection(self):
        evil = "x\r\nBcc: eve@example.com"
        for email in [
            message(subject=evil),
            message(reply_to=[evil]),
            message(headers={"X-Tag": evil}),
            message(headers={"To": evil}),
            message(headers={"From": evil}),
        ]:
            with self.subTest(**vars(email)):
                self.assertInvalid(
                    "Header values may not contain linefeed or carriage return characters",
                    send,
                    email,
                )
                self.assertNothingSent()

    def test_bcc_header(self):
        self.assertInvalid(
            'Bcc is not a valid email header. Use the "bcc" argument to specify blind carbon copy '
            "recipients.",
            send,
            message(headers={"Bcc": "eve@example.com"}),
        )
        self.assertNothingSent()

    def test_messages_before_the_bad_one_are_sent(self):
        emails = [message(to=["one@example.com"]), message(to=["two@@example.com"]), message()]
        error = self.error(mailers["relay"].send_messages, emails)
        self.assertIsInstance(error, ValueError)
        self.assertEqual([m.rcpt_tos for m in self.server.messages], [["one@example.com"]])
        self.assertCommands(self.server, ONE_MESSAGE)


class WithoutMailersTests(SessionTestCase):
    """The EMAIL_* settings go on working as long as there is no MAILERS."""

    def test_session(self):
        server = enter(self, SMTPServer(tls="starttls", users={"ada": PASSWORD}))
        enter(self, trusting_the_ca())
        email_settings = {
            "EMAIL_BACKEND": SMTP,
            "EMAIL_HOST": server.host,
            "EMAIL_PORT": server.port,
            "EMAIL_HOST_USER": "ada",
            "EMAIL_HOST_PASSWORD": PASSWORD,
            "EMAIL_USE_TLS": True,
        }
        enter(self, legacy_settings(**email_settings))
        send_mail("Hi", "Text", "ada@example.com", ["bob@example.com"])
        message().send()
        mailers.default.send_messages([message()])
        self.assertEqual([arrived.session.user for arrived in server.messages], ["ada"] * 3)
        commands = ["EHLO", "STARTTLS", "EHLO", "AUTH PLAIN", "MAIL", "RCPT", "DATA", "QUIT"]
        self.assertCommands(server, commands, commands, commands)


class ThreadsTests(SessionTestCase):
    """One instance may serve several threads: a lock makes their messages take turns."""

    THREADS = 8

    def send_from_threads(self, relay):
        """Send a message from each thread, all at once."""
        barrier = threading.Barrier(self.THREADS, timeout=TIMEOUT)

        def send(number):
            barrier.wait(TIMEOUT)
            return relay.send_messages([message(to=[f"{number}@example.com"])])

        with ThreadPoolExecutor(self.THREADS) as pool:
            self.assertEqual(list(pool.map(send, range(self.THREADS))), [1] * self.THREADS)

    def assertAllArrived(self, server):
        self.assertEqual(
            sorted(m.rcpt_tos for m in server.messages),
            [[f"{number}@example.com"] for number in range(self.THREADS)],
        )

    def test_opened_before(self):
        server = self.serve(SMTPServer())
        with mailers["relay"] as relay:
            self.send_from_threads(relay)
        self.assertAllArrived(server)
        self.assertCommands(server, ["EHLO", *["MAIL", "RCPT", "DATA"] * self.THREADS, "QUIT"])

    def test_opened_by_each_message(self):
        server = self.serve(SMTPServer())
        self.send_from_threads(mailers["relay"])
        self.assertAllArrived(server)
        self.assertCommands(server, *[ONE_MESSAGE] * self.THREADS)
