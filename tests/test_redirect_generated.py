"""Whatever the recipients and the patterns are, nobody else is written to."""

from email import message_from_bytes, policy
from email.utils import getaddresses
from fnmatch import fnmatch

import hypothesis
from django.core.mail import EmailMessage
from django.test import SimpleTestCase, tag
from hypothesis import strategies as st

from django_mailers import send_many

from .support import shapers
from .support.generated import DETERMINISTIC
from .support.servers import SMTPServer, enter
from .support.shapers import IT, entry
from .support.utils import OURS, SMTP

MANY = hypothesis.settings(DETERMINISTIC, max_examples=300)
TEAM = ["team@staging.example", "lead@staging.example"]
DOMAINS = ["a.example", "b.example", "x.a.example", "A.EXAMPLE", "xn--bcher-kva.example"]
PLAIN = st.builds(
    "{}@{}".format, st.sampled_from(["ann", "Bob", "c.d", "e+f"]), st.sampled_from(DOMAINS)
)
# What people, and those who mean harm, write around an address.
FRAMES = st.sampled_from(
    [
        *["{0}"] * 5,
        *("Ann <{0}>", '"Ann, B" <{0}>', "<{0}>", "Ä <{0}>", "{0} (Ann)", "Acme Inc. <{0}>"),
        *("{0}, {1}", "{0} <{1}>", '"{0}" <{1}>', "<@b.example:{0}>", "G: {0};", "G: {0}, {1};"),
        *(
            "{0}\n{1}",
            "{0}\r\nBcc: {1}",
            "{0}({1})",
            "({1}){0}",
            "{0};{1}",
            "<{0}><{1}>",
            "{0} {1}",
        ),
        *("{0}\0", "{0}<{1}", '"{1}', "@{0}", "", "@", "{0}@b.example", '"{0}"@b.example'),
    ]
)
MAILBOXES = st.builds(lambda frame, *two: frame.format(*two), FRAMES, PLAIN, PLAIN)
LISTS = st.lists(MAILBOXES, max_size=4)
PATTERNS = st.lists(
    st.sampled_from(
        ["*@a.example", "ann@*", "*@*.example", "bob@b.example", "[ab]*@b.example", "*@*.a.example"]
    ),
    max_size=2,
)


@tag("slow")
class RedirectTests(SimpleTestCase):
    def check(self, backend):
        server = enter(self, SMTPServer())
        target = shapers.smtp(server, backend)

        @MANY
        @hypothesis.given(LISTS, LISTS, LISTS, PATTERNS)
        def nobody_else(to, cc, bcc, allow):
            del server.messages[:]
            email = EmailMessage("Hello", "Text", "shop@c.example", to, cc=cc, bcc=bcc)
            with shapers.mailers(entry("redirect", "target", to=TEAM, allow=allow), target=target):
                [result] = send_many([email], using=IT)
            hypothesis.event(result.status)
            expected = {"sent" if any([*to, *cc, *bcc]) else "skipped"}
            if backend == SMTP and "Acme" in "".join([*to, *cc, *bcc]):
                expected |= {"failed", "unknown"}  # Django refuses a full stop in a name.
            self.assertIn(result.status, expected)
            for received in server.messages:
                self.assert_right(received, email, allow)

        nobody_else()

    def assert_right(self, received, email, allow):
        is_redirected = received.rcpt_tos == TEAM
        headers = message_from_bytes(received.content, policy=policy.compat32)
        if is_redirected:
            self.assertEqual(headers["To"], ", ".join(TEAM))
        else:
            for address in received.rcpt_tos:
                allowed = any(fnmatch(address.lower(), pattern) for pattern in allow)
                self.assertTrue(allowed, (address, allow))
            # Those who may read the message learn nothing of those in its Bcc.
            written = received.content.decode().lower()
            seen = "\n".join([*email.to, *email.cc]).lower()
            for _, address in getaddresses(email.bcc):
                if "@" in address and address.lower() not in seen:
                    self.assertNotIn(address.lower(), written)
            self.assertNotIn("x-original", written)
        self.assertNotIn("Bcc", headers)
        self.assertEqual(headers.get_payload().strip(), "Text")

    def test_over_django(self):
        self.check(SMTP)

    def test_over_ours(self):
        self.check(OURS)
