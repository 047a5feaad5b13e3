"""EmailMessage and EmailMultiAlternatives: what they take, what they refuse, what they become.

The bytes are in tests/test_corpus.py, line breaks in tests/test_header_injection.py, connections
and mailers in tests/test_mail.py.
"""

import base64
import copy
import email.message
import email.policy
import io
import pickle
import tempfile
import warnings
from datetime import datetime, timedelta, timezone
from email.headerregistry import Address
from email.message import MIMEPart
from email.mime.base import MIMEBase
from email.mime.text import MIMEText
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from unittest import mock, skipUnless
from zoneinfo import ZoneInfo

import django
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
from django.utils.translation import gettext_lazy

from django_mailers import RemovedInDjango2028Warning

from .support.corpus import PNG, inline_image, python_message, simple
from .support.processes import run_python
from .support.servers import SMTPServer
from .support.utils import LOCMEM, SMTP, ExactErrors, ignore_deprecations

# Django 5.2 with the app: what is written for 5.2's legacy classes has to go on working.
LEGACY = django.VERSION < (6, 0)

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


class AttachTests(ExactErrors, SimpleTestCase):
    def test_forms(self):
        message = EmailMessage()
        part = MIMEPart()
        message.attach("a.txt", "a", "text/x-a")
        message.attach(filename="b.txt", content="b", mimetype="text/x-b")
        message.attach(content="c", mimetype="text/x-c")
        message.attach(part)
        self.assertEqual(
            message.attachments,
            [("a.txt", "a", "text/x-a"), ("b.txt", "b", "text/x-b"), (None, "c", "text/x-c"), part],
        )
        self.assertIsInstance(message.attachments[0], EmailAttachment)

    def test_type_is_guessed(self):
        message = EmailMessage()
        for filename in ("a.txt", "b.html", "c.png", "d.no-such-type", "e", "F.PDF"):
            message.attach(filename, b"")
        self.assertEqual(
            [attachment.mimetype for attachment in message.attachments],
            [
                "text/plain",
                "text/html",
                "image/png",
                "application/octet-stream",
                "application/octet-stream",
                "application/pdf",
            ],
        )

    def test_text_is_decoded(self):
        """Bytes of a text type are UTF-8, or else they are no text."""
        valid, invalid = "é".encode(), "é".encode("latin-1")
        for given, expected in (
            (("a.txt", valid), ("a.txt", "é", "text/plain")),
            (("a.txt", invalid), ("a.txt", invalid, "application/octet-stream")),
            (("a.bin", valid, "text/csv"), ("a.bin", "é", "text/csv")),
            (("a.bin", invalid, "text/csv"), ("a.bin", invalid, "application/octet-stream")),
            (("a.txt", "é"), ("a.txt", "é", "text/plain")),
            (("a.txt", valid, "image/png"), ("a.txt", valid, "image/png")),
            (("a.txt", b""), ("a.txt", "", "text/plain")),
        ):
            with self.subTest(given):
                message = EmailMessage()
                message.attach(*given)
                self.assertEqual(message.attachments, [expected])

    def test_text_is_decoded_in_attachments_set_directly(self):
        """What attach() has not seen: queues restore a message's attachments like that."""
        message = simple()
        message.attachments = [
            ("a.txt", "é".encode(), "text/plain"),
            ("b.txt", "é".encode("latin-1"), "text/plain"),
        ]
        self.assertEqual(
            [
                (part.get_filename(), part.get_content_type(), part.get_content())
                for part in message.message().iter_attachments()
            ],
            [("a.txt", "text/plain", "é\n"), ("b.txt", "application/octet-stream", b"\xe9")],
        )

    def test_text_has_the_encoding_of_the_message(self):
        message = simple(encoding="iso-8859-1")
        message.attach("a.txt", "é".encode())
        (part,) = message.message().iter_attachments()
        self.assertEqual(
            (part["Content-Type"], part.get_content()), ('text/plain; charset="iso-8859-1"', "é\n")
        )

    def test_errors(self):
        needed = "content must be provided."
        for arguments in ((), ("a.txt",), ("a.txt", None), ("a.txt", None, "text/plain")):
            with self.subTest(arguments), self.assertRaisesExactly(ValueError, needed):
                EmailMessage().attach(*arguments)
        alone = "content and mimetype must not be given when a MIMEPart instance is provided."
        for arguments in (("content",), (None, "text/plain"), ("", "")):
            with self.subTest(arguments), self.assertRaisesExactly(ValueError, alone):
                EmailMessage().attach(MIMEPart(), *arguments)

    def test_neither_name_nor_type(self):
        with self.assertRaises(TypeError):
            EmailMessage().attach(content=b"x")

    def test_mimebase(self):
        """The legacy API's parts are deprecated, and work."""
        alone = "content and mimetype must not be given when a MIMEBase instance is provided."
        for part in (MIMEBase("application", "x-old"), MIMEText("old")):
            with self.subTest(type(part).__name__):
                for attach in (
                    EmailMessage().attach,
                    lambda part: EmailMessage(attachments=[part]),
                ):
                    with warnings.catch_warnings(record=True) as caught:
                        warnings.simplefilter("always")
                        attach(part)
                    self.assertEqual(
                        [(warning.category, str(warning.message)) for warning in caught],
                        [
                            (
                                RemovedInDjango2028Warning,
                                "MIMEBase attachments are deprecated."
                                " Use an email.message.MIMEPart instead.",
                            )
                        ],
                    )
                for arguments in (("content",), (None, "text/plain")):
                    with (
                        ignore_deprecations(),
                        self.assertRaisesExactly(ValueError, alone),
                    ):
                        EmailMessage().attach(part, *arguments)
                message = simple()
                with ignore_deprecations():
                    message.attach(part)
                self.assertEqual(message.attachments, [part])
                self.assertIs(message.message().get_payload(1), part)

    def test_part_is_attached_as_it_is(self):
        part = python_message()
        message = simple(attach=lambda: [part])
        self.assertIs(message.message().get_payload(1), part)

    def test_rfc822(self):
        inner = simple(subject="Inner é")
        for content in (
            inner,
            inner.message(),
            inner.message().as_string(),
            bytes(inner.message()),
        ):
            with self.subTest(type(content)):
                message = simple(attach=lambda content=content: [(None, content, "message/rfc822")])
                rendered = message.message(policy=email.policy.SMTP)
                (part,) = rendered.iter_attachments()
                self.assertEqual(part.get_content_type(), "message/rfc822")
                self.assertEqual(part.get_content()["Subject"], "Inner é")
                self.assertEqual(part.get_content().get_content(), "The body.\n")

    def test_rfc822_of_django_is_rendered_with_the_policy(self):
        message = simple(attach=lambda: [(None, simple(), "message/rfc822")])
        (part,) = message.message(policy=email.policy.SMTP).iter_attachments()
        self.assertIs(part.get_content().policy, email.policy.SMTP)


class AttachFileTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def attach(self, name, content, *arguments):
        path = self.folder / name
        path.write_bytes(content)
        message = EmailMessage()
        message.attach_file(path, *arguments)
        other = EmailMessage()
        other.attach_file(str(path), *arguments)
        self.assertEqual(message.attachments, other.attachments)
        return message.attachments

    def test_types(self):
        for name, content, arguments, expected in (
            ("a.txt", b"a", (), ("a", "text/plain")),
            ("ä.txt", "ä\r\n".encode(), (), ("ä\r\n", "text/plain")),
            ("a.txt", b"\xff", (), (b"\xff", "application/octet-stream")),
            ("a.txt", b"\xff", ("text/html",), (b"\xff", "application/octet-stream")),
            ("a.txt", b"a", ("text/html",), ("a", "text/html")),
            ("a.png", PNG, (), (PNG, "image/png")),
            ("a.png", b"a", ("text/plain",), ("a", "text/plain")),
            ("a.no-such-type", b"a", (), (b"a", "application/octet-stream")),
            ("empty", b"", (), (b"", "application/octet-stream")),
        ):
            with self.subTest(name, arguments=arguments):
                self.assertEqual(self.attach(name, content, *arguments), [(name, *expected)])

    def test_missing(self):
        message = EmailMessage()
        with self.assertRaises(FileNotFoundError):
            message.attach_file(self.folder / "missing")
        self.assertEqual(message.attachments, [])


