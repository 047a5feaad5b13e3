"""`assertMailSent()`: arguments of every type, messages of other classes, and many addresses."""

import re
from email.message import EmailMessage as ParsedMessage

from django.core import mail
from django.core.mail import EmailAttachment
from django.test import SimpleTestCase
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

from django_mailers.testing import (
    MailersTestMixin,
    assertMailCount,
    assertMailSent,
    assertNoMail,
    captureMail,
)

from .support.messages import ADA, BOB, EVE, message
from .support.processes import ProcessTestCase

TEXT = "a str, or a pattern of re for one"
ADDRESSES = "an address, a list of addresses, or a pattern of re for one"
HEADERS = "a dict of names and values"
ATTACHMENTS = "a file name, a tuple of what attach() takes, or a list of these"
WHERE = "a function of a message, or a list of messages"


class TypeTests(SimpleTestCase):
    """A mistake in a test is named: it must not look like mail that was not sent, or was."""

    def test_wrong_types(self):
        message().send()
        parsed = ParsedMessage()
        parsed["To"] = BOB
        for name, given, where, kind in [
            ("using", ["default"], "using", TEXT),
            ("subject", b"Hello", "subject", TEXT),
            ("subject", re.compile(b"Hello"), "subject", TEXT),
            ("body", 5, "body", TEXT),
            ("html", ("a",), "html", TEXT),
            ("from_email", [ADA], "from_email", TEXT),
            ("to", 5, "to", ADDRESSES),
            ("to", BOB.encode(), "to", ADDRESSES),
            ("cc", {BOB: 1}, "cc", ADDRESSES),
            ("bcc", parsed, "bcc", ADDRESSES),
            ("recipients", [BOB, None], "recipients[1]", TEXT),
            ("headers", ["Subject"], "headers", HEADERS),
            ("headers", "Subject: Hello", "headers", HEADERS),
            ("headers", {"Subject": b"Hello"}, "headers['Subject']", TEXT),
            ("attachments", b"a.txt", "attachments", ATTACHMENTS),
            ("attachments", 5, "attachments", ATTACHMENTS),
            ("attachments", [5], "attachments[0]", ATTACHMENTS),
            ("attachments", [(5, b"A")], "attachments[0]", TEXT),
            ("attachments", [()], "attachments[0]", "a tuple of name, content and type"),
            ("where", 5, "where", WHERE),
            ("where", mail.outbox[0], "where", WHERE),
            ("where", "default", "where", WHERE),
            ("where", [parsed], "where[0]", "a message as those of mail.outbox"),
        ]:
            start = f"{where!r} must be {kind}, not "
            for function in (assertMailSent, assertNoMail):
                with self.subTest(name=name, given=given), self.assertRaises(TypeError) as caught:
                    function(**{name: given})
                self.assertEqual(str(caught.exception)[: len(start)], start)

    def test_counts(self):
        for given in ("1", 1.0, [1]):
            text = f"must be a number of messages, not {given!r}."
            with self.subTest(given):
                with self.assertRaisesMessage(TypeError, f"'count' {text}"):
                    assertMailSent(count=given)
                with self.assertRaisesMessage(TypeError, f"'n' {text}"):
                    assertMailCount(given)
        with self.assertRaisesMessage(TypeError, "'n' must be a number of messages, not None."):
            assertMailCount(None)
        with self.assertRaisesMessage(ValueError, "'count' must not be negative."):
            assertMailSent(count=-1)

    def test_iterators(self):
        """The first message must not use one up: then the others would be for nobody."""
        message(to=[EVE], cc=["cc@example.com"]).send()
        message(to=[BOB], attachments=[("a.txt", "A", "text/plain")]).send()
        for criteria in (
            {"to": iter([BOB])},
            {"recipients": (address for address in [BOB])},
            {"to": dict.fromkeys([BOB]).keys()},
            {"attachments": map(str, ["a.txt"])},
            {"where": iter(mail.outbox), "to": BOB},
        ):
            with self.subTest(criteria):
                self.assertIs(assertMailSent(**criteria), mail.outbox[1])
        assertNoMail(cc=iter(["other@example.com"]))

    def test_lazy_texts(self):
        message("January", to=[BOB, EVE]).send()
        for criteria in (
            {"subject": gettext_lazy("January")},
            {"to": [lazystr(BOB), EVE]},
            {"body": lazystr("Text"), "using": lazystr("default"), "from_email": lazystr(ADA)},
            {"headers": {"To": lazystr(f"{BOB}, {EVE}")}},
        ):
            with self.subTest(criteria):
                assertMailSent(**criteria)
        message(to=[BOB]).send()
        assertMailSent(to=lazystr(BOB))

    def test_attachments(self):
        message().send()
        message(attachments=[("a.txt", "A", "text/plain")]).send()
        for attachments in (
            ("a.txt", "A"),
            (("a.txt", "A"),),
            EmailAttachment("a.txt", "A", "text/plain"),
            [EmailAttachment("a.txt", "A", "text/plain")],
            lazystr("a.txt"),
        ):
            with self.subTest(attachments):
                self.assertIs(assertMailSent(attachments=attachments), mail.outbox[1])
        for nothing in ((), []):
            self.assertIs(assertMailSent(attachments=nothing), mail.outbox[0])


