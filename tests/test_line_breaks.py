"""A line break in a header is a ValueError of render() and of our backend, on every Python.

On Django 6.1 with a Python before python/cpython#121650 Django's own backend writes out the one at
the end of a value: an empty line, and the headers behind it are body.
"""

import email
from email.message import MIMEPart
from email.mime.base import MIMEBase
from unittest import mock

from django.core.mail import EmailMessage, mailers
from django.test import override_settings

from django_mailers import send_many
from django_mailers.backends.smtp import EmailBackend
from django_mailers.render import render

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
from .support.servers import enter
from .support.sink import Sink
from .support.smtp import ALIAS, DjangosSend, entry
from .support.utils import ignore_deprecations


class Parsed(MIMEBase):
    def __init__(self, *, policy):
        super().__init__("text", "plain", policy=policy)
        del self["Content-Type"], self["MIME-Version"]


class RenderTests(InjectionTestCase):
    def test_in_the_middle_and_at_the_end(self):
        for places in (MIDDLE, END):
            for place, message in cases(places):
                with self.subTest(place), self.assertRefused(IN_VALUE):
                    render(message)

    def test_names(self):
        for place, make in NAMES.items():
            for name in map(make, LINE_BREAKS.values()):
                texts = {
                    f"Header names may not contain linefeed or carriage return: {name!r}",
                    # Python 3.15 refuses more than those.
                    f"Header field name contains invalid characters: {name!r}",
                }
                with self.subTest(place, name=name):
                    with self.assertRaises(ValueError) as caught:
                        render(simple(headers={name: "value"}))
                    self.assertIn(str(caught.exception), texts)

    def test_messages_of_subclasses(self):
        class Signed(EmailMessage):
            def message(self, **kwargs):
                return super().message(**kwargs)

        for line_break in LINE_BREAKS.values():
            with self.assertRefused(IN_VALUE):
                render(Signed(f"a{line_break}", to=["a@example.com"]))

    def test_headers_that_go_on(self):
        """An attachment that was parsed has its headers as they were, in several lines."""
        source = (
            b"Content-Type: text/x-log;\r\n charset=utf-8\r\nX-Long: one\r\n two\r\n\r\nHello\r\n"
        )
        for kind, policy in [(MIMEBase, email.policy.compat32), (MIMEPart, email.policy.default)]:
            part = email.message_from_bytes(
                source, kind if kind is MIMEPart else Parsed, policy=policy
            )
            message = simple()
            with self.subTest(kind), ignore_deprecations():
                message.attach(part)
                self.assertIn(b"X-Long: one\r\n two\r\n", render(message))

    def test_attachments_made_by_hand(self):
        part = MIMEBase("application", "pdf")
        part["X-Note"] = "a\n"
        message = simple()
        with ignore_deprecations(), self.assertRefused(IN_VALUE):
            message.attach(part)
            render(message)


class BackendTests(InjectionTestCase):
    def test_nothing_is_sent(self):
        messages = dict([*cases(MIDDLE), *cases(END)])
        for backend in (EmailBackend, DjangosSend):
            sink = enter(self, Sink())
            settings = {ALIAS: entry(sink, backend=backend)}
            with override_settings(MAILERS=settings), mailers[ALIAS] as mailer:
                for place, message in messages.items():
                    with self.subTest(place, backend=backend), self.assertRaises(ValueError):
                        mailer.send_messages([message])
                self.assertEqual(mailer.send_messages([simple(subject="good")]), 1)
            self.assertEqual(len(sink.accepted), 1)
            self.assertIn(b"\r\nSubject: good\r\n", b"\r\n" + sink.accepted[0].content)

    def test_the_others_of_a_batch(self):
        sink = enter(self, Sink())
        with override_settings(MAILERS={ALIAS: entry(sink)}):
            report = send_many(
                [simple(subject="1"), simple(subject="2\n"), simple(subject="3")], using=ALIAS
            )
        self.assertEqual([result.status for result in report], ["sent", "failed", "sent"])
        self.assertEqual(len(sink.accepted), 2)

    def test_django_renders_a_message_once(self):
        """H27: message() may render a template, or count."""
        sink = enter(self, Sink())
        with override_settings(MAILERS={ALIAS: entry(sink, backend=DjangosSend)}):
            message = attached("a.txt", "x", "text/plain")
            with mock.patch.object(message, "message", wraps=message.message) as called:
                self.assertEqual(message.send(using=ALIAS), 1)
        self.assertEqual(called.call_count, 1)
