"""The backend `ratelimit`, by a clock of the tests: what is let through, and what becomes of it."""

import tempfile
import threading
from unittest import mock

from django.core import mail
from django.core.cache import caches
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many
from django_mailers.backends import ratelimit
from django_mailers.backends.ratelimit import EmailBackend
from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import fault_of
from django_mailers.errors import RateLimited
from django_mailers.options import read_rates

from .backend_contract import BackendContract
from .support.clocks import CACHE, Clock, ClockCache
from .support.messages import message
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.smtp import subjects
from .support.utils import LOCMEM, OURS, SMTP, ExactErrors
from .support.wrappers import ReportingForeignBackend
from .wrapper_contract import HERE, IT, WrapperContract

RATELIMIT = "django_mailers.backends.ratelimit.EmailBackend"
CACHES = {"default": {"BACKEND": CACHE}, "other": {"BACKEND": CACHE}}


def wide(alias):
    return {"using": alias, "rate": ["1000/s", "100000/d"]}


class RateLimitContractTests(WrapperContract, SimpleTestCase):
    wrapper = RATELIMIT

    def options(self, alias):
        return wide(alias)


class RateLimitPerDomainContractTests(RateLimitContractTests):
    def options(self, alias):
        return {**wide(alias), "per": "domain", "count": "recipients", "on_limit": "wait"}


class RateLimitOverOursContractTests(BackendContract, SimpleTestCase):
    backend = RATELIMIT
    takes_fail_silently = False

    def options(self):
        self.server = enter(self, SMTPServer())
        options = {"host": self.server.host, "port": self.server.port, "timeout": TIMEOUT}
        self.others = {"target": {"BACKEND": OURS, "OPTIONS": options}}
        return wide("target")

    def arrived(self):
        return subjects(self.server)


class RateLimitMixin(ExactErrors):
    def setUp(self):
        super().setUp()
        self.clock = enter(self, Clock())
        enter(self, override_settings(CACHES=CACHES))
        self.addCleanup(ratelimit._broken.clear)
        del ReportingForeignBackend.batches[:]

    def limited(self, rate, *, target=LOCMEM, target_options=None, **options):
        """Settings with the rate limit `IT` over "target"."""
        entry = {"BACKEND": RATELIMIT, "OPTIONS": {"using": "target", "rate": rate, **options}}
        other = {"BACKEND": target, "OPTIONS": target_options or {}}
        enter(self, override_settings(MAILERS={IT: entry, "target": other}))

    def send(self, count=1, **kwargs):
        """Send so many messages as one batch; return the statuses."""
        return self.statuses(send_many([message(**kwargs) for _ in range(count)], using=IT))

    def statuses(self, report):
        """Give the statuses, each with how often it comes in succession."""
        runs = []
        for result in report:
            if runs and runs[-1][1] == result.status:
                runs[-1] = runs[-1][0] + 1, result.status
            else:
                runs.append((1, result.status))
        return runs


class RatesTests(ExactErrors, SimpleTestCase):
    def test_good(self):
        for value, rates in [
            ("100/m", [(100, 60)]),
            ("14/s", [(14, 1)]),
            ("1/h", [(1, 3600)]),
            ("50000/d", [(50000, 86400)]),
            ("5/10m", [(5, 600)]),
            (["14/s", "50000/d"], [(14, 1), (50000, 86400)]),
            (("2/30s", "3/m"), [(2, 30), (3, 60)]),
        ]:
            with self.subTest(value):
                self.assertEqual(read_rates(value), rates)

    def test_bad(self):
        """Two for one period would be counted in one counter; nobody can mean both."""
        for value in [
            *("", "100", "100/", "/m", "0/m", "-1/m", "1.5/s", "100 / m", "100/minute", "100/M"),
            *("1/0m", "1/w", "m/100", "１/m", "100/m ", "9999999999/m", "1/9999d"),
            *([], ["14/s", ""], [14], ["14/s", None], ["60/m", "10/m"], ["60/m", "1/60s"]),
            *(100, 1.5, True, {"14/s": 1}),
        ]:
            entry = {"BACKEND": RATELIMIT, "OPTIONS": {"using": "target", "rate": value}}
            with (
                self.subTest(value),
                override_settings(MAILERS={IT: entry, "target": {"BACKEND": LOCMEM}}),
                self.assertRaisesExactly(
                    InvalidMailer,
                    "MAILERS['it']: OPTIONS 'rate' must be a rate such as '100/m', '14/s' or "
                    "'5/10m' (units: s, m, h, d), or a list of rates, each for another period.",
                ),
            ):
                mailers[IT]

    def test_defaults(self):
        self.assertEqual(
            {name: option.default for name, option in EmailBackend.all_options.items()},
            {
                "using": None,
                "rate": None,
                "cache": "default",
                "per": "mailer",
                "count": "messages",
                "on_limit": "raise",
                "max_wait": 30,
            },
        )


