"""The background mailer in transactions: when messages are queued, and when never."""

import asyncio
import json
from unittest import mock

from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.mail import mailers
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from django_mailers import asend_many, send_many
from django_mailers.delivery.codec import load
from django_mailers.errors import NotQueued
from django_mailers.tasks import frameworks

from .support.messages import message
from .support.servers import enter
from .support.tasks import IT, TABLE, QueueTestCase, background, told

if frameworks.framework() is not None:
    from .support.tasks import QueueBackend


class Rollback(Exception):
    pass


class OnCommitTests(QueueTestCase, TransactionTestCase):
    """With an engine that has its tasks elsewhere."""

    def subjects_in_queue(self):
        return [load(json.loads(one.stored)[1]["message"]).subject for one in self.queued]

    def test_messages_are_queued_on_commit(self):
        with background(), told() as heard:
            with transaction.atomic():
                email = message("a")
                [result] = send_many([email], using=IT)
                self.assertEqual((result.status, result.via), ("queued", IT))
                self.assertEqual(mailers[IT].send_messages([message("b"), message("c")]), 2)
                self.assertEqual((self.queued, heard), ([], []))
                # What is sent is what it was.
                email.subject = "changed"
            self.assertEqual(self.subjects_in_queue(), [*"abc"])
            self.assertEqual(
                [event[:3] for event in heard], [("queued", name, IT) for name in "abc"]
            )

    def test_one_callback_for_a_batch(self):
        with background(), transaction.atomic():
            send_many([message("a"), message("b")], using=IT)
            self.assertEqual(len(connection.run_on_commit), 1)
            # Not one for nothing at all.
            send_many([message("a", to=[]), message("b\nb")], using=IT)
            self.assertEqual(len(connection.run_on_commit), 1)

    def test_after_a_rollback_nothing_is_sent(self):  # (H61)
        with background(), told() as heard:
            with self.assertRaises(Rollback), transaction.atomic():
                message("a").send(using=IT)
                raise Rollback
            self.assertEqual((self.queued, heard), ([], []))

    def test_nested_transactions(self):
        with background():
            with transaction.atomic():
                message("outer").send(using=IT)
                with self.assertRaises(Rollback), transaction.atomic():
                    message("lost").send(using=IT)
                    with transaction.atomic():
                        message("lost, too").send(using=IT)
                    raise Rollback
                with transaction.atomic():
                    message("inner").send(using=IT)
                self.assertEqual(self.queued, [])
            self.assertEqual(self.subjects_in_queue(), ["outer", "inner"])

    def test_at_once(self):
        with background(on_commit=False):
            with self.assertRaises(Rollback), transaction.atomic():
                message("a").send(using=IT)
                raise Rollback
            self.assertEqual(self.subjects_in_queue(), ["a"])

    def test_outside_of_a_transaction(self):
        for on_commit in (None, True, False):
            with self.subTest(on_commit), background(on_commit=on_commit):
                message("a").send(using=IT)
                self.assertEqual(self.subjects_in_queue(), ["a"])
                self.queued.clear()

    def test_a_message_that_is_wrong_is_raised_in_the_transaction(self):
        with background(), self.assertRaises(ValueError), transaction.atomic():
            message("a\nb").send(using=IT)

    def test_an_engine_that_fails_on_commit(self):
        """It is one error of the log, and the project's own callbacks run."""
        called = []
        QueueBackend.broken = OSError("bob@example.com")
        with background(), told() as heard, self.assertLogs("django_mailers.tasks") as logs:
            with transaction.atomic():
                send_many([message("a"), message("b")], using=IT)
                transaction.on_commit(lambda: called.append(1))
            self.assertEqual(called, [1])
        self.assertEqual(
            [record.getMessage() for record in logs.records if record.levelname == "ERROR"],
            ["MAILERS['background']: 2 of 2 messages were not queued: OSError."],
        )
        self.assertEqual(
            [(name, subject, result.status) for name, subject, _, result in heard],
            [("finished", "a", "failed"), ("finished", "b", "failed")],
        )
        self.assertNotIn("bob", "".join(logs.output))

    def test_asynchronous_code(self):
        @sync_to_async
        def save():
            with transaction.atomic():
                message("a").send(using=IT)
                self.assertEqual(self.queued, [])

        @sync_to_async
        def disconnect():
            # Django leaves the connection of a thread to a database in memory open.
            connection.connection.close()
            connection.connection = None

        async def view():
            await save()
            report = await asend_many([message("b")], using=IT)
            await disconnect()
            return report[0].status

        with background():
            self.assertEqual(asyncio.run(view()), "queued")
            self.assertEqual(self.subjects_in_queue(), ["a", "b"])


