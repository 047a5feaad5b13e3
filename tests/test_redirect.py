"""The mailer for staging sites: who gets what, and what is known of it."""

from email import message_from_bytes, policy
from unittest import mock

from django.core import mail
from django.core.mail import EmailMessage, InvalidMailer, mailers
from django.test import SimpleTestCase
from django.utils.functional import lazystr

from django_mailers import send_many
from django_mailers.backends._wrapping import recipients
from django_mailers.backends._wrapping.parts import merged
from django_mailers.delivery import RecipientResult, SendReport, SendResult

from .support import shapers, wrappers
from .support.messages import message
from .support.servers import SMTPServer, enter
from .support.shapers import IT, entry
from .support.utils import OURS, SMTP, ExactErrors
from .support.wrappers import ForeignBackend, ReportingForeignBackend, ShelfBackend

TEAM = "Team <team@example.org>"
FOREIGN = {"BACKEND": "tests.support.wrappers.ForeignBackend"}


class RedirectMixin(ExactErrors):
    def setUp(self):
        recipients.warned.clear()
        for log in (ForeignBackend.log, ReportingForeignBackend.batches, ShelfBackend.shelves):
            log.clear()
            self.addCleanup(log.clear)

    def over(self, target, **options):
        given = {"to": [TEAM], "allow": ["*@ok.example"], **options}
        return shapers.mailers(entry("redirect", "target", **given), target=target)

    def send(self, *messages, **options):
        """Send to a foreign backend; return what it got."""
        del ForeignBackend.log[:]
        with self.over(FOREIGN, **options):
            self.report = send_many(messages, using=IT)
        return list(ForeignBackend.log)

    def recipients(self, *messages, **options):
        return [(m.to, m.cc, m.bcc) for m in self.send(*messages, **options)]