class RaiseTests(RateLimitMixin, SimpleTestCase):
    def test_those_before_the_limit_are_one_batch(self):
        self.limited("3/m", target=f"{HERE}.ReportingForeignBackend")
        messages = [message(str(number)) for number in range(5)]
        report = send_many(messages, using=IT)
        self.assertEqual(ReportingForeignBackend.batches, [["0", "1", "2"]])
        self.assertEqual(
            [*report[:3]], [SendResult(m, "sent", 250, "OK", via="target") for m in messages[:3]]
        )
        for result, one in zip(report[3:], messages[3:], strict=True):
            self.assertIs(result.message, one)
            self.assertEqual((result.status, result.via), ("failed", None))
            self.assertIs(type(result.error), RateLimited)
            seconds = result.error.retry_after
            self.assertTrue(60 <= seconds <= 63, seconds)
            self.assertEqual(
                str(result.error),
                f"MAILERS['it']: OPTIONS 'rate' has room for the message in {seconds:.0f} seconds.",
            )
            fault = fault_of(result)
            self.assertEqual(
                (fault.kind, fault.repeats, fault.retry_after),
                ("busy", True, result.error.retry_after),
            )

    def test_there_is_room_after_retry_after(self):
        self.limited("3/m")
        self.assertEqual(self.send(2), [(2, "sent")])
        self.clock.go(20)
        self.assertEqual(self.send(2), [(1, "sent"), (1, "failed")])
        [result] = send_many([message()], using=IT)
        self.clock.go(result.error.retry_after - 0.1)
        self.assertEqual(self.send(), [(1, "failed")])
        self.clock.go(0.1)
        # Those of the beginning; the third one is 20 seconds younger.
        self.assertEqual(self.send(3), [(2, "sent"), (1, "failed")])
        self.assertEqual(len(mail.outbox), 5)

    def test_send_messages_raises(self):
        self.limited("1/m")
        self.assertEqual(mailers[IT].send_messages([message()]), 1)
        with self.assertRaises(RateLimited):
            message().send(using=IT)

    def test_several_rates(self):
        """A message that one of them does not allow counts for none of them."""
        self.limited(["2/s", "5/m"])
        self.assertEqual(self.send(4), [(2, "sent"), (2, "failed")])
        self.clock.go(1.1)
        self.assertEqual(self.send(4), [(2, "sent"), (2, "failed")])
        self.clock.go(1.1)
        self.assertEqual(self.send(4), [(1, "sent"), (3, "failed")])
        self.clock.go(1.1)
        [result] = send_many([message()], using=IT)
        self.assertTrue(56 <= result.error.retry_after <= 60, result.error.retry_after)
        self.clock.go(result.error.retry_after)
        self.assertEqual(self.send(4), [(2, "sent"), (2, "failed")])

    def test_recipients(self):
        self.limited("5/m", count="recipients")
        addresses = [f"{number}@example.com" for number in range(3)]
        report = send_many(
            [
                message(to=addresses),
                message(to=addresses[:1], cc=addresses[:1], bcc=addresses[:1]),
                # There would be room, but it is not its turn.
                message(to=addresses[:1]),
            ],
            using=IT,
        )
        self.assertEqual(self.statuses(report), [(1, "sent"), (2, "failed")])
        self.assertEqual(self.send(to=addresses[:2]), [(1, "sent")])

    def test_more_recipients_than_the_rate(self):
        """It would never have its turn."""
        self.limited(["5/m", "2/s"], count="recipients", on_limit="wait")
        addresses = [f"{number}@example.com" for number in range(3)]
        messages = [message(), message(to=addresses), message()]
        report = send_many(messages, using=IT)
        self.assertEqual(self.statuses(report), [(1, "sent"), (1, "refused"), (1, "sent")])
        self.assertIs(report[1].is_retryable, False)
        self.assertEqual(fault_of(report[1]).kind, "message")
        with self.assertRaisesExactly(
            ValueError,
            "MAILERS['it']: OPTIONS 'rate' never has room for a message to more than 2 "
            "recipients. Send it in parts, or allow more.",
        ):
            messages[1].send(using=IT)
        self.limited("2/m", count="recipients", per="domain")
        with self.assertRaisesExactly(
            ValueError,
            "MAILERS['it']: OPTIONS 'rate' never has room for a message to more than 2 "
            "recipients at one domain. Send it in parts, or allow more.",
        ):
            messages[1].send(using=IT)
        messages[1].to[0] = "0@example.org"
        self.assertEqual(messages[1].send(using=IT), 1)

    def test_per_domain(self):
        self.limited("2/m", per="domain")
        report = send_many(
            [
                message(to=["a@one.example", "b@one.example"]),
                message(to=["A <a@ONE.example>", "b@two.example"]),
                # No room at "one": then it does not count at "two".
                message(to=["c@one.example", "c@two.example"]),
                message(to=["d@two.example"]),
                message(to=["e@one.example"]),
                message(to=["f@two.example"]),
                message(to=["g@büro.example", "h@xn--bro-hoa.example"]),
            ],
            using=IT,
        )
        self.assertEqual(
            [result.status for result in report],
            ["sent", "sent", "failed", "sent", "failed", "failed", "sent"],
        )
        self.assertEqual(self.send(2, to=["i@xn--bro-hoa.example."]), [(1, "sent"), (1, "failed")])

    def test_domains_are_not_in_the_cache(self):
        self.limited("2/m", per="domain")
        self.send(to=["a@secret.example"])
        self.assertEqual([key for key in ClockCache.values if "secret" in key], [])
        self.assertEqual(len(ClockCache.values), 1)

    def test_mailers_have_counters_of_their_own(self):
        entries = {
            alias: {"BACKEND": RATELIMIT, "OPTIONS": {"using": "target", "rate": "1/m"}}
            for alias in ("a", "b", "a b\n\N{SNOWMAN}" * 100)
        }
        with override_settings(MAILERS={**entries, "target": {"BACKEND": LOCMEM}}):
            for alias in entries:
                statuses = [r.status for r in send_many([message(), message()], using=alias)]
                self.assertEqual(statuses, ["sent", "failed"])

    def test_another_limit_after_a_deployment(self):
        """What was counted before counts."""
        self.limited("3/m")
        self.send(3)
        self.limited("5/m")
        self.assertEqual(self.send(3), [(2, "sent"), (1, "failed")])

    def test_the_clock_goes_back(self):
        """By its own time, no period has more than the limit; and it is never stuck for longer."""
        self.limited("3/m")
        self.assertEqual(self.send(3), [(3, "sent")])
        self.clock.now -= 30
        [result] = send_many([message()], using=IT)
        self.assertEqual(result.status, "failed")
        self.assertTrue(90 <= result.error.retry_after <= 93, result.error.retry_after)
        self.clock.now -= 3600
        self.assertEqual(self.send(4), [(3, "sent"), (1, "failed")])

    def test_counters_expire(self):
        self.limited(["3/s", "10/d"])
        self.send()
        self.assertEqual(len(ClockCache.values), 2)
        self.assertEqual(
            sorted(until for _, until in ClockCache.values.values()), [7, 2 * 86400 + 5]
        )


