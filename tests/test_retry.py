"""The backend `retry`: what it sends again, when, and what it never does."""

import importlib.util
import threading
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many
from django_mailers.backends._wrapping import clock
from django_mailers.backends.retry import EmailBackend
from django_mailers.delivery import SendResult
from django_mailers.errors import MailersFailed, RateLimited

from .backend_contract import BackendContract
from .support.clocks import CACHE, Clock
from .support.messages import message
from .support.processes import CONFIGURE, run_command
from .support.servers import DROP, TIMEOUT, SMTPServer, enter
from .support.sink import DROP_REPLY, RESET, Last, Sink, interrupts
from .support.smtp import subjects
from .support.utils import LOCMEM, OURS, SMTP, ExactErrors
from .support.wrappers import ReportingForeignBackend
from .wrapper_contract import IT, WrapperContract

RETRY = "django_mailers.backends.retry.EmailBackend"
NO_WAIT = {"delay": 0}


class RetryContractTests(WrapperContract, SimpleTestCase):
    wrapper = RETRY

    def options(self, alias):
        return {"using": alias, **NO_WAIT}


class RetryOverOursContractTests(BackendContract, SimpleTestCase):
    backend = RETRY
    takes_fail_silently = False

    def options(self):
        self.server = enter(self, SMTPServer())
        options = {"host": self.server.host, "port": self.server.port, "timeout": TIMEOUT}
        self.others = {"target": {"BACKEND": OURS, "OPTIONS": options}}
        return {"using": "target", **NO_WAIT}

    def arrived(self):
        return subjects(self.server)


class Scripted(ReportingForeignBackend):
    """Gives the results that `script` has for the next batch: statuses or exceptions."""

    script = []
    given = []
    opening = []

    def open(self):
        outcome = self.opening.pop(0) if self.opening else True
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def send_many(self, messages):
        self.given.append([one.subject for one in messages])
        row = self.script.pop(0)
        if isinstance(row, BaseException):
            raise row
        return [
            SendResult(one, "failed", error=outcome)
            if isinstance(outcome, Exception)
            else SendResult(one, outcome)
            for one, outcome in zip(messages, row, strict=True)
        ]


class RetryMixin(ExactErrors):
    def setUp(self):
        super().setUp()
        self.clock = enter(self, Clock())
        # The longest that the jitter makes of it.
        enter(self, mock.patch("random.uniform", lambda least, most: most))
        del Scripted.given[:], Scripted.script[:], Scripted.opening[:]

    def retrying(self, target, target_options=None, **options):
        entry = {"BACKEND": RETRY, "OPTIONS": {"using": "target", **options}}
        other = {"BACKEND": target, "OPTIONS": target_options or {}}
        enter(self, override_settings(MAILERS={IT: entry, "target": other}))

    def script(self, *rows, **options):
        self.retrying(f"{__name__}.Scripted", **options)
        Scripted.script[:] = rows

    def send(self, count=1):
        return send_many([message(str(number)) for number in range(count)], using=IT)


def failing_once(phase, outcome):
    """Give the behaviour of a Sink to which `outcome` happens in `phase`, the first time."""
    left = [outcome]

    def behave(line):
        return left.pop() if left and line.upper().startswith(phase) else None

    return behave


