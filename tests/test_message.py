"""EmailMessage and EmailMultiAlternatives: what they take, what they refuse, what they become.

The bytes are in tests/test_corpus.py, line breaks in tests/test_header_injection.py, connections
and mailers in tests/test_mail.py.
"""

import copy
import email.message
import email.policy
from datetime import datetime, timedelta, timezone
from email.headerregistry import Address
from email.message import MIMEPart
from email.utils import parsedate_to_datetime
from unittest import mock
from zoneinfo import ZoneInfo

from django.core import mail
from django.core.mail import (
    EmailAlternative,
    EmailAttachment,
    EmailMessage,
    EmailMultiAlternatives,
)
from django.core.mail import message as message_module
from django.test import SimpleTestCase, override_settings
from django.utils import timezone as django_timezone

from .support.corpus import PNG, inline_image, simple
from .support.utils import ExactErrors

LISTS = ("to", "cc", "bcc", "reply_to")


def header_names(message):
    return [name for name, _ in message.items()]


class ConstructorTests(ExactErrors, SimpleTestCase):
    def test_defaults(self):
        for kind in (EmailMessage, EmailMultiAlternatives):
            message = kind()
            values = {name: value for name, value in vars(message).items() if name[0] != "_"}
            # Kept for a Django without the app, which pickled messages may come to.
            self.assertIsNone(values.pop("connection", None))
            expected = {
                "subject": "",
                "body": "",
                "from_email": "webmaster@localhost",
                "to": [],
                "cc": [],
                "bcc": [],
                "reply_to": [],
                "attachments": [],
                "extra_headers": {},
            }
            if kind is EmailMultiAlternatives:
                expected["alternatives"] = []
            with self.subTest(kind.__name__):
                self.assertEqual(values, expected)
                self.assertEqual((message.content_subtype, message.encoding), ("plain", None))

    def test_from_email_is_that_of_the_moment(self):
        with override_settings(DEFAULT_FROM_EMAIL="now@example.com"):
            for from_email in (None, ""):
                self.assertEqual(EmailMessage(from_email=from_email).from_email, "now@example.com")

    def test_a_string_is_no_list(self):
        for kind in (EmailMessage, EmailMultiAlternatives):
            for name in LISTS:
                with (
                    self.subTest(kind.__name__, argument=name),
                    self.assertRaisesExactly(
                        TypeError, f'"{name}" argument must be a list or tuple'
                    ),
                ):
                    kind(**{name: "to@example.com"})

    def test_an_empty_string_is_nobody(self):
        self.assertEqual(
            [getattr(EmailMessage(**{name: ""}), name) for name in LISTS], [[], [], [], []]
        )

    def test_lists_are_copied(self):
        for name in LISTS:
            for value in (["a@example.com"], ("a@example.com",), {"a@example.com": "A"}):
                with self.subTest(name, value=value):
                    message = EmailMessage(**{name: value})
                    self.assertEqual(getattr(message, name), ["a@example.com"])
                    self.assertIsNot(getattr(message, name), value)

    def test_attachments(self):
        part = inline_image()
        message = EmailMessage(
            attachments=[
                ("a.txt", "a"),
                ["b.txt", "b", "text/x-b"],
                EmailAttachment("c", b"c", "application/x-c"),
                part,
            ]
        )
        self.assertEqual(
            message.attachments,
            [
                EmailAttachment("a.txt", "a", "text/plain"),
                EmailAttachment("b.txt", "b", "text/x-b"),
                EmailAttachment("c", b"c", "application/x-c"),
                part,
            ],
        )
        self.assertEqual(
            [type(attachment) for attachment in message.attachments],
            [EmailAttachment, EmailAttachment, EmailAttachment, MIMEPart],
        )

    def test_alternatives(self):
        message = EmailMultiAlternatives(
            alternatives=[
                ("a", "text/a"),
                ["b", "text/b"],
                EmailAlternative("c", "text/c"),
            ]
        )
        self.assertEqual(
            message.alternatives,
            [
                EmailAlternative("a", "text/a"),
                EmailAlternative("b", "text/b"),
                EmailAlternative("c", "text/c"),
            ],
        )
        self.assertEqual({type(item) for item in message.alternatives}, {EmailAlternative})


