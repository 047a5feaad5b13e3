"""django_mailers.backends.tasks.EmailBackend, up to the engine."""

import copy
import gc
import weakref
from unittest import mock

from django.core import mail
from django.core.mail import EmailMessage, InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings
from django.utils import translation
from django.utils.translation import gettext_lazy

from django_mailers import send_each, send_many
from django_mailers.delivery.windows import WINDOW
from django_mailers.errors import NotQueued
from django_mailers.tasks import frameworks

from .backend_contract import BackendContract
from .support.messages import message
from .support.tasks import (
    BACKEND,
    DUMMY,
    FRAMEWORK,
    IMMEDIATE,
    IT,
    QUEUE,
    QueueTestCase,
    background,
    needs_tasks,
    told,
)
from .support.utils import LOCMEM
from .support.wrappers import ForeignBackend

if frameworks.framework() is not None:
    from .support.tasks import QueueBackend


class Rendered(EmailMessage):
    """Renders a template into itself, once more each time."""

    def message(self, **kwargs):
        self.body += "!"
        return super().message(**kwargs)


@needs_tasks
class ContractTests(BackendContract, SimpleTestCase):
    """With an engine that delivers at once."""

    backend = BACKEND
    others = {"target": {"BACKEND": LOCMEM}}
    status = "queued"
    takes_fail_silently = False
    opens = False

    def setUp(self):
        tasks = override_settings(TASKS={"default": {"BACKEND": IMMEDIATE}})
        tasks.enable()
        self.addCleanup(tasks.disable)
        super().setUp()

    def options(self):
        return {"using": "target"}

    def arrived(self):
        return [str(sent.subject) for sent in mail.outbox]


class QueueingTests(QueueTestCase):
    def test_messages_are_queued_and_delivered(self):
        with background(), told() as heard:
            messages = [message("a"), message("nobody", to=[]), message("b")]
            report = send_many(messages, using=IT)
            self.assertEqual(
                [(result.status, result.via) for result in report],
                [("queued", IT), ("skipped", None), ("queued", IT)],
            )
            for result, one in zip(report, messages, strict=True):
                self.assertIs(result.message, one)
            self.assertEqual(
                heard, [("queued", "a", IT, report[0]), ("queued", "b", IT, report[2])]
            )
            self.assertEqual(mail.outbox, [])
            self.assertEqual(self.subjects(), ["a", "b"])
            self.assertEqual(mail.outbox[0].sent_using, "memory")
            self.assertEqual(
                [
                    (name, subject, alias, result.status, result.via)
                    for name, subject, alias, result in heard[2:]
                ],
                [("finished", name, IT, "sent", "memory") for name in "ab"],
            )

    def test_the_count(self):
        with background():
            self.assertEqual(message("a").send(using=IT), 1)
            self.assertEqual(mailers[IT].send_messages([message("b"), message("c")]), 2)
            self.assertEqual(mailers[IT].send_messages(message(name) for name in "de"), 2)
            self.assertEqual(self.subjects(), [*"abcde"])

    def test_the_same_message_twice_is_two_mails(self):
        with background():
            email = message("one")
            self.assertEqual(mailers[IT].send_messages([email, email]), 2)
            email.subject = "two"
            email.send(using=IT)
            self.assertEqual(len({queued.ticket["id"] for queued in self.queued}), 3)
            self.assertEqual(self.subjects(), ["one", "one", "two"])
            self.assertEqual(len({sent.message()["Message-ID"] for sent in mail.outbox}), 3)

    def test_what_the_queue_has(self):
        with background(queue_name="mail", priority=7, queues=["mail"], attempts=3, delay=1.5):
            message("a").send(using=IT)
        [queued] = self.queued
        self.assertEqual(queued.path, "django_mailers.tasks.deliver")
        self.assertEqual(
            queued.changes,
            {"backend": "default", "queue_name": "mail", "priority": 7, "run_after": None},
        )
        name = queued.ticket["id"]
        self.assertEqual(len(name), 32)
        self.assertEqual(
            queued.ticket,
            {
                "version": 1,
                "id": name,
                "alias": IT,
                "using": "memory",
                "claims": "default",
                "attempts": 3,
                "delay": 1.5,
                "max_delay": 3600,
                "attempt": 1,
                "tries": 0,
                "doubts": [],
                "task_backend": "default",
                "queue_name": "mail",
                "priority": 7,
            },
        )

    def test_no_claims(self):
        with background(claims=None):
            message().send(using=IT)
        self.assertIsNone(self.queued[0].ticket["claims"])

    def test_message_id_and_date_are_fixed_when_it_is_queued(self):
        with background():
            email = message("a")
            before = copy.copy(vars(email))
            email.send(using=IT)
            self.assertEqual(vars(email), before)
            [queued] = self.queued
            ids = set()
            for _ in range(2):
                # As another attempt would.
                queued.workers.clear()
                with mock.patch("django_mailers.tasks.claims.claim", return_value="mine"):
                    queued.run()
                made = mail.outbox[-1].message()
                ids.add((made["Message-ID"], str(made["Date"])))
            self.assertEqual(len(ids), 1)

    def test_a_backend_that_does_not_render_mime_has_no_headers_of_ours(self):
        self.addCleanup(ForeignBackend.log.clear)
        with (
            background(others={"memory": {"BACKEND": "tests.support.wrappers.ForeignBackend"}}),
            told() as heard,
        ):
            message("a").send(using=IT)
            self.queued.pop().run()
        self.assertEqual(ForeignBackend.log[0].extra_headers, {})
        self.assertEqual(heard[-1][3].status, "sent")

    def test_it_is_rendered_once_and_not_into_the_callers(self):
        with background():
            email = Rendered("a", "Text", to=["bob@example.com"])
            email.send(using=IT)
            self.assertEqual(email.body, "Text")
            self.subjects()
            # By the backend at the end.
            self.assertEqual(mail.outbox[0].body, "Text!")

    def test_the_senders_language(self):
        with background():
            with translation.override("de"):
                message(gettext_lazy("January")).send(using=IT)
            self.assertEqual(self.subjects(), ["Januar"])

    def test_windows(self):
        """An iterator is taken, and queued, some messages at a time."""
        alive = weakref.WeakSet()
        most = 0

        def messages():
            nonlocal most
            for number in range(2 * WINDOW):
                email = message(str(number))
                alive.add(email)
                most = max(most, len(alive))
                yield email

        gc.collect()
        with background():
            self.assertEqual(mailers[IT].send_messages(messages()), 2 * WINDOW)
            self.assertLessEqual(most, WINDOW + 2)
            self.assertEqual(len(self.queued), 2 * WINDOW)
            statuses = {result.status for result in send_each(messages(), using=IT)}
            self.assertEqual(statuses, {"queued"})

    def test_it_holds_no_message(self):
        with background():
            mailer = mailers[IT]
            email = message()
            reference = weakref.ref(email)
            gc.collect()
            gc.disable()
            self.addCleanup(gc.enable)
            mailer.send_messages([email])
            del email
            self.assertIsNone(reference())


