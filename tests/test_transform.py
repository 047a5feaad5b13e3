"""Functions that change a copy of each message, or drop it."""

from unittest import mock

from django.core.mail import EmailMessage, InvalidMailer, mailers
from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.delivery import SendResult

from .support import shapers
from .support.messages import message
from .support.shapers import HERE, IT, entry
from .support.utils import ExactErrors
from .support.wrappers import ForeignBackend, ReportingForeignBackend

FOREIGN = {"BACKEND": "tests.support.wrappers.ForeignBackend"}


class TransformTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        for log in (ForeignBackend.log, ReportingForeignBackend.batches):
            log.clear()
            self.addCleanup(log.clear)

    def over(self, *transforms, target=FOREIGN):
        it = entry("transform", "target", transforms=[*transforms])
        return shapers.mailers(it, target=target)

    def test_one_after_the_other(self):
        email = message("Hello", headers={"X-A": "b"})
        with self.over(f"{HERE}.shout", f"{HERE}.suffix", shapers.mark):
            self.assertEqual(email.send(using=IT), 1)
        [sent] = ForeignBackend.log
        self.assertEqual(sent.subject, "HELLO (copy)")
        self.assertEqual(sent.to, ["bob@example.com", "archive@example.com"])
        self.assertEqual(sent.extra_headers, {"X-A": "b", "X-Marked": "yes"})
        self.assertEqual((email.subject, email.to), ("Hello", ["bob@example.com"]))
        self.assertEqual(email.extra_headers, {"X-A": "b"})
        self.assertEqual(email.anymail_status, "status of HELLO (copy)")

    def test_dropped(self):
        messages = [message("secret"), message("a"), message("b")]
        target = {"BACKEND": "tests.support.wrappers.ReportingForeignBackend"}
        with self.over(f"{HERE}.drop_secrets", shapers.shout, target=target):
            report = send_many(messages, using=IT)
            self.assertEqual(mailers[IT].send_messages(messages), 2)
        self.assertEqual(
            [*report],
            [
                SendResult(
                    messages[0], "skipped", reason="dropped by tests.support.shapers.drop_secrets"
                ),
                *(SendResult(one, "sent", 250, "OK", via="target") for one in messages[1:]),
            ],
        )
        self.assertEqual(ReportingForeignBackend.batches, [["A", "B"]] * 2)

    def test_names_of_callables(self):
        class Nothing:
            def __call__(self, message):
                return None

        here = f"{__name__}.TransformTests.test_names_of_callables.<locals>"
        for transform, name in [
            (shapers.drop_secrets, "tests.support.shapers.drop_secrets"),
            (Nothing(), f"{here}.Nothing"),
            (lambda message: None, f"{here}.<lambda>"),
        ]:
            with self.subTest(name), self.over(transform):
                [result] = send_many([message("secret")], using=IT)
                self.assertEqual(result.reason, f"dropped by {name}")

    def test_something_else_is_returned(self):
        text = (
            "The transform tests.support.shapers.forget_to_return must return a message or None, "
            "not an object of type int."
        )
        email = message("a")
        with self.over(f"{HERE}.forget_to_return"):
            [result] = send_many([email], using=IT)
            self.assertEqual((result.status, str(result.error)), ("failed", text))
            with self.assertRaisesExactly(TypeError, text):
                email.send(using=IT)
        self.assertEqual((email.subject, ForeignBackend.log), ("a", []))

    def test_what_it_raises_is_about_the_message(self):
        error = LookupError("no such template")

        def fail(message):
            if message.subject == "bad":
                raise error
            return message

        with self.over(fail):
            report = send_many([message("a"), message("bad"), message("b")], using=IT)
        self.assertEqual([one.status for one in report], ["sent", "failed", "sent"])
        self.assertIs(report[1].error, error)

    def test_another_message(self):
        other = EmailMessage("Other", to=["eve@example.com"])
        email = message()
        with self.over(lambda message: other, shapers.mark):
            [result] = send_many([email], using=IT)
        self.assertEqual(ForeignBackend.log, [other])
        self.assertEqual((result.message, result.status), (email, "sent"))
        self.assertEqual(email.anymail_status, "status of Other")

    def test_without_recipients(self):
        def nobody(message):
            message.to.clear()
            return message

        email = message()
        with self.over(nobody):
            report = send_many([email], using=IT)
        self.assertEqual([*report], [SendResult(email, "skipped", reason="no recipients")])
        self.assertEqual(email.to, ["bob@example.com"])

    def test_messages_that_are_not_djangos(self):
        class Duck:
            subject, to = "Quack", ("bob@example.com",)

            def recipients(self):
                return self.to

        duck = Duck()
        with self.over(shapers.shout):
            self.assertEqual([one.status for one in send_many([duck], using=IT)], ["sent"])
        self.assertEqual((ForeignBackend.log[0].subject, duck.subject), ("QUACK", "Quack"))

    def test_wrong_paths(self):
        for path, problem in [
            (
                "nowhere.at_all",
                "Could not import OPTIONS 'transforms' 'nowhere.at_all': No module named 'nowhere'",
            ),
            (
                f"{HERE}.missing",
                f"Could not import OPTIONS 'transforms' '{HERE}.missing': Module \"{HERE}\" does "
                'not define a "missing" attribute/class',
            ),
            (
                "shout",
                "Could not import OPTIONS 'transforms' 'shout': shout doesn't look like a module "
                "path",
            ),
            (
                f"{HERE}.not_callable",
                f"OPTIONS 'transforms' '{HERE}.not_callable' is not callable.",
            ),
        ]:
            with (
                self.subTest(path),
                self.over(f"{HERE}.shout", path),
                self.assertRaisesExactly(InvalidMailer, f"MAILERS['it']: {problem}"),
            ):
                send_many([message(), message()], using=IT)
        self.assertEqual(ForeignBackend.log, [])

    def test_they_are_imported_once(self):
        with self.over(f"{HERE}.shout"), mailers[IT] as mailer:
            mailer.send_messages([message("a")])
            with mock.patch.object(shapers, "shout", None):
                mailer.send_messages([message("b")])
        self.assertEqual([one.subject for one in ForeignBackend.log], ["A", "B"])

    def test_options(self):
        for value in ([], "a.b", [1], ["not a path"], {}):
            with (
                self.subTest(value),
                shapers.mailers(entry("transform", transforms=value)),
                self.assertRaisesExactly(
                    InvalidMailer,
                    "MAILERS['it']: OPTIONS 'transforms' must be a list of callables or of their "
                    "paths.",
                ),
            ):
                mailers[IT]
