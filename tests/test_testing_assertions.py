"""`django_mailers.testing`: what is asserted about `mail.outbox`, and what a failure prints."""

import asyncio
import re
from email.message import MIMEPart

from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import DatabaseError, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

from django_mailers import asend_mail, testing
from django_mailers.testing import (
    MailersTestMixin,
    assertMailCount,
    assertMailRenders,
    assertMailSent,
    assertNoMail,
    captureMail,
    message_text,
)

from .support.messages import ADA, BOB, EVE, message


class FailureTestCase(SimpleTestCase):
    maxDiff = None

    def assertFails(self, lines, function, *args, **kwargs):
        """Compare what a failure prints."""
        with self.assertRaises(AssertionError) as caught:
            function(*args, **kwargs)
        self.assertEqual(str(caught.exception).split("\n"), lines)


def send_newsletter():
    email = EmailMultiAlternatives(
        "News of May",
        "Read on:\r\nhttps://example.com/may",
        "Ada <ada@example.com>",
        ["Ann <ann@Example.COM>", "bob@example.com"],
        cc=["cc@example.com"],
        bcc=["bcc@example.com"],
        reply_to=["desk@example.com"],
        headers={"X-Campaign": "may"},
    )
    email.attach_alternative("<p>Read <b>on</b></p>", "text/html")
    email.attach("may.pdf", b"%PDF", "application/pdf")
    email.attach("may.txt", "May", "text/plain")
    email.send(using="bulk")
    return email


class SentTests(FailureTestCase):
    def test_the_message_is_returned(self):
        send_newsletter()
        message("other").send()
        self.assertIs(assertMailSent(using="bulk"), mail.outbox[0])
        self.assertEqual(assertMailSent(count=2), mail.outbox)
        self.assertEqual(assertMailSent(count=None), mail.outbox)
        self.assertEqual(assertMailSent(count=None, using="default"), [mail.outbox[1]])
        self.assertEqual(assertMailSent(count=0, subject="third"), [])

    def test_what_may_be_asked(self):
        send_newsletter()
        for criteria in (
            {"using": "bulk"},
            {"to": ["bob@example.com", "ann@example.com"]},
            {"to": ["Robert <bob@EXAMPLE.com>", re.compile("^ann@")]},
            {"to": [re.compile("example"), re.compile("^ann@")]},
            {"to": ("ann@example.com", "bob@example.com")},
            {"cc": "cc@example.com"},
            {"cc": re.compile(r"@example\.com$")},
            {"bcc": ["bcc@example.com"]},
            {"recipients": {"ann@example.com", BOB, "cc@example.com", "bcc@example.com"}},
            {"from_email": "ada@EXAMPLE.com"},
            {"from_email": re.compile("^ada")},
            {"subject": "News of May"},
            {"subject": re.compile("may", re.IGNORECASE)},
            {"subject": lazystr("News of May")},
            {"body": "Read on"},
            {"body": "on:\nhttps"},
            {"body": re.compile(r"^https://\S+$", re.MULTILINE)},
            {"html": "<b>on</b>"},
            {"headers": {"x-campaign": "may", "Reply-To": re.compile("desk@"), "X-Other": None}},
            {"headers": {"Subject": "News of May"}},
            {"attachments": ["may.txt", "may.pdf"]},
            {"attachments": ["may.txt", re.compile("pdf$")]},
            {"attachments": [("may.pdf", b"%PDF", "application/pdf"), ("may.txt", "May")]},
            {"attachments": [(None, re.compile("^M")), (None, None, "application/pdf")]},
            {"where": lambda email: email.subject.endswith("May")},
            {"where": mail.outbox, "subject": "News of May"},
        ):
            with self.subTest(criteria):
                self.assertIs(assertMailSent(**criteria), mail.outbox[0])
                with self.assertRaises(AssertionError):
                    assertNoMail(**criteria)

    def test_what_is_not_so(self):
        send_newsletter()
        for criteria in (
            {"using": "bul"},
            {"to": "bob@example.com"},
            {"to": ["ANN@example.com", "bob@example.com"]},
            {"to": ["bob@example.com", "bob@example.com"]},
            {"to": [re.compile("^ann@"), re.compile("^ann@")]},
            {"to": []},
            {"bcc": "cc@example.com"},
            {"recipients": ["ann@example.com", "bob@example.com"]},
            {"from_email": "ann@example.com"},
            {"subject": "News"},
            {"subject": ""},
            {"body": "read on"},
            {"body": "<b>on</b>"},
            {"html": "Read on"},
            {"headers": {"X-Campaign": "ma"}},
            {"headers": {"X-Campaign": None}},
            {"headers": {"X-Other": ""}},
            {"attachments": "may.pdf"},
            {"attachments": []},
            {"attachments": ["may.pdf", ("may.txt", "June")]},
            {"attachments": ["may.pdf", ("may.txt", "May", "text/html")]},
            {"where": lambda email: False},
            {"where": []},
        ):
            with self.subTest(criteria):
                assertNoMail(**criteria)
                with self.assertRaises(AssertionError):
                    assertMailSent(**criteria)

    def test_domains(self):
        for sent, wanted in [
            ("ann@Bücher.example", "ann@xn--bcher-kva.example"),
            ("ann@xn--bcher-kva.example", "Ann <ann@BÜCHER.example>"),
            ('"Smith, Ann" <ann@example.com>', "ann@example.com"),
            ('"a b"@example.com', '"a b"@example.com'),
        ]:
            with self.subTest(sent=sent), captureMail() as captured:
                message(to=[sent]).send()
                assertMailSent(to=wanted, where=captured)

    def test_a_body_of_html(self):
        email = message(body="<p>Hello</p>")
        email.content_subtype = "html"
        email.send()
        assertMailSent(body="<p>Hello", html="<p>Hello")

    def test_other_attachments(self):
        """H28: pairs, and parts of MIME."""
        part = MIMEPart()
        part.set_content(b"png", "image", "png", filename="logo.png")
        message(attachments=[part]).send()
        assertMailSent(attachments=[("logo.png", b"png", "image/png")])
        email = message()
        email.attachments = [("a.txt", "A")]
        mail.outbox[:] = [email]
        assertMailSent(attachments=[("a.txt", b"A")])
        assertNoMail(attachments=[("a.txt", "A", "text/plain")])

    def test_a_body_of_bytes(self):
        message(body="Größe".encode()).send()
        assertMailSent(body="Größe", where=lambda email: message_text(email) == "Größe")

    def test_a_lazy_subject(self):
        message(gettext_lazy("January")).send()
        assertMailSent(subject="January")
        assertMailSent(subject=re.compile("^Jan"))