class FailureTests(QueueTestCase):
    def test_what_is_wrong_with_a_message_is_raised_where_it_is_made(self):
        wrong = message()
        wrong.attachments = [("a", b"x", "image")]
        with background(), told() as heard:
            for email, error in [
                (message("one\nBcc: eve@example.com"), ValueError),
                (message(headers={"X-A": "a\nb"}), ValueError),
                (wrong, ValueError),
            ]:
                with self.assertRaises(error):
                    email.send(using=IT)
            report = send_many([message("bad\nx"), message("good")], using=IT)
            self.assertEqual([result.status for result in report], ["failed", "queued"])
            self.assertEqual(self.subjects(), ["good"])
        self.assertEqual([event[:2] for event in heard], [("queued", "good"), ("finished", "good")])

    def test_what_cannot_be_stored(self):
        email = message()
        email.request = object()
        text = (
            "'request' of the message is of type builtins.object, "
            "which cannot be stored in a queue."
        )
        with background(), self.assertRaisesExactly(TypeError, text):
            email.send(using=IT)
        self.assertEqual(self.queued, [])

    def test_what_is_too_large(self):
        email = message(body="x" * 2000)
        with background(max_size=2000), self.assertRaises(ValueError) as caught:
            email.send(using=IT)
        self.assertRegex(
            str(caught.exception),
            r"^The message has 2\d\d\d bytes as JSON, and 'max_size' allows 2000\.$",
        )
        self.assertEqual(self.queued, [])

    def test_an_engine_that_fails(self):
        """The claim of each message keeps a worker from sending it, if the engine has it anyway."""
        QueueBackend.broken = OSError("bob@example.com")
        with background(), told() as heard, self.assertLogs("django_mailers.tasks") as logs:
            messages = [message(name) for name in "abc"]
            with self.assertRaises(NotQueued) as caught:
                mailers[IT].send_messages(messages)
            self.assertIs(caught.exception.__cause__, QueueBackend.broken)
        self.assertEqual(str(caught.exception), "3 of 3 messages were not queued: OSError.")
        self.assertEqual(
            [(name, subject, result.status) for name, subject, _, result in heard],
            [("finished", name, "failed") for name in "abc"],
        )
        self.assertNotIn("bob", "".join(logs.output))

    def test_one_failure_does_not_stop_the_others(self):
        original = QueueBackend.enqueue

        def enqueue(backend, task, args, kwargs):
            if "fails" in kwargs["message"]:
                raise OSError("no")
            return original(backend, task, args, kwargs)

        with background(), mock.patch.object(QueueBackend, "enqueue", enqueue):
            messages = [message("a"), message("fails"), message("b")]
            report = send_many(messages, using=IT)
            self.assertEqual([result.status for result in report], ["queued", "failed", "queued"])
            self.assertEqual(str(report[1].error), "The message was not queued: OSError.")
            with self.assertRaises(NotQueued) as caught:
                mailers[IT].send_messages(iter(messages))
            self.assertEqual(str(caught.exception), "1 of 3 messages were not queued: OSError.")
            self.assertEqual(self.subjects(), ["a", "b"] * 2)

    def test_an_engine_that_fails_when_it_has_the_task(self):  # (H59)
        QueueBackend.broken, QueueBackend.is_too_late = OSError("reply lost"), True
        with background():
            [result] = send_many([message("a")], using=IT)
            self.assertEqual(result.status, "failed")
            [queued] = self.queued
            with self.assertRaises(Exception) as caught, self.assertLogs("django_mailers.tasks"):
                queued.run()
            self.assertIn("it was reported as not queued", str(caught.exception))
            self.assertEqual(mail.outbox, [])

    def test_the_same_without_claims(self):
        """Nothing keeps a worker from sending it, so that nobody knows."""
        QueueBackend.broken, QueueBackend.is_too_late = OSError("reply lost"), True
        with background(claims=None):
            [result] = send_many([message("a")], using=IT)
            self.assertEqual((result.status, result.via), ("unknown", IT))
            self.assertEqual(self.subjects(), ["a"])
            # There was no connection: the engine cannot have it.
            QueueBackend.broken = ConnectionRefusedError()
            [result] = send_many([message("a")], using=IT)
            self.assertEqual(result.status, "failed")


