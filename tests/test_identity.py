"""The Message-ID and Date of a message that may be sent twice: the same both times."""

import copy
import io
import pickle
from email.utils import parsedate_to_datetime
from unittest import mock

from django.core import mail
from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from django_mailers import send_many
from django_mailers.backends.base import ReportingBackend
from django_mailers.delivery.identity import fix_identity, for_mailer, identity_of, renders_mime

from .support.messages import message
from .support.servers import TIMEOUT, SMTPServer
from .support.utils import CONSOLE, DUMMY, FILEBASED, LOCMEM, OURS, SMTP
from .support.wrappers import ForeignBackend
from .wrapper_contract import HERE, IT, Templated

HEADERS = ("Message-ID", "Date")


def identity(email):
    return [email.extra_headers.get(name) for name in HEADERS]


class RenderingBackend(BaseEmailBackend):
    """A backend of a project, which says that it renders MIME."""

    renders_mime = True
    sent = []

    def send_messages(self, email_messages):
        self.sent += email_messages
        return len(email_messages)


class FixIdentityTests(SimpleTestCase):
    def test_a_message(self):
        email = Templated("text", "Hello", to=["bob@example.com"], headers={"X-A": "b"})
        email.attach("a.txt", "Attached", "text/plain")
        before = {name: copy.copy(value) for name, value in vars(email).items()}
        with mock.patch.object(mail.message, "DNS_NAME", "host.example.com"):
            fixed = fix_identity(email)
        self.assertEqual(vars(email), before)
        self.assertIs(type(fixed), Templated)
        self.assertEqual(list(fixed.extra_headers), ["X-A", "Date", "Message-ID"])
        self.assertRegex(fixed.extra_headers["Message-ID"], r"\A<[\d.]+@host\.example\.com>\Z")
        now = timezone.now()
        self.assertLess(abs((parsedate_to_datetime(identity(fixed)[1]) - now).total_seconds()), 60)
        self.assertEqual(
            [fixed.message()[name] for name in HEADERS], [fixed.message()[name] for name in HEADERS]
        )
        self.assertEqual(identity(fixed), [fixed.message()[name] for name in HEADERS])

    def test_the_zone_is_that_of_django(self):
        with override_settings(TIME_ZONE="Asia/Kathmandu"):
            self.assertRegex(identity(fix_identity(message()))[1], r" \+0000\Z")
            with override_settings(EMAIL_USE_LOCALTIME=True):
                self.assertRegex(identity(fix_identity(message()))[1], r" \+0545\Z")

    def test_what_a_message_has_already(self):
        both = {"message-id": "<1@example.com>", "DATE": "Thu, 26 Nov 2026 20:00:00 +0000"}
        email = message(headers=both)
        self.assertIs(fix_identity(email), email)
        [(name, value), _] = both.items()
        email = message(headers={name: value})
        fixed = fix_identity(email)
        self.assertEqual([*fixed.extra_headers], ["message-id", "Date"])
        self.assertEqual([*identity_of(fixed)], ["Date"])

    def test_once(self):
        fixed = fix_identity(message())
        self.assertIs(fix_identity(fixed), fixed)

    def test_it_is_copied_and_pickled_with_the_message(self):
        fixed = fix_identity(message())
        for again in (copy.copy(fixed), copy.deepcopy(fixed), pickle.loads(pickle.dumps(fixed))):
            self.assertEqual(identity(again), identity(fixed))
            self.assertEqual(for_mailer(again, ForeignBackend()).extra_headers, {})

    def test_what_has_no_headers(self):
        for other in (object(), mock.Mock(spec=["recipients"])):
            self.assertIs(fix_identity(other), other)
            self.assertIs(for_mailer(other, ForeignBackend()), other)

    def test_only_what_was_added_is_taken_off(self):
        fixed = fix_identity(message(headers={"X-A": "b"}))
        fixed.extra_headers["Date"] = "Thu, 26 Nov 2026 20:00:00 +0000"
        plain = for_mailer(fixed, ForeignBackend())
        self.assertEqual(
            plain.extra_headers, {"X-A": "b", "Date": "Thu, 26 Nov 2026 20:00:00 +0000"}
        )
        self.assertEqual(identity_of(plain), identity_of(fixed))
        fixed.extra_headers = None
        self.assertIsNone(for_mailer(fixed, ForeignBackend()).extra_headers)

    def test_which_backends_render_mime(self):
        class Stated(ForeignBackend):
            renders_mime = True

        class Unstated(ReportingBackend):
            pass

        with override_settings(
            MAILERS={
                "smtp": {"BACKEND": SMTP, "OPTIONS": {"host": "localhost"}},
                "ours": {"BACKEND": OURS, "OPTIONS": {"host": "localhost"}},
                "memory": {"BACKEND": LOCMEM},
                "console": {"BACKEND": CONSOLE, "OPTIONS": {"stream": io.StringIO()}},
                "dummy": {"BACKEND": DUMMY},
                "files": {"BACKEND": FILEBASED, "OPTIONS": {"file_path": "/tmp"}},
                "wrapper": {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "smtp"}},
                "foreign": {"BACKEND": f"{HERE}.ForeignBackend"},
            }
        ):
            known = {alias: renders_mime(type(mailers[alias])) for alias in mailers}
        self.assertEqual(known, {**dict.fromkeys(known, True), "foreign": False})
        self.assertIs(renders_mime(Stated), True)
        self.assertIs(renders_mime(Unstated), False)


