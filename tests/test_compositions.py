"""Mailers that send through each other: what one of them says, and the others make of it."""

import pickle
import signal
import sys
from email.headerregistry import AddressHeader
from unittest import mock

from django.core import mail
from django.core.cache import caches
from django.core.mail.backends.base import BaseEmailBackend
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many
from django_mailers.backends._failover.keys import timeout_of
from django_mailers.backends._failover.rests import Attempt
from django_mailers.backends._failover.shared import SharedRests
from django_mailers.backends._wrapping.addresses import address_of, addresses_of
from django_mailers.backends._wrapping.calls import Call
from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import fault_of_error
from django_mailers.delivery.faulttable import ACCOUNT, MESSAGE, NETWORK, busy

from .support.messages import message
from .support.providers import ANSWERS, FAILOVER, ROUNDROBIN, ProvidersTestCase, providers
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import LOCMEM, SMTP, ExactErrors
from .support.wrappers import ForeignBackend, ForwardingBackend, ReportingForeignBackend

BACKENDS = "django_mailers.backends"
WRAPPERS = "tests.support.wrappers"


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


class ProbeTests(ProvidersTestCase):
    """One message tries a mailer that has rested."""

    def test_its_sender_is_not_that_of_the_others(self):
        """They may be sent again later, to the same mailer."""
        self.script(["be unreachable"], [])
        with self.failover(mailers=["a", "b"]):
            send_many([message()], using="it")
            self.clock.advance(60)
            for name, script in ("a", ["refuse the sender"]), ("b", ["be unreachable"] * 2):
                providers[name].script = script
            first, second = send_many([message("m"), message("n")], using="it")
        self.assertEqual(providers["a"].batches[1:], [["m"]])
        self.assertEqual((first.fault.kind, first.fault.repeats), ("account", False))
        self.assertEqual(second.error.faults, {"a": busy(), "b": NETWORK})
        self.assertEqual((second.status, second.fault.repeats), ("failed", True))

    def test_one_that_is_late_does_not_end_the_turn_of_another(self):
        """Its time has passed, and another process tries the mailer now."""
        cache = caches["default"]
        self.addCleanup(cache.clear)
        shared = SharedRests("default")
        late, now, next_one = Attempt(), Attempt(), Attempt()
        for attempt in (late, now, next_one):
            attempt.key = "the-mailer"
        self.assertIs(shared.claim(late, late.key, 60), True)
        cache.clear()
        self.assertIs(shared.claim(now, now.key, 60), True)
        shared.release(late)
        self.assertIs(shared.claim(next_one, next_one.key, 60), False)
        shared.release(now)
        self.assertIs(shared.claim(next_one, next_one.key, 60), True)

    def test_the_time_of_a_mailer_that_sends_through_others(self):
        """Another message does not try it before that."""

        def entry(name, **options):
            return {"BACKEND": f"{BACKENDS}.{name}.EmailBackend", "OPTIONS": options}

        entries = {
            "slow": {"BACKEND": SMTP, "OPTIONS": {"host": "a.example", "timeout": 100}},
            "none": {"BACKEND": SMTP, "OPTIONS": {"host": "b.example"}},
            "defaults": entry("defaults", using="slow"),
            "retry": entry("retry", using="slow"),
            "short": entry("retry", using="defaults", deadline=5),
            "limit": entry("ratelimit", using="none", rate="1/s", max_wait=7),
            "tee": entry("tee", using="slow", also=["none", "defaults"]),
            "circle": entry("defaults", using="back"),
            "back": entry("defaults", using="circle"),
            "missing": entry("defaults", using="nobody"),
        }
        expected = {
            "slow": 100,
            "none": 30,
            "defaults": 100,
            "retry": 160,
            "short": 105,
            "limit": 37,
            "tee": 130,
            "circle": 0,
            "missing": 30,
        }
        with override_settings(MAILERS=entries):
            self.assertEqual({alias: timeout_of(alias) for alias in expected}, expected)