class AddressTests(SimpleTestCase):
    def test_patterns(self):
        """They may be for a domain as it was written, or as it is compared."""
        message(to=["Ann <ann@Bücher.Example>"]).send()
        for pattern in ("@Bücher.Example$", "@xn--bcher-kva.example$", "^ann@"):
            with self.subTest(pattern):
                assertMailSent(to=re.compile(pattern))
        assertNoMail(to=re.compile("Ann"))

    def test_several_addresses_in_one_text(self):
        """Neither of them is the one that is meant."""
        mail.outbox.append(message(to=[f"{BOB}, {EVE}"]))
        assertNoMail(to=BOB)
        assertNoMail(to=EVE)
        assertNoMail(to=[BOB, EVE])
        assertMailSent(to=f"{BOB}, {EVE}")

    def test_addresses_that_are_empty(self):
        mail.outbox.append(message(to=["", BOB], cc=[None]))
        assertMailSent(to=BOB, cc=[])

    def test_without_a_domain(self):
        mail.outbox.append(message(to=["Root"]))
        assertMailSent(to="Root")
        assertNoMail(to="root")

    def test_many(self):
        """In any order, without a comparison of each with each."""
        addresses = [f"reader{number}@example.com" for number in range(1200)]
        message(bcc=addresses).send()
        assertMailSent(bcc=reversed(addresses))
        assertMailSent(bcc=[re.compile("@example")] * len(addresses))
        assertNoMail(bcc=[*addresses[1:], addresses[1]])


class NearestTests(SimpleTestCase):
    def test_what_is_most_like_it(self):
        """If several differ in as many things."""
        for subject in ("Your order 1", "News of the week"):
            message(subject).send()
        with self.assertRaises(AssertionError) as caught:
            assertMailSent(subject="Your order 12")
        self.assertIn("The nearest is message 1, which differs in:", str(caught.exception))

    def test_the_flags_of_a_pattern(self):
        message("Hello").send()
        with self.assertRaises(AssertionError) as caught:
            assertMailSent(subject=re.compile("x", re.IGNORECASE))
        self.assertIn("expected  re.compile('x', re.IGNORECASE)\n", str(caught.exception))


class OtherClassesTests(SimpleTestCase):
    """What a backend is given, or a test has put there, need not be an EmailMessage."""

    def test_messages_of_other_classes(self):
        class Own:
            subject = "Own"
            from_email = ADA

            def recipients(self):
                return [EVE]

            def message(self):
                return message("Own").message()

        class Nothing:
            pass

        for own, line in [
            (Own(), "  2. using=None subject='Own'"),
            (Nothing(), "  2. Nothing using=None subject=''"),
            (None, "  2. NoneType using=None subject=''"),
        ]:
            with self.subTest(line):
                mail.outbox = [message("Hello"), own]
                assertMailSent(subject="Hello", to=BOB, html="", headers={"Subject": "Hello"})
                assertMailCount(2)
                assertNoMail(attachments="a.txt")
                with self.assertRaises(AssertionError) as caught:
                    assertNoMail()
                self.assertIn(line, str(caught.exception))
        mail.outbox = [Own()]
        assertMailSent(subject="Own", recipients=EVE, from_email=ADA, to=[], attachments=[])
        assertMailSent(headers={"Subject": "Own"})


class WithoutAnOutboxTests(MailersTestMixin, SimpleTestCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, mail, "outbox", mail.outbox)
        del mail.outbox

    def test_it_is_not_known(self):
        """Mail may have been sent."""
        for function in (assertNoMail, self.assertNoMail):
            with self.assertRaises(AssertionError) as caught:
                function(using="default")
            self.assertEqual(
                str(caught.exception),
                "It is not known what was sent.\nThere is no mail.outbox: "
                "setup_test_environment() was not called, and mailers send as in production.",
            )
        with self.assertRaisesMessage(AssertionError, "It is not known what was sent."):
            assertMailCount(0)

    def test_messages_from_elsewhere(self):
        assertNoMail(where=[])
        with self.assertRaises(AssertionError) as caught:
            assertMailSent(where=[])
        self.assertEqual(
            str(caught.exception), "Expected 1 message, and found 0.\nNothing was sent."
        )
        with captureMail() as sent:
            assertNoMail(where=sent)


class FixtureTests(ProcessTestCase):
    def test_mailers_outbox_without_a_test_environment(self):
        """There is an outbox even if nothing has been sent, and not any more afterwards."""
        self.assertRuns(
            """
            configure(MAILERS={"default": {"OPTIONS": {"host": "192.0.2.1"}}})
            from django.core import mail
            from django_mailers.testing import assertMailSent, assertNoMail
            from django_mailers.testing.override import in_memory
            for _ in range(2):
                with in_memory():
                    assertNoMail()
                    mail.send_mail("Hello", "Text", None, ["bob@example.com"])
                    assertMailSent()
                assert not hasattr(mail, "outbox")
            """
        )