class ServersTests(RetryMixin, SimpleTestCase):
    """Real servers that fail in each phase at first, and are well the next time."""

    def attempts(self, backend, outcome, phase, **options):
        """Send a message to a server which says `outcome` in `phase` once; return all about it."""
        with Sink(pipelining=False, behave=failing_once(phase, outcome)) as server:
            given = {"host": server.host, "port": server.port, "timeout": TIMEOUT, **options}
            self.retrying(backend, given)
            del self.clock.slept[:]
            [result] = self.send()
            mailers[IT].close()
            return result.status, len(server.accepted), len(self.clock.slept)

    def test_again(self):
        for phase, outcome in [
            ("EHLO", Last("421 4.3.2 Closing")),
            ("MAIL", DROP),
            ("MAIL", "451 4.3.0 Try later"),
            ("RCPT", RESET),
            ("RCPT", "450 4.2.0 Greylisted"),
            ("DATA", "451 4.3.0 Try later"),
            ("DATA", DROP),
            (".", "452 4.3.1 No storage"),
        ]:
            for backend in (SMTP, OURS):
                with self.subTest(phase, outcome=outcome, backend=backend):
                    self.assertEqual(self.attempts(backend, outcome, phase), ("sent", 1, 1))

    def test_never_again(self):
        for phase, outcome, status in [
            ("MAIL", "550 5.7.1 Sender not verified", "refused"),
            ("MAIL", "552 5.3.4 Too large", "refused"),
            ("MAIL", "454 4.7.0 Throttling failure: Daily message quota exceeded.", "refused"),
            ("RCPT", "550 5.1.1 Unknown", "refused"),
            ("DATA", "554 5.7.1 No", "refused"),
            (".", "550 5.7.1 Spam", "refused"),
        ]:
            for backend in (SMTP, OURS):
                with self.subTest(phase, outcome=outcome, backend=backend):
                    self.assertEqual(self.attempts(backend, outcome, phase), (status, 0, 0))

    def test_when_it_may_have_been_taken(self):
        """The server has taken it, and nobody has heard of it."""
        for backend in (SMTP, OURS):
            with self.subTest(backend):
                self.assertEqual(self.attempts(backend, DROP_REPLY, "."), ("unknown", 1, 0))

    def test_a_login_that_is_refused(self):
        server = enter(self, Sink(users={"u": "another"}, pipelining=False))
        for backend in (SMTP, OURS):
            with self.subTest(backend):
                options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
                self.retrying(backend, {**options, "username": "u", "password": "p"})
                [result] = self.send()
                self.assertEqual((result.status, self.clock.slept), ("failed", []))

    def test_nothing_listens(self):
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        for backend in (SMTP, OURS):
            with self.subTest(backend):
                del self.clock.slept[:]
                self.retrying(backend, options)
                report = self.send(2)
                self.assertEqual(
                    [(result.status, type(result.error)) for result in report],
                    [("failed", ConnectionRefusedError)] * 2,
                )
                # One wait for both of them.
                self.assertEqual(self.clock.slept, [1, 2])

    def test_only_what_failed(self):
        """As a batch; and what some of the recipients have, never."""
        server = enter(
            self,
            SMTPServer(
                refuse={
                    "RCPT busy@example.com": "450 4.2.1 Later",
                    "RCPT gone@example.com": "550 5.1.1 Gone",
                }
            ),
        )
        self.clock.on_sleep = lambda seconds: server.refuse.pop("RCPT busy@example.com", None)
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        recipients = [["a"], ["busy"], ["a", "busy"], ["gone"], ["busy", "gone"], ["busy", "busy2"]]
        messages = [
            message(str(number), to=[f"{name}@example.com" for name in names])
            for number, names in enumerate(recipients)
        ]
        for backend in (SMTP, OURS):
            with self.subTest(backend):
                del server.messages[:], server.sessions[:]
                server.refuse["RCPT busy@example.com"] = "450 4.2.1 Later"
                self.retrying(backend, options)
                report = send_many(messages, using=IT)
                self.assertEqual(
                    [(result.status, len(result.refused_recipients)) for result in report],
                    [
                        ("sent", 0),
                        ("sent", 0),
                        ("sent", 1),
                        ("refused", 1),
                        ("sent", 1),
                        ("sent", 1),
                    ],
                )
                self.assertEqual([result.message for result in report], messages)
                self.assertEqual(sorted(subjects(server)), ["0", "1", "2", "4", "5"])
                mailers[IT].close()

    def test_while_it_is_open(self):
        """The connection that was lost is replaced, and what was opened is closed."""
        for backend in (SMTP, OURS):
            server = enter(self, Sink(pipelining=False, behave=failing_once("MAIL", DROP)))
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
            with self.subTest(backend):
                self.retrying(backend, options)
                with mailers[IT] as mailer:
                    self.assertEqual(mailer.send_messages([message(), message()]), 2)
                    self.assertEqual(mailer.send_messages([message()]), 1)
                self.assertEqual(len(server.accepted), 3)
                self.assertEqual(len(server.connections), 2)

    def test_no_connection_is_held_while_it_waits(self):
        server = enter(self, SMTPServer(refuse={"MAIL": "451 4.3.0 Later"}))
        options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        self.retrying(OURS, {**options, "pool_size": 1})
        used = []

        def send_another(seconds):
            del server.refuse["MAIL"]
            thread = threading.Thread(
                target=lambda: used.append(mailers["target"].send_messages([message("other")]))
            )
            thread.start()
            thread.join(TIMEOUT)

        self.clock.on_sleep = send_another
        [result] = self.send()
        self.assertEqual((result.status, used), ("sent", [1]))
        self.assertEqual(subjects(server), ["other", "0"])