class GivenBackTests(RateLimitMixin, SimpleTestCase):
    """What was not handed over does not count."""

    def counted(self):
        return sum(value for value, _ in ClockCache.values.values())

    def test_nothing_listens(self):
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        for backend in (SMTP, OURS):
            with self.subTest(backend):
                self.limited("3/m", target=backend, target_options=options)
                report = send_many([message() for _ in range(5)], using=IT)
                self.assertEqual(
                    [type(result.error) for result in report],
                    [ConnectionRefusedError] * 3 + [RateLimited] * 2,
                )
                self.assertEqual(self.counted(), 0)

    def test_refused(self):
        """The server was asked, and counts that itself."""
        server = enter(self, SMTPServer(refuse={"RCPT": "550 No"}))
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        self.limited("3/m", target=OURS, target_options=options)
        self.assertEqual(self.send(4), [(3, "refused"), (1, "failed")])
        self.assertEqual(self.counted(), 3)

    def test_unknown(self):
        self.limited("3/m", target=f"{HERE}.RaisingBackend")
        self.assertEqual(self.send(2), [(2, "unknown")])
        self.assertEqual(self.counted(), 2)

    def test_skipped_and_failed_further_on(self):
        options = {"using": "memory"}
        self.limited("3/m", target=f"{HERE}.PrefixBackend", target_options=options)
        with override_settings(
            MAILERS={**mail.mailers.settings, "memory": {"BACKEND": LOCMEM}},
        ):
            report = send_many([message("secret"), message("a"), message(None)], using=IT)
        self.assertEqual([result.status for result in report], ["skipped", "sent", "failed"])
        self.assertEqual(self.counted(), 1)

    def test_an_error_of_the_configuration(self):
        self.limited("3/m", target=f"{HERE}.MisconfiguredBackend")
        with self.assertRaises(InvalidMailer) as caught:
            self.send(2)
        self.assertEqual(self.statuses(caught.exception.report), [(1, "sent"), (1, "failed")])
        self.assertEqual(self.counted(), 1)

    def test_a_counter_that_was_lost(self):
        """It must not stay below zero, which would let more through."""
        self.limited("3/m", target=f"{HERE}.ReportingForeignBackend")
        original = ReportingForeignBackend.send_many

        def send_many_fails(backend, messages):
            ClockCache.values.clear()
            if is_counted_again:
                with mock.patch.object(ReportingForeignBackend, "send_many", original):
                    self.send()
            return [SendResult(one, "failed", error=OSError("lost")) for one in messages]

        for is_counted_again in (False, True):
            with self.subTest(is_counted_again=is_counted_again):
                with mock.patch.object(ReportingForeignBackend, "send_many", send_many_fails):
                    self.assertEqual(self.send(3), [(3, "failed")])
                self.assertEqual(self.counted(), 0)
                self.assertEqual(self.send(4), [(3, "sent"), (1, "failed")])
                self.assertEqual(self.counted(), 3)
                ClockCache.values.clear()


