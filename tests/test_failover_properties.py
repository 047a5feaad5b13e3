"""Whatever mailers do, nobody gets a message twice, and the report says who has it."""

from collections import Counter

from django.test import override_settings, tag
from hypothesis import given, settings
from hypothesis import strategies as st

from django_mailers import send_many
from django_mailers.errors import MailersFailed

from .support.generated import DETERMINISTIC
from .support.messages import message
from .support.providers import (
    ANSWERS,
    FAILOVER,
    PROVIDER,
    ROUNDROBIN,
    ProvidersTestCase,
    moved_by_hand,
    providers,
)
from .support.servers import DROP, HOST, TIMEOUT, enter
from .support.sink import DROP_REPLY, RESET, Sink
from .support.utils import OURS, SMTP

NAMES = "abc"
# What a mailer does with each of its messages; faults are as likely as success.
SCRIPTS = st.lists(
    st.one_of(st.just("take"), st.sampled_from(sorted(ANSWERS))), min_size=0, max_size=12
)
# How many messages are sent at once, or how many seconds go by.
STEPS = st.lists(st.one_of(st.integers(1, 5), st.sampled_from([1.0, 60.0, 900.0])), max_size=8)
# What a server does, and at which command of a message.
MISDEEDS = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from(["MAIL", "RCPT", "DATA", "."]),
        st.sampled_from(["421 Bye", "451 Later", "550 No", DROP, RESET]),
    ),
    st.just((".", DROP_REPLY)),
    st.just(("EHLO", "421 Bye")),
)
QUICK = settings(DETERMINISTIC, max_examples=100)
LONG = settings(DETERMINISTIC, max_examples=40)


class PropertyTestCase(ProvidersTestCase):
    def run_steps(self, entries, backend, options, steps, taken):
        """Send and wait; compare each report with what `taken()` tells of each mailer."""
        it = {"BACKEND": backend, "OPTIONS": {"mailers": [*NAMES], "rest": 50, **options}}
        number = 0
        # Settings that are new to the failover, for which nothing rests.
        with override_settings(MAILERS={**entries, "it": it}), moved_by_hand() as clock:
            reports = []
            for step in steps:
                if isinstance(step, float):
                    clock.advance(step)
                    continue
                messages = [message(str(number + n)) for n in range(step)]
                number += step
                report = send_many(messages, using="it")
                self.assertEqual([result.message for result in report], messages)
                reports += report
                # At once, and not changed by what comes later.
                self.compare(report, taken(), options.get("unknown"))
            self.compare(reports, taken(), options.get("unknown"))

    def compare(self, report, taken, unknown):
        for result in report:
            subject = str(result.message.subject)
            having = Counter({name: subjects.count(subject) for name, subjects in taken.items()})
            having = +having
            if unknown != "next":
                self.assertLessEqual(having.total(), 1, "Somebody got it twice.")
            if result.status in {"sent", "queued"}:
                self.assertEqual(having[result.via], 1)
            elif result.status == "unknown":
                self.assertIn(result.via, NAMES)
                if unknown != "next":
                    self.assertLessEqual(having.keys(), {result.via})
            else:
                self.assertEqual((result.via, having), (None, Counter()))
            if isinstance(result.error, MailersFailed):
                self.assertLessEqual(result.error.errors.keys(), {*NAMES, "inner"})


class AnyScriptTests(PropertyTestCase):
    """Over providers that know what they have taken, lost replies included."""

    entries = {name: {"BACKEND": PROVIDER, "OPTIONS": {"name": name}} for name in NAMES}

    def taken(self):
        return {name: provider.taken for name, provider in providers.items()}

    @QUICK
    @given(st.tuples(SCRIPTS, SCRIPTS, SCRIPTS), STEPS, st.sampled_from(["raise", "next"]))
    def test_failover(self, scripts, steps, unknown):
        self.script(*scripts)
        self.run_steps(self.entries, FAILOVER, {"unknown": unknown}, steps, self.taken)

    @QUICK
    @given(
        st.tuples(SCRIPTS, SCRIPTS, SCRIPTS),
        STEPS,
        st.sampled_from(["raise", "next"]),
        st.one_of(st.none(), st.tuples(*[st.integers(1, 4)] * 3)),
    )
    def test_round_robin(self, scripts, steps, unknown, weights):
        self.script(*scripts)
        options = {"unknown": unknown, "weights": weights}
        self.run_steps(self.entries, ROUNDROBIN, options, steps, self.taken)

    @tag("slow")
    @QUICK
    @given(st.tuples(SCRIPTS, SCRIPTS, SCRIPTS), STEPS)
    def test_a_failover_in_a_failover(self, scripts, steps):
        self.script(*scripts)
        inner = {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["a", "b"]}}
        options = {"mailers": ["inner", "c"]}
        entries = {**self.entries, "inner": inner}
        self.run_steps(entries, FAILOVER, options, steps, self.taken)


@tag("slow")
class AnyServerTests(PropertyTestCase):
    """Over SMTP servers that misbehave at any command, and keep what they accept."""

    def setUp(self):
        super().setUp()
        self.sinks = {name: enter(self, Sink()) for name in NAMES}
        self.addCleanup(self.finish)

    def finish(self):
        for sink in self.sinks.values():
            sink.behave = None

    def misbehave(self, script):
        """Return what a Sink does that plays `script`, an item for each message."""
        left, current = [*script], None

        def behave(line):
            nonlocal current
            verb = line.partition(" ")[0].upper()
            if verb == "EHLO" and left and left[0] and left[0][0] == "EHLO":
                return left.pop(0)[1]
            if verb == "MAIL":
                current = left.pop(0) if left else None
            if current is not None and current[0] == verb:
                wanted, current = current[1], None
                return wanted
            return None

        return behave

    def taken(self):
        return {
            name: [
                line.removeprefix(b"Subject: ").decode()
                for accepted in sink.accepted
                for line in accepted.content.splitlines()
                if line.startswith(b"Subject: ")
            ]
            for name, sink in self.sinks.items()
        }

    def check(self, backend, wrapper, scripts, steps):
        entries = {}
        for (name, sink), script in zip(self.sinks.items(), scripts, strict=True):
            sink.accepted.clear()
            sink.behave = self.misbehave(script)
            options = {"host": HOST, "port": sink.port, "timeout": TIMEOUT}
            entries[name] = {"BACKEND": backend, "OPTIONS": options}
        self.run_steps(entries, wrapper, {}, steps, self.taken)

    @LONG
    @given(
        st.tuples(*[st.lists(MISDEEDS, max_size=8)] * 3),
        STEPS,
        st.sampled_from([OURS, SMTP]),
        st.sampled_from([FAILOVER, ROUNDROBIN]),
    )
    def test_any_server(self, scripts, steps, backend, wrapper):  # (H41)
        self.check(backend, wrapper, scripts, steps)
