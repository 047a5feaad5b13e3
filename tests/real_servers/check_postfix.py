"""Postfix: errors and commands without mail are counted, and limits of a client."""

import re

from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.smtp import close_pools

from .cases import CommonChecks, LimitChecks, RecipientChecks
from .daemons import Postfix, wait_for

# The end of a session in the log: the commands that were no errors, and all commands.
ENDED = re.compile(r"disconnect from .* commands=(\d+)(?:/(\d+))?$", re.MULTILINE)
# From the 10th error of a session on it waits for a second at each (smtpd_soft_error_limit).
SOFT_LIMIT = 10


class PostfixChecks(CommonChecks, LimitChecks, RecipientChecks, SimpleTestCase):
    daemon_class = Postfix

    def test_junk_commands_one_by_one(self):
        """More than 5 of NOOP and RSET before a message are errors, and 20 errors are the end."""
        self.mailers(check_after=0)
        messages = self.messages(40, range(1, 13))
        results = self.send_singly(messages, "junk")
        self.figure("connections", self.opened())
        self.assertRefused(messages, results, range(1, 13))

    def test_junk_commands_in_a_batch(self):
        report = send_many(self.messages(60, range(1, 13)), using="junk")
        self.figure("connections", self.opened())
        self.assertReport(report, sent=24, refused=36)

    def test_few_errors_in_a_session(self):
        """With all greylisted: what follows a refused recipient is another error."""
        send_many(self.messages(40), using="greylist")
        self.assertFewErrors()

    def test_few_errors_in_a_session_one_by_one(self):
        self.send_singly(self.messages(40), "greylist")
        self.assertFewErrors()

    def test_few_errors_in_a_session_without_chunking(self):
        self.mailers(chunking=False)
        send_many(self.messages(40), using="greylist")
        self.assertFewErrors()

    def assertFewErrors(self):
        close_pools()
        wait_for(lambda: self.opened() == len(ENDED.findall(self.daemon.read_log())), "the end")
        ended = ENDED.findall(self.daemon.read_log())
        errors = [int(count or good) - int(good) for good, count in ended]
        self.figure("errors of each session", errors)
        self.assertLessEqual(max(errors), SOFT_LIMIT)
