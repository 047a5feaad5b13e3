"""`django_mailers.render` gives Django's bytes, and writes them directly where it can."""

import email.policy
import random
import sys
import tracemalloc
from datetime import datetime, timedelta, timezone
from email.errors import MessageError
from email.message import EmailMessage as PythonMessage
from email.message import MIMEPart
from unittest import mock

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail import message as django_message
from django.test import override_settings, tag
from django.utils.safestring import mark_safe

from django_mailers import render as rendering
from django_mailers.render import bodies, direct, eligible, headers, render

from .support.corpus import CORPUS, PNG, SETTINGS, inline_image
from .support.recordings import normalise, pinned
from .support.rendering import RenderTestCase, by_django, hook, outcome, simple

# What of the corpus is left to Django: what it refuses or changes on its way (IDNA), other
# charsets, odd types, whole messages as attachments, and subclasses that override something.
SLOW = """
alternative_html_bytes_invalid alternative_html_escaped_bytes alternative_html_latin1
alternative_html_lazy alternative_int alternative_json alternative_json_latin1
alternative_parameters alternative_rfc822 alternative_without_slash attachment_bytearray
attachment_bytes_empty attachment_calendar_parameters attachment_delivery_status
attachment_external_body attachment_filename_lazy attachment_filename_newline
attachment_int_as_binary attachment_latin1 attachment_latin1_cannot attachment_lazy_as_binary
attachment_legacy_application attachment_legacy_base attachment_legacy_image attachment_legacy_text
attachment_memoryview attachment_partial attachment_rfc822_8bit attachment_rfc822_accented_filename
attachment_rfc822_bytes attachment_rfc822_bytes_crlf attachment_rfc822_django
attachment_rfc822_django_nested attachment_rfc822_empty attachment_rfc822_folded
attachment_rfc822_legacy attachment_rfc822_legacy_folded attachment_rfc822_legacy_mime
attachment_rfc822_not_a_message attachment_rfc822_python attachment_rfc822_python_smtp
attachment_rfc822_str attachment_text_bytearray attachment_text_escaped_bytes attachment_text_int
attachment_text_lazy attachment_text_parameters attachment_type_multipart attachment_type_parameters
attachment_type_upper body_bytes body_escaped_bytes body_int body_lone_surrogate
body_long_line_escaped_bytes cc cc_header cc_header_upper encoding_ascii encoding_ascii_cannot
encoding_big5_long encoding_charset_object encoding_charset_object_qp encoding_euc_jp
encoding_gb18030 encoding_iso_2022_jp encoding_koi8_r encoding_latin1 encoding_latin1_ascii_only
encoding_latin1_bytes encoding_latin1_cannot encoding_latin1_long_line encoding_of_the_settings
encoding_shift_jis encoding_unknown encoding_utf8_upper encoding_utf_16 encoding_utf_7
encoding_windows_1252 everybody from_default_accents from_header_idna from_header_lower from_idna
from_idna_name header_bcc header_bcc_any_case header_bool header_bytes header_content_language
header_content_transfer_encoding header_content_type header_date_datetime header_date_naive
header_dict header_float header_int header_list header_mime_version header_name_accents
header_name_empty header_name_with_colon header_name_with_space header_newline header_none
header_resent header_same_in_other_case header_subject header_subject_lower reply_to_header
reply_to_several subclass_encoding subclass_newsletter subclass_signed subject_carriage_return
subject_crlf_folded subject_crlf_injection subject_form_feed subject_int subject_lazy_newline
subject_line_separator subject_lone_surrogate subject_newline subject_next_line
subject_record_separator subject_vertical_tab to_address_object to_header_idna to_header_list
to_header_lower to_idna to_idna_emoji to_idna_group to_idna_name to_idna_quoted_local_part
to_idna_sharp_s to_idna_upper to_many_idna to_newline to_unicode_local_part_name to_with_none
""".split()  # noqa: SIM905
if sys.version_info >= (3, 15):
    # What Python refuses to write.
    SLOW = sorted([*SLOW, "to_unicode_local_part", "to_unicode_without_domain"])


