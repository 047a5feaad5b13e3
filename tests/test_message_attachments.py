"""Attachments and alternatives of messages, and copies of them."""

import copy
import email.message
import email.policy
import pickle
import tempfile
import warnings
from email.message import MIMEPart
from email.mime.base import MIMEBase
from email.mime.text import MIMEText
from pathlib import Path
from types import SimpleNamespace
from unittest import skipUnless

from django.core import mail
from django.core.mail import EmailAlternative, EmailAttachment, EmailMessage, EmailMultiAlternatives
from django.test import SimpleTestCase, override_settings
from django.utils.translation import gettext_lazy

from django_mailers import RemovedInDjango2028Warning

from .support.corpus import PNG, inline_image, python_message, simple
from .support.messages import LEGACY
from .support.servers import SMTPServer
from .support.utils import SMTP, ExactErrors, ignore_deprecations


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