class WaitTests(RateLimitMixin, SimpleTestCase):
    def test_it_waits(self):
        self.limited("10/s", on_limit="wait", target=f"{HERE}.ReportingForeignBackend")
        self.assertEqual(self.send(25), [(25, "sent")])
        self.assertEqual([len(batch) for batch in ReportingForeignBackend.batches], [10, 10, 5])
        self.assertEqual(len(self.clock.slept), 2)
        self.assertTrue(2 <= sum(self.clock.slept) <= 2.2, self.clock.slept)

    def test_no_longer_than_max_wait(self):
        self.limited("10/s", on_limit="wait", max_wait=3)
        report = send_many([message() for _ in range(100)], using=IT)
        self.assertEqual(self.statuses(report), [(30, "sent"), (70, "failed")])
        self.assertTrue(sum(self.clock.slept) <= 3)
        self.assertTrue(0.9 < report[-1].error.retry_after < 1.1)

    def test_not_at_all_if_that_is_not_enough(self):
        self.limited("10/h", on_limit="wait")
        self.assertEqual(self.send(11), [(10, "sent"), (1, "failed")])
        self.assertEqual(self.clock.slept, [])

    def test_the_time_of_sending_is_not_waited_again(self):
        self.limited("2/m", on_limit="wait", target=f"{HERE}.ReportingForeignBackend")
        original = ReportingForeignBackend.send_many

        def slow(backend, messages):
            self.clock.go(50)
            return original(backend, messages)

        with mock.patch.object(ReportingForeignBackend, "send_many", slow):
            self.assertEqual(self.send(4), [(4, "sent")])
        [slept] = self.clock.slept
        self.assertTrue(10 <= slept <= 13, slept)

    def test_domains_do_not_wait_for_each_other(self):
        self.limited("1/s", on_limit="wait", per="domain", target=f"{HERE}.ReportingForeignBackend")
        report = send_many(
            [
                message("1", to=["a@one.example"]),
                message("2", to=["b@one.example"]),
                message("3", to=["c@two.example"]),
            ],
            using=IT,
        )
        self.assertEqual(self.statuses(report), [(3, "sent")])
        self.assertEqual(ReportingForeignBackend.batches, [["1", "3"], ["2"]])

    def test_interrupts(self):
        """Both of a job's time limit and of Ctrl+C. The error says what was sent."""
        for error in (KeyboardInterrupt(), OSError("time limit")):
            with self.subTest(repr(error)):
                ClockCache.values.clear()
                self.limited("2/s", on_limit="wait")
                self.clock.on_sleep = mock.Mock(side_effect=error)
                messages = [message() for _ in range(3)]
                with self.assertRaises(type(error)) as caught:
                    mailers[IT].send_messages(messages)
                self.assertIs(caught.exception, error)
                self.assertEqual(self.statuses(error.report), [(2, "sent"), (1, "failed")])
                self.assertEqual([result.message for result in error.report], messages)
                if hasattr(error, "__notes__"):
                    self.assertEqual(error.__notes__, ["2 of 3 messages of this batch were sent."])


