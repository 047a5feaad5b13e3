"""Addresses whose local part is not ASCII, which only a server with SMTPUTF8 takes (RFC 6531)."""

from email import message_from_string, policy

from django.core.mail import EmailMessage, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many

from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import OURS

REFUSAL = "local-part contains non-ASCII characters)"


def message(subject="Grüße", sender="shop@example.com", to="grüße@example.com", **kwargs):
    return EmailMessage(subject, "Hallo", sender, [to], **kwargs)


class SMTPUTF8Tests(SimpleTestCase):
    def serve(self, smtputf8="auto", **server):
        server = enter(self, SMTPServer(**server))
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        if smtputf8 is not None:
            options["smtputf8"] = smtputf8
        entry = {"BACKEND": OURS, "OPTIONS": options}
        enter(self, override_settings(MAILERS={"default": entry}))
        return server

    def test_a_server_that_offers_it(self):
        server = self.serve()
        for one in [
            message(to="Jürgen <grüße@example.com>"),
            message(sender="Änne <änne@exämple.com>", to="ann@example.com"),
            message(to="ann@example.com", bcc=["grüße@example.com"]),
            message(to="ann@example.com", reply_to=["grüße@example.com"]),
            message(to="grüße@exämple.com", cc=["ann@exämple.com"]),
        ]:
            self.assertEqual(one.send(), 1)
        first, second, third, fourth, fifth = server.messages
        self.assertEqual(first.rcpt_tos, ["grüße@example.com"])
        self.assertIn("To: Jürgen <grüße@example.com>\r\n".encode(), first.content)
        self.assertIn("Subject: Grüße\r\n".encode(), first.content)
        self.assertEqual(
            (second.mail_from, second.rcpt_tos), ("änne@exämple.com", ["ann@example.com"])
        )
        self.assertEqual(third.rcpt_tos, ["ann@example.com", "grüße@example.com"])
        self.assertNotIn("grüße@".encode(), third.content)
        self.assertIn("Reply-To: grüße@example.com\r\n".encode(), fourth.content)
        # A domain that need not be in letters is as it is in the DNS.
        self.assertEqual(fifth.rcpt_tos, ["grüße@exämple.com", "ann@xn--exmple-cua.com"])
        parsed = message_from_string(first.content.decode(), policy=policy.SMTPUTF8)
        self.assertEqual(parsed["To"].addresses[0].addr_spec, "grüße@example.com")

    def test_messages_that_do_not_need_it(self):
        server = self.serve()
        self.assertEqual(message(to="ann@exämple.com").send(), 1)
        [sent] = server.messages
        self.assertEqual(sent.rcpt_tos, ["ann@xn--exmple-cua.com"])
        self.assertIs(sent.content.isascii(), True)

    def test_a_server_that_does_not(self):
        server = enter(self, SMTPServer(smtputf8=False))
        options = {"host": server.host, "port": server.port, "smtputf8": "auto"}
        entry = {"BACKEND": OURS, "OPTIONS": options}
        with override_settings(MAILERS={"default": entry}):
            report = send_many([message(), message(to="ann@example.com")])
            self.assertEqual([result.status for result in report], ["failed", "sent"])
            self.assertEqual(report.retryable, [])
            with self.assertRaisesMessage(ValueError, f"'grüße@example.com': {REFUSAL}"):
                message().send()
            with self.assertRaisesMessage(ValueError, REFUSAL):
                message(to="ann@example.com", reply_to=["grüße@example.com"]).send()
        self.assertEqual(len(server.messages), 1)

    def test_a_failover(self):
        """It does not look for a server that offers it: the error is that of the message."""
        servers = [enter(self, SMTPServer(smtputf8=offered)) for offered in (False, True)]
        entries = {
            str(number): {
                "BACKEND": OURS,
                "OPTIONS": {"host": server.host, "port": server.port, "smtputf8": "auto"},
            }
            for number, server in enumerate(servers)
        }
        path = "django_mailers.backends.failover.EmailBackend"
        entries["default"] = {"BACKEND": path, "OPTIONS": {"mailers": ["0", "1"]}}
        with override_settings(MAILERS=entries):
            report = send_many([message(), message(to="ann@example.com"), message()])
        found = [(result.status, result.via) for result in report]
        self.assertEqual(found, [("failed", None), ("sent", "0"), ("failed", None)])
        self.assertIn(REFUSAL, str(report[0].error))
        self.assertEqual([len(server.messages) for server in servers], [1, 0])

    def test_without_the_option(self):
        for option in (None, False):
            server = self.serve(option)
            with self.subTest(option), self.assertRaisesMessage(ValueError, REFUSAL):
                message().send()
            self.assertEqual(server.messages, [])

    def test_a_line_break(self):
        server = self.serve()
        with self.assertRaises(ValueError):
            message(subject="a\nBcc: eve@example.com").send()
        with self.assertRaises(ValueError):
            message(headers={"X-A": "b\r\nBcc: eve@example.com"}).send()
        self.assertEqual(server.messages, [])

    def test_a_message_of_old_times(self):
        """Its message() takes no policy: it cannot write such headers."""

        class Old(EmailMessage):
            def message(self):
                return super().message()

        server = self.serve()
        with self.assertRaisesMessage(ValueError, REFUSAL):
            Old("Hello", "", "shop@example.com", ["grüße@example.com"]).send()
        self.assertEqual(server.messages, [])

    def test_in_a_batch(self):
        server = self.serve()
        with mailers.default as mailer:
            sent = mailer.send_messages([message(), message(to="ann@example.com"), message()])
        self.assertEqual((sent, len(server.messages)), (3, 3))
        self.assertEqual(len(server.sessions), 1)
