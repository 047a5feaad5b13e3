"""What a message does not have itself."""

from django.core.mail import EmailMessage, InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings
from django.utils.functional import lazystr

from django_mailers import checks

from .support import shapers
from .support.shapers import IT, entry
from .support.utils import ExactErrors
from .support.wrappers import ForeignBackend

FOREIGN = {"BACKEND": "tests.support.wrappers.ForeignBackend"}


@override_settings(DEFAULT_FROM_EMAIL="default@example.com")
class DefaultsTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        del ForeignBackend.log[:]
        self.addCleanup(ForeignBackend.log.clear)

    def send(self, email, **options):
        del ForeignBackend.log[:]
        before = {name: value for name, value in vars(email).items() if name != "anymail_status"}
        with shapers.mailers(entry("defaults", "target", **options), target=FOREIGN):
            self.assertEqual(email.send(using=IT), 1)
        after = {name: value for name, value in vars(email).items() if name != "anymail_status"}
        self.assertEqual(after, before)
        [sent] = ForeignBackend.log
        return sent

    def test_everything(self):
        sent = self.send(
            EmailMessage("Hello", to=["bob@example.com"]),
            from_email="Shop <shop@example.com>",
            reply_to=["help@example.com"],
            cc=["boss@example.com"],
            bcc=("archive@example.com",),
            headers={"List-Id": "<news.example.com>", "X-Shop": "1"},
            subject_prefix="[Shop] ",
        )
        self.assertEqual(
            (sent.from_email, sent.reply_to, sent.cc, sent.bcc, sent.extra_headers, sent.subject),
            (
                "Shop <shop@example.com>",
                ["help@example.com"],
                ["boss@example.com"],
                ["archive@example.com"],
                {"List-Id": "<news.example.com>", "X-Shop": "1"},
                "[Shop] Hello",
            ),
        )

    def test_what_a_message_has(self):
        """It is the caller's own object."""
        for kwargs, options in [
            ({"from_email": "ada@example.com"}, {"from_email": "shop@example.com"}),
            ({"from_email": "Shop <default@example.com>"}, {"from_email": "shop@example.com"}),
            ({"reply_to": ["a@example.com"]}, {"reply_to": ["help@example.com"]}),
            ({"headers": {"reply-TO": "a@example.com"}}, {"reply_to": ["help@example.com"]}),
            ({"cc": ["a@example.com"]}, {"cc": ["boss@example.com"]}),
            ({"headers": {"Cc": "a@example.com"}}, {"cc": ["boss@example.com"]}),
            ({"bcc": ["a@example.com"]}, {"bcc": ["archive@example.com"]}),
            ({"headers": {"x-SHOP": "2"}}, {"headers": {"X-Shop": "1"}}),
            ({"headers": {"x-shop": ""}}, {"headers": {"X-Shop": "1"}}),
            ({"subject": "[Shop] Hello"}, {"subject_prefix": "[Shop] "}),
            ({}, {}),
            ({}, {"headers": {}}),
            ({}, {"from_email": "default@example.com"}),
        ]:
            with self.subTest(kwargs, **options):
                email = EmailMessage(to=["bob@example.com"], **kwargs)
                self.assertIs(self.send(email, **options), email)

    def test_a_sender_that_is_the_default(self):
        for given in (None, "", "default@example.com", lazystr("default@example.com")):
            with self.subTest(given):
                email = EmailMessage(to=["bob@example.com"], from_email=given)
                if not given:
                    email.from_email = given
                sent = self.send(email, from_email="shop@example.com")
                self.assertEqual(sent.from_email, "shop@example.com")

    def test_an_empty_header_is_not_a_reply_to(self):
        email = EmailMessage(to=["bob@example.com"], headers={"Reply-To": ""})
        sent = self.send(email, reply_to=["help@example.com"])
        self.assertEqual(sent.reply_to, ["help@example.com"])

    def test_headers_one_by_one(self):
        email = EmailMessage(to=["bob@example.com"], headers={"x-a": "mine", "X-C": "c"})
        sent = self.send(email, headers={"X-A": "default", "X-B": "default"})
        self.assertEqual(sent.extra_headers, {"x-a": "mine", "X-C": "c", "X-B": "default"})

    def test_nobody_gets_it_twice(self):
        email = EmailMessage(to=["Bob <BOB@example.com>", "not an address"])
        sent = self.send(
            email,
            cc=["bob@example.com", "boss@example.com", "Boss <boss@example.com>"],
            bcc=["archive@example.com", "boss@EXAMPLE.com"],
        )
        self.assertEqual((sent.cc, sent.bcc), (["boss@example.com"], ["archive@example.com"]))
        email = EmailMessage(to=["Bob <bob@example.com>"])
        self.assertIs(self.send(email, bcc=["bob@example.com"]), email)

    def test_lazy_subjects(self):
        sent = self.send(
            EmailMessage(lazystr("Hello"), to=["bob@example.com"]), subject_prefix="[Shop] "
        )
        self.assertEqual(sent.subject, "[Shop] Hello")

    def test_wrong_options(self):
        address = "an address, such as 'Name <name@example.com>'"
        for options, text in [
            ({"from_email": "shop"}, f"'from_email' must be {address}."),
            ({"from_email": "a@b.c\nBcc: d@e.f"}, f"'from_email' must be {address}."),
            ({"reply_to": "help@example.com"}, "'reply_to' must be a list of addresses."),
            ({"bcc": ["archive"]}, "'bcc' must be a list of addresses."),
            ({"headers": [("X-A", "b")]}, "'headers' must be a dict of header names and values."),
            ({"headers": {"X A": "b"}}, "'headers' must be a dict of header names and values."),
            ({"headers": {"X-A": "b\nc"}}, "'headers' must be a dict of header names and values."),
            ({"headers": {"X-A": 1}}, "'headers' must be a dict of header names and values."),
            ({"headers": {"BCC": "a@b.c"}}, "'headers' must not define 'BCC'. Use 'bcc' instead."),
            (
                {"headers": {"Reply-To": "a@b.c"}},
                "'headers' must not define 'Reply-To'. Use 'reply_to' instead.",
            ),
            ({"headers": {"Message-Id": "<1@b.c>"}}, "'headers' must not define 'Message-Id'."),
            ({"subject_prefix": ""}, "'subject_prefix' must be a str that is not empty."),
        ]:
            expected = f"MAILERS['it']: OPTIONS {text}"
            with self.subTest(options), shapers.mailers(entry("defaults", **options)):
                with self.assertRaisesExactly(InvalidMailer, expected):
                    mailers[IT]
                found = [one.msg for one in checks.check_mailers(None)]
                self.assertIn(expected, found)