LOST = ConnectionRefusedError("no")


class PlanTests(RetryMixin, SimpleTestCase):
    def test_defaults(self):
        self.assertEqual(
            {name: (o.default, o.unit) for name, o in EmailBackend.all_options.items()},
            {
                "using": (None, ""),
                "attempts": (3, ""),
                "delay": (1, "seconds"),
                "max_delay": (30, "seconds"),
                "deadline": (60, "seconds"),
            },
        )

    def test_exponential(self):
        self.script(*[[LOST]] * 8, attempts=8, max_delay=20, deadline=1000)
        [result] = self.send()
        self.assertEqual((result.status, result.error), ("failed", LOST))
        self.assertEqual(self.clock.slept, [1, 2, 4, 8, 16, 20, 20])

    def test_jitter(self):  # (H45)
        """From nothing to the whole: else all processes would come back at once."""
        self.script(*[[LOST]] * 3)
        drawn = []
        with mock.patch("random.uniform", lambda *bounds: drawn.append(bounds) or 0.25):
            self.send()
        self.assertEqual((drawn, self.clock.slept), ([(0, 1), (0, 2)], [0.25, 0.25]))

    def test_very_many_attempts(self):
        self.script(*[[LOST]] * 2000, attempts=2000, deadline=1e9)
        self.send()
        self.assertEqual(self.clock.slept[-1], 30)

    def test_one_attempt(self):
        self.script([LOST], attempts=1)
        self.assertEqual(self.send()[0].status, "failed")
        self.assertEqual(self.clock.slept, [])

    def test_deadline(self):
        """It is not passed by waiting; an attempt under way may take longer."""
        self.script(*[[LOST]] * 5, attempts=10, delay=10, deadline=35)
        Scripted.script.append(["sent"])
        original = Scripted.send_many

        def slow(backend, messages):
            self.clock.go(3)
            return original(backend, messages)

        with mock.patch.object(Scripted, "send_many", slow):
            [result] = self.send()
        self.assertEqual(result.status, "failed")
        # 3, 10, 3, 16 (what is left of it), 3: at 35 seconds it is over.
        self.assertEqual(self.clock.slept, [10, 19])

    def test_retry_after(self):
        self.script([RateLimited("no", 7)], ["sent"])
        self.assertEqual(self.send()[0].status, "sent")
        self.assertEqual(self.clock.slept, [8])

    def test_retry_after_the_deadline(self):
        """Then it gives up at once, on those messages."""
        late, soon = RateLimited("late", 61), RateLimited("soon", 5)
        self.script([late, soon, LOST, "sent"], [LOST, "sent"], ["sent"])
        report = self.send(4)
        self.assertEqual([result.status for result in report], ["failed", "sent", "sent", "sent"])
        self.assertIs(report[0].error, late)
        self.assertEqual(Scripted.given, [["0", "1", "2", "3"], ["1", "2"], ["1"]])
        self.assertEqual(self.clock.slept, [6, 2])
        self.script([late, late])
        del self.clock.slept[:]
        self.assertEqual([result.status for result in self.send(2)], ["failed"] * 2)
        self.assertEqual(self.clock.slept, [])

    def test_what_is_never_sent_again(self):
        self.script(["sent", "queued", "unknown", "skipped", "refused", ValueError("injection")])
        report = self.send(6)
        self.assertEqual(
            [result.status for result in report],
            ["sent", "queued", "unknown", "skipped", "refused", "failed"],
        )
        self.assertEqual((len(Scripted.given), self.clock.slept), (1, []))

    def test_over_a_failover(self):
        """As its fault says: one that has failed for good, and one that may do it the next time."""
        login = PermissionError("no")
        self.script(
            [MailersFailed({"a": LOST, "b": LOST}), MailersFailed({"a": LOST, "b": login})],
            ["sent"],
        )
        self.assertEqual([result.status for result in self.send(2)], ["sent", "failed"])

    def test_the_last_result_counts(self):
        other = TimeoutError("timed out")
        self.script([LOST, LOST], ["unknown", other], [LOST])
        report = self.send(2)
        self.assertEqual(
            [(r.status, r.error) for r in report], [("unknown", None), ("failed", LOST)]
        )
        self.script([LOST], [LOST], [other])
        with self.assertRaisesExactly(TimeoutError, "timed out"):
            message().send(using=IT)

    def test_log(self):
        self.script([LOST, RateLimited("no", 3), "sent"], ["sent", "sent"])
        with self.assertLogs("django_mailers.backends", "INFO") as logs:
            self.send(3)
        self.assertEqual(
            logs.output,
            [
                "INFO:django_mailers.backends:MAILERS['it']: 2 could not be sent (busy, network), "
                "and will be tried again in 4 seconds."
            ],
        )

    def test_over_a_rate_limit(self):
        limit = {"using": "memory", "rate": "2/s"}
        backend = "django_mailers.backends.ratelimit.EmailBackend"
        self.retrying(backend, limit)
        entries = {**mail.mailers.settings, "memory": {"BACKEND": LOCMEM}}
        with override_settings(MAILERS=entries, CACHES={"default": {"BACKEND": CACHE}}):
            self.assertEqual([r.status for r in self.send(5)], ["sent"] * 5)
        self.assertEqual(len(mail.outbox), 5)
        self.assertEqual(len(self.clock.slept), 2)

    def test_an_error_of_the_configuration_later_on(self):
        error = InvalidMailer("No token.", alias="target")
        self.script(["sent", LOST], error)
        with self.assertRaises(InvalidMailer) as caught:
            self.send(2)
        self.assertIs(caught.exception, error)
        self.assertEqual([result.status for result in error.report], ["sent", "failed"])