class SentTwiceTests(SimpleTestCase):
    """A wrapper that hands on each message twice, to each of its mailers."""

    def over(self, *targets, **others):
        entries = {f"target{number}": target for number, target in enumerate(targets)}
        options = {"mailers": [*entries]}
        twice = {"BACKEND": f"{HERE}.TwiceBackend", "OPTIONS": options}
        return override_settings(MAILERS={IT: twice, **entries, **others})

    def test_over_smtp(self):  # (H42)
        for backend in (SMTP, OURS):
            with self.subTest(backend), SMTPServer() as server:
                options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
                email = message()
                with self.over({"BACKEND": backend, "OPTIONS": options}):
                    self.assertEqual(mailers[IT].send_messages([email, message("b")]), 2)
                self.assertEqual(email.extra_headers, {})
                seen = [[one.parse()[name] for name in HEADERS] for one in server.messages]
                self.assertEqual(seen[:2], seen[2:])
                self.assertEqual(len({message_id for message_id, _ in seen}), 2)

    def test_an_api_gets_no_headers_of_ours(self):
        ForeignBackend.log.clear()
        self.addCleanup(ForeignBackend.log.clear)
        email = message(headers={"X-A": "b"})
        with self.over({"BACKEND": f"{HERE}.ForeignBackend"}, {"BACKEND": LOCMEM}):
            [result] = send_many([email], using=IT)
        self.assertEqual((result.status, result.via), ("sent", "target1"))
        self.assertEqual([one.extra_headers for one in ForeignBackend.log], [{"X-A": "b"}] * 2)
        first, second = mail.outbox
        self.assertEqual(identity(first), identity(second))
        self.assertEqual([*first.extra_headers], ["X-A", "Date", "Message-ID"])
        # The id is with the message.
        for one in ForeignBackend.log:
            self.assertEqual(identity_of(one), identity_of(first))
        self.assertEqual(email.anymail_status, "status of Hello")
        self.assertEqual(identity_of(email), {})

    def test_the_mailer_at_the_end_decides(self):
        """Wrappers in between hand on what they are given, and fix nothing again."""
        ForeignBackend.log.clear()
        self.addCleanup(ForeignBackend.log.clear)
        inner = {"BACKEND": f"{HERE}.TwiceBackend", "OPTIONS": {"mailers": ["memory", "foreign"]}}
        prefix = {"BACKEND": f"{HERE}.PrefixBackend", "OPTIONS": {"using": "inner"}}
        with self.over(
            prefix,
            inner=inner,
            memory={"BACKEND": LOCMEM},
            foreign={"BACKEND": f"{HERE}.ForeignBackend"},
        ):
            send_many([message()], using=IT)
        self.assertEqual(len(mail.outbox), 4)
        self.assertEqual(len({tuple(identity(one)) for one in mail.outbox}), 1)
        self.assertEqual(
            [one.extra_headers for one in ForeignBackend.log], [{"X-Prefixed": "yes"}] * 4
        )

    def test_a_backend_of_a_project_that_renders_mime(self):
        RenderingBackend.sent.clear()
        self.addCleanup(RenderingBackend.sent.clear)
        with self.over({"BACKEND": f"{__name__}.RenderingBackend"}):
            EmailMessage("Hello", to=["bob@example.com"]).send(using=IT)
        first, second = RenderingBackend.sent
        self.assertEqual(identity(first), identity(second))
        self.assertNotIn(None, identity(first))