class AlternativesTests(ExactErrors, SimpleTestCase):
    def test_attach_alternative(self):
        message = EmailMultiAlternatives()
        message.attach_alternative("<p>", "text/html")
        message.attach_alternative(content="", mimetype="text/x-empty")
        self.assertEqual(
            message.alternatives, [("<p>", "text/html"), EmailAlternative("", "text/x-empty")]
        )
        self.assertIsInstance(message.alternatives[0], EmailAlternative)

    def test_both_are_needed(self):
        for arguments in ((None, "text/html"), ("<p>", None), (None, None)):
            with (
                self.subTest(arguments),
                self.assertRaisesExactly(ValueError, "Both content and mimetype must be provided."),
            ):
                EmailMultiAlternatives().attach_alternative(*arguments)

    def test_other_objects(self):
        """H28: what holds content and mimetype is an alternative."""
        message = simple(EmailMultiAlternatives)
        message.alternatives.append(SimpleNamespace(content="<p>", mimetype="text/html"))
        self.assertEqual(message.message().get_body().get_content(), "<p>\n")

    @skipUnless(LEGACY, "Django 6.0 and 6.1 want objects with names.")
    def test_bare_pairs(self):
        """H28: before 5.2 pairs were all there was; packages append them, pickles hold them."""
        message = simple(EmailMultiAlternatives)
        message.alternatives += [("*a*", "text/markdown"), ["<p>", "text/html"]]
        self.assertEqual(message.message().get_body().get_content(), "<p>\n")

    def test_body_contains(self):
        message = EmailMultiAlternatives(
            body="one two",
            alternatives=[
                ("<p>one</p> <p>two</p>", "text/html"),
                ("one", "text/markdown"),
                (b"neither", "application/x-neither"),
            ],
        )
        self.assertEqual(
            [message.body_contains(text) for text in ("one", "two", "<p>", "neither", "")],
            [True, False, False, False, True],
        )
        self.assertIs(EmailMultiAlternatives(body="one").body_contains("one"), True)
        self.assertIs(EmailMultiAlternatives(body="one").body_contains("two"), False)


class CopyTests(SimpleTestCase):
    """Queues copy and pickle messages."""

    def message(self):
        return simple(
            EmailMultiAlternatives,
            subject=gettext_lazy("Lazy é"),
            cc=["cc@example.com"],
            headers={"X-Header": "1", "Message-ID": "<fixed@example.com>"},
            alternatives=[("<p>", "text/html")],
            attach=lambda: [("a.txt", "a", "text/plain"), inline_image()],
        )

    def assertSame(self, first, second):
        def content(message):
            rendered = message.message()
            del rendered["Date"]
            for number, part in enumerate(rendered.walk()):
                if part.is_multipart():
                    part.set_boundary(f"boundary-{number}")
            return rendered.as_bytes()

        self.assertIs(type(first), type(second))
        self.assertEqual(content(first), content(second))
        self.assertEqual(first.recipients(), second.recipients())

    def test_deepcopy(self):
        message = self.message()
        duplicate = copy.deepcopy(message)
        self.assertSame(message, duplicate)
        duplicate.to.append("more@example.com")
        duplicate.extra_headers["X-Header"] = "2"
        duplicate.attach("b.txt", "b")
        duplicate.attachments[1]["X-Changed"] = "yes"
        duplicate.attach_alternative("more", "text/x-more")
        self.assertSame(message, self.message())

    def test_pickle(self):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            with self.subTest(protocol):
                message = self.message()
                duplicate = pickle.loads(pickle.dumps(message, protocol))
                self.assertSame(message, duplicate)
                self.assertEqual(duplicate.send(using="bulk"), 1)
        self.assertEqual(
            {(sent.subject, sent.sent_using) for sent in mail.outbox}, {("Lazy é", "bulk")}
        )

    def test_sent_messages_can_be_copied(self):
        """H23: no mailer, with its lock and its socket, stays on a message that was sent."""
        message = self.message()
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "timeout": 10}
            with override_settings(MAILERS={"default": {"BACKEND": SMTP, "OPTIONS": options}}):
                message.send()
                message.send(using="default")
        self.assertSame(message, copy.deepcopy(message))
        self.assertSame(message, pickle.loads(pickle.dumps(message)))
        self.assertEqual(len(server.messages), 2)