class RecipientsTests(SimpleTestCase):
    def test_order_and_empty_ones(self):
        message = EmailMessage(to=["to", ""], cc=["", "cc"], bcc=[None, "bcc"], reply_to=["re"])
        self.assertEqual(message.recipients(), ["to", "cc", "bcc"])

    @override_settings(MAILERS={})
    def test_without_recipients_no_mailer_is_needed(self):
        for recipients in ({}, {"to": []}, {"to": ["", None]}, {"reply_to": ["re@example.com"]}):
            with self.subTest(**recipients):
                self.assertEqual(EmailMessage("s", "b", **recipients).send(), 0)
                self.assertEqual(EmailMessage("s", "b", **recipients).send(using="missing"), 0)


class MessageTests(ExactErrors, SimpleTestCase):
    def test_type_and_policy(self):
        for policy in (
            email.policy.default,
            email.policy.SMTP,
            email.policy.SMTPUTF8,
            email.policy.SMTP.clone(max_line_length=200),
        ):
            for kind in (EmailMessage, EmailMultiAlternatives):
                with self.subTest(kind.__name__, policy=policy):
                    message = simple(kind).message(policy=policy)
                    self.assertIsInstance(message, email.message.EmailMessage)
                    self.assertIs(message.policy, policy)
        self.assertIs(simple().message().policy, email.policy.default)

    def test_policy_is_keyword_only(self):
        with self.assertRaises(TypeError):
            simple().message(email.policy.SMTP)

    def test_policy_folds(self):
        subject = "word " * 30
        policy = email.policy.SMTP.clone(max_line_length=200)
        lines = simple(subject=subject).message(policy=policy).as_bytes().split(b"\r\n")
        self.assertIn(f"Subject: {subject}".encode(), lines)

    def test_headers(self):
        message = simple(
            cc=["cc@example.com"],
            bcc=["bcc@example.com"],
            reply_to=["re@example.com", "more@example.com"],
            headers={"X-One": "1", "x-two": "2"},
        ).message()
        self.assertEqual(
            header_names(message),
            [
                "Content-Type",
                "Content-Transfer-Encoding",
                "MIME-Version",
                "Subject",
                "From",
                "To",
                "Cc",
                "Reply-To",
                "Date",
                "Message-ID",
                "X-One",
                "x-two",
            ],
        )
        self.assertEqual(message["Reply-To"], "re@example.com, more@example.com")
        self.assertIsNone(message["Bcc"])

    def test_extra_headers_take_the_place_of_arguments(self):
        message = simple(
            cc=["cc@example.com"],
            reply_to=["re@example.com"],
            headers={
                "From": "From <header@example.com>",
                "To": "list@example.com",
                "Cc": "other@example.com",
                "Reply-To": "noreply@example.com",
                "Subject-Line": "x",
            },
        )
        rendered = message.message()
        self.assertEqual(
            [(name, rendered.get_all(name)) for name in ("From", "To", "Cc", "Reply-To")],
            [
                ("From", ["From <header@example.com>"]),
                ("To", ["list@example.com"]),
                ("Cc", ["other@example.com"]),
                ("Reply-To", ["noreply@example.com"]),
            ],
        )
        self.assertEqual(message.recipients(), ["to@example.com", "cc@example.com"])
        self.assertEqual(message.from_email, "from@example.com")

    def test_date_and_message_id_may_be_given_in_any_case(self):
        for date, message_id in (
            ("Date", "Message-ID"),
            ("date", "message-id"),
            ("DATE", "MESSAGE-ID"),
        ):
            with self.subTest(date):
                message = simple(
                    headers={date: "Fri, 09 Nov 2001 01:08:47 +0100", message_id: "<a@b>"}
                ).message()
                self.assertEqual(message.get_all("Date"), ["Fri, 09 Nov 2001 01:08:47 +0100"])
                self.assertEqual(message.get_all("Message-ID"), ["<a@b>"])

    def test_bcc_among_the_headers_is_refused(self):
        for name in ("Bcc", "BCC", "bcc"):
            message = simple(headers={"X-First": "1", name: "secret@example.com"})
            with self.subTest(name):
                with self.assertRaises(ValueError) as caught:
                    message.message()
                self.assertEqual(
                    str(caught.exception),
                    'Bcc is not a valid email header. Use the "bcc" argument to specify blind '
                    "carbon copy recipients.",
                )
                with self.assertRaises(ValueError):
                    message.send()
        self.assertEqual(mail.outbox, [])

    def test_address_objects(self):
        """Built as 6.1's documentation recommends; str() is all they need."""
        address = Address("Jöe, Jr.", "joe", "exämple.com")
        message = simple(from_email=str(address), to=[str(address)]).message()
        self.assertEqual(
            message.as_bytes().count(b"=?utf-8?b?SsO2ZSwgSnIu?= <joe@xn--exmple-cua.com>\n"), 2
        )

    def test_nothing_is_kept(self):
        """Each call makes a new message; what the caller does to one is not in the next."""
        message = simple(EmailMultiAlternatives, alternatives=[("<p>", "text/html")])
        message.attach("a.txt", "a")
        before = copy.deepcopy(vars(message))
        first = message.message()
        first["X-Added"] = "1"
        second = message.message()
        self.assertNotIn("X-Added", second)
        self.assertNotEqual(first["Message-ID"], second["Message-ID"])
        self.assertEqual(vars(message), before)

    def test_structure(self):
        message = simple(
            EmailMultiAlternatives,
            alternatives=[("*b*", "text/markdown"), ("<p>", "text/html")],
            attach=lambda: [("a.txt", "a", "text/plain"), inline_image()],
        ).message()
        self.assertEqual(
            [part.get_content_type() for part in message.walk()],
            [
                "multipart/mixed",
                "multipart/alternative",
                "text/plain",
                "text/markdown",
                "text/html",
                "text/plain",
                "image/png",
            ],
        )
        self.assertEqual(message.get_body(("plain",)).get_content(), "The body.\n")
        text, image = message.iter_attachments()
        self.assertEqual((text.get_filename(), text.get_content()), ("a.txt", "a\n"))
        self.assertEqual(
            (image["Content-ID"], image.get_content_disposition(), image.get_content()),
            ("<logo@example.com>", "inline", PNG),
        )

    def test_content_subtype_and_encoding(self):
        message = simple(body="<p>é</p>\n", content_subtype="html", encoding="iso-8859-1").message()
        self.assertEqual(message["Content-Type"], 'text/html; charset="iso-8859-1"')
        self.assertEqual(message.get_content(), "<p>é</p>\n")

    def test_encoding_must_be_a_name(self):
        """5.2 took an email.charset.Charset as well."""
        message = simple(encoding=email.charset.Charset("utf-8"))
        with self.assertRaises(TypeError):
            message.message()

    def test_subtype_hooks_are_refused(self):
        """H20: ignored, they would change what arrives without a word."""

        class Mixed(EmailMessage):
            mixed_subtype = "related"

        class Alternative(EmailMultiAlternatives):
            alternative_subtype = "related"

        instance = simple(EmailMultiAlternatives)
        instance.mixed_subtype = "related"
        for message, text in (
            (
                simple(Mixed),
                "EmailMessage no longer supports the undocumented `mixed_subtype` attribute",
            ),
            (
                instance,
                "EmailMessage no longer supports the undocumented `mixed_subtype` attribute",
            ),
            (
                simple(Alternative, alternatives=[("<p>", "text/html")]),
                "EmailMultiAlternatives no longer supports the undocumented `alternative_subtype` "
                "attribute",
            ),
        ):
            message.attach("a.txt", "a")
            with self.subTest(text), self.assertRaisesExactly(AttributeError, text):
                message.message()

    def test_subtype_hooks_without_parts_do_no_harm(self):
        class Mixed(EmailMultiAlternatives):
            mixed_subtype = alternative_subtype = "related"

        self.assertEqual(simple(Mixed).message().get_content_type(), "text/plain")

    def test_nothing_instead_of_a_list(self):
        """None, set on a message that has been made, is as good as an empty list."""
        for name in ("to", "cc", "reply_to", "attachments", "alternatives"):
            with self.subTest(name):
                message = EmailMultiAlternatives("s", "text", "from@example.com")
                setattr(message, name, None)
                rendered = message.message()
                self.assertEqual(rendered.get_content_type(), "text/plain")
                self.assertEqual((rendered["To"], rendered["Reply-To"]), (None, None))