class InterruptsTests(RetryMixin, SimpleTestCase):
    """They pass through, and say what was sent."""

    def check(self, error):
        messages = [message(str(number)) for number in range(3)]
        with self.assertRaises(type(error)) as caught:
            mailers[IT].send_messages(messages)
        self.assertIs(caught.exception, error)
        # Python 3.10 has no notes.
        self.assertEqual(
            getattr(error, "__notes__", ["2 of 3 messages of this batch were sent."]),
            ["2 of 3 messages of this batch were sent."],
        )

    def test_while_it_waits(self):
        for error in (KeyboardInterrupt(), TimeoutError("time limit")):
            with self.subTest(repr(error)):
                self.script(["sent", LOST, "sent"])
                self.clock.on_sleep = mock.Mock(side_effect=error)
                self.check(error)
                self.assertEqual(
                    [(result.status, result.error) for result in error.report],
                    [("sent", None), ("failed", LOST), ("sent", None)],
                )
                self.assertEqual(len(Scripted.given), 1)
                del Scripted.given[:]

    def test_while_it_sends_again(self):
        error = KeyboardInterrupt()
        self.script(["sent", LOST, "sent"], error)
        self.check(error)

    def test_a_real_signal(self):
        """In the sleep itself."""
        self.script([LOST])
        self.clock.__exit__()
        self.addCleanup(self.clock.__enter__)
        interrupt, real_sleep = enter(self, interrupts(TimeoutError("time limit"))), clock.sleep

        def sleep(seconds):
            interrupt(0.1)
            real_sleep(TIMEOUT)

        enter(self, mock.patch.object(clock, "sleep", sleep))
        with self.assertRaisesExactly(TimeoutError, "time limit"):
            message().send(using=IT)
        self.assertEqual(len(Scripted.given), 1)