class RecipientTests(RedirectMixin, SimpleTestCase):
    def test_everybody_is_allowed(self):
        """The caller's own object."""
        email = message(to=["Ann <ann@ok.example>"], cc=["b@OK.example"], bcc=["c@ok.example"])
        [sent] = self.send(email)
        self.assertIs(sent, email)

    def test_nobody_is_allowed(self):
        email = message(to=["Bob <bob@x.example>", "eve@y.example"], cc=["c@x.example"])
        email.bcc = ["d@x.example", "", None]
        [sent] = self.send(email, subject_prefix="[staging] ", allow=None)
        self.assertEqual((sent.to, sent.cc, sent.bcc), ([TEAM], [], []))
        self.assertEqual(sent.subject, "[staging] Hello")
        self.assertEqual(
            sent.extra_headers,
            {
                "X-Original-To": "Bob <bob@x.example>, eve@y.example",
                "X-Original-Cc": "c@x.example",
                "X-Original-Bcc": "d@x.example",
            },
        )
        self.assertEqual(email.to, ["Bob <bob@x.example>", "eve@y.example"])
        self.assertEqual((email.subject, email.extra_headers), ("Hello", {}))

    def test_some_are_allowed(self):
        email = message(to=["bob@x.example", "a@ok.example"], cc=["c@ok.example", "d@x.example"])
        email.bcc = ["e@x.example", "f@ok.example"]
        email.extra_headers = {"Message-ID": "<1@x.example>", "x-original-to": "forged", "X-A": "b"}
        redirected, reduced = self.send(email, subject_prefix="[staging] ")
        self.assertEqual(
            (reduced.to, reduced.cc, reduced.bcc),
            (["a@ok.example"], ["c@ok.example"], ["f@ok.example"]),
        )
        self.assertEqual((reduced.subject, reduced.extra_headers), ("Hello", email.extra_headers))
        self.assertEqual((redirected.to, redirected.cc, redirected.bcc), ([TEAM], [], []))
        self.assertEqual(redirected.subject, "[staging] Hello")
        self.assertEqual(
            redirected.extra_headers,
            {
                "X-A": "b",
                "X-Original-To": "bob@x.example, a@ok.example",
                "X-Original-Cc": "c@ok.example, d@x.example",
                # Not who gets the message itself.
                "X-Original-Bcc": "e@x.example",
            },
        )
        self.assertEqual([(one.status, one.via) for one in self.report], [("sent", "target")])
        self.assertIs(self.report[0].message, email)

    def test_originals_of_another_message(self):
        """As in one that is forwarded with its headers."""
        [sent] = self.send(message(headers={"X-Original-Bcc": "c@x.example"}))
        self.assertEqual(sent.extra_headers, {"X-Original-To": "bob@example.com"})

    def test_a_message_id_stays_if_there_is_one_copy(self):
        [sent] = self.send(message(headers={"Message-ID": "<1@x.example>"}))
        self.assertEqual(sent.extra_headers["Message-ID"], "<1@x.example>")

    def test_patterns(self):
        for pattern, allowed, others in [
            ("*@ok.example", ["A.b@OK.Example", '"a b"@ok.example'], ["a@sub.ok.example"]),
            ("*@*.ok.example", ["a@sub.ok.example"], ["a@ok.example", "a@x.example"]),
            ("QA+*@ok.example", ["qa+1@ok.example"], ["qa@ok.example"]),
            ("ann@ok.example", ["Ann <ANN@ok.example>"], ["joann@ok.example", "ann@ok.example.x"]),
            (
                "*@bücher.example",
                ["a@BÜCHER.example", "a@xn--bcher-kva.example"],
                ["a@bucher.example"],
            ),
            (" *@xn--bcher-kva.example", ["a@bücher.example"], ["a@x.bücher.example"]),
            ("jörg@ok.example", [], ["jorg@ok.example", "jörg@ok.example"]),
            ("*@ok.example", [], ["jörg@ok.example"]),
        ]:
            with self.subTest(pattern):
                for address in allowed:
                    found = self.recipients(message(to=[address]), allow=[pattern])
                    self.assertEqual(found, [([address], [], [])])
                for address in others:
                    found = self.recipients(message(to=[address]), allow=[pattern])
                    self.assertEqual(found, [([TEAM], [], [])])

    def test_mailboxes_as_people_write_them(self):
        for mailbox in [
            "Ann <ann@ok.example>",
            '"Ann, of Acme" <ann@ok.example>',
            "Acme Inc. <ann@ok.example>",
            "Änn <ann@ok.example>",
            "=?utf-8?q?=C3=84nn?= <ann@ok.example>",
            lazystr("Ann <ann@ok.example>"),
        ]:
            with self.subTest(str(mailbox)):
                email = message(to=[mailbox])
                self.assertEqual(self.send(email), [email])

    def test_what_may_be_another_address(self):  # (H52)
        """Parsers do not agree about these; so nobody but the team gets anything."""
        for mailbox in [
            "eve@evil.example, a@ok.example",
            "a@ok.example, eve@evil.example",
            "a@ok.example <eve@evil.example>",
            "a@ok.example <eve@evil.example>, b@ok.example",
            "<@evil.example:a@ok.example>",
            "Team: eve@evil.example, a@ok.example;",
            "Team: a@ok.example;",
            "eve@evil.example(<a@ok.example>",
            "eve@evil.example\n@ok.example",
            "a@ok.example\r\nBcc: eve@evil.example",
            "eve@evil.example\0@ok.example",
            "eve@evil.example @ok.example",
            "eve@evil.example@ok.example",
            '"eve@evil.example"<a@ok.example',
            "a@ok.example\u2028",
            "a@",
            "ok.example",
            "@ok.example",
            "a@ok.example\N{KELVIN SIGN}",
            "a@\udc80ok.example",
        ]:
            with self.subTest(mailbox):
                self.assertEqual(self.recipients(message(to=[mailbox])), [([TEAM], [], [])])
                [value] = ForeignBackend.log[0].extra_headers.values()
                self.assertTrue(value.isprintable())

    def test_on_the_wire(self):
        """Names and long lists of other scripts are folded; nothing starts a line of its own."""
        email = message(
            to=["Jörg Müller <jörg@bücher.example>", "a@ok.example\r\nX-Evil: yes"],
            bcc=[f"customer.{number}@x.example" for number in range(50)],
        )
        for backend in (SMTP, OURS):
            with self.subTest(backend), SMTPServer() as server:
                with self.over(shapers.smtp(server, backend)):
                    self.assertEqual(mailers[IT].send_messages([email]), 1)
                [received] = server.messages
                self.assertEqual(received.rcpt_tos, ["team@example.org"])
                parsed = message_from_bytes(received.content, policy=policy.default)
                self.assertEqual(
                    parsed["X-Original-To"],
                    "Jörg Müller <jörg@bücher.example>, a@ok.example  X-Evil: yes",
                )
                self.assertEqual(parsed["X-Original-Bcc"], ", ".join(email.bcc))
                self.assertEqual((parsed["To"], parsed["X-Evil"]), (TEAM, None))
                self.assertLess(max(map(len, received.content.splitlines())), 100)

    def test_two_transactions_of_one_batch(self):
        with self.over({"BACKEND": "tests.support.wrappers.ReportingForeignBackend"}):
            messages = [
                message("a", to=["a@ok.example"]),
                message("b", to=["a@ok.example", "b@x.example"]),
                message("c", to=["b@x.example"]),
            ]
            report = send_many(messages, using=IT)
        self.assertEqual(ReportingForeignBackend.batches, [["a", "b", "b", "c"]])
        self.assertEqual([one.message for one in report], messages)

    def test_subclasses_of_lists_and_no_lists(self):
        email = message(to=["b@x.example"])
        email.cc, email.bcc = None, ("c@x.example",)
        with mock.patch.object(EmailMessage, "recipients", lambda self: [*self.to, *self.bcc]):
            [sent] = self.send(email)
        self.assertEqual(sent.extra_headers["X-Original-Bcc"], "c@x.example")