class DateTests(SimpleTestCase):
    """The Date header is now: in UTC, or with EMAIL_USE_LOCALTIME in the current time zone."""

    def assertDate(self, offset):
        before = datetime.now(timezone.utc).replace(microsecond=0)
        date = parsedate_to_datetime(simple().message()["Date"])
        self.assertEqual(date.utcoffset(), offset)
        self.assertLessEqual(before, date)
        self.assertLessEqual(date, datetime.now(timezone.utc))

    def test_utc(self):
        self.assertTrue(simple().message()["Date"].endswith(" +0000"))
        with override_settings(TIME_ZONE="Asia/Kathmandu"):
            self.assertDate(timedelta())
        with django_timezone.override(ZoneInfo("Asia/Kathmandu")):
            self.assertDate(timedelta())

    @override_settings(EMAIL_USE_LOCALTIME=True)
    def test_local_time(self):
        for name, offset in (
            ("Asia/Kathmandu", timedelta(hours=5, minutes=45)),
            ("Pacific/Honolulu", timedelta(hours=-10)),
            ("UTC", timedelta()),
        ):
            with self.subTest(name), override_settings(TIME_ZONE=name):
                self.assertDate(offset)
            with self.subTest(name), django_timezone.override(ZoneInfo(name)):
                self.assertDate(offset)

    @override_settings(EMAIL_USE_LOCALTIME=True, TIME_ZONE="Asia/Kathmandu", USE_TZ=False)
    def test_local_time_without_time_zone_support(self):
        self.assertDate(timedelta(hours=5, minutes=45))


class MessageIDTests(SimpleTestCase):
    """H13: pytest-django replaces DNS_NAME in this module, to spare tests a look-up."""

    def test_domain(self):
        with mock.patch.object(message_module, "DNS_NAME", "here.example"):
            message_id = simple().message()["Message-ID"]
        self.assertRegex(message_id, r"\A<\d+\.\d+\.\d+@here\.example>\Z")

    def test_domain_is_looked_up_late(self):
        name = mail.CachedDnsName()
        with (
            mock.patch.object(message_module, "DNS_NAME", name),
            mock.patch("socket.getfqdn", return_value="hérè.example") as getfqdn,
        ):
            message = simple()
            self.assertEqual(getfqdn.call_count, 0)
            message_id = message.message()["Message-ID"]
            message.message()
        self.assertRegex(message_id, r"\A<\d+\.\d+\.\d+@xn--hr-8iac\.example>\Z")
        self.assertEqual(getfqdn.call_count, 1)

    def test_make_msgid_is_looked_up_in_the_module(self):
        with mock.patch.object(message_module, "make_msgid", return_value="<fixed@example>"):
            self.assertEqual(simple().message()["Message-ID"], "<fixed@example>")