class OpenTests(RetryMixin, SimpleTestCase):
    def test_again(self):
        self.script()
        Scripted.opening[:] = [LOST, LOST, True]
        self.assertIs(mailers[IT].open(), True)
        self.assertEqual(self.clock.slept, [1, 2])

    def test_no_more_than_that(self):
        self.script(attempts=2)
        Scripted.opening[:] = [LOST, TimeoutError("timed out"), True]
        with self.assertRaisesExactly(TimeoutError, "timed out"):
            mailers[IT].open()
        self.assertEqual(self.clock.slept, [1])

    def test_what_time_does_not_heal(self):
        for error in (PermissionError("no"), InvalidMailer("No token.", alias="target")):
            self.script()
            Scripted.opening[:] = [error, True]
            with self.assertRaises(type(error)) as caught:
                mailers[IT].open()
            self.assertIs(caught.exception, error)
        self.assertEqual(self.clock.slept, [])

    def test_a_server_that_comes_up(self):
        for backend in (SMTP, OURS):
            with SMTPServer() as dead:
                options = {"host": dead.host, "port": dead.port, "timeout": TIMEOUT}
            server = enter(self, SMTPServer())

            def come_up(seconds, server=server):
                mail.mailers.settings["target"]["OPTIONS"]["port"] = server.port

            self.clock.on_sleep = come_up
            self.retrying(backend, options)
            with self.subTest(backend), mailers[IT] as mailer:
                self.assertEqual(mailer.send_messages([message(), message()]), 2)
            self.assertEqual((len(server.messages), len(server.sessions)), (2, 1))


# Patched first: gevent looks at the lazy objects of Django.
GREENLETS = f"""
from gevent import monkey, sleep, spawn
monkey.patch_all()
{CONFIGURE}
backend = "django_mailers.backends.retry.EmailBackend"
options = dict(using="dead", attempts=2, delay=0.5)
server = dict(host="127.0.0.1", port=PORT)
configure(
    MAILERS=dict(
        default=dict(BACKEND=backend, OPTIONS=options),
        dead=dict(BACKEND="django_mailers.backends.smtp.EmailBackend", OPTIONS=server),
    )
)
import random
random.uniform = lambda least, most: most
from django.core.mail import send_mail
seen = []
def other():
    for number in range(5):
        seen.append(number)
        sleep(0.01)
def sending():
    try:
        send_mail("Hello", "Text", "ada@example.com", ["bob@example.com"])
    except ConnectionRefusedError:
        seen.append("refused")
greenlets = [spawn(sending), spawn(other)]
for greenlet in greenlets:
    greenlet.join()
assert seen == [0, 1, 2, 3, 4, "refused"], seen
"""


class GreenletsTests(SimpleTestCase):
    def test_others_go_on_while_one_waits(self):
        if importlib.util.find_spec("gevent") is None:
            self.skipTest("gevent is not installed.")
        with SMTPServer() as dead:
            port = dead.port
        process = run_command("-c", GREENLETS.replace("PORT", str(port)))
        self.assertEqual(process.returncode, 0, process.stderr)