class OtherWaysTests(RedirectMixin, SimpleTestCase):
    """Recipients that are in neither `to`, `cc` nor `bcc`."""

    def log(self):
        return self.assertLogs("django_mailers.backends", "WARNING")

    def test_overridden_recipients(self):
        class Copied(EmailMessage):
            def recipients(self):
                return [*super().recipients(), "customer@x.example"]

        class Computed(EmailMessage):
            def recipients(self):
                return ["customer@x.example"]

        for cls, to in [
            (Copied, ["a@ok.example"]),
            (Copied, ["b@x.example"]),
            (Copied, ["a@ok.example", "b@x.example"]),
            (Computed, []),
        ]:
            with self.subTest(cls, to=to):
                self.assertEqual(self.send(cls("Hello", to=to)), [])
                [result] = self.report
                self.assertEqual((result.status, type(result.error)), ("failed", ValueError))
                self.assertEqual(
                    str(result.error),
                    f"{cls.__module__}.{cls.__qualname__} has recipients that are not in its "
                    "'to', 'cc' and 'bcc'. It cannot be redirected.",
                )

    def test_overridden_recipients_that_are_the_same(self):
        class Bare(EmailMessage):
            def recipients(self):
                return [address.rpartition("<")[2].rstrip(">") for address in super().recipients()]

        found = self.recipients(Bare("Hello", to=["B <b@x.example>", "Ann <a@ok.example>"]))
        self.assertEqual(found, [([TEAM], [], []), (["Ann <a@ok.example>"], [], [])])

    def test_a_computed_list(self):
        class Computed(EmailMessage):
            to = property(lambda self: ["customer@x.example"], lambda self, value: None)

        self.assertEqual(self.send(Computed("Hello")), [])
        self.assertEqual([one.status for one in self.report], ["failed"])

    def test_code_of_the_message_that_fails(self):
        email = message()
        email.to = 5
        good = message("good", to=["a@ok.example"])
        email.recipients = lambda: ["b@x.example"]
        self.assertEqual(self.send(email, good), [good])
        self.assertEqual([one.status for one in self.report], ["failed", "sent"])

    def test_headers_by_hand(self):
        """Some programs read recipients there."""
        for name in ("To", "CC", "bcc", "Resent-To", "resent-cc", "Resent-Bcc", "Apparently-To"):
            with self.subTest(name):
                email = message(to=["a@ok.example"], headers={name: "b@x.example", "X-A": "b"})
                with self.log():
                    [sent] = self.send(email)
                self.assertEqual((sent.to, sent.extra_headers), (["a@ok.example"], {"X-A": "b"}))
                email = message(to=["b@x.example"], headers={name: "c@ok.example"})
                [sent] = self.send(email)
                self.assertEqual(sent.extra_headers, {"X-Original-To": "b@x.example"})
                email = message(
                    to=["a@ok.example"], headers={name: "A <a@ok.example>, b@ok.example"}
                )
                self.assertEqual(self.send(email), [email])

    def test_headers_of_providers(self):  # (H53)
        for name in ("X-SMTPAPI", "x-msys-api", "X-MC-BccAddress", "X-Mailgun-Recipient-Variables"):
            for to in (["a@ok.example"], ["b@x.example"]):
                with self.subTest(name, to=to):
                    recipients.warned.clear()
                    with self.log():
                        [sent] = self.send(message(to=to, headers={name: '{"to": "c@x.example"}'}))
                    self.assertNotIn(name, sent.extra_headers)

    def test_what_providers_are_sent_as_it_is(self):
        for name in ("esp_extra", "personalizations", "bcc_address"):
            for to in (["a@ok.example"], ["b@x.example"]):
                with self.subTest(name, to=to):
                    recipients.warned.clear()
                    email = message(to=to)
                    setattr(email, name, {"to": ["c@x.example"]})
                    email.merge_global_data = {"shop": "Quay"}
                    with self.log() as logs:
                        [sent] = self.send(email)
                    self.assertEqual(
                        logs.output,
                        [
                            "WARNING:django_mailers.backends:MAILERS['it']: Messages of the class "
                            "django.core.mail.message.EmailMessage are redirected without "
                            f"{name!r}, which may name other recipients."
                        ],
                    )
                    self.assertFalse(hasattr(sent, name))
                    self.assertEqual(sent.merge_global_data, {"shop": "Quay"})
                    self.assertEqual(getattr(email, name), {"to": ["c@x.example"]})

    def test_data_for_each_recipient(self):  # (H53)
        """Those who are allowed keep theirs: without it they would see each other's addresses."""
        email = message(to=["A@ok.example", "b@ok.example", "c@x.example"])
        email.merge_data = {"A@ok.example": {"n": 1}, "c@x.example": {"n": 2}}
        email.merge_metadata = {"c@x.example": {"order": 2}}
        with self.log():
            redirected, reduced = self.send(email)
        self.assertFalse(hasattr(redirected, "merge_data") or hasattr(redirected, "merge_metadata"))
        self.assertEqual(
            (reduced.merge_data, reduced.merge_metadata), ({"A@ok.example": {"n": 1}}, {})
        )
        with self.assertNoLogs("django_mailers.backends"):
            self.send(email, message(to=["a@ok.example"]))

    def test_data_stays_if_everybody_is_allowed(self):
        email = message(to=["a@ok.example"])
        email.merge_data = {"a@ok.example": {"n": 1}}
        self.assertEqual(self.send(email), [email])

    def test_attributes_of_a_class(self):
        class Always(EmailMessage):
            esp_extra = {"to": ["c@x.example"]}

        class Unset(EmailMessage):
            # As Anymail's own.
            esp_extra = merge_data = type("UNSET", (), {})

        with self.log():
            [sent] = self.send(Always("Hello", to=["a@ok.example"]))
        self.assertIsNone(sent.esp_extra)
        email = Unset("Hello", to=["a@ok.example"])
        self.assertEqual(self.send(email), [email])