class FailureTests(FailureTestCase):
    def test_the_nearest_miss(self):
        send_newsletter()
        message("Hello", to=["Eve <eve@example.com>"]).send()
        self.assertFails(
            [
                "Expected 1 message, and found 0, with:",
                "  using='default'",
                "  to='ann@example.com'",
                "  subject='Hello'",
                "The nearest is message 2, which differs in:",
                "  to",
                "    expected  ['ann@example.com']",
                "    found     ['eve@example.com']",
                "What was sent:",
                "  1. using='bulk' to=['ann@example.com', 'bob@example.com'] "
                "cc=['cc@example.com'] bcc=['bcc@example.com'] subject='News of May'",
                "  2. using='default' to=['eve@example.com'] subject='Hello'",
            ],
            assertMailSent,
            using="default",
            to="ann@example.com",
            subject="Hello",
        )

    def test_every_field(self):
        send_newsletter()

        def never(email):
            return False

        with self.assertRaises(AssertionError) as caught:
            assertMailSent(
                using=re.compile("x"),
                to=re.compile("x"),
                cc=[],
                from_email="Eve <eve@Example.com>",
                subject="s",
                body=re.compile("z+"),
                html="x",
                headers={"X-Campaign": "june", "X-Other": "x", "Subject": None},
                attachments=["x.pdf", ("y", b"y")],
                where=never,
            )
        text = str(caught.exception)
        start = text.index("The nearest")
        self.assertEqual(
            text[start : text.index("What was sent")].split("\n"),
            [
                "The nearest is message 1, which differs in:",
                "  using",
                "    expected  re.compile('x')",
                "    found     'bulk'",
                "  to",
                "    expected  [re.compile('x')]",
                "    found     ['ann@example.com', 'bob@example.com']",
                "  cc",
                "    expected  []",
                "    found     ['cc@example.com']",
                "  from_email",
                "    expected  'eve@example.com'",
                "    found     'ada@example.com'",
                "  subject",
                "    expected  's'",
                "    found     'News of May'",
                "  body",
                "    expected  with re.compile('z+') in it",
                r"    found     'Read on:\r\nhttps://example.com/may'",
                "  html",
                "    expected  with 'x' in it",
                "    found     '<p>Read <b>on</b></p>'",
                "  headers['X-Campaign']",
                "    expected  'june'",
                "    found     'may'",
                "  headers['X-Other']",
                "    expected  'x'",
                "    found     no such header",
                "  headers['Subject']",
                "    expected  no such header",
                "    found     'News of May'",
                "  attachments",
                "    expected  ['x.pdf', ('y', b'y')]",
                "    found     [('may.pdf', '4 bytes', 'application/pdf'), "
                "('may.txt', '3 characters', 'text/plain')]",
                "  where",
                "    expected  true for FailureTests.test_every_field.<locals>.never",
                "    found     false",
                "",
            ],
        )

    def test_too_many(self):
        for _ in range(2):
            message("Hello").send()
        sent = [
            "What was sent:",
            "  1. using='default' to=['bob@example.com'] subject='Hello'",
            "  2. using='default' to=['bob@example.com'] subject='Hello'",
        ]
        self.assertFails(
            ["Expected 1 message, and found 2, with:", "  subject='Hello'", *sent],
            assertMailSent,
            subject="Hello",
        )
        self.assertFails(["Expected 1 message, and found 2.", *sent], assertMailSent)
        self.assertFails(["Expected 3 messages, and found 2.", *sent], assertMailCount, 3)

    def test_nothing_was_sent(self):
        nothing = "Nothing was sent."
        self.assertFails(["Expected 1 message, and found 0.", nothing], assertMailSent)
        self.assertFails(
            ["Expected at least 1 message, and found 0, with:", "  using='bulk'", nothing],
            assertMailSent,
            count=None,
            using="bulk",
        )

    def test_too_few(self):
        """The nearest of those that do not count yet."""
        message("Hello").send()
        message("Hello", to=[EVE]).send()
        self.assertFails(
            [
                "Expected 2 messages, and found 1, with:",
                "  to='bob@example.com'",
                "The nearest is message 2, which differs in:",
                "  to",
                "    expected  ['bob@example.com']",
                "    found     ['eve@example.com']",
                "What was sent:",
                "  1. using='default' to=['bob@example.com'] subject='Hello'",
                "  2. using='default' to=['eve@example.com'] subject='Hello'",
            ],
            assertMailSent,
            count=2,
            to=BOB,
        )

    def test_no_mail(self):
        assertNoMail()
        assertMailCount(0)
        message("Hello").send(using="bulk")
        assertNoMail(using="default")
        assertMailCount(0, using="default")
        assertMailCount(1, using="bulk")
        line = "  1. using='bulk' to=['bob@example.com'] subject='Hello'"
        self.assertFails(
            ["Expected no message, and found 1.", "What was sent:", line], assertNoMail
        )
        self.assertFails(
            [
                "Expected no message, and found 1, with:",
                "  to='bob@example.com'",
                "What was sent:",
                line,
            ],
            assertNoMail,
            to=BOB,
        )

    def test_much_is_not_printed_whole(self):
        mail.outbox.extend([message(str(number), body="x" * 2000) for number in range(25)])
        with self.assertRaises(AssertionError) as caught:
            assertMailSent(body="y")
        lines = str(caught.exception).split("\n")
        self.assertEqual(lines[-1], "  ... and 5 more")
        self.assertIn(f"    found     '{'x' * 799}... (2002 characters)", lines)

    def test_without_a_test_environment(self):
        outbox = mail.outbox
        del mail.outbox
        self.addCleanup(setattr, mail, "outbox", outbox)
        with self.assertRaisesMessage(
            AssertionError, "There is no mail.outbox: setup_test_environment"
        ):
            assertMailSent()