class SameMessageTests(SimpleTestCase):
    """A message that is in a batch twice has two results, also if the batch is interrupted."""

    def interrupted(self, rate, number):
        """Send a message so many times through a rate limit, and interrupt it when it waits."""
        options = {"using": "a", "rate": rate, "on_limit": "wait", "max_wait": 10**6}
        entries = {
            "it": {"BACKEND": f"{BACKENDS}.ratelimit.EmailBackend", "OPTIONS": options},
            "a": {"BACKEND": LOCMEM},
        }
        caches["default"].clear()
        self.addCleanup(caches["default"].clear)
        mail.outbox = []
        with (
            override_settings(MAILERS=entries),
            mock.patch("django_mailers.backends._wrapping.clock.sleep", side_effect=SystemExit),
            self.assertRaises(SystemExit) as caught,
        ):
            send_many([message()] * number, using="it")
        return caught.exception

    def test_one_of_them_was_sent(self):
        for sent in (1, 2):
            with self.subTest(sent):
                error = self.interrupted(f"{sent}/h", 3)
                self.assertEqual(len(mail.outbox), sent)
                statuses = [result.status for result in error.report]
                self.assertEqual(statuses, ["sent"] * sent + ["failed"] * (3 - sent))
                notes = getattr(error, "__notes__", None)  # From Python 3.11 on.
                if hasattr(error, "add_note"):
                    self.assertEqual(notes, [f"{sent} of 3 messages of this batch were sent."])

    def test_what_is_known_of_each(self):
        one, other = message("m"), message("n")
        sent, failed, unknown = (SendResult(one, name) for name in ("sent", "failed", "unknown"))
        for said, expected in [
            ([sent, failed], [sent, failed, failed]),
            ([failed, sent], [sent, failed, failed]),
            # Somebody may have it whatever was said of it later.
            ([unknown, failed], [unknown, unknown, unknown]),
            ([unknown, sent], [sent, unknown, unknown]),
            ([failed, unknown, unknown, sent], [sent, unknown, unknown]),
            ([sent, sent], [sent, sent, failed]),
            ([], [failed, failed, failed]),
        ]:
            call = Call(object())
            call.record(said)
            report = call.report([one, other, one, one], KeyboardInterrupt())
            with self.subTest(said):
                self.assertEqual(report[1], SendResult(other, "failed"))
                self.assertEqual([report[0], *report[2:]], expected)


class TimeLimit(Exception):
    """As those of Celery and RQ."""


class InterruptedTests(SimpleTestCase):
    """A job's time limit, which a signal handler raises, is nobody's failure."""

    def setUp(self):
        super().setUp()

        def handle(number, frame):
            raise TimeLimit

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handle))

    def interrupt(self, *args, **kwargs):
        signal.raise_signal(signal.SIGUSR1)

    def interrupted(self, messages, **target):
        """Send through a wrapper over a target, and return what is raised."""
        entries = {
            "it": {"BACKEND": f"{BACKENDS}.retry.EmailBackend", "OPTIONS": {"using": "target"}},
            "target": target,
        }
        with override_settings(MAILERS=entries), self.assertRaises(TimeLimit) as caught:
            send_many(messages, using="it")
        return getattr(caught.exception, "__notes__", [])

    def test_when_recipients_are_computed(self):
        one = message()
        one.recipients = self.interrupt
        self.assertEqual(self.interrupted([one], BACKEND=LOCMEM), [])

    def test_when_a_connection_is_closed(self):
        """The messages were sent, and must not be sent again."""
        for backend in ("ForeignBackend", "RaisingBackend"):
            path = f"tests.support.wrappers.{backend}"
            with (
                self.subTest(backend),
                mock.patch(f"{path}.close", self.interrupt, create=True),
                mock.patch.object(ForeignBackend, "log", []),
            ):
                notes = self.interrupted([message("a"), message("b")], BACKEND=path)
            if sys.version_info >= (3, 11):
                sent = ["2 of 2 messages of this batch were sent."]
                self.assertEqual(notes, sent if backend == "ForeignBackend" else [])

    def test_in_the_middle_of_a_batch(self):
        messages = [message("a"), message("b"), message("c")]
        messages[2].message = self.interrupt
        server = enter(self, SMTPServer())
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        notes = self.interrupted(messages, BACKEND=SMTP, OPTIONS=options)
        self.assertEqual(len(server.messages), 2)
        if sys.version_info >= (3, 11):
            self.assertEqual(notes, ["2 of 3 messages of this batch were sent."])

    def test_when_an_address_is_parsed(self):
        """It does not make an address one that is not allowed."""
        for parse in (address_of, addresses_of):
            with (
                self.subTest(parse.__name__),
                mock.patch.object(AddressHeader, "value_parser", self.interrupt),
                self.assertRaises(TimeLimit),
            ):
                parse("Bob <bob@example.com> (Bob)")


