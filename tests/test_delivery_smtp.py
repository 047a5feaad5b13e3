"""send_many() over SMTP: what the server said of each recipient."""

import socket
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from unittest import mock

from django.core import mail
from django.core.mail.backends.smtp import EmailBackend as DjangosSMTP
from django.test import SimpleTestCase, override_settings

from django_mailers import SendError, delivery, send_many

from .support.deliveries import ALIAS, TAKEN, facts
from .support.messages import message
from .support.servers import DROP, POLITE, ScriptedServer, SMTPServer, enter, spoilt
from .support.smtp import entry, serving, statuses, subjects
from .support.utils import SMTP


class ReconnectingBackend(DjangosSMTP):
    """Takes a new connection for each message, where nobody watches."""

    def send_messages(self, email_messages):
        self.close()
        self.open()
        return super().send_messages(email_messages)


class ElsewhereBackend(DjangosSMTP):
    """Sends nothing over its connection, and counts what it says to have sent otherwise."""

    def _send(self, email_message):
        return email_message.subject == "counted"


class PickyBackend(DjangosSMTP):
    """Sends once for each recipient, as some do that personalise."""

    def _send(self, email_message):
        for recipient in email_message.recipients():
            self.connection.sendmail("a@example.com", recipient, b"Subject: x\r\n\r\n")
        return True


