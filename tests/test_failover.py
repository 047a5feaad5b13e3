"""The backend "failover": which mailer gets a message, and what becomes of it."""

import smtplib
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many
from django_mailers.delivery import SendReport, SendResult
from django_mailers.delivery.faults import fault_of
from django_mailers.errors import MailersFailed

from .backend_contract import BackendContract
from .support.messages import message
from .support.providers import (
    ANSWERS,
    PROVIDER,
    PROVIDER_MODULE,
    ProviderBackend,
    ProvidersTestCase,
    providers,
    quiet,
)
from .support.servers import enter
from .support.utils import LOCMEM, ExactErrors
from .wrapper_contract import WrapperContract

FAILOVER = "django_mailers.backends.failover.EmailBackend"


class FailoverContractTests(WrapperContract, SimpleTestCase):
    wrapper = FAILOVER
    option = "mailers"
    unreachable = MailersFailed

    def setUp(self):
        super().setUp()
        enter(self, quiet())

    def options(self, alias):
        return {"mailers": [alias]}


class FailoverBackendTests(BackendContract, SimpleTestCase):
    backend = FAILOVER
    others = {"first": {"BACKEND": LOCMEM}, "second": {"BACKEND": LOCMEM}}
    takes_fail_silently = False
    opens = False

    def options(self):
        return {"mailers": ["first", "second"]}

    def arrived(self):
        return [str(message.subject) for message in mail.outbox]