class Counting(EmailMessage):
    """Renders anew at each message(), as packages with templates do."""

    calls = 0

    def message(self, *, policy=email.policy.default):
        self.calls += 1
        self.body = f"Rendered {self.calls}\n"
        return super().message(policy=policy)


class OldCounting(EmailMessage):
    """The same, as it was written before message() had an argument."""

    calls = 0

    def message(self):
        self.calls += 1
        self.body = f"Rendered {self.calls} é\nFrom here\n.\n"
        message = super().message()
        message["X-Rendered"] = "é" * 50
        return message


@ignore_deprecations()
class OverriddenTests(SimpleTestCase):
    """H27: message() of a subclass is called, and once per message."""

    def sent(self, kind):
        """Send one message of `kind` through each backend: {backend: calls}, {backend: bytes}."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        stream = io.StringIO()
        backends = "django.core.mail.backends"
        calls, content = {}, {}
        with SMTPServer() as server:
            options = {
                "smtp": {"host": server.host, "port": server.port, "timeout": 10},
                "locmem": {},
                "console": {"stream": stream},
                "filebased": {"file_path": folder.name},
            }
            mailers = {
                name: {"BACKEND": f"{backends}.{name}.EmailBackend", "OPTIONS": options[name]}
                for name in options
            }
            with override_settings(MAILERS=mailers):
                for name in options:
                    message = simple(kind)
                    self.assertEqual(message.send(using=name), 1)
                    calls[name] = message.calls
        (arrived,) = server.messages
        (path,) = Path(folder.name).iterdir()
        content = {
            "smtp": arrived.content,
            "console": stream.getvalue().encode(),
            "filebased": path.read_bytes(),
        }
        return calls, content

    def test_called_once(self):
        calls, content = self.sent(Counting)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual([name for name in content if b"Rendered 1" in content[name]], [*content])

    @skipUnless(LEGACY, "Django 6.0 and 6.1 want the argument.")
    def test_without_policy(self):
        calls, content = self.sent(OldCounting)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual([name for name in content if b"Rendered 1" in content[name]], [*content])
        # SMTP knows no other end of a line, and a bare LF or CR may smuggle a second message.
        self.assertEqual(content["smtp"].replace(b"\r\n", b"").count(b"\n"), 0)
        self.assertEqual(content["smtp"].replace(b"\r\n", b"").count(b"\r"), 0)
        arrived = email.message_from_bytes(content["smtp"], policy=email.policy.default)
        self.assertEqual(arrived["X-Rendered"], "é" * 50)
        self.assertEqual(
            arrived.get_content().replace("\r\n", "\n"), "Rendered 1 é\nFrom here\n.\n"
        )

    @skipUnless(LEGACY, "Django 6.0 and 6.1 know nothing of these classes.")
    def test_message_of_the_legacy_classes(self):
        class Old(EmailMessage):
            calls = 0

            def message(self):
                self.calls += 1
                message = message_module.SafeMIMEText("From é\n", "plain", "utf-8")
                message["Subject"] = "é"
                return message

        calls, content = self.sent(Old)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual(
            content["smtp"],
            b'Content-Type: text/plain; charset="utf-8"\r\nMIME-Version: 1.0\r\n'
            b"Content-Transfer-Encoding: 8bit\r\nSubject: =?utf-8?b?w6k=?=\r\n\r\n"
            b"From \xc3\xa9\r\n",
        )

    @skipUnless(LEGACY, "Django 6.0 and 6.1 do not call this.")
    def test_creation_hook_of_5_2(self):
        """Signing packages override it: what they add must not get lost."""

        class Signed(EmailMessage):
            calls = 0

            def _create_message(self, msg):
                self.calls += 1
                message = super()._create_message(msg)
                message["X-Signature"] = "signed"
                return message

        calls, content = self.sent(Signed)
        self.assertEqual(calls, {"smtp": 1, "locmem": 1, "console": 1, "filebased": 1})
        self.assertEqual(
            [name for name in content if b"X-Signature: signed" in content[name]], [*content]
        )


@skipUnless(LEGACY, "Only Django 5.2's own messages take linesep.")
@ignore_deprecations()
class LineSeparatorTests(SimpleTestCase):
    """H26: django-ses, told by `django.VERSION`, calls `message().as_bytes(linesep="\\r\\n")`."""

    def rendered(self):
        return simple(
            EmailMultiAlternatives,
            subject="é" * 60,
            body="é\nFrom here\n",
            alternatives=[("<p>é</p>", "text/html")],
            attach=lambda: [
                ("a.txt", "a\nb", "text/plain"),
                ("a.png", PNG, "image/png"),
                ("a.eml", simple(subject="é"), "message/rfc822"),
            ],
        ).message()

    def parts(self):
        parts = list(self.rendered().walk())
        self.assertEqual(len(parts), 8)
        return parts

    def test_linesep(self):
        for part in self.parts():
            crlf = part.policy.clone(linesep="\r\n")
            with self.subTest(part.get_content_type()):
                self.assertEqual(part.as_bytes(linesep="\r\n"), part.as_bytes(policy=crlf))
                self.assertEqual(part.as_string(linesep="\r\n"), part.as_string(policy=crlf))
                bare = part.as_bytes(linesep="\r\n").replace(b"\r\n", b"")
                self.assertEqual((bare.count(b"\n"), bare.count(b"\r")), (0, 0))
                self.assertEqual(part.as_bytes(linesep="\n"), part.as_bytes())
                self.assertEqual(part.as_string(linesep="\n"), part.as_string())

    def test_unixfrom(self):
        for part in self.parts():
            with self.subTest(part.get_content_type()):
                for line in (
                    part.as_bytes(unixfrom=True, linesep="\r\n").split(b"\r\n")[0].decode(),
                    part.as_string(True, linesep="\r\n").split("\r\n")[0],
                ):
                    self.assertRegex(line, r"\AFrom nobody \w{3} \w{3} ")

    def test_policy(self):
        """Python's own argument, alone and together with linesep."""
        message = self.rendered()
        self.assertIn(
            b"\nSubject: " + ("é" * 60).encode(), message.as_bytes(policy=email.policy.SMTPUTF8)
        )
        self.assertEqual(
            message.as_bytes(policy=email.policy.default, linesep="\r\n"),
            message.as_bytes(linesep="\r\n"),
        )
        self.assertEqual(message.as_string(maxheaderlen=0), message.as_string(False, 0))