class CorpusTests(RenderTestCase):
    @tag("slow")
    def test_corpus(self):
        slow = []
        for name, make in CORPUS.items():
            with self.subTest(name), pinned(**SETTINGS.get(name, {})):
                if not self.check(make):
                    slow.append(name)
        self.assertEqual(sorted(slow), SLOW)

    def test_more_than_half_are_fast(self):
        self.assertGreater(len(CORPUS) - len(SLOW), len(CORPUS) * 0.6)


class LimitTests(RenderTestCase):
    """One by one through the lengths at which Python begins to fold or to encode.

    Piece by piece, too: header by header and part by part, as whole messages take long to make.
    """

    def assertLines(self, function, name, value):
        """`function` gives what Python's policy does, or leaves the header to it."""
        try:
            header = headers.SMTP.header_store_parse(name, value)[1]
            expected = headers.SMTP.fold_binary(name, header)
        except (ValueError, MessageError):
            with self.assertRaises(headers.NotProved):
                function(name, value)
            return
        try:
            lines = function(name, value)
        except headers.NotProved:
            self.assertRegex(value, r"[\r\n\x80-\uffff]")
            return
        with self.subTest(name, value=value):
            self.assertEqual(lines, expected)

    def assertText(self, content):
        message = PythonMessage(policy=headers.SMTP)
        message.set_content(content)
        encoding, encoded = bodies.encode_text(content.encode())
        with self.subTest(content):
            self.assertEqual(
                (encoding, encoded),
                (message["Content-Transfer-Encoding"], message.as_bytes().split(b"\r\n\r\n", 1)[1]),
            )
        return encoding

    def test_subjects(self):
        for length in range(1, 90):
            self.assertLines(headers.unstructured, "Subject", "s" * length)
            self.assertLines(headers.unstructured, "X-Words", ("ab " * 30)[:length].strip())

    def test_every_character(self):
        for number in range(0x100):
            character = chr(number)
            self.assertLines(headers.unstructured, "Subject", f"a{character}b {character} c")
            self.assertLines(headers.addresses, "To", f"a{character}b@example.com, c@example.com")
            self.assertLines(headers.addresses, "Cc", f"a@b{character}c.example")
            self.assertLines(headers.addresses, "From", f"A {character} B <a@example.com>")

    def test_addresses(self):
        for length in range(1, 85):
            address = "a" * length + "@e.example"
            self.assertLines(headers.addresses, "To", address)
            self.assertLines(headers.addresses, "Cc", f"N N <{address}>")
            self.assertLines(headers.addresses, "Reply-To", f"{address}, last@example.com")
            self.assertLines(headers.addresses, "To", f"a@example.com, {address}, c@example.com")

    def test_many_addresses(self):
        for count in range(1, 40):
            many = [f"{'a' * (number % 23)}x@example.com" for number in range(count)]
            self.assertLines(headers.addresses, "To", ", ".join(many))

    def test_dates(self):
        zones = [timezone.utc, timezone(timedelta(0)), timezone(timedelta(hours=-3, minutes=-30))]
        for number in range(100):
            now = datetime(1999, 12, 28, 9, 8, 7, 6, zones[number % 3])
            now += timedelta(days=31 * number, hours=5 * number, seconds=7 * number)
            value = headers.SMTP.header_factory("Date", now)
            self.assertEqual(headers.date(now), headers.SMTP.fold_binary("Date", value))

    def test_dates_that_are_given(self):
        for value, fast in [
            ("Fri, 09 Nov 2001 01:08:47 +0000", True),
            ("Fri, 09 Nov 2001 01:08:47 -0330", True),
            ("Fri, 09 Nov 2001 01:08:47 -0000", False),
            ("Fri, 9 Nov 2001 01:08:47 +0000", False),
            ("Sat, 09 Nov 2001 01:08:47 +0000", False),
            ("09 Nov 2001 01:08 GMT", False),
            ("Fri, 09 Nov 2001 01:08:47 +0000\n", False),
            ("tomorrow", False),
            ("", False),
        ]:
            with self.subTest(value):
                line = f"Date: {value}\r\n".encode("ascii")
                self.assertEqual(headers.given_date(value), line if fast else None)
                if fast:
                    self.assertEqual(headers.folded("Date", value), line)

    def test_message_ids(self):
        for length in range(1, 90):
            self.assertLines(
                lambda name, value: headers.message_id(value),
                "Message-ID",
                f"<176000000000.1.2@{'h' * length}>",
            )

    def test_file_names(self):
        for length in range(1, 100):
            for name in ("n" * length + ".x", "é" * length):
                message = PythonMessage(policy=headers.SMTP)
                message.add_attachment(b"x", "application", "pdf", filename=name)
                (part,) = message.iter_parts()
                made = bodies.file_part(b"x", "application", "pdf", "attachment", name)
                with self.subTest(name):
                    self.assertEqual(b"".join(made), part.as_bytes())

    def test_lines_of_text(self):
        encodings = set()
        for length in (20, 76, 77, 78, 79, 80, 154, 155, 156, 157, 999):
            for character in ("x", "=", "é", " ", "\t", ".", "\x00", "\x0c", "\u2028"):
                for end in ("", " \n", "\t\r\nx"):
                    line = character * (length - length // 3) + "x" * (length // 3)
                    encodings.add(self.assertText(line[:length] + end))
                    encodings.add(self.assertText(line[::-1] + end))
        self.assertEqual(encodings, {"7bit", "8bit", "quoted-printable", "base64"})

    def test_choice_between_quoted_printable_and_base64(self):
        for count in range(0, 110, 3):
            for lines in (1, 10, 11):
                self.assertText(("é" * count + "x" * (120 - count) + "\n") * lines)

    def test_sizes_of_files(self):
        block = bodies.BYTES * 1000
        for size in (0, 1, 2, 3, 56, 57, 58, 114, block - 1, block, block + 1, 2 * block + 58):
            with self.subTest(size):
                content = random.Random(size).randbytes(size)
                message = PythonMessage(policy=headers.SMTP)
                message.set_content(content, "image", "png")
                expected = message.as_bytes().split(b"\r\n\r\n", 1)[1]
                if not content:
                    # Nothing, or an empty line since Python 3.15.
                    with self.assertRaises(headers.NotProved):
                        bodies.file_part(content, "image", "png", "message", None)
                    continue
                self.assertEqual(b"".join(bodies.base64_lines(content)), expected)


class FastTests(RenderTestCase):
    """What has to be fast, and stay so."""

    def test_whole_message(self):
        message = simple(
            EmailMultiAlternatives,
            subject="Order 7",
            from_email="Example Shop <shop@example.com>",
            body="One\nGrüße\n",
            alternatives=[("<p>One", "text/html")],
            attachments=[("a.txt", "x", "text/plain"), ("a.png", PNG, "image/png")],
            headers={
                "X-Tag": "a",
                "Date": "Fri, 09 Nov 2001 01:08:47 -0000",
                "Message-ID": "<1@b>",
            },
        )
        with self.watched() as slow, mock.patch("random.randrange", side_effect=[11, 22]):
            rendered = render(message)
        self.assertEqual(slow, [])
        self.assertEqual(
            rendered.decode().split("\r\n"),
            [
                "MIME-Version: 1.0",
                'Content-Type: multipart/mixed; boundary="===============0000000000000000022=="',
                "Subject: Order 7",
                "From: Example Shop <shop@example.com>",
                "To: to@example.com",
                "X-Tag: a",
                "Date: Fri, 09 Nov 2001 01:08:47 -0000",
                "Message-ID: <1@b>",
                "",
                "--===============0000000000000000022==",
                "Content-Type: multipart/alternative;",
                ' boundary="===============0000000000000000011=="',
                "",
                "--===============0000000000000000011==",
                'Content-Type: text/plain; charset="utf-8"',
                "Content-Transfer-Encoding: 8bit",
                "",
                "One",
                "Grüße",
                "",
                "--===============0000000000000000011==",
                'Content-Type: text/html; charset="utf-8"',
                "Content-Transfer-Encoding: 7bit",
                "MIME-Version: 1.0",
                "",
                "<p>One",
                "",
                "--===============0000000000000000011==--",
                "",
                "--===============0000000000000000022==",
                'Content-Type: text/plain; charset="utf-8"',
                "Content-Transfer-Encoding: 7bit",
                'Content-Disposition: attachment; filename="a.txt"',
                "MIME-Version: 1.0",
                "",
                "x",
                "",
                "--===============0000000000000000022==",
                "Content-Type: image/png",
                "Content-Transfer-Encoding: base64",
                'Content-Disposition: attachment; filename="a.png"',
                "MIME-Version: 1.0",
                "",
                "iVBORw0KGgoAAAANSUhEUgD/",
                "",
                "--===============0000000000000000022==--",
                "",
            ],
        )

    def test_date_of_the_time_zone(self):
        now = datetime(2026, 11, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-6)))
        with pinned(EMAIL_USE_LOCALTIME=True):
            self.check(simple, fast=True)
            with mock.patch.object(direct, "datetime") as clock:
                clock.now.return_value = now
                self.assertIn(b"\r\nDate: Tue, 03 Nov 2026 04:05:06 -0600\r\n", render(simple()))

    def test_an_identity(self):
        given = {"Date": "Fri, 09 Nov 2001 01:08:47 +0100", "Message-ID": "<1.2@host.example>"}
        self.check(lambda: simple(headers=given), fast=True)
        with mock.patch.object(headers, "folded", side_effect=AssertionError):
            rendered = render(simple(headers=given))
        for name, value in given.items():
            self.assertIn(f"\r\n{name}: {value}\r\n".encode("ascii"), rendered)

    def test_names_are_looked_up_in_djangos_module(self):
        with mock.patch.object(django_message, "DNS_NAME", "elsewhere.example"):
            self.assertRegex(render(simple()), rb"\r\nMessage-ID: <[\d.]+@elsewhere\.example>\r\n")
        with mock.patch.object(django_message, "make_msgid", lambda domain: f"<one@{domain}>"):
            self.assertIn(b"\r\nMessage-ID: <one@corpus.example>\r\n", render(simple()))

    def test_safe_strings(self):
        self.check(
            lambda: simple(
                EmailMultiAlternatives,
                subject=mark_safe("Safe"),
                body=mark_safe("Größe"),
                alternatives=[(mark_safe("<b>Größe</b>"), "text/html")],
            ),
            fast=True,
        )

    def test_headers_that_python_folds(self):
        self.check(
            lambda: simple(
                subject="Größe " * 30,
                from_email="Größe <a@example.com>",
                headers={"X-Long": "x" * 100, "References": "<a@b> <c@d>"},
            ),
            fast=True,
        )

    def test_ready_parts(self):
        def with_part():
            part = MIMEPart()
            part.set_content(b"x", "application", "x-x", filename="Größe")
            return simple(attachments=[inline_image(), part])

        self.check(with_part, fast=True)

    def test_subclass_that_overrides_nothing_of_the_rendering(self):
        class Tagged(EmailMultiAlternatives):
            tags = ("a",)

            def send(self, *args, **kwargs):
                return 0

        self.check(lambda: simple(Tagged, alternatives=[("<p>", "text/html")]), fast=True)

    def test_memory(self):
        content = random.Random(1).randbytes(1 << 20)
        message = simple(attachments=[("a.bin", content, "application/x-a")])
        peaks = []
        for way in (by_django, render):
            way(message)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            way(message)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        self.assertLessEqual(peaks[1], peaks[0] * 1.1)