class OneMessageTests(ExactErrors, ProvidersTestCase):
    """What the first mailer says decides whether the second one gets the message."""

    def outcome(self, *scripts, **options):
        """Send one message to providers that do one thing each; return what became of it."""
        self.script(*([deed] for deed in scripts))
        with self.failover(**options):
            [result] = send_many([message("m")], using="it")
        return result

    def test_moves_on(self):
        for deed in [
            "be unreachable",
            "refuse the login",
            "limit",
            "refuse the sender",
            "refuse for now",
            "be full",
            "say nothing",
        ]:
            with self.subTest(deed):
                result = self.outcome(deed, "take")
                self.assertEqual((result.status, result.via), ("sent", "b"))
                self.assertEqual((self.taken("a"), self.taken("b")), ([], ["m"]))

    def test_stays(self):  # (H41)
        for deed in [
            "take",
            "queue",
            "take in part",
            "refuse",
            "fail to render",
            "take and lose the reply",
            "lose the reply",
        ]:
            with self.subTest(deed):
                result = self.outcome(deed, "take")
                status, code, text, error = ANSWERS[deed]
                via = "a" if status in {"sent", "queued", "unknown"} else None
                self.assertEqual(
                    (result.status, result.code, result.text, result.error, result.via),
                    (status, code, text, error, via),
                )
                self.assertEqual(providers["b"].batches, [])

    def test_unknown_may_move_on(self):
        for deed in ("take and lose the reply", "lose the reply"):
            with self.subTest(deed):
                result = self.outcome(deed, "take", unknown="next")
                self.assertEqual((result.status, result.via), ("sent", "b"))

    def test_what_may_have_been_sent_stays_unknown(self):
        for second in ("refuse", "be unreachable", "fail to render", "refuse for now"):
            with self.subTest(second):
                result = self.outcome("lose the reply", second, "refuse", unknown="next")
                self.assertEqual((result.status, result.via), ("unknown", "a"))
                self.assertIsInstance(result.error, MailersFailed)
                self.assertEqual(
                    next(iter(result.error.errors.items())), ("a", ANSWERS["lose the reply"][3])
                )

    def test_a_fault_of_the_message_is_told_as_it_is(self):
        """Also by the second mailer, after the first could not be reached."""
        result = self.outcome("be unreachable", "refuse", "take")
        self.assertEqual((result.status, result.code, result.via), ("refused", 550, None))
        self.assertIs(result.error, ANSWERS["refuse"][3])
        self.assertEqual(providers["c"].batches, [])

    def test_all_failed(self):
        for deeds, status, code, kind in [
            (["be unreachable"] * 3, "failed", None, "network"),
            (["be unreachable", "refuse for now", "be unreachable"], "refused", 451, "busy"),
            (["be full", "refuse for now", "refuse the sender"], "refused", 553, "account"),
            (["refuse the login", "refuse for now", "say nothing"], "failed", None, "account"),
        ]:
            with self.subTest(deeds):
                result = self.outcome(*deeds)
                self.assertEqual((result.status, result.code, result.via), (status, code, None))
                error = result.error
                self.assertIs(type(error), MailersFailed)
                self.assertEqual(([*error.errors], error.alias), (["a", "b", "c"], "it"))
                self.assertIs(error.__cause__, error.errors["a"])
                self.assertEqual(fault_of(result).kind, kind)

    def test_what_is_raised(self):
        self.script(["be unreachable"], ["refuse the login"], ["refuse for now"])
        text = (
            "MAILERS['it']: No mailer has taken the message. Tried: 'a' (ConnectionRefusedError), "
            "'b' (SMTPAuthenticationError), 'c' (SMTPDataError)."
        )
        with self.failover(), self.assertRaises(OSError) as caught:
            message().send(using="it")
        self.assertIsInstance(caught.exception, smtplib.SMTPException)
        self.assertEqual(str(caught.exception), text)

    def test_a_refused_sender_is_an_error_in_the_log(self):
        with self.assertLogs("django_mailers.failover") as logs:
            self.script(["refuse the sender"] * 2)
            with self.failover():
                send_many([message(), message(), message()], using="it")
        self.assertEqual(
            logs.output,
            [
                "ERROR:django_mailers.failover:MAILERS['it']: 'a' refuses the sender of 2 of 3 "
                "messages. Another mailer takes them, but the account needs attention."
            ],
        )

    def test_one_message_id_for_all(self):  # (H42)
        seen = []
        self.script(["take and lose the reply"])
        for name in "ab":
            providers[name].on_message = lambda one: seen.append(one.message()["Message-ID"])
        rendering = {
            name: {"BACKEND": f"{PROVIDER_MODULE}.RenderingBackend", "OPTIONS": {"name": name}}
            for name in "ab"
        }
        email = message()
        with self.failover(unknown="next", **rendering):
            send_many([email], using="it")
        self.assertEqual((len(seen), len(set(seen))), (2, 1))
        self.assertEqual(email.extra_headers, {})

    def test_a_configuration_error(self):
        with (
            self.failover(mailers=["a", "missing"]),
            self.assertRaisesExactly(
                InvalidMailer,
                "MAILERS['it']: OPTIONS 'mailers' names 'missing', which is not in MAILERS.",
            ),
        ):
            message().send(using="it")
        self.assertEqual(providers["a"].batches, [])

    def test_a_configuration_error_of_a_later_mailer(self):
        """What may have been sent by the earlier one is not lost with it."""

        def fail(message):
            raise InvalidMailer("No token.", alias="b")

        for wrong in ({"BACKEND": PROVIDER, "OPTIONS": {"nane": "b"}}, None):
            self.script(["lose the reply", "take", "be unreachable"])
            providers["b"].on_message = fail
            messages = [message("l"), message("m"), message("n")]
            with (
                self.subTest(wrong),
                self.failover(unknown="next", **({"b": wrong} if wrong else {})),
                self.assertRaises(InvalidMailer) as caught,
            ):
                send_many(messages, using="it")
            first, second, third = caught.exception.report
            self.assertEqual((first.status, first.via), ("unknown", "a"))
            self.assertEqual(second, SendResult(messages[1], "sent", 250, "OK", via="a"))
            self.assertEqual((third.status, third.via), ("failed", None))

    def test_a_failover_in_a_failover(self):
        inner = {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["b", "c"]}}
        self.script(["be unreachable"], ["be unreachable"], ["refuse for now"], [])
        with self.failover(mailers=["a", "inner", "d"], inner=inner):
            [result] = send_many([message("m")], using="it")
            self.assertEqual((result.status, result.via), ("sent", "d"))
            [result] = send_many([message("n")], using="it")
            self.assertEqual((result.status, result.via), ("sent", "c"))

    def test_an_inner_failover_that_does_not_know(self):
        inner = {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["b", "c"], "unknown": "next"}}
        self.script([], ["take and lose the reply"], ["be unreachable"])
        with self.failover(mailers=["inner", "a"], inner=inner):
            [result] = send_many([message("m")], using="it")
        self.assertEqual((result.status, result.via), ("unknown", "b"))
        self.assertEqual(providers["a"].batches, [])