class ConfigurationTests(QueueTestCase):
    def assertInvalid(self, text, **settings):
        with background(**settings):
            for send in (
                lambda: send_many([message()], using=IT),
                lambda: message().send(using=IT),
            ):
                with self.assertRaises(InvalidMailer) as caught:
                    send()
                self.assertEqual(str(caught.exception), f"MAILERS['background']: {text}")
        self.assertEqual(self.queued, [])

    def test_aliases(self):
        self.assertInvalid("OPTIONS 'using' names 'x', which is not in MAILERS.", using="x")
        self.assertInvalid(
            "OPTIONS 'using' leads back to the mailer itself: 'background' -> 'background'.",
            using=IT,
        )

    def test_the_engine(self):
        entry = {"BACKEND": BACKEND, "OPTIONS": {"using": "memory", "task_backend": "x"}}
        self.assertInvalid("'x' is not in TASKS.", others={IT: entry})
        self.assertInvalid(
            "TASKS['default'] does not accept the task: Queue 'x' is not valid for backend.",
            queue_name="x",
        )
        self.assertInvalid(
            "TASKS['default'] does not accept the task: "
            "Backend does not support setting priority of tasks.",
            task_backend="tests.support.tasks.UndeferringBackend",
            priority=1,
        )
        with mock.patch.object(frameworks, "framework", return_value=None):
            self.assertInvalid(
                "There is no tasks framework. On Django 5.2 it is a package: "
                'pip install "django-mailers[tasks]".'
            )

    def test_the_database(self):
        self.assertInvalid("OPTIONS 'database' names 'x', which is not in DATABASES.", database="x")

    def test_values(self):
        for text, options in [
            ("OPTIONS 'priority' must be an int from -100 to 100.", {"priority": 101}),
            ("OPTIONS 'on_commit' must be True or False.", {"on_commit": 1}),
            ("OPTIONS 'attempts' must be an int greater than 0.", {"attempts": 0}),
            (
                "OPTIONS 'delay' must not be greater than 'max_delay', which is 1.",
                {"delay": 2, "max_delay": 1},
            ),
        ]:
            self.assertInvalid(text, **options)

    def test_the_task(self):  # (H62)
        """It is made for what there is: neither an engine nor a queue has to be "default"."""
        from django_mailers import tasks

        entries = {
            "z": {"BACKEND": QUEUE, "QUEUES": ["b", "a"]},
            "broken": {"BACKEND": "nowhere.Backend"},
        }
        with override_settings(TASKS=entries):
            task = tasks.deliver
            self.assertEqual((task.backend, task.queue_name), ("z", "a"))
            self.assertEqual(task.module_path, "django_mailers.tasks.deliver")
            self.assertTrue(task.takes_context)
        with override_settings(TASKS={"default": {"BACKEND": DUMMY}}):
            self.assertEqual(tasks.deliver.queue_name, "default")
        with self.assertRaises(AttributeError):
            tasks.missing  # noqa: B018
        self.assertEqual(frameworks.framework().__name__, FRAMEWORK)