class AngryBackend(BaseEmailBackend):
    def __init__(self, **kwargs):
        raise RuntimeError("No")


class RaisingReportingBackend(ReportingForeignBackend):
    def send_many(self, messages):
        raise RuntimeError("No")


class StrangeBackendTests(ProvidersTestCase):
    """Backends that do what none should: nobody loses sight of the other messages."""

    def test_one_that_cannot_be_made(self):
        """The next mailer gets the messages."""
        angry = {"BACKEND": f"{__name__}.AngryBackend"}
        with self.failover(mailers=["a", "b"], a=angry):
            report = send_many([message("m"), message("n")], using="it")
            self.assertEqual([(one.status, one.via) for one in report], [("sent", "b")] * 2)
            self.assertIs(mail.mailers["it"].open(), True)
        with self.failover(mailers=["a"], a=angry):
            [result] = send_many([message("m")], using="it")
        self.assertEqual((result.status, result.phase), ("failed", "connecting"))
        self.assertEqual(repr(result.error.errors), "{'a': RuntimeError('No')}")

    def test_nothing_stays_open_when_it_cannot_be_opened(self):
        """Nobody would close it."""
        entries = {"BACKEND": f"{WRAPPERS}.ReportingForeignBackend"}
        it = {"BACKEND": f"{BACKENDS}.tee.EmailBackend", "OPTIONS": {"using": "a", "also": ["b"]}}
        with override_settings(MAILERS={"it": it, "a": entries, "b": entries}):
            mailer = mail.mailers["it"]
            with (
                mock.patch.object(ReportingForeignBackend, "__init__", side_effect=KeyError),
                self.assertRaises(KeyError),
            ):
                mailer.open()
            with mock.patch.object(ReportingForeignBackend, "batches", []) as batches:
                mailer.send_messages([message("m")])
                mailer.close()
        self.assertEqual(batches, [["m"], ["m"]])

    def test_one_that_raises_or_miscounts(self):
        """Messages may have been sent by it, and others were sent before."""
        for path in (f"{__name__}.RaisingReportingBackend", f"{WRAPPERS}.MiscountingBackend"):
            messages = [message("l"), message("m"), message("n")]
            self.script(["take", "be unreachable"])
            outer = {"BACKEND": f"{BACKENDS}.defaults.EmailBackend", "OPTIONS": {"using": "it"}}
            with (
                self.subTest(path),
                self.failover(mailers=["a", "b"], b={"BACKEND": path}, outer=outer),
                self.assertRaises((RuntimeError, TypeError)) as caught,
            ):
                send_many(messages, using="outer")
            report = caught.exception.report
            self.assertEqual([one.message for one in report], messages)
            self.assertEqual(
                [(one.status, one.via) for one in report],
                [("sent", "a"), ("unknown", "b"), ("unknown", "b")],
            )
            self.assertIs(report[1].error, caught.exception)


class StrangeMessageTests(ExactErrors, SimpleTestCase):
    """One that cannot be prepared to be sent is a failure of its own."""

    def test_nothing_in_its_place(self):
        class Forgetful(ForwardingBackend):
            def outgoing(self, message):
                message.subject.upper()

        text = f"{__name__}.{Forgetful.__qualname__}.outgoing() must return a message or a "
        entries = {"target": {"BACKEND": LOCMEM}}
        with (
            override_settings(MAILERS=entries),
            self.assertRaisesExactly(TypeError, f"{text}SendResult, not None."),
        ):
            Forgetful(using="target").send_messages([message()])

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
