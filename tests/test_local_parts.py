"""Local parts that are not ASCII are refused in the words of Django, by every Python alike.

From Python 3.15 on its parser lets them pass, and Django's own backend fails in other ways: with a
HeaderWriteError, or for a Bcc with a UnicodeEncodeError.
"""

import sys
from email.errors import MessageError
from unittest import mock

from django.core.mail import EmailMessage, mailers
from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.render import localparts, render

from .support.messages import message
from .support.recordings import pinned
from .support.rendering import by_django, is_local_part, outcome
from .support.smtp import ALIAS, SMTPBackendTestCase, statuses, subjects

ADDRESSES = ["jörg@example.com", "Jörg <jörg@exämple.com>", "jörg", "a@example.com, jörg@b.example"]


def in_each_field(address):
    """A message with `address` in each place, and whether it is in the envelope there."""
    yield message(from_email=address), True
    for field in ("to", "cc", "bcc"):
        yield message(**{field: ["c@example.com", address]}), True
    yield message(reply_to=[address]), False
    for name in ("From", "To", "Reply-To", "Sender", "Resent-To"):
        yield message(headers={name: address}), False


def text(address):
    return f"Invalid address {address!r}: local-part contains non-ASCII characters)"


class BackendTests(SMTPBackendTestCase):
    def setUp(self):
        super().setUp()
        self.sink = self.serve()

    def test_in_the_envelope(self):
        backend = mailers[ALIAS]
        for address in ADDRESSES[:3]:
            for email, in_envelope in in_each_field(address):
                if in_envelope:
                    with self.subTest(address, **vars(email)):
                        expected = repr(ValueError(text(address)))
                        self.assertEqual(self.error(backend.send_messages, [email]), expected)
        self.assertEqual(self.sink.connections, [])

    def test_others_are_sent(self):
        messages = [message(subject="1"), message(bcc=["jörg@example.com"]), message(subject="3")]
        report = send_many(messages, using=ALIAS)
        self.assertEqual(statuses(report), ["sent", "failed", "sent"])
        self.assertEqual(repr(report[1].error), repr(ValueError(text("jörg@example.com"))))
        self.assertEqual(subjects(self.sink), ["1", "3"])

    def test_prep_address(self):
        backend = mailers[ALIAS]
        for address in ADDRESSES[:3]:
            with self.subTest(address):
                expected = repr(ValueError(text(address)))
                self.assertEqual(self.error(backend.prep_address, address), expected)
        self.assertEqual(
            [backend.prep_address(address, force_ascii=False) for address in ADDRESSES[:3]],
            ["jörg@example.com", "jörg@exämple.com", "jörg"],
        )
        self.assertEqual(backend.prep_address("Jörg <j@exämple.com>"), "j@xn--exmple-cua.com")


class RenderTests(SimpleTestCase):
    """What is in a header, of which Python before 3.15 makes an encoded word."""

    def test_headers(self):
        for address in ADDRESSES:
            for email, _ in in_each_field(address):
                with self.subTest(address, **vars(email)):
                    if sys.version_info < (3, 15) or email.bcc:
                        self.assertTrue(render(email).endswith(b"\r\n\r\nText\r\n"))
                        continue
                    with self.assertRaises(ValueError) as caught:
                        render(email)
                    self.assertEqual(str(caught.exception), text(address))

    def test_other_errors_stay_as_they_are(self):
        """Python 3.14.8 finds a line break of its own making; Django lets that error through."""
        broken = MessageError("folded header contains newline: b'To: ...'")
        unwritable = MessageError("Non-ASCII addr-spec 'jörg@xn--exmple-cua.com' is invalid")
        refusal = localparts.refusal("jörg@exämple.com")
        for address, error, expected in (
            ("a@example.com", broken, broken),
            ("a@example.com", unwritable, unwritable),
            ("jörg@exämple.com", broken, broken),
            ("jörg@exämple.com", unwritable, refusal),
        ):
            with (
                self.subTest(address, error=error),
                mock.patch.object(EmailMessage, "message", side_effect=error),
                self.assertRaises((MessageError, ValueError)) as caught,
            ):
                render(message(cc=[address]))
            self.assertEqual(repr(caught.exception), repr(expected))

    def test_a_header_that_python_breaks(self):
        """As Django does, whatever that is on this Python."""
        addresses = ["00000000", "0\x80\x80\x80,\x80\x80\U00010000\U00010000\U00010000@0000000"]
        with pinned():
            expected = outcome(by_django, message(to=addresses))
            if is_local_part(expected):
                expected = (ValueError, str(localparts.refusal(addresses[1])))
            self.assertEqual(outcome(render, message(to=addresses)), expected)

    def test_other_letters_are_encoded(self):
        email = message(to=["Jörg <j@exämple.com>"], reply_to=['"Jörg" <j@example.com>'])
        self.assertIn(b"\r\nTo: =?utf-8?q?J=C3=B6rg?= <j@xn--exmple-cua.com>\r\n", render(email))

    def test_an_empty_file_is_left_to_python(self):
        email = message(attachments=[("a.bin", b"", "application/octet-stream")])
        with mock.patch("django_mailers.render.normally", lambda message: b"by Django"):
            self.assertEqual(render(email), b"by Django")
        email = message(attachments=[("a.bin", b"1", "application/octet-stream")])
        self.assertIn(b'filename="a.bin"\r\nMIME-Version: 1.0\r\n\r\nMQ==\r\n', render(email))
