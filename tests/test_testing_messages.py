"""`django_mailers.testing`: the text, the HTML and the links of a message."""

import email as email_package

from django.core.mail import EmailMultiAlternatives
from django.test import SimpleTestCase

from django_mailers.testing import (
    SMTPServer,
    links,
    message_html,
    message_text,
    override_mailers,
)

from .support.messages import ADA, BOB, message
from .support.servers import TIMEOUT, enter
from .support.utils import OURS

HTML = """<p><a href="https://example.com/a?x=1&amp;y=2">One</a> <A HREF='/relative'>Two</A>
<a href="#part">Three</a> <a name="four">Four</a> <a href="mailto:ann@example.com">Five</a>
<img src="https://example.com/pixel"><area href="https://example.com/map">
<a href="https://example.com/a?x=1&amp;y=2">again</a></p>"""


def both():
    email = EmailMultiAlternatives("Hello", "Text\r\nat https://example.com/text.", ADA, [BOB])
    email.attach_alternative(HTML, "text/html")
    return email


class PartTests(SimpleTestCase):
    def test_text_and_html(self):
        self.assertEqual(message_text(both()), "Text\nat https://example.com/text.")
        self.assertEqual(message_html(both()), HTML)
        self.assertEqual(message_text(message(body="a")), "a")
        self.assertEqual(message_html(message(body="a")), "")

    def test_a_body_of_html(self):
        email = EmailMultiAlternatives("Hello", "<p>Hello</p>", ADA, [BOB])
        email.content_subtype = "html"
        self.assertEqual((message_text(email), message_html(email)), ("", "<p>Hello</p>"))
        email.attach_alternative("Hello", "text/plain")
        self.assertEqual((message_text(email), message_html(email)), ("Hello", "<p>Hello</p>"))

    def test_other_alternatives(self):
        """H28: tuples, lists, and objects of a project's own; other types come before."""

        class Own:
            content, mimetype = b"<p>\xc3\x9c</p>", "text/html"

        for alternative in (("<p>Ü</p>", "text/html"), ["<p>Ü</p>", "text/html"], Own()):
            email = both()
            email.alternatives = [("{}", "application/json"), alternative]
            with self.subTest(alternative):
                self.assertEqual(message_html(email), "<p>Ü</p>")

    def test_parsed_messages(self):
        content = both().message().as_bytes()
        for policy in (email_package.policy.default, email_package.policy.compat32):
            parsed = email_package.message_from_bytes(content, policy=policy)
            with self.subTest(policy):
                self.assertEqual(message_text(parsed), "Text\nat https://example.com/text.\n")
                self.assertEqual(message_html(parsed), f"{HTML}\n")
                self.assertEqual(links(parsed), links(both()))

    def test_received_messages(self):
        server = enter(self, SMTPServer())
        entry = {"BACKEND": OURS, "OPTIONS": server.mailer_options}
        with override_mailers(default=entry):
            both().send()
            message("Attached", attachments=[("a.txt", "A", "text/plain")], body="").send()
        first, second = server.wait_for(2, TIMEOUT)
        self.assertEqual(message_text(first), "Text\nat https://example.com/text.\n")
        self.assertEqual(links(first), links(both()))
        self.assertEqual((message_text(second).strip(), message_html(second)), ("", ""))


class LinkTests(SimpleTestCase):
    def test_html_then_text_each_once(self):
        self.assertEqual(
            links(both()),
            [
                "https://example.com/a?x=1&y=2",
                "/relative",
                "mailto:ann@example.com",
                "https://example.com/map",
                "https://example.com/text",
            ],
        )

    def test_ampersands_that_are_not_escaped(self):
        """As browsers read them: many a name in a query begins like that of a character."""
        for query, expected in [
            ("a=1&amp;copy=2", "a=1&copy=2"),
            ("a=1&copy=2", "a=1&copy=2"),
            ("a=1&section=2&regions&x&notify", "a=1&section=2&regions&x&notify"),
            ("a=1&copy2=3&#61;&", "a=1&copy2=3=&"),
            ("a=&copy;&reg&x", "a=©®&x"),
        ]:
            with self.subTest(query):
                email = message(body=f'<a href="https://example.com/?{query}">One</a>')
                email.content_subtype = "html"
                self.assertEqual(links(email), [f"https://example.com/?{expected}"])

    def test_an_attribute_that_is_there_twice(self):
        email = message(body='<a href="https://one.example" href="https://two.example">One</a>')
        email.content_subtype = "html"
        self.assertEqual(links(email), ["https://one.example"])

    def test_text(self):
        for text, expected in [
            ("See https://example.com/a.", ["https://example.com/a"]),
            ("(https://example.com/a)", ["https://example.com/a"]),
            ("https://example.com/a_(b)", ["https://example.com/a_(b)"]),
            ("<https://example.com/a?b=c#d>", ["https://example.com/a?b=c#d"]),
            ("https://example.com/reset/MQ/c-1_2-3/!", ["https://example.com/reset/MQ/c-1_2-3/"]),
            ("https://example.com/token=-_ next", ["https://example.com/token=-_"]),
            ('"HTTP://EXAMPLE.com", ok', ["HTTP://EXAMPLE.com"]),
            (
                "https://a.example/ä\nhttps://b.example",
                ["https://a.example/ä", "https://b.example"],
            ),
            ("ftp://example.com mailto:a@b.c", []),
            ("https://", []),
        ]:
            with self.subTest(text):
                self.assertEqual(links(message(body=text)), expected)