class MixinTests(MailersTestMixin, SimpleTestCase):
    def test_methods(self):
        with self.captureMail() as sent:
            self.assertNoMail()
            email = send_newsletter()
        self.assertEqual(len(sent), 1)
        self.assertMailCount(1)
        self.assertMailCount(1, using="bulk")
        self.assertIs(self.assertMailSent(subject="News of May"), sent[0])
        self.assertEqual(self.assertMailSent(count=None), [sent[0]])
        self.assertEqual(self.assertMailRenders(email)["Subject"], "News of May")
        with self.assertRaisesMessage(AssertionError, "Expected 1 message, and found 0, with:"):
            self.assertMailSent(to=EVE)

    async def test_coroutines(self):
        await asend_mail("Hello", "Text", ADA, [BOB])
        self.assertMailSent(subject="Hello")


class CaptureTests(SimpleTestCase):
    def test_only_what_is_sent_in_it(self):
        message("before").send()
        with captureMail() as sent:
            self.assertEqual(sent, [])
            message("in it").send()
            self.assertEqual([email.subject for email in sent], ["in it"])
            self.assertEqual(sent[0].subject, "in it")
            self.assertEqual(sent[:1], [mail.outbox[1]])
        message("after").send()
        self.assertEqual(sent, [mail.outbox[1]])
        self.assertNotEqual(sent, mail.outbox)
        self.assertNotEqual(sent, "in it")
        self.assertRegex(repr(sent), r"^<SentMail: \[<django.*EmailMessage object at .*>\]>$")

    def test_nested(self):
        with captureMail() as outer:
            message("1").send()
            with captureMail() as inner:
                message("2").send()
            message("3").send()
        self.assertEqual([email.subject for email in outer], ["1", "2", "3"])
        self.assertEqual([email.subject for email in inner], ["2"])

    def test_an_outbox_that_is_emptied(self):
        """H30: by binding its name anew, or in place."""
        message("before").send()
        with captureMail() as sent:
            mail.outbox = []
            message("1").send()
            self.assertEqual([email.subject for email in sent], ["1"])
            mail.outbox.clear()
            message("2").send()
        self.assertEqual([email.subject for email in sent], ["2"])

    def test_errors_pass(self):
        with self.assertRaisesMessage(KeyError, "mine"), captureMail() as sent:
            message("1").send()
            raise KeyError("mine")
        self.assertEqual(len(sent), 1)

    async def test_coroutines(self):
        async with captureMail() as sent:
            with captureMail() as inner:
                await asyncio.gather(
                    *(asend_mail(str(n), "Text", ADA, [BOB], using="bulk") for n in range(5))
                )
        self.assertEqual(sorted(email.subject for email in sent), ["0", "1", "2", "3", "4"])
        self.assertEqual(inner, list(sent))


