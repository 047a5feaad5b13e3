"""What every wrapper must do, over any backend: one mixin, applied to each of them."""

import copy
import gc
import weakref

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import override_settings

from django_mailers import send_many
from django_mailers.delivery import SendResult

from .support.messages import message
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import LOCMEM, OURS, SMTP, ExactErrors
from .support.wrappers import ForeignBackend, ReportingForeignBackend

HERE = "tests.support.wrappers"
IT = "it"


class Templated(mail.EmailMessage):
    """Renders itself when it is asked for its MIME, and keeps more than Django's does."""

    __slots__ = ("slotted",)

    def __init__(self, template, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.template = template
        # As Anymail's.
        self.tags = ["a"]
        self.metadata = {"order": 7}
        self.merge_data = {"bob@example.com": {"name": "Bob"}}
        self.template_id = 12
        self.slotted = "slot"

    def message(self, **kwargs):
        self.body = self.template.upper()
        return super().message(**kwargs)

    def __copy__(self):
        raise AssertionError("Its own way to be copied may leave something out.")

    __reduce_ex__ = __copy__


class WrapperContract(ExactErrors):
    """A mixin for a SimpleTestCase.

    wrapper          The BACKEND under test.
    option           The option that names the mailer to send through.
    options(alias)   OPTIONS with which everything goes through the mailer `alias`.
    kept             The attributes for providers that a message keeps.
    subject(subject) What becomes of the subject of a message on the way.
    unreachable      What is raised if the target cannot be reached.
    """

    wrapper: str
    option = "using"
    kept = ("tags", "metadata", "merge_data", "template_id")
    unreachable = ConnectionRefusedError

    def options(self, alias):
        return {"using": alias}

    def subject(self, subject):
        return subject

    def setUp(self):
        super().setUp()
        del ForeignBackend.log[:], ReportingForeignBackend.batches[:]
        self.addCleanup(ForeignBackend.log.clear)
        self.addCleanup(ReportingForeignBackend.batches.clear)

    def over(self, backend, options=None, **others):
        """Return settings in which the wrapper is over a target; with `others` by alias."""
        entries = {
            IT: {"BACKEND": self.wrapper, "OPTIONS": self.options("target")},
            "target": {"BACKEND": backend, "OPTIONS": options or {}},
        }
        return override_settings(MAILERS={**entries, **others})

    def statuses(self, report):
        return [(result.status, result.via) for result in report]

    # Over any backend

    def check(self, expected):
        """Send in both ways; the results are about the caller's own objects."""
        messages = [message("a"), message("nobody"), message("b")]
        messages[1].to = []
        report = send_many(messages, using=IT)
        via = None if expected in {"failed", "refused"} else "target"
        skipped = ("skipped", None)
        self.assertEqual(self.statuses(report), [(expected, via), skipped, (expected, via)])
        for result, one in zip(report, messages, strict=True):
            self.assertIs(result.message, one)

    def test_over_smtp(self):
        for backend in (SMTP, OURS):
            with self.subTest(backend), SMTPServer() as server:
                options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
                with self.over(backend, options):
                    self.check("sent")
                    self.assertEqual(mailers[IT].send_messages([message("c"), message("d")]), 2)
                    self.assertEqual(message("e").send(using=IT), 1)
                subjects = [
                    line.removeprefix(b"Subject: ").decode()
                    for sent in server.messages
                    for line in sent.content.splitlines()
                    if line.startswith(b"Subject: ")
                ]
                self.assertEqual(subjects, [self.subject(name) for name in "abcde"])

    def test_over_smtp_that_refuses(self):
        for backend in (SMTP, OURS):
            server = enter(self, SMTPServer(refuse={"RCPT bob@example.com": "550 No"}))
            server.refuse["RCPT"] = "550 No"
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            with self.subTest(backend), self.over(backend, options):
                self.check("refused")
                with self.assertRaises(OSError):
                    message().send(using=IT)

    def test_over_nothing_that_listens(self):
        for backend in (SMTP, OURS):
            with SMTPServer() as server:
                options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            with self.subTest(backend), self.over(backend, options):
                self.check("failed")
                with self.assertRaises(self.unreachable):
                    message().send(using=IT)

    def test_over_locmem(self):
        with self.over(LOCMEM):
            self.check("sent")
            self.assertEqual(message("c").send(using=IT), 1)
        arrived = [(sent.subject, sent.sent_using) for sent in mail.outbox]
        self.assertEqual(arrived, [(self.subject(name), "target") for name in "abc"])

    def test_over_locmem_by_send_mass_mail(self):
        """Its messages have the mailer with them, which cannot be copied (H46)."""
        rows = [(name, "Text", "ada@example.com", ["bob@example.com"]) for name in "ab"]
        with self.over(LOCMEM):
            self.assertEqual(mail.send_mass_mail(rows, using=IT), 2)
        self.assertEqual([sent.subject for sent in mail.outbox], [self.subject(a) for a in "ab"])

    def test_over_a_foreign_backend(self):
        with self.over(f"{HERE}.ForeignBackend"):
            self.check("sent")
            self.assertEqual(message("c").send(using=IT), 1)
        self.assertEqual(
            [one.subject for one in ForeignBackend.log], [self.subject(name) for name in "abc"]
        )

    def test_over_one_that_returns_none(self):
        with self.over(f"{HERE}.SilentBackend"):
            self.check("unknown")
            self.assertEqual(message("c").send(using=IT), 0)

    def test_over_one_that_raises(self):
        """A message that may have been sent is not sent again."""
        with self.over(f"{HERE}.RaisingBackend"):
            self.check("unknown")
            with self.assertRaisesExactly(TimeoutError, "timed out"):
                message("c").send(using=IT)
        self.assertEqual(
            [one.subject for one in ForeignBackend.log], [self.subject(name) for name in "abc"]
        )

    def test_over_another_wrapper(self):
        inner = {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "memory"}}
        with self.over(inner["BACKEND"], {"using": "next"}, next=inner, memory={"BACKEND": LOCMEM}):
            report = send_many([message("a"), message("b")], using=IT)
        self.assertEqual(self.statuses(report), [("sent", "memory")] * 2)
        self.assertEqual([one.sent_using for one in mail.outbox], ["memory"] * 2)

    # Batches and connections

    def test_a_batch_is_handed_on_as_a_batch(self):
        with self.over(f"{HERE}.ReportingForeignBackend"):
            send_many([message(name) for name in "abc"], using=IT)
            self.assertEqual(mailers[IT].send_messages([message(name) for name in "de"]), 2)
        self.assertEqual(
            ReportingForeignBackend.batches,
            [[self.subject(name) for name in batch] for batch in ("abc", "de")],
        )

    def test_it_keeps_a_connection_while_it_is_open(self):
        for backend in (SMTP, OURS):
            server = enter(self, SMTPServer())
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            with self.subTest(backend), self.over(backend, options):
                with mailers[IT] as mailer:
                    for _ in range(5):
                        self.assertEqual(mailer.send_messages([message(), message()]), 2)
                self.assertEqual(len(server.sessions), 1)
                self.assertEqual(len(server.messages), 10)

    def test_it_closes_what_it_opened(self):
        with self.over(f"{HERE}.ReportingForeignBackend"):
            mailer = mailers[IT]
            self.assertIs(mailer.open(), True)
            mailer.send_messages([message("a")])
            mailer.close()
            mailer.close()
            mailer.send_messages([message("b")])
            mailer.close()
        self.assertEqual(
            ReportingForeignBackend.batches,
            ["open", [self.subject("a")], "close", [self.subject("b")]],
        )

    def test_opening_nothing_that_listens(self):
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        with self.over(SMTP, options), self.assertRaises(self.unreachable):
            mailers[IT].open()

    def test_opening_one_that_cannot_be_closed_either(self):
        """The error says why it could not be opened."""
        with (
            self.over(f"{HERE}.HalfMadeBackend"),
            self.assertLogs("django_mailers.backends", "WARNING") as logs,
            self.assertRaises(self.unreachable),
        ):
            mailers[IT].open()
        self.assertEqual(
            {record.getMessage() for record in logs.records},
            {"'target' could not be closed: AttributeError."},
        )

    # Messages

    def test_the_callers_message_is_not_changed(self):
        email = Templated("text", "Hello", to=["bob@example.com"], headers={"X-A": "b"})
        email.attach("a.txt", "Attached", "text/plain")
        before = {name: copy.copy(value) for name, value in vars(email).items()}
        with self.over(f"{HERE}.ForeignBackend"):
            send_many([email], using=IT)
        [sent] = ForeignBackend.log
        self.assertIs(type(sent), Templated)
        self.assertEqual((sent.template, sent.slotted), ("text", "slot"))
        for name in self.kept:
            self.assertEqual(getattr(sent, name), getattr(email, name))
        self.assertIs(sent.attachments[0].content, email.attachments[0].content)
        status = f"status of {self.subject('Hello')}"
        # But for what the backend has added.
        self.assertEqual(vars(email), {**before, "anymail_status": status})
        # Its own message() is called.
        self.assertIn("TEXT", sent.message().as_string())

    def test_what_a_backend_adds_is_replaced_the_next_time(self):
        email = message("first")
        with self.over(f"{HERE}.ForeignBackend"):
            for subject in ("first", "second"):
                email.subject = subject
                self.assertEqual(email.send(using=IT), 1)
                self.assertEqual(email.anymail_status, f"status of {self.subject(subject)}")

    def test_it_holds_no_message(self):
        """Not even until the garbage collector comes, unless an error has been raised."""
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            for backend, given in [
                (LOCMEM, {}),
                (f"{HERE}.ReportingForeignBackend", {}),
                (f"{HERE}.SilentBackend", {}),
                (f"{HERE}.RaisingBackend", {}),
                (SMTP, options),
                (OURS, options),
                (SMTP, {**options, "host": "localhost.invalid"}),
                (OURS, {**options, "host": "localhost.invalid"}),
            ]:
                with self.subTest(backend, **given), self.over(backend, given):
                    mailer = mailers[IT]
                    email = message()
                    reference = weakref.ref(email)
                    gc.collect()
                    gc.disable()
                    self.addCleanup(gc.enable)
                    try:
                        mailer.send_messages([email])
                    except OSError:
                        gc.enable()
                    del email
                    mail.outbox.clear()
                    ForeignBackend.log.clear()
                    if gc.isenabled():
                        gc.collect()
                    self.assertIsNone(reference())
                    gc.enable()

    # The configuration

    def assertInvalid(self, text, **settings):
        names = f"MAILERS[{IT!r}]: OPTIONS {self.option!r} {text}"
        for send in (
            lambda: send_many([message()], using=IT),
            lambda: message().send(using=IT),
            self.open,
        ):
            with (
                override_settings(MAILERS=settings),
                self.assertRaisesExactly(InvalidMailer, names),
            ):
                send()

    def open(self):
        with mailers[IT]:
            raise AssertionError("It has been opened.")

    def test_aliases_are_resolved_when_it_sends(self):
        entry = {"BACKEND": self.wrapper, "OPTIONS": self.options("missing")}
        with override_settings(MAILERS={IT: entry}):
            self.assertEqual(mailers[IT].alias, IT)
        self.assertInvalid("names 'missing', which is not in MAILERS.", **{IT: entry})

    def test_itself(self):
        entry = {"BACKEND": self.wrapper, "OPTIONS": self.options(IT)}
        self.assertInvalid("leads back to the mailer itself: 'it' -> 'it'.", **{IT: entry})

    def test_a_circle(self):
        def wrapper(alias):
            return {"BACKEND": self.wrapper, "OPTIONS": self.options(alias)}

        self.assertInvalid(
            "leads back to the mailer itself: 'it' -> 'b' -> 'c' -> 'it'.",
            **{IT: wrapper("b"), "b": wrapper("c"), "c": wrapper(IT)},
        )

    def test_a_wrong_number_of_results(self):
        name = f"{HERE}.MiscountingBackend.send_many()"
        with (
            self.over(f"{HERE}.MiscountingBackend"),
            self.assertRaisesExactly(TypeError, f"{name} returned 1 results for 2 messages."),
        ):
            send_many([message(), message()], using=IT)

    def test_what_was_sent_before_an_error_of_the_configuration(self):
        messages = [message("a"), message("b")]
        with (
            self.over(f"{HERE}.MisconfiguredBackend"),
            self.assertRaises(InvalidMailer) as caught,
        ):
            send_many(messages, using=IT)
        error = caught.exception
        self.assertEqual(str(error), "MAILERS['target']: No token.")
        self.assertEqual(
            [*error.report],
            [
                SendResult(messages[0], "sent", via="target"),
                SendResult(messages[1], "failed", error=error),
            ],
        )