class SlowTests(RenderTestCase):
    """What is Django's to do."""

    def assertSlow(self, message):
        """The message is rendered by Django, and once."""
        with self.watched() as slow:
            rendered = outcome(render, message)
        self.assertEqual(slow, [message])
        self.assertEqual(rendered, outcome(rendering.normally, message))

    def complete(self, kind=EmailMultiAlternatives):
        """A message that has everything that a hook may be about."""
        return simple(
            kind, alternatives=[("<p>", "text/html")], attachments=[("a", "x", "text/plain")]
        )

    def test_hooks_on_a_subclass(self):
        for name in eligible.HOOKS:
            with self.subTest(name):
                self.assertSlow(
                    self.complete(type("Custom", (EmailMultiAlternatives,), hook(name)))
                )

    def test_hooks_on_an_instance(self):
        for name in eligible.HOOKS:
            with self.subTest(name):
                message = self.complete()
                vars(message)[name] = getattr(message, name, None)
                self.assertSlow(message)

    def test_hooks_replaced_on_djangos_classes(self):
        # Those that there are before: nothing calls the others.
        names = [name for name in eligible.HOOKS if hasattr(EmailMultiAlternatives, name)]
        for kind in (EmailMessage, EmailMultiAlternatives):
            for name in names:
                with self.subTest(name, kind=kind):
                    with self.watched() as slow:
                        render(self.complete())
                    self.assertEqual(slow, [])
                    with mock.patch.object(kind, name, hook(name)[name], create=True):
                        message = simple(kind)
                        self.assertSlow(message)

    def test_subtypes(self):
        for name in eligible.SUBTYPES:
            with self.subTest(name):
                kind = type("Custom", (EmailMultiAlternatives,), {name: "related"})
                self.assertSlow(self.complete(kind))
                message = self.complete()
                vars(message)[name] = "related"
                self.assertSlow(message)

    def test_message_is_called_once(self):
        calls = []

        class Templated(EmailMessage):
            def message(self, **kwargs):
                calls.append(kwargs)
                self.body = "Rendered\n"
                return super().message(**kwargs)

        self.assertTrue(render(simple(Templated)).endswith(b"\r\n\r\nRendered\r\n"))
        self.assertEqual(calls, [{"policy": email.policy.SMTP}])

    def test_message_without_a_policy(self):
        class Old(EmailMessage):
            def message(self):
                return super().message()

        rendered = render(simple(Old, body="a\nb\n"))
        self.assertEqual(normalise(rendered), outcome(by_django, simple(body="a\nb\n")))

    def test_not_a_django_message(self):
        class Other:
            def message(self, policy):
                message = PythonMessage(policy=policy)
                message.set_content("other\n")
                return message

        self.assertTrue(render(Other()).endswith(b"\r\nMIME-Version: 1.0\r\n\r\nother\r\n"))

    def test_attributes_missing(self):
        """As queues restore a message, or forget to."""
        for name in ("alternatives", "attachments", "extra_headers", "to", "body"):

            def without(name=name):
                message = simple(EmailMultiAlternatives)
                delattr(message, name)
                return message

            with self.subTest(name):
                self.check(without, fast=False)

    def test_alternatives_of_a_message_without(self):
        def make():
            message = simple()
            message.alternatives = [("<p>", "text/html")]
            return message

        self.check(make, fast=False)

    def test_charsets(self):
        with override_settings(DEFAULT_CHARSET="iso-8859-1"):
            self.check(lambda: simple(body="é\n"), fast=False)

    def test_boundary_in_a_body(self):
        token = 5
        delimiter = "--===============0000000000000000005=="

        def make():
            return simple(body=delimiter + "\n", attachments=[("a", "x", "text/plain")])

        with mock.patch("random.randrange", return_value=token):
            self.check(make, fast=False)
