"""User input in headers and addresses: a line break in it is a ValueError, never a header.

Python's email package finds most of this, what it misses depends on its version. Where the app
makes the messages (`PROVIDED`) nothing is missed; what native Django 6.1 lets pass on old Pythons
is not tested there.
"""

import email.policy
from unittest import skipUnless

from django.core import mail

from django_mailers import polyfill

from .support.corpus import simple
from .support.injections import (
    END,
    IN_VALUE,
    LINE_BREAKS,
    MIDDLE,
    NAMES,
    InjectionTestCase,
    attached,
    cases,
)
from .support.servers import SMTPServer
from .support.utils import REFUSES_LOCAL_PARTS

PROVIDED = bool(polyfill.installed())


class MessageTests(InjectionTestCase):
    def test_in_the_middle(self):
        for place, message in cases(MIDDLE):
            for policy in (email.policy.default, email.policy.SMTP, email.policy.SMTPUTF8):
                with self.subTest(place, policy=policy), self.assertRefused(IN_VALUE):
                    message.message(policy=policy)

    def test_encoded_word_that_decodes_to_a_line_break(self):
        for address in ("=?utf-8?q?A=0AB?= <a@example.com>", "=?utf-8?b?QQ1C?= <a@example.com>"):
            for field in ({"from_email": address}, {"to": [address]}, {"reply_to": [address]}):
                with (
                    self.subTest(**field),
                    self.assertRefused("invalid arguments; address parts cannot contain CR or LF"),
                ):
                    simple(**field).message()

    def test_filename_with_other_characters_is_escaped(self):
        """RFC 2231 writes such a filename percent-encoded, the line break with it."""
        for name, line_break in LINE_BREAKS.items():
            with self.subTest(name):
                message = attached(f"é{line_break}b.bin", b"x", "application/octet-stream")
                (part,) = message.message(policy=email.policy.SMTP).iter_attachments()
                escaped = "".join(f"%{ord(character):02X}" for character in line_break)
                self.assertIn(
                    f"Content-Disposition: attachment; filename*=utf-8''%C3%A9{escaped}b.bin\r\n",
                    part.as_bytes().decode(),
                )

    @skipUnless(PROVIDED, "What Django 6.1 lets pass depends on Python.")
    def test_at_the_end(self):
        """Old Pythons write it out: an empty line, behind which all other headers are body."""
        for place, message in cases(END):
            with self.subTest(place), self.assertRefused(IN_VALUE):
                message.message(policy=email.policy.SMTP)

    @skipUnless(PROVIDED, "What Django 6.1 lets pass depends on Python.")
    def test_in_the_name_of_a_header(self):
        """Old Pythons write it out (python/cpython#121650)."""
        for place, make in NAMES.items():
            for line_break in LINE_BREAKS.values():
                name = make(line_break)
                with (
                    self.subTest(place, name=name),
                    self.assertRefused(
                        f"Header names may not contain linefeed or carriage return: {name!r}"
                    ),
                ):
                    simple(headers={name: "value"}).message()