class BrokenCacheTests(RateLimitMixin, SimpleTestCase):
    """Mail goes out without the limit."""

    TEXT = (
        "ERROR:django_mailers.backends:MAILERS['it']: The cache 'default' failed ({}). "
        "Until it works again, mail is sent without the rate limit."
    )

    def test_it_raises(self):
        self.limited("1/m")
        with mock.patch.object(ClockCache, "error", ConnectionError("redis://:secret@host")):
            with self.assertLogs("django_mailers") as logs:
                self.assertEqual(self.send(3), [(3, "sent")])
            self.assertEqual(logs.output, [self.TEXT.format("ConnectionError")])
            with self.assertNoLogs("django_mailers"):
                self.assertEqual(self.send(3), [(3, "sent")])
        self.assertEqual(self.send(2), [(1, "sent"), (1, "failed")])
        with (
            mock.patch.object(ClockCache, "error", LookupError()),
            self.assertLogs("django_mailers") as logs,
        ):
            self.send()
        self.assertEqual(logs.output, [self.TEXT.format("LookupError")])

    def test_it_loses_what_it_is_given(self):  # (H56)
        self.limited("1/m")
        with (
            mock.patch.object(ClockCache, "add", return_value=False),
            self.assertLogs("django_mailers") as logs,
        ):
            self.assertEqual(self.send(3), [(3, "sent")])
        self.assertEqual(logs.output, [self.TEXT.format("CacheBroken")])

    def test_it_breaks_while_it_is_counted(self):
        self.limited("1/m")
        with (
            mock.patch.object(ClockCache, "add", side_effect=ConnectionError),
            self.assertLogs("django_mailers"),
        ):
            self.assertEqual(self.send(3), [(3, "sent")])

    def test_it_breaks_before_places_are_given_back(self):
        self.limited("3/m", target=f"{HERE}.ReportingForeignBackend")

        def send_many_fails(backend, messages):
            ClockCache.error = ConnectionError()
            self.addCleanup(setattr, ClockCache, "error", None)
            return [SendResult(one, "failed", error=OSError("no")) for one in messages]

        with mock.patch.object(ReportingForeignBackend, "send_many", send_many_fails):
            self.assertEqual(self.send(3), [(3, "failed")])

    def test_it_is_not_in_caches(self):
        self.limited("1/m", cache="redis")
        for send in (self.send, lambda: mailers[IT].send_messages([message()])):
            with self.assertRaisesExactly(
                InvalidMailer,
                "MAILERS['it']: OPTIONS 'cache' names 'redis', which is not in CACHES.",
            ):
                send()
        self.assertEqual(mail.outbox, [])

    def test_another_cache(self):
        self.limited("1/m", cache="other")
        self.assertEqual(self.send(2), [(1, "sent"), (1, "failed")])


class OtherCachesTests(RateLimitMixin, SimpleTestCase):
    def test_one_that_keeps_nothing(self):
        """The check mailers.W030 says so."""
        dummy = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        self.limited("1/m")
        with override_settings(CACHES=dummy):
            self.assertEqual(self.send() + self.send(), [(1, "sent"), (1, "sent")])

    def misconfigured(self):
        error = InvalidMailer("No token.", alias="target")
        return mock.patch.object(EmailBackend, "hand_on", side_effect=error)

    def test_in_files(self):
        """Its incr() sets a timeout of its own, which is shorter than a day."""
        folder = enter(self, tempfile.TemporaryDirectory())
        path = "django.core.cache.backends.filebased.FileBasedCache"
        with override_settings(
            CACHES={"default": {"BACKEND": path, "LOCATION": folder, "TIMEOUT": 1}}
        ):
            self.limited("4/d")
            self.assertEqual(self.send(2), [(2, "sent")])
            original = type(caches["default"]).set
            timeouts = []

            def kept(cache, key, value, timeout, *args, **kwargs):
                timeouts.append(timeout)
                original(cache, key, value, timeout, *args, **kwargs)

            with mock.patch.object(type(caches["default"]), "set", kept):
                self.assertEqual(self.send(), [(1, "sent")])
                self.assertEqual(timeouts, [2 * 86400 + 5])
                with self.misconfigured(), self.assertRaises(InvalidMailer):
                    self.send()
            # Counted, and given back.
            self.assertEqual(timeouts, [2 * 86400 + 5] * 3)
            self.assertEqual(self.send(2), [(1, "sent"), (1, "failed")])

    def test_in_memory_with_threads(self):
        with override_settings(
            CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        ):
            caches["default"].clear()
            self.addCleanup(caches["default"].clear)
            self.limited("50/h")
            start, statuses = threading.Barrier(8, timeout=TIMEOUT), []

            def send():
                start.wait()
                for _ in range(5):
                    report = send_many([message(), message(), message()], using=IT)
                    statuses.extend(result.status for result in report)

            threads = [threading.Thread(target=send) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT * 2)
        self.assertEqual((statuses.count("sent"), statuses.count("failed")), (50, 70))
        self.assertEqual(len(mail.outbox), 50)
