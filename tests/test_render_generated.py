"""Generated messages are rendered as Django renders them."""

import hypothesis
from django.core.mail import EmailMultiAlternatives
from django.core.mail import message as django_message
from django.test import tag
from hypothesis import strategies as st

from django_mailers.render import bodies, headers

from .support.corpus import HEBREW, JAPANESE
from .support.generated import DETERMINISTIC
from .support.rendering import RenderTestCase, simple

CHARACTERS = st.one_of(
    st.sampled_from(
        "aZ0 \t=?_.,:;<>@\"'()[]\\%\r\n\x00\x0b\x0c\x1c\x7f\x85\xa0é€\u2028\ud800\udce9"
    ),
    st.characters(),
)
WORDS = st.one_of(
    st.text(CHARACTERS, max_size=12),
    st.text("abcXYZ019-_.+'", min_size=1, max_size=30),
    st.sampled_from(["=?utf-8?q?a?=", "From", "Grüße", HEBREW, JAPANESE, "x" * 76, "y" * 998]),
)
PHRASES = st.lists(WORDS, max_size=14).map(" ".join)
PLAIN_ADDRESSES = st.from_regex(
    r"[a-z0-9+_=-]{1,40}(\.[a-z]{1,9})?@[a-z0-9-]{1,20}\.[a-z]{2,9}", fullmatch=True
)
ADDRESSES = st.one_of(
    PLAIN_ADDRESSES,
    PLAIN_ADDRESSES,
    st.builds("{} <{}>".format, WORDS, PLAIN_ADDRESSES),
    st.builds('"{}" <{}>'.format, WORDS, PLAIN_ADDRESSES),
    st.builds("{}@{}".format, WORDS, WORDS),
    WORDS,
)
LINES = st.one_of(
    WORDS,
    PHRASES,
    st.sampled_from([".", "..", "From me", " ", "\t", "--", "é" * 40, "a=b " * 30, "z" * 999]),
)
BODIES = st.lists(
    st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r", " \n", ""])), max_size=16
).map(lambda lines: "".join(line + end for line, end in lines))
USUAL_TYPES = st.sampled_from(
    ["text/plain", "text/html", "text/csv", "image/png", "application/pdf", "x-a/b.c+d-e"]
)
ODD_TYPES = st.sampled_from(
    ["TEXT/x", "text/plain; charset=x", "multipart/mixed", "message/rfc822", "text", "image/a\nb"]
)
TYPES = st.one_of(USUAL_TYPES, USUAL_TYPES, USUAL_TYPES, ODD_TYPES)
FILENAMES = st.one_of(
    st.none(), st.from_regex(r"[a-z_-]{1,60}\.[a-z]{1,4}", fullmatch=True), PHRASES
)
CONTENTS = st.one_of(
    st.binary(max_size=200), BODIES, BODIES.map(lambda text: text.encode("utf-8", "replace"))
)
ATTACHMENTS = st.one_of(
    st.tuples(FILENAMES, CONTENTS, TYPES),
    st.builds(django_message.EmailAttachment, FILENAMES, CONTENTS, TYPES),
)
HEADERS = st.dictionaries(
    st.one_of(
        st.sampled_from(
            ["X-A", "x-b", "List-Id", "References", "Sender", "Date", "Message-ID", "To"]
        )
        | st.sampled_from(["From", "from", "Cc", "Subject", "Bcc", "Content-Type", "X A", "X:A"]),
        st.from_regex(r"[A-Za-z-]{1,40}", fullmatch=True),
    ),
    st.one_of(PHRASES, ADDRESSES, st.integers()),
    max_size=3,
)


@tag("slow")
class GeneratedTests(RenderTestCase):
    """Whatever hypothesis comes up with. What Django refuses, it refuses in the same words."""

    def setUp(self):
        super().setUp()
        self.fast = 0
        self.all = 0

    def assertFast(self, share):
        self.assertGreater(self.fast, self.all * share)

    def compare(self, make):
        self.fast += self.check(make)
        self.all += 1

    def test_headers(self):
        @DETERMINISTIC
        @hypothesis.given(PHRASES, ADDRESSES, st.lists(ADDRESSES, max_size=9), HEADERS)
        def test(subject, sender, to, extra):
            self.compare(
                lambda: simple(
                    subject=subject, from_email=sender, to=to, cc=to[:2], headers=dict(extra)
                )
            )

        test()

    def test_plain_addresses(self):
        @DETERMINISTIC
        @hypothesis.given(st.lists(PLAIN_ADDRESSES, max_size=30))
        def test(to):
            self.compare(lambda: simple(to=to))

        test()
        self.assertFast(0.99)

    def test_bodies(self):
        @DETERMINISTIC
        @hypothesis.given(BODIES)
        def test(body):
            self.compare(lambda: simple(body=body))

        test()
        self.assertFast(0.5)

    def test_parts(self):
        @DETERMINISTIC
        @hypothesis.given(
            st.sampled_from(["", "Text\n", "Grüße\n"]),
            st.lists(st.tuples(CONTENTS, TYPES), max_size=2),
            st.lists(ATTACHMENTS, max_size=2),
        )
        def test(body, alternatives, attachments):
            def make():
                message = simple(EmailMultiAlternatives, body=body, alternatives=alternatives)
                # Not by attach(), which refuses some.
                message.attachments = list(attachments)
                return message

            self.compare(make)

        test()
        self.assertFast(0.1)

    def test_quoted_printable(self):
        """The part that is written anew, against Python's own."""

        @DETERMINISTIC
        @hypothesis.given(
            st.lists(st.binary(max_size=200).map(lambda x: x.translate(None, b"\r\n")))
        )
        def test(lines):
            expected = bodies.quoprimime.body_encode(
                "".join(line.decode("latin-1") + "\n" for line in lines), headers.LIMIT
            )
            self.assertEqual(
                bodies.quoted_printable(lines), expected.replace("\n", "\r\n").encode("ascii")
            )

        test()