@skipUnless(LEGACY, "Django 6.0 and 6.1 have nothing of 5.2 to remember.")
class FromBareDjangoTests(SimpleTestCase):
    """What was made or imported before the app was installed."""

    def test_pickles(self):
        """H24: django-mailer keeps pickles in its table."""
        process = run_python(
            """
            configure(INSTALLED_APPS=[])
            import base64, pickle, sys
            from email.mime.image import MIMEImage
            from django.core.mail import EmailMessage, EmailMultiAlternatives
            plain = EmailMessage("plain", "é", "from@example.com", ["to@example.com"])
            rich = EmailMultiAlternatives(
                "rich", "é", "from@example.com", ["to@example.com"],
                alternatives=[("<p>é</p>", "text/html")],
                attachments=[("a.txt", "a"), MIMEImage(b"image", "png")],
                headers={"X-Header": "1"},
                cc=["cc@example.com"],
            )
            assert not [name for name in sys.modules if name.startswith("django_mailers")]
            for message in (plain, rich):
                assert "connection" in vars(message) and "_connection" not in vars(message)
                print(base64.b64encode(pickle.dumps(message)).decode())
            """,
            with_app=False,
        )
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        plain, rich = (pickle.loads(base64.b64decode(line)) for line in process.stdout.splitlines())
        for message in (plain, rich):
            for using in ("bulk", None):
                self.assertEqual(message.send(using=using), 1)
            with ignore_deprecations():
                self.assertIsNone(message.connection)
        self.assertEqual(
            [(sent.subject, sent.sent_using) for sent in mail.outbox],
            [("plain", "bulk"), ("plain", "default"), ("rich", "bulk"), ("rich", "default")],
        )
        self.assertEqual(
            [part.get_content_type() for part in rich.message().walk()],
            [
                "multipart/mixed",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "text/plain",
                "image/png",
            ],
        )
        self.assertEqual(
            (rich.message()["X-Header"], rich.message()["Cc"]), ("1", "cc@example.com")
        )

    def test_pickle_with_a_connection(self):
        """5.2 stores the connection that send() made on the message (H22)."""
        process = run_python(
            f"""
            configure(INSTALLED_APPS=[], EMAIL_BACKEND="{LOCMEM}")
            import base64, pickle
            from django.core.mail import EmailMessage
            message = EmailMessage("sent", "", "from@example.com", ["to@example.com"])
            message.send()
            assert vars(message)["connection"] is not None
            print(base64.b64encode(pickle.dumps(message)).decode())
            """,
            with_app=False,
        )
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        message = pickle.loads(base64.b64decode(process.stdout))
        with ignore_deprecations():
            self.assertEqual(message.send(), 1)
            message.connection = None
        self.assertEqual(message.send(using="bulk"), 1)
        self.assertEqual([sent.subject for sent in mail.outbox], ["sent", "sent"])

    def test_made_before_the_install(self):
        """H4: an app that is loaded first, or settings, may hold messages and connections."""
        process = run_python(
            f"""
            from django.conf import settings
            settings.configure(
                MAILERS={{"default": {{"BACKEND": "{LOCMEM}"}}}},
                INSTALLED_APPS=["django_mailers"],
                USE_TZ=True,
            )
            from django.core.mail import EmailMessage, EmailMultiAlternatives
            from django.core.mail.backends import locmem

            class Early(EmailMultiAlternatives):
                pass

            connection = locmem.EmailBackend()
            plain = EmailMessage("plain", "b", "from@example.com", ["to@example.com"])
            sent = EmailMessage("sent", "b", "from@example.com", ["to@example.com"])
            sent.connection = connection
            sent.send()
            early = Early("early", "b", "from@example.com", ["to@example.com"])
            early.attach_alternative("<p>", "text/html")
            import django
            django.setup()

            import email.message, warnings
            from django.core import mail
            mail.outbox.clear()
            for message in (plain, sent, early):
                assert isinstance(message.message(), email.message.EmailMessage)
                assert message.send() == 1
            assert connection.send_messages([plain]) == 1
            print([(message.subject, message.sent_using) for message in mail.outbox])
            """
        )
        self.assertEqual(
            (process.stdout, process.stderr),
            (
                "[('plain', 'default'), ('sent', None), ('early', 'default'), ('plain', None)]\n",
                "",
            ),
        )

    def test_bad_header_error(self):
        """The class that a module imported before the install catches what is raised after it."""
        process = run_python(
            """
            from django.core.mail import BadHeaderError as before, EmailMessage
            configure()
            import warnings
            warnings.simplefilter("ignore")
            from django.core.mail import BadHeaderError as after
            from django.core.mail.message import BadHeaderError as of_the_module

            places = {
                "subject": {"subject": "a\\nb"},
                "from_email": {"from_email": "a@example.com\\nb"},
                "to": {"to": ["a@example.com\\nb"]},
                "cc": {"cc": ["a@example.com\\nb"]},
                "reply_to": {"reply_to": ["a@example.com\\nb"]},
                "header": {"headers": {"X-Header": "a\\nb"}},
                "name of a header": {"headers": {"X-Header\\nb": "a"}},
                "text attachment": {"attachments": [("a\\nb.txt", "a", "text/plain")]},
                "attachment": {"attachments": [("a\\nb.bin", b"a", "application/x-a")]},
            }
            for error in (before, after, of_the_module, ValueError):
                for place, arguments in places.items():
                    message = EmailMessage(**{"to": ["to@example.com"], **arguments})
                    for act in (message.message, message.send):
                        try:
                            act()
                        except error:
                            continue
                        except Exception as other:
                            print(f"{place}: {other!r} is no {error!r}")
                        else:
                            print(f"{place}: no error")
            """
        )
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