class ClassifyTests(ProvidersTestCase):
    """The project judges by itself what went wrong."""

    answer = None

    def classify(self, result, alias):
        self.asked.append((result.status, alias))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def outcome(self, answer, *scripts, **options):
        self.asked, self.answer = [], answer
        self.script(*([deed] for deed in scripts))
        with self.failover(classify=self.classify, **options):
            [result] = send_many([message("m")], using="it")
        return result.status, result.via

    def test_none_is_the_default_judgement(self):
        self.assertEqual(self.outcome(None, "be unreachable"), ("sent", "b"))
        self.assertEqual(self.outcome(None, "refuse", "take"), ("refused", None))
        self.assertEqual(self.asked, [("refused", "a")])

    def test_what_is_taken_is_not_asked_about(self):
        for deed in ("take", "queue", "take in part"):
            with self.subTest(deed):
                status = ANSWERS[deed][0]
                self.assertEqual(self.outcome("network", deed), (status, "a"))
                self.assertEqual(self.asked, [])

    def test_another_kind(self):
        for answer, deed, expected in [
            ("network", "refuse", ("sent", "b")),
            ("busy", "lose the reply", ("sent", "b")),
            ("message", "be unreachable", ("failed", None)),
            ("message", "lose the reply", ("failed", None)),
            ("configuration", "be unreachable", ("failed", None)),
            ("unknown", "be unreachable", ("unknown", "a")),
            ("sent", "be unreachable", ("unknown", "a")),
        ]:
            with self.subTest(answer=answer, deed=deed):
                self.assertEqual(self.outcome(answer, deed), expected)

    def test_all_failed(self):
        """What is known not to have been taken is not unknown."""
        deeds = ["lose the reply"] * 3
        self.assertEqual(self.outcome("network", *deeds), ("failed", None))

    def test_one_that_is_wrong(self):
        for answer, text in [
            (KeyError("secret"), "'classify' raised KeyError."),
            ("fatal", "'classify' did not return a kind of fault."),
            (7, "'classify' did not return a kind of fault."),
        ]:
            with self.subTest(answer), self.assertLogs("django_mailers.failover") as logs:
                self.assertEqual(self.outcome(answer, "refuse", "take"), ("refused", None))
            self.assertEqual(
                [record.getMessage() for record in logs.records], [f"MAILERS['it']: {text}"]
            )

    def test_a_path(self):
        self.script(["refuse"])
        with self.failover(classify=f"{__name__}.always_network"):
            [result] = send_many([message("m")], using="it")
        self.assertEqual((result.status, result.via), ("sent", "b"))

    def test_a_path_that_leads_nowhere(self):
        with self.failover(classify="nowhere.f"), self.assertRaises(InvalidMailer) as caught:
            send_many([message("m")], using="it")
        self.assertEqual(
            str(caught.exception),
            "MAILERS['it']: Could not import OPTIONS 'classify' 'nowhere.f': No module named "
            "'nowhere'",
        )


def always_network(result, alias):
    return "network"