class OnCommitTests(TestCase):
    def send_later(self, subject="later", robust=False):
        transaction.on_commit(lambda: message(subject).send(), robust=robust)

    def test_a_test_case_does_not_commit(self):
        with captureMail() as sent:
            self.send_later()
        self.assertEqual(sent, [])
        with self.assertRaises(AssertionError) as caught:
            assertMailSent()
        self.assertEqual(
            str(caught.exception),
            "Expected 1 message, and found 0.\nNothing was sent.\n"
            "1 function waits for a commit (transaction.on_commit()), which never happens in a "
            "TestCase: use captureMail(on_commit=True).",
        )

    def test_on_commit(self):
        self.send_later("before")
        with captureMail(on_commit=True) as sent:
            self.send_later("1")
            self.assertEqual(sent, [])
        self.assertEqual([email.subject for email in sent], ["1"])

    def test_each_function_is_called_once(self):
        with (
            self.captureOnCommitCallbacks(execute=True),
            captureMail(on_commit=True) as outer,
        ):
            with captureMail(on_commit=True) as inner:
                self.send_later("1")
            self.send_later("2")
        self.assertEqual([email.subject for email in inner], ["1"])
        self.assertEqual([email.subject for email in outer], ["1", "2"])
        self.assertEqual(len(mail.outbox), 2)

    def test_djangos_capture_inside(self):
        with captureMail() as sent, self.captureOnCommitCallbacks(execute=True):
            self.send_later("1")
        self.assertEqual([email.subject for email in sent], ["1"])

    def test_functions_that_register_others(self):
        with captureMail(on_commit=True) as sent:
            transaction.on_commit(lambda: self.send_later("2"))
            self.send_later("1")
        self.assertEqual([email.subject for email in sent], ["1", "2"])

    def test_a_savepoint_that_is_rolled_back(self):
        with captureMail(on_commit=True) as sent:
            with self.assertRaises(DatabaseError), transaction.atomic():
                self.send_later("lost")
                raise DatabaseError
            self.send_later("kept")
        self.assertEqual([email.subject for email in sent], ["kept"])

    def test_an_error_of_the_block(self):
        with self.assertRaises(KeyError), captureMail(on_commit=True):
            self.send_later()
            raise KeyError
        self.assertEqual(mail.outbox, [])

    def test_errors_of_functions(self):
        def fail():
            raise KeyError("mine")

        with (
            self.assertLogs("django_mailers.testing", "ERROR") as logs,
            captureMail(on_commit=True) as sent,
        ):
            transaction.on_commit(fail, robust=True)
            self.send_later("1")
        self.assertEqual(len(sent), 1)
        self.assertEqual(
            [r.getMessage() for r in logs.records], ["on_commit(robust=True): KeyError"]
        )
        with self.assertRaisesMessage(KeyError, "mine"), captureMail(on_commit=True):
            transaction.on_commit(fail)

    async def test_coroutines(self):
        from asgiref.sync import sync_to_async

        async with captureMail(on_commit=True) as sent:
            await sync_to_async(self.send_later)("1")
        self.assertEqual([email.subject for email in sent], ["1"])


