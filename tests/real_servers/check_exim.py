"""Exim: 10 commands without mail, and 10 messages of a connection that are delivered at once."""

from django.test import SimpleTestCase

from django_mailers import send_many

from .cases import CommonChecks, LimitChecks
from .daemons import Exim, wait_for

# What Exim's log says of a message that waits for the next queue run, 30 minutes in Debian.
WAITS = "no immediate delivery"


class EximChecks(CommonChecks, LimitChecks, SimpleTestCase):
    daemon_class = Exim

    def assertDeliveredAtOnce(self, messages):
        wait_for(self.daemon.is_calm, "Exim delivers")
        self.figure("left in the queue", self.daemon.queued())
        self.figure("connections", self.opened())
        self.assertArrived(messages, flush=False)
        self.assertNotIn(WAITS, self.daemon.read_log())

    def test_single_messages_are_delivered_at_once(self):
        messages = self.messages(30)
        self.assertEqual(self.send_singly(messages, "default"), [None] * 30)
        self.assertDeliveredAtOnce(messages)

    def test_batch_is_delivered_at_once(self):
        messages = self.messages(100)
        self.assertEqual(send_many(messages, using="default").summary(), "100 sent")
        self.assertDeliveredAtOnce(messages)

    def test_end_of_a_connection(self):
        """421 to the 8th MAIL, which comes with what is behind it."""
        self.mailers(max_messages=100)
        report = send_many(self.messages(60), using="few")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=60)

    def test_end_of_a_connection_one_by_one(self):
        self.mailers(max_messages=100)
        messages = self.messages(60)
        results = self.send_singly(messages, "few")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results)