class ResultTests(RedirectMixin, SimpleTestCase):
    def test_one_result(self):
        email, error = message(), OSError("No")
        for statuses, expected in [
            (("sent", "sent"), "sent"),
            (("queued", "sent"), "queued"),
            (("sent", "unknown"), "unknown"),
            (("unknown", "unknown"), "unknown"),
            (("sent", "refused"), "unknown"),
            (("failed", "sent"), "unknown"),
            (("failed", "queued"), "unknown"),
            (("unknown", "failed"), "unknown"),
            (("refused", "refused"), "refused"),
            (("failed", "refused"), "failed"),
            (("failed", "failed"), "failed"),
            (("skipped", "sent"), "sent"),
            (("refused", "skipped"), "refused"),
            (("skipped", "skipped"), "skipped"),
        ]:
            for order in (statuses, statuses[::-1]):
                with self.subTest(order):
                    result = merged(email, [SendResult(None, status) for status in order])
                    self.assertEqual((result.message, result.status), (email, expected))
        self.assertEqual(
            merged(
                email,
                [
                    SendResult(
                        None, "sent", 250, "OK", (RecipientResult("t", 250, "OK"),), via="a"
                    ),
                    SendResult(
                        None, "refused", 550, "No", (RecipientResult("b", 550, "No"),), error
                    ),
                ],
            ),
            SendResult(
                email,
                "unknown",
                550,
                "No",
                (RecipientResult("t", 250, "OK"), RecipientResult("b", 550, "No")),
                error,
                "",
                "a",
            ),
        )

    def test_one_part_is_refused(self):
        """It is not sent again, and the caller gets the error."""
        for backend in (SMTP, OURS):
            server = enter(self, SMTPServer(refuse={"RCPT a@ok.example": "550 No"}))
            with self.subTest(backend), self.over(shapers.smtp(server, backend)):
                email = message(to=["a@ok.example", "b@x.example"])
                report = send_many([email], using=IT)
                with self.assertRaises(OSError):
                    email.send(using=IT)
            [result] = report
            self.assertEqual((result.status, result.via), ("unknown", "target"))
            self.assertEqual(report.retryable, [])
            self.assertEqual([m.rcpt_tos for m in server.messages], [["team@example.org"]] * 2)

    def test_an_error_of_the_configuration_between_the_parts(self):
        """What was sent is not lost, and not sent again."""
        sent = []

        def send_many_(backend, messages):
            error = InvalidMailer("No token.", alias=backend.alias)
            sent.append(messages[0])
            error.report = SendReport(
                [SendResult(messages[0], "sent")]
                + [SendResult(one, "failed", error=error) for one in messages[1:]]
            )
            raise error

        messages = [message(to=["a@ok.example", "b@x.example"]), message("b")]
        target = {"BACKEND": "tests.support.wrappers.ReportingForeignBackend"}
        with (
            mock.patch.object(wrappers.ReportingForeignBackend, "send_many", send_many_),
            self.over(target),
            self.assertRaises(InvalidMailer) as caught,
        ):
            send_many(messages, using=IT)
        self.assertEqual(len(sent), 1)
        self.assertEqual(
            [(one.message, one.status, one.via) for one in caught.exception.report],
            [(messages[0], "unknown", "target"), (messages[1], "failed", None)],
        )

    def test_options(self):
        for options, text in [
            ({"to": None}, "OPTIONS must define 'to'."),
            ({"to": []}, "OPTIONS 'to' must be a list of addresses."),
            ({"to": "qa@example.com"}, "OPTIONS 'to' must be a list of addresses."),
            ({"to": ["qa"]}, "OPTIONS 'to' must be a list of addresses."),
            (
                {"allow": ["example.com"]},
                "OPTIONS 'allow' must be a list of patterns of addresses, such as '*@example.com'.",
            ),
            (
                {"allow": "*@example.com"},
                "OPTIONS 'allow' must be a list of patterns of addresses, such as '*@example.com'.",
            ),
            ({"subject_prefix": ""}, "OPTIONS 'subject_prefix' must be a str that is not empty."),
        ]:
            with (
                self.subTest(options),
                self.over(FOREIGN, **options),
                self.assertRaisesExactly(InvalidMailer, f"MAILERS['it']: {text}"),
            ):
                mailers[IT]

    def test_an_empty_list_allows_nobody(self):
        self.assertEqual(self.recipients(message(), allow=[]), [([TEAM], [], [])])
        self.assertEqual(mail.outbox, [])