class CommittingTests(TransactionTestCase):
    available_apps = []

    def test_what_was_committed_is_not_sent_twice(self):
        with captureMail(on_commit=True) as sent, transaction.atomic():
            transaction.on_commit(lambda: message("1").send())
        self.assertEqual([email.subject for email in sent], ["1"])


class RendersTests(SimpleTestCase):
    def test_what_a_server_gets(self):
        email = message("Grüße", body="Ünï", bcc=["Eve <eve@example.com>"])
        email.attach("a.txt", "Ä", "text/plain")
        received = assertMailRenders(email)
        self.assertEqual(received["Subject"], "Grüße")
        self.assertEqual(received.get_body().get_content(), "Ünï\n")
        self.assertEqual([part.get_filename() for part in received.iter_attachments()], ["a.txt"])
        self.assertIsNone(received["Bcc"])

    def test_what_it_does_not_get(self):
        class Failing(EmailMessage):
            def message(self, **kwargs):
                raise LookupError("no template")

        class Long(EmailMessage):
            def message(self, **kwargs):
                rendered = super().message(**kwargs)
                rendered.set_payload("x" * 1000)
                return rendered

        class Disclosing(EmailMessage):
            def message(self, **kwargs):
                rendered = super().message(**kwargs)
                rendered["Bcc"] = EVE
                return rendered

        for email, text in [
            (message("one\nBcc: eve@example.com"), "The message cannot be rendered: "),
            (message(to=["bob@example.com\nBcc: eve@example.com"]), "SMTP does not take the "),
            (message(to=["bob"]), None),
            (message(to=["bob@@example.com"]), "SMTP does not take the address 'bob@@example.com'"),
            (message(from_email="nobody at all"), "SMTP does not take the address 'nobody at all'"),
            (message(bcc=["jürgen@example.com"]), "SMTP does not take the address 'jürgen@"),
            (message(to=[]), "The message has no recipients: it would not be sent."),
            (Disclosing(to=[BOB]), "The message has a header 'Bcc', which all recipients"),
            (Failing(to=[BOB]), "The message cannot be rendered: LookupError: no template"),
            (Long(to=[BOB]), "of the message has 1000 octets; SMTP allows 998."),
        ]:
            with self.subTest(text):
                if text is None:
                    assertMailRenders(email)
                    continue
                with self.assertRaises(AssertionError) as caught:
                    assertMailRenders(email)
                self.assertIn(text, str(caught.exception))


class NamesTests(SimpleTestCase):
    def test_every_name(self):
        found = {name: getattr(testing, name) for name in testing.__all__}
        self.assertEqual(found.pop("DISCONNECT"), "DISCONNECT")
        self.assertEqual([value.__name__ for value in found.values()], [*found])
        self.assertLessEqual({*testing.__all__}, {*dir(testing)})
        with self.assertRaises(AttributeError):
            testing.assertMail  # noqa: B018

    def test_tracebacks_show_the_test(self):
        """unittest leaves out the frames of modules with this name; pytest those of functions."""
        from django_mailers.testing import assertions

        self.assertIs(vars(assertions)["__unittest"], True)
        try:
            assertMailSent()
        except AssertionError as error:
            frame = error.__traceback__.tb_next.tb_frame
            self.assertIs(frame.f_locals["__tracebackhide__"], True)
