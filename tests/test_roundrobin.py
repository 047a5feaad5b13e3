"""The backend "roundrobin": whose turn it is. What it has from the failover is tested there."""

from collections import Counter
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import send_many
from django_mailers.backends._failover.turns import Turns, turns
from django_mailers.errors import MailersFailed

from .backend_contract import BackendContract
from .support.messages import message
from .support.processes import ProcessTestCase
from .support.providers import PROVIDER, Provider, moved_by_hand, providers, quiet
from .support.servers import enter
from .support.utils import LOCMEM, ExactErrors
from .wrapper_contract import WrapperContract

ROUNDROBIN = "django_mailers.backends.roundrobin.EmailBackend"


class RoundRobinContractTests(WrapperContract, SimpleTestCase):
    wrapper = ROUNDROBIN
    option = "mailers"
    unreachable = MailersFailed

    def setUp(self):
        super().setUp()
        enter(self, quiet())

    def options(self, alias):
        return {"mailers": [alias]}


class RoundRobinBackendTests(BackendContract, SimpleTestCase):
    backend = ROUNDROBIN
    others = {"first": {"BACKEND": LOCMEM}}
    takes_fail_silently = False
    opens = False

    def options(self):
        # One, as those of a batch arrive in groups.
        return {"mailers": ["first"], "weights": [2]}

    def arrived(self):
        return [str(message.subject) for message in mail.outbox]


class RoundRobinTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        enter(self, quiet())
        self.clock = enter(self, moved_by_hand())
        providers.clear()
        providers.update({name: Provider() for name in "abc"})

    def settings(self, **options):
        entries = {name: {"BACKEND": PROVIDER, "OPTIONS": {"name": name}} for name in "abc"}
        entries["it"] = {"BACKEND": ROUNDROBIN, "OPTIONS": {"mailers": ["a", "b", "c"], **options}}
        return override_settings(MAILERS=entries)

    def start(self, start=0):
        return mock.patch("secrets.randbelow", return_value=start)

    def send(self, count):
        return "".join(
            result.via or "-"
            for result in send_many([message(str(n)) for n in range(count)], using="it")
        )

    def one_by_one(self, count):
        return "".join(self.send(1) for _ in range(count))

    def test_in_turn(self):
        with self.settings(), self.start():
            self.assertEqual(self.one_by_one(7), "abcabca")

    def test_weights_are_smooth(self):
        with self.settings(weights=[5, 1, 1]), self.start():
            self.assertEqual(self.one_by_one(14), "aabacaa" * 2)

    def test_a_batch_is_handed_on_in_contiguous_groups(self):
        with self.settings(weights=[5, 1, 1]), self.start():
            self.assertEqual(self.send(14), "aaaaaaaaaabbcc")
            self.assertEqual([len(providers[name].batches) for name in "abc"], [1, 1, 1])
            # What is too small to be divided evens out.
            self.assertEqual(
                Counter(self.send(1) + self.send(2) + self.send(4)), Counter("aaaaabc")
            )

    def test_it_starts_at_random(self):
        with self.start(4), self.settings(weights=[5, 1, 1]):
            self.assertEqual(self.one_by_one(3), "caa")
        # And never counts beyond what it has to.
        with self.settings(weights=[5_000_000, 1, 1]), self.start(3) as start:
            self.send(1)
            self.assertEqual(start.call_args, mock.call(1000))

    def test_what_rests_is_left_out(self):
        with self.settings(weights=[2, 1, 1]), self.start():
            providers["a"].script = ["be unreachable"]
            self.assertEqual(self.send(8), "bbbbbbcc")
            self.assertEqual(self.send(8), "bbbbcccc")
            self.assertEqual(providers["a"].batches, [["0", "1", "2", "3"]])
            self.clock.advance(60)
            # One message tries it, and then the others go.
            self.send(8)
            self.assertEqual([len(batch) for batch in providers["a"].batches], [4, 1, 3])

    def test_all_rest(self):
        with self.settings(rest=10), self.start():
            for name in "abc":
                providers[name].script = ["be unreachable"]
                self.clock.advance(1)
            with self.assertRaises(MailersFailed) as caught:
                message().send(using="it")
            self.assertEqual([*caught.exception.errors], ["a", "b", "c"])
            self.assertEqual(message().send(using="it"), 1)

    def test_one_that_has_taken_nothing_is_not_asked_twice(self):
        with self.settings(mailers=["a", "a", "b"], weights=[1, 2, 1]), self.start():
            providers["a"].script = ["refuse for now"] * 3
            self.assertEqual(self.send(4), "bbbb")
            self.assertEqual(len(providers["a"].batches), 1)

    def test_the_options(self):
        for options, text in [
            ({"weights": [1, 2]}, "OPTIONS 'weights' must have one item for each of 'mailers'."),
            ({"weights": [1, 2, 0]}, "OPTIONS 'weights' must be a list of ints greater than 0."),
            ({"weights": [1, 2, True]}, "OPTIONS 'weights' must be a list of ints greater than 0."),
            ({"weights": 3}, "OPTIONS 'weights' must be a list of ints greater than 0."),
            ({"rest": 1000}, "OPTIONS 'rest' must not be greater than 'max_rest'."),
        ]:
            with (
                self.subTest(options),
                self.settings(**options),
                self.assertRaisesExactly(InvalidMailer, f"MAILERS['it']: {text}"),
            ):
                mailers["it"]


class TurnsTests(ProcessTestCase):
    def test_each_round_robin_has_its_own(self):
        own = Turns()
        with mock.patch("secrets.randbelow", return_value=0):
            weights = {"a": 1, "b": 1}
            taken = [own.take(name, weights, "ab", 1) for name in ("x", "x", "y", "x")]
        self.assertEqual([*map("".join, taken)], ["a", "b", "a", "a"])

    @tag("slow")
    def test_processes_start_at_different_places(self):
        """Also those that are forked when the parent has begun."""
        turns.take("it", {"a": 1, "b": 1}, "ab", 1)
        source = """
            configure()
            import os, sys
            from django_mailers.backends._failover.turns import turns
            weights = dict.fromkeys(map(str, range(1000)), 1)
            def place():
                return [*turns.take("it", weights, weights, 1)][0]
            print(place(), flush=True)
            for _ in range(2):
                child = os.fork()
                if not child:
                    print(place(), flush=True)
                    os._exit(0)
                os.waitpid(child, 0)
        """
        places = self.assertRuns(source).split()
        self.assertGreater(len(set(places)), 1)