class SendTests(InjectionTestCase):
    """The error comes at send(), and nothing has been sent by then."""

    def test_locmem(self):
        for place, message in cases(MIDDLE):
            with self.subTest(place), self.assertRefused(IN_VALUE):
                message.send()
        self.assertEqual(mail.outbox, [])

    def test_send_mail(self):
        for name, line_break in LINE_BREAKS.items():
            with self.subTest(name), self.assertRefused(IN_VALUE):
                mail.send_mail(f"a{line_break}b", "", None, ["to@example.com"])
        self.assertEqual(mail.outbox, [])

    def test_smtp(self):
        """Nothing is said to the server but hello, whichever header or address is wrong."""
        messages = dict(cases(MIDDLE))
        messages["bcc"] = simple(bcc=["x\nBcc: other@example.com"])
        messages["bcc, at the end"] = simple(bcc=["a@example.com\n"])
        messages["to, at the end"] = simple(to=["a@example.com\r\n"])
        messages["from, at the end"] = simple(from_email="a@example.com\r")
        with SMTPServer() as server, self.mailer(server.host, server.port) as mailer:
            for place, message in messages.items():
                with self.subTest(place), self.assertRaises(ValueError):
                    mailer.send_messages([message])
            self.assertEqual(mailer.send_messages([simple(subject="good")]), 1)
        (session,) = server.sessions
        self.assertEqual(session.commands, ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"])
        (arrived,) = server.messages
        self.assertIn(b"\r\nSubject: good\r\n", arrived.content)


def non_printables(text, *characters):
    return (
        f"Invalid address {text!r}: the following ASCII non-printables found in header: "
        f"{list(characters)}"
    )


# address: the envelope's address, as ASCII and for a server with SMTPUTF8
ACCEPTED = {
    "to@example.com": ("to@example.com", "to@example.com"),
    "To <to@example.com>": ("to@example.com", "to@example.com"),
    '"To, Me" <to@example.com>': ("to@example.com", "to@example.com"),
    "Tö <to@example.com>": ("to@example.com", "to@example.com"),
    "to@example.com (comment)": ("to@example.com", "to@example.com"),
    " to@example.com ": ("to@example.com", "to@example.com"),
    "Group: to@example.com;": ("to@example.com", "to@example.com"),
    '"to"@example.com': ("to@example.com", "to@example.com"),
    '"to@me"@example.com': ('"to@me"@example.com', '"to@me"@example.com'),
    "to+tag@example.com": ("to+tag@example.com", "to+tag@example.com"),
    "to@[127.0.0.1]": ("to@[127.0.0.1]", "to@[127.0.0.1]"),
    "webmaster": ("webmaster", "webmaster"),
    "Web <webmaster>": ("webmaster", "webmaster"),
    "to@exämple.com": ("to@xn--exmple-cua.com", "to@exämple.com"),
    "Tö <to@EXÄMPLE.com>": ("to@xn--exmple-cua.com", "to@EXÄMPLE.com"),
    '"to me"@exämple.com': ('"to me"@xn--exmple-cua.com', '"to me"@exämple.com'),
    "to@xn--exmple-cua.com": ("to@xn--exmple-cua.com", "to@xn--exmple-cua.com"),
}
SINGLE = "must be a single address"
INVALID = "invalid address in address-list"
# address: what is wrong with it, each defect once, in no particular order
REFUSED = {
    "": {SINGLE},
    " ": {"address-list entry with no content"},
    "@": {INVALID},
    "@localhost": {INVALID},
    "a@b@localhost": {INVALID},
    "to@local host": {INVALID},
    "to@example.com>": {INVALID},
    "To <to@example.com": {"missing trailing '>' on angle-addr"},
    "<>": {"null addr-spec in angle-addr"},
    "a@example.com, b@example.com": {SINGLE},
    "Doe, Jane <jane@example.com>": {SINGLE},
    "J. Doe <jane@example.com>": {"period in 'phrase'"},
    "Group:;": {SINGLE},
    ",to@example.com": {"empty element in address-list"},
    "<@relay:to@example.com>": {"obsolete route specification in angle-addr"},
    "to@example.com (comment": {"end of header inside comment"},
    "a b@example.com": {
        "missing '.' between words",
        "local-part is not dot-atom, quoted-string, or obs-local-part",
    },
    "to@example..com": {INVALID, "period in 'phrase'"},
}
NOT_ASCII = ["jörg@example.com", "Jörg <jörg@exämple.com>", "jörg"]


class PrepAddressTests(InjectionTestCase):
    """`smtp.EmailBackend.prep_address()`: the address that goes into the SMTP envelope."""

    def prep_address(self, address, **arguments):
        return self.mailer().prep_address(address, **arguments)

    def test_accepted(self):
        for address, expected in ACCEPTED.items():
            with self.subTest(address):
                self.assertEqual(
                    (self.prep_address(address), self.prep_address(address, force_ascii=False)),
                    expected,
                )

    def test_refused(self):
        for address, defects in REFUSED.items():
            for force_ascii in (True, False):
                with self.subTest(address, force_ascii=force_ascii):
                    with self.assertRaises(ValueError) as caught:
                        self.prep_address(address, force_ascii=force_ascii)
                    before, _, after = str(caught.exception).partition(f"{address!r}: ")
                    self.assertEqual(before, "Invalid address ")
                    self.assertEqual(sorted(after.split("; ")), sorted(defects))

    def test_line_breaks(self):
        for line_break in LINE_BREAKS.values():
            for address in (
                line_break,
                f"to@example.com{line_break}",
                f"{line_break}to@example.com",
                f"to{line_break}@example.com",
                f"to@example{line_break}.com",
                f"A{line_break}B <to@example.com>",
                f'"A{line_break}B" <to@example.com>',
                f"<to@example.com{line_break}>",
                f"(A{line_break}B) to@example.com",
                f'"to{line_break}"@example.com',
            ):
                for force_ascii in (True, False):
                    with (
                        self.subTest(address, force_ascii=force_ascii),
                        self.assertRefused(non_printables(address, *line_break)),
                    ):
                        self.prep_address(address, force_ascii=force_ascii)

    def test_smtp_command_in_an_address(self):
        for line_break in LINE_BREAKS.values():
            address = f"to@example.com>{line_break}RCPT TO:<other@example.com"
            with self.subTest(address), self.assertRaises(ValueError):
                self.prep_address(address)

    def test_encoded_word_that_decodes_to_a_line_break(self):
        address = "=?utf-8?q?A=0AB?= <to@example.com>"
        with self.assertRefused(non_printables(address, "\n")):
            self.prep_address(address)

    def test_other_control_characters(self):
        for character in ("\x00", "\x07", "\x0b", "\x0c", "\x1b"):
            address = f"to@example{character}.com"
            with self.subTest(address), self.assertRefused(non_printables(address, character)):
                self.prep_address(address)

    @skipUnless(REFUSES_LOCAL_PARTS, "Django leaves it to Python")
    def test_local_part_not_ascii(self):
        """There is no ASCII form of it; a server with SMTPUTF8 takes it as it is."""
        for address in NOT_ASCII:
            # The parenthesis is Python's.
            text = f"Invalid address {address!r}: local-part contains non-ASCII characters)"
            with self.subTest(address), self.assertRefused(text):
                self.prep_address(address)
        self.assertEqual(
            [self.prep_address(address, force_ascii=False) for address in NOT_ASCII],
            ["jörg@example.com", "jörg@exämple.com", "jörg"],
        )

    def test_domain_that_has_no_idna_form(self):
        for domain in ("é" * 64 + ".com", "xn--é.com"):
            with self.subTest(domain):
                # UnicodeError is a ValueError; its text is Python's and varies.
                with self.assertRaises(UnicodeError):
                    self.prep_address(f"to@{domain}")
                self.assertEqual(
                    self.prep_address(f"to@{domain}", force_ascii=False), f"to@{domain}"
                )


@skipUnless(PROVIDED, "Django 6.1 lets out whatever Python raises.")
class ParserErrorTests(InjectionTestCase):
    """H21: where Python's parser fails on an invalid address, it is a ValueError all the same.

    By Python 3.13 the IndexErrors of "a@" and "<" and the TypeErrors are gone, by 3.14.8 all
    are: it makes headers of these addresses, and has defects that keep them out of envelopes.
    """

    IN_ENVELOPE = {
        "a@": IndexError,
        "<": IndexError,
        " .@": TypeError,
        "a@[": AttributeError,
        "a@[127.0.0.1": AttributeError,
        "a@[ ": UnboundLocalError,
    }
    IN_HEADER = {
        **IN_ENVELOPE,
        '"': IndexError,
        ".:": AttributeError,
        "Group:;a": AttributeError,
    }

    def test_envelope(self):
        for address in self.IN_ENVELOPE:
            for force_ascii in (True, False):
                with self.subTest(address, force_ascii=force_ascii):
                    with self.assertRaises(ValueError) as caught:
                        self.mailer().prep_address(address, force_ascii=force_ascii)
                    self.assertEqual(
                        str(caught.exception).partition(f"{address!r}: ")[0], "Invalid address "
                    )

    def test_header(self):
        for address in self.IN_HEADER:
            for field in (
                {"from_email": address},
                {"to": [address]},
                {"cc": [address]},
                {"reply_to": [address]},
                {"headers": {"Sender": address}},
            ):
                with self.subTest(**field):
                    try:
                        made = simple(**field).message(policy=email.policy.SMTP)
                    except ValueError:
                        continue
                    self.assertTrue(made.as_bytes().endswith(b"\r\n\r\nThe body.\r\n"))
