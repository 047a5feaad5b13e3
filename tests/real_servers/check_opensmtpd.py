"""OpenSMTPD: 100 messages of a connection, and neither PIPELINING nor CHUNKING.

It has no limit of connections and none of a rate. Its timeout is 5 minutes and cannot be set.
"""

from django.test import SimpleTestCase

from django_mailers import send_many

from .cases import CommonChecks, RecipientChecks
from .daemons import OpenSMTPD


class OpenSMTPDChecks(CommonChecks, RecipientChecks, SimpleTestCase):
    daemon_class = OpenSMTPD

    def test_messages_of_a_connection(self):
        self.mailers(max_messages=1000)
        report = send_many(self.messages(250), using="default")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=250)

    def test_messages_of_a_connection_one_by_one(self):
        self.mailers(max_messages=1000)
        messages = self.messages(250)
        results = self.send_singly(messages, "default")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results)