class BatchTests(ProvidersTestCase):
    """A batch stays together as far as it can."""

    def send(self, subjects, **options):
        """Send messages; return (status, via) of each of them."""
        with self.failover(**options):
            report = send_many([message(subject) for subject in subjects], using="it")
        return [(result.status, result.via) for result in report]

    def test_all_to_the_first(self):
        self.assertEqual(self.send("abc"), [("sent", "a")] * 3)
        self.assertEqual(self.batches(), [[["a", "b", "c"]], [], []])

    def test_the_first_is_down(self):
        self.script(["be unreachable"])
        self.assertEqual(self.send("abc"), [("sent", "b")] * 3)
        self.assertEqual(self.batches(), [[["a", "b", "c"]], [["a", "b", "c"]], []])

    def test_it_goes_down_in_the_middle(self):
        self.script(["take", "take and lose the reply", "refuse", "queue", "be unreachable"])
        self.assertEqual(
            self.send("abcdef"),
            [
                ("sent", "a"),
                ("unknown", "a"),
                ("refused", None),
                ("queued", "a"),
                ("sent", "b"),
                ("sent", "b"),
            ],
        )
        self.assertEqual(self.taken("a"), ["a", "b", "d"])
        self.assertEqual(self.batches()[1], [["e", "f"]])

    def test_only_what_was_refused_for_now_moves_on(self):
        self.script(["take", "refuse for now", "take", "refuse for now"], ["refuse for now"])
        self.assertEqual(
            self.send("abcd"), [("sent", "a"), ("sent", "c"), ("sent", "a"), ("sent", "b")]
        )
        self.assertEqual(self.batches(), [[["a", "b", "c", "d"]], [["b", "d"]], [["b"]]])

    def test_nobody_takes_them(self):
        self.script(["be unreachable"], ["be unreachable"], ["be unreachable"])
        self.assertEqual(self.send("abc"), [("failed", None)] * 3)
        self.assertEqual(self.batches(), [[["a", "b", "c"]]] * 3)

    def test_the_results_are_in_the_order_of_the_messages(self):
        messages = [message(subject) for subject in "abcde"]
        self.script(["refuse for now", "take", "refuse for now", "take", "refuse"])
        with self.failover():
            report = send_many(messages, using="it")
        self.assertIsInstance(report, SendReport)
        self.assertTrue(all(r.message is m for r, m in zip(report, messages, strict=True)))

    def test_send_messages_counts(self):
        self.script(["be unreachable"])
        with self.failover():
            self.assertEqual(mailers["it"].send_messages([message("a"), message("b")]), 2)


class OpenTests(ExactErrors, ProvidersTestCase):
    def test_the_first_that_can_be_opened(self):
        self.script(["be unreachable"])
        with self.failover(), mailers["it"] as mailer:
            self.assertEqual([providers[name].opened for name in "abc"], [0, 1, 0])
            self.assertEqual(mailer.send_messages([message("a")]), 1)
            self.assertEqual(mailer.send_messages([message("b")]), 1)
        # The first one rests, by the rules of sending.
        self.assertEqual(self.batches(), [[], [["a"], ["b"]], []])

    def test_not_one_can_be_opened(self):
        self.script(*[["be unreachable"]] * 3)
        with self.failover(), self.assertRaises(MailersFailed) as caught:
            mailers["it"].open()
        self.assertEqual([*caught.exception.errors], ["a", "b", "c"])
        self.assertIsInstance(caught.exception, OSError)

    def test_after_a_rest_one_that_can_be_opened_is_half_open(self):
        """Until it has taken a message."""
        self.script(["be unreachable", "be unreachable"])
        with self.failover():
            message("a").send(using="it")
            self.clock.advance(60)
            providers["a"].script = []
            with mailers["it"] as mailer:
                self.assertEqual(providers["a"].opened, 1)
                mailer.send_messages([message("b"), message("c"), message("d")])
        self.assertEqual(self.batches()[0], [["a"], ["b"], ["c", "d"]])

    def test_an_error_of_the_configuration(self):
        wrong = {"BACKEND": PROVIDER, "OPTIONS": {"nane": "a"}}
        with self.failover(a=wrong), self.assertRaises(InvalidMailer):
            mailers["it"].open()

    def test_a_circle(self):
        with (
            override_settings(
                MAILERS={
                    "it": {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["other"]}},
                    "other": {"BACKEND": FAILOVER, "OPTIONS": {"mailers": ["it"]}},
                }
            ),
            self.assertRaises(InvalidMailer),
        ):
            mailers["it"].open()

    def test_a_login_that_cannot_be_one(self):
        """There is no message yet that a ValueError could be about."""
        wrong = mock.patch.object(ProviderBackend, "open", side_effect=ValueError("No"))
        with self.failover(), wrong as opened, self.assertRaises(MailersFailed) as caught:
            mailers["it"].open()
        self.assertEqual(opened.call_count, 3)
        self.assertEqual([*caught.exception.errors], ["a", "b", "c"])
