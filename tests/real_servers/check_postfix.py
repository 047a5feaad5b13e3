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
        messages = self.messages(100, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
        results = self.send_singly(messages, "junk")
        self.figure("connections", self.opened())
        self.assertEqual([n for n, e in enumerate(results) if e is None and 1 <= n % 20 <= 12], [])
        self.assertEqual([n for n, e in enumerate(results) if e and not 1 <= n % 20 <= 12], [])
        self.assertArrived([m for m, error in zip(messages, results, strict=True) if error is None])

    def test_junk_commands_in_a_batch(self):
        report = send_many(self.messages(200, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), using="junk")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=80, refused=120)
