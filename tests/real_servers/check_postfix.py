"""Postfix: errors and commands without mail are counted, and limits of a client."""

from __future__ import annotations

from django.test import SimpleTestCase

from django_mailers import send_many

from .cases import CommonChecks, LimitChecks
from .daemons import Postfix


class PostfixChecks(CommonChecks, LimitChecks, SimpleTestCase):
    daemon_class = Postfix

    def test_junk_commands_one_by_one(self):
        """More than 5 of NOOP and RSET before a message are errors, and 20 errors are the end."""
        self.mailers(check_after=0)
        messages = self.messages(100, range(1, 13))
        results = self.send_singly(messages, "junk")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results, range(1, 13))

    def test_junk_commands_in_a_batch(self):
        report = send_many(self.messages(200, range(1, 13)), using="junk")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=80, refused=120)