class CapturedTests(QueueTestCase, TestCase):
    """In a TestCase, which is one transaction."""

    def test_callbacks_are_captured(self):
        with background():
            with self.captureOnCommitCallbacks() as callbacks:
                message("a").send(using=IT)
            self.assertEqual((len(callbacks), self.queued), (1, []))
            with self.captureOnCommitCallbacks(execute=True):
                message("b").send(using=IT)
            self.assertEqual(self.subjects(), ["b"])


class OutboxTests(QueueTestCase, TransactionTestCase):
    """With an engine that has its tasks in the database of the transaction."""

    def setUp(self):
        super().setUp()
        enter(self, mock.patch.object(frameworks, "database_of", lambda backend: "default"))

    def count(self):
        return Session.objects.count()

    def test_messages_are_queued_in_the_transaction(self):
        with background(task_backend=TABLE), told() as heard:
            with transaction.atomic():
                [result] = send_many([message("a")], using=IT)
                self.assertEqual((result.status, self.count()), ("queued", 1))
                self.assertEqual([event[:2] for event in heard], [("queued", "a")])
            self.assertEqual(self.count(), 1)
            self.assertEqual(connection.run_on_commit, [])

    def test_after_a_rollback_there_is_no_task(self):
        with background(task_backend=TABLE):
            with self.assertRaises(Rollback), transaction.atomic():
                message("a").send(using=IT)
                raise Rollback
            with transaction.atomic():
                with self.assertRaises(Rollback), transaction.atomic():
                    message("a").send(using=IT)
                    raise Rollback
                message("b").send(using=IT)
            self.assertEqual(self.count(), 1)

    def test_a_failure_leaves_the_transaction_usable(self):
        """Each message has a savepoint of its own."""
        with background(task_backend=TABLE), told() as heard:
            with transaction.atomic():
                messages = [message("a"), message("twice"), message("b")]
                report = send_many(messages, using=IT)
                self.assertEqual(
                    [result.status for result in report], ["queued", "failed", "queued"]
                )
                with self.assertRaises(NotQueued) as caught:
                    mailers[IT].send_messages(messages[1:])
                self.assertEqual(
                    str(caught.exception), "1 of 2 messages were not queued: IntegrityError."
                )
            self.assertEqual(self.count(), 3)
        self.assertEqual([event[3].status for event in heard].count("failed"), 2)

    def test_outside_of_a_transaction(self):
        """What the engine has begun is undone."""
        with background(task_backend=TABLE):
            report = send_many([message("twice"), message("a")], using=IT)
            self.assertEqual([result.status for result in report], ["failed", "queued"])
            self.assertEqual(self.count(), 1)

    def test_on_commit_if_that_is_said(self):
        with background(task_backend=TABLE, on_commit=True):
            with transaction.atomic():
                message("a").send(using=IT)
                self.assertEqual(self.count(), 0)
            self.assertEqual(self.count(), 1)

    def test_a_transaction_that_is_broken(self):
        with background(task_backend=TABLE), self.assertRaises(Rollback), transaction.atomic():
            with self.assertRaises(Rollback), transaction.atomic(savepoint=False):
                raise Rollback
            [result] = send_many([message("a")], using=IT)
            self.assertEqual(result.status, "failed")
            self.assertEqual(mail.outbox, [])
            raise Rollback
