"""Mailers that send through each other: what one of them says, and the others make of it."""

import pickle
from unittest import mock

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many
from django_mailers.delivery.faults import fault_of_error
from django_mailers.delivery.faulttable import ACCOUNT, MESSAGE, NETWORK

from .support.messages import message
from .support.providers import ANSWERS, FAILOVER, ROUNDROBIN, ProvidersTestCase, providers
from .support.utils import LOCMEM


class NoTokenBackend(BaseEmailBackend):
    """It cannot log in, and says so as if something were wrong with a value."""

    def open(self):
        raise ValueError("No token")


class InnerFailoverTests(ProvidersTestCase):
    """A failover knows more of its errors than these tell somebody else."""

    def nested(self, options=None, **entries):
        inner = {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["b", "c"], **(options or {})}}
        return self.failover(mailers=["inner", "a"], inner=inner, **entries)

    def test_an_error_of_a_connection(self):
        self.script([], [], ["be unreachable"])
        with self.nested(b={"BACKEND": f"{__name__}.NoTokenBackend"}):
            [result] = send_many([message("m")], using="inner")
            self.assertEqual(result.error.faults, {"b": ACCOUNT, "c": NETWORK})
            self.assertEqual(result.fault, ACCOUNT)
            again = pickle.loads(pickle.dumps(result.error))
            self.assertEqual(fault_of_error(again), ACCOUNT)
            [result] = send_many([message("n")], using="it")
        self.assertEqual((result.status, result.via), ("sent", "a"))

    def test_a_judgement_of_the_project(self):
        self.script([], ["refuse"], ["refuse"])
        with self.nested({"classify": lambda result, alias: "account"}):
            [result] = send_many([message("m")], using="it")
        self.assertEqual((result.status, result.via), ("sent", "a"))

    def test_an_answer_without_an_exception(self):
        answer = ("failed", 535, "5.7.8 No", None)
        self.script([], ["refuse the login"], ["refuse the login"])
        with self.nested(), mock.patch.dict(ANSWERS, {"refuse the login": answer}):
            [result] = send_many([message("m")], using="inner")
        self.assertEqual(result.fault, ACCOUNT)

    def test_it_cannot_be_opened(self):
        unreachable = {"BACKEND": f"{__name__}.NoTokenBackend"}
        with self.nested(b=unreachable, c=unreachable), mail.mailers["it"] as mailer:
            self.assertEqual(mailer.send_messages([message("m")]), 1)
        self.assertEqual([providers["a"].opened, providers["a"].taken], [1, ["m"]])


class StrangeMessageTests(SimpleTestCase):
    """One that cannot be prepared to be sent is a failure of its own."""

    def test_a_header_without_a_name(self):
        for backend in (FAILOVER, ROUNDROBIN):
            entries = {
                "it": {"BACKEND": backend, "OPTIONS": {"mailers": ["a", "b"]}},
                "a": {"BACKEND": LOCMEM},
                "b": {"BACKEND": LOCMEM},
            }
            messages = [message("l"), message("m"), message("n")]
            messages[1].extra_headers = {1: "x"}
            mail.outbox = []
            with self.subTest(backend), override_settings(MAILERS=entries):
                report = send_many(messages, using="it")
            self.assertEqual([one.status for one in report], ["sent", "failed", "sent"])
            self.assertEqual([one.message for one in report], messages)
            self.assertEqual(report[1].fault, MESSAGE)
            self.assertEqual(sorted(sent.subject for sent in mail.outbox), ["l", "n"])