class OverSMTPTests(SimpleTestCase):
    def serve(self, **options):
        server_options = {key: options.pop(key) for key in ("refuse", "users") if key in options}
        return enter(self, serving(SMTPServer(**server_options), **options))

    def test_sent(self):
        server = self.serve()
        messages = [message(subject="a"), message(to=["bob@example.com", "eve@example.com"])]

        report = send_many(iter(messages), using=ALIAS)

        self.assertEqual(
            facts(report),
            [
                ("sent", 250, "OK", [TAKEN], "None"),
                ("sent", 250, "OK", [TAKEN, ("eve@example.com", 250, "OK")], "None"),
            ],
        )
        self.assertEqual([result.message for result in report], messages)
        self.assertEqual(report.using, ALIAS)
        self.assertIs(report.raise_for_failures(), report)
        self.assertEqual(len(server.sessions), 1)
        self.assertEqual(subjects(server), ["a", "Hello"])

    def test_default_mailer(self):
        with (
            SMTPServer() as server,
            override_settings(MAILERS={"default": entry(server, backend=SMTP)}),
        ):
            self.assertEqual(statuses(send_many([message()])), ["sent"])
        self.assertEqual(len(server.messages), 1)

    def test_one_recipient_of_three_refused(self):
        for options in ({}, {"fail_silently": True}):
            with self.subTest(**options):
                self.serve(refuse={"RCPT gone@example.com": "550 5.1.1 <gone> is gone"}, **options)
                email = message(
                    to=["bob@example.com"], cc=["gone@example.com"], bcc=["c@example.com"]
                )

                report = send_many([email], using=ALIAS)

                gone = ("gone@example.com", 550, "5.1.1 <gone> is gone")
                self.assertEqual(
                    facts(report),
                    [("sent", 250, "OK", [TAKEN, gone, ("c@example.com", 250, "OK")], "None")],
                )
                self.assertEqual(report[0].refused_recipients, (gone,))
                self.assertEqual(report.failures, [report[0]])
                self.assertEqual(report.retryable, [])
                with self.assertRaises(SendError) as caught:
                    report.raise_for_failures()
                self.assertEqual(str(caught.exception), "1 sent (1 not to all recipients)")
                self.assertIsNone(caught.exception.__cause__)

    def test_it_goes_on_after_refusals_on_the_same_connection(self):
        refuse = {
            "MAIL spam@example.com": "554 No spam",
            "RCPT gone@example.com": "550 No such user",
            "RCPT busy@example.com": "450 Mailbox busy",
        }
        bad = [
            message(from_email="spam@example.com"),
            message(to=["gone@example.com"]),
            message(to=["busy@example.com", "gone@example.com"]),
            message(subject="Hello\nBcc: eve@example.com"),
            message(to=["bob@example.com, eve@example.com"]),
            message(bcc=["\udcff@example.com"]),
            message().__class__("Nobody", "Text"),
        ]
        messages = [email for one in bad for email in (one, message(subject="good"))]
        for options in ({}, {"fail_silently": True}):
            with self.subTest(**options):
                server = self.serve(refuse=refuse, **options)

                report = send_many(messages, using=ALIAS)

                good = [("sent", 250, "OK", [TAKEN], "None")] * len(bad)
                self.assertEqual(facts(report[1::2]), good)
                spam = SMTPSenderRefused(554, b"No spam", "spam@example.com")
                gone = {"gone@example.com": (550, b"No such user")}
                both = {"busy@example.com": (450, b"Mailbox busy"), **gone}
                self.assertEqual(
                    [
                        (result.status, result.code, result.text, [*result.recipients])
                        for result in report[::2]
                    ],
                    [
                        ("refused", 554, "No spam", []),
                        ("refused", None, "", [("gone@example.com", 550, "No such user")]),
                        (
                            "refused",
                            None,
                            "",
                            [
                                ("busy@example.com", 450, "Mailbox busy"),
                                ("gone@example.com", 550, "No such user"),
                            ],
                        ),
                        *[("failed", None, "", [])] * 3,
                        ("skipped", None, "", []),
                    ],
                )
                self.assertEqual(
                    [repr(result.error) for result in report[0:6:2]],
                    [repr(error) for error in map(_recipients_refused, (spam, gone, both))],
                )
                self.assertEqual(
                    [isinstance(result.error, ValueError) for result in report[6:12:2]], [True] * 3
                )
                self.assertEqual(len(server.sessions), 1)
                self.assertEqual(subjects(server), ["good"] * len(bad))
                self.assertEqual(report.retryable, [bad[2]])

    def test_refused_content(self):
        server = self.serve(refuse={"DATA": "452 Disk full"})

        report = send_many([message()], using=ALIAS)

        error = SMTPDataError(452, b"Disk full")
        self.assertEqual(facts(report), [("refused", 452, "Disk full", [], repr(error))])
        server.refuse.clear()
        again = send_many(report.retryable, using=ALIAS)
        self.assertEqual(facts(again), [("sent", 250, "OK", [TAKEN], "None")])
        self.assertEqual(again.using, ALIAS)
        self.assertEqual(again[0].message, report[0].message)

    def test_nobody_to_send_to(self):
        server = self.serve()

        self.assertEqual(facts(send_many([], using=ALIAS)), [])
        nobody = message()
        nobody.to = []
        report = send_many([nobody], using=ALIAS)

        self.assertEqual(facts(report), ["skipped"])
        self.assertIs(report.raise_for_failures(), report)
        self.assertEqual(server.sessions, [])

    def test_recipients_that_cannot_be_told(self):
        class Broken(mail.EmailMessage):
            def recipients(self):
                raise LookupError("No such reader")

        self.serve()
        report = send_many([Broken(), message()], using=ALIAS)
        self.assertEqual(
            facts(report),
            [
                ("failed", None, "", [], "LookupError('No such reader')"),
                ("sent", 250, "OK", [TAKEN], "None"),
            ],
        )

    def test_error_of_the_message_itself(self):
        class Broken(mail.EmailMessage):
            def message(self, **kwargs):
                raise LookupError("No such template")

        server = self.serve()
        report = send_many([Broken(to=["bob@example.com"]), message()], using=ALIAS)
        self.assertEqual(
            facts(report),
            [
                ("failed", None, "", [], "LookupError('No such template')"),
                ("sent", 250, "OK", [TAKEN], "None"),
            ],
        )
        self.assertEqual(len(server.sessions), 1)

    def test_server_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        messages = [message(), message()]
        options = {"host": "127.0.0.1", "port": port}
        for fail_silently, error in [
            (False, "ConnectionRefusedError(111, 'Connection refused')"),
            (True, "ConnectionError('The mailer could not connect. fail_silently hides why.')"),
        ]:
            entry = {"OPTIONS": {**options, "fail_silently": fail_silently}}
            with (
                self.subTest(fail_silently=fail_silently),
                override_settings(MAILERS={ALIAS: entry}),
            ):
                report = send_many(messages, using=ALIAS)
                self.assertEqual(facts(report), [("failed", None, "", [], error)] * 2)
                self.assertEqual(report.retryable, messages)

    def test_wrong_password(self):
        server = self.serve(users={"ada": "right"}, username="ada", password="wrong")
        report = send_many([message(), message()], using=ALIAS)
        self.assertEqual(statuses(report), ["failed", "failed"])
        self.assertIsInstance(report[0].error, SMTPAuthenticationError)
        self.assertIs(report[1].error, report[0].error)
        # Tried once, and its connection is closed: an open socket would be a ResourceWarning.
        self.assertEqual(len(server.sessions), 1)

    def test_a_double_for_smtplib_tells_nothing(self):
        with (
            mock.patch("smtplib.SMTP") as double,
            override_settings(MAILERS={ALIAS: {"OPTIONS": {"host": "127.0.0.1"}}}),
        ):
            report = send_many([message()], using=ALIAS)
        self.assertEqual(facts(report), ["sent"])
        double.return_value.sendmail.assert_called_once()

    def test_replacements_of_others_stay(self):
        seen = []

        class Poking(DjangosSMTP):
            def open(self):
                opened = super().open()
                if not opened:
                    return opened
                sendmail = self.connection.sendmail

                def noting(*args):
                    seen.append(args[1])
                    return sendmail(*args)

                self.connection.sendmail = noting
                return opened

        server = enter(self, SMTPServer())
        backend = Poking(alias=ALIAS, host=server.host, port=server.port)
        batch = [message(), message(to=["eve@example.com"])]
        report = delivery.send_over(backend, batch, using=ALIAS)
        self.assertEqual(
            facts(report),
            [
                ("sent", 250, "OK", [TAKEN], "None"),
                ("sent", 250, "OK", [("eve@example.com", 250, "OK")], "None"),
            ],
        )
        self.assertEqual(seen, [["bob@example.com"], ["eve@example.com"]])

    def test_backend_that_sends_once_for_each_recipient(self):
        server = enter(self, SMTPServer(refuse={"RCPT gone@example.com": "550 Gone"}))
        with override_settings(MAILERS={ALIAS: entry(server, backend=PickyBackend)}):
            report = send_many([message(to=["bob@example.com", "gone@example.com"])], using=ALIAS)
        # The first recipient has it: not to be sent again, although the backend raised.
        gone = ("gone@example.com", 550, "Gone")
        error = SMTPRecipientsRefused({gone[0]: (550, b"Gone")})
        self.assertEqual(facts(report), [("sent", 250, "OK", [TAKEN, gone], repr(error))])
        self.assertEqual(report.failures, [report[0]])

    def test_backend_that_sends_by_other_means(self):
        server = enter(self, SMTPServer())
        with override_settings(MAILERS={ALIAS: entry(server, backend=ElsewhereBackend)}):
            report = send_many([message(subject="counted"), message()], using=ALIAS)
        self.assertEqual(facts(report), ["sent", "unknown"])
        self.assertEqual(len(server.sessions), 1)

    def test_backend_that_connects_anew_is_not_watched(self):
        lost = spoilt(".", DROP)
        server = enter(self, ScriptedServer(POLITE[:1], lost))
        with override_settings(MAILERS={ALIAS: entry(server, backend=ReconnectingBackend)}):
            report = send_many([message()], using=ALIAS)
        error = SMTPServerDisconnected("Connection unexpectedly closed")
        self.assertEqual(facts(report), [("unknown", None, "", [], repr(error))])


def _recipients_refused(value):
    return value if isinstance(value, Exception) else SMTPRecipientsRefused(value)
