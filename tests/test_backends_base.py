"""The floor of our backends, and what stands on it: a failover, a prefix, a route, a shelf."""

import inspect
import threading
from typing import ClassVar
from unittest import mock

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings, tag

from django_mailers import SendError, checks, send_many
from django_mailers.backends.base import ReportingBackend
from django_mailers.delivery import SendResult
from django_mailers.options import COUNT, NAME, SECONDS, Option
from django_mailers.signatures import signature_of

from .backend_contract import ALIAS, BackendContract
from .support import wrappers
from .support.messages import message
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.smtp import subjects
from .support.utils import LOCMEM, OURS, SMTP, ExactErrors
from .wrapper_contract import HERE, IT, WrapperContract


class FailoverContractTests(WrapperContract, SimpleTestCase):
    wrapper = f"{HERE}.FailoverBackend"
    option = "mailers"

    def options(self, alias):
        return {"mailers": [alias]}


class ForwardingContractTests(WrapperContract, SimpleTestCase):
    wrapper = f"{HERE}.ForwardingBackend"


class PrefixContractTests(WrapperContract, SimpleTestCase):
    wrapper = f"{HERE}.PrefixBackend"

    def subject(self, subject):
        return f"[test] {subject}"


class TeeContractTests(WrapperContract, SimpleTestCase):
    wrapper = f"{HERE}.TeeBackend"


class ShelfContractTests(BackendContract, SimpleTestCase):
    backend = f"{HERE}.ShelfBackend"
    opens = False

    def options(self):
        wrappers.ShelfBackend.shelves.clear()
        return {"shelf": "s"}

    def arrived(self):
        return wrappers.ShelfBackend.shelves.get("s", [])


class FailoverOverAShelfContractTests(ShelfContractTests):
    """Through the second mailer, as the first cannot be reached."""

    backend = f"{HERE}.FailoverBackend"
    takes_fail_silently = False
    opens = False

    def options(self):
        with SMTPServer() as server:
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
        self.others = {
            "dead": {"BACKEND": OURS, "OPTIONS": options},
            "shelf": {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": super().options()},
        }
        return {"mailers": ["dead", "shelf"]}


class ForwardingOverDjangosContractTests(BackendContract, SimpleTestCase):
    """A connection of Django's, which is watched, is shared by threads."""

    backend = f"{HERE}.ForwardingBackend"
    takes_fail_silently = False

    def options(self):
        self.server = enter(self, SMTPServer())
        options = {"host": self.server.host, "port": self.server.port, "timeout": TIMEOUT}
        self.others = {"django": {"BACKEND": SMTP, "OPTIONS": options}}
        return {"using": "django"}

    def arrived(self):
        return subjects(self.server)


class FailoverTests(SimpleTestCase):
    def test_it_is_short(self):
        self.assertLess(len(inspect.getsource(wrappers.FailoverBackend).splitlines()), 40)

    def serve(self, backend, **server):
        with SMTPServer() as dead:
            entries = {"dead": (SMTP, dead), "live": (backend, enter(self, SMTPServer(**server)))}
        settings = {
            alias: {
                "BACKEND": path,
                "OPTIONS": {"host": one.host, "port": one.port, "timeout": TIMEOUT},
            }
            for alias, (path, one) in entries.items()
        }
        options = {"mailers": ["dead", "live"]}
        settings[IT] = {"BACKEND": f"{HERE}.FailoverBackend", "OPTIONS": options}
        enter(self, override_settings(MAILERS=settings))
        return entries["live"][1]

    def test_the_second_takes_over(self):
        for backend in (SMTP, OURS):
            with self.subTest(backend):
                server = self.serve(backend)
                report = send_many([message("a"), message("b")], using=IT)
                self.assertEqual(
                    [(result.status, result.code, result.via) for result in report],
                    [("sent", 250, "live")] * 2,
                )
                self.assertEqual(len(server.messages), 2)

    def test_while_it_is_open(self):
        server = self.serve(SMTP)
        with mailers[IT] as mailer:
            for _ in range(3):
                self.assertEqual(mailer.send_messages([message()]), 1)
        self.assertEqual(len(server.sessions), 1)

    def test_a_refusal_is_final(self):
        server = self.serve(SMTP, refuse={"RCPT": "550 No"})
        options = {"mailers": ["live", "memory"]}
        entry = {"BACKEND": f"{HERE}.FailoverBackend", "OPTIONS": options}
        live = {"OPTIONS": {"host": server.host, "port": server.port}}
        with override_settings(MAILERS={IT: entry, "live": live, "memory": {"BACKEND": LOCMEM}}):
            report = send_many([message()], using=IT)
        self.assertEqual([result.status for result in report], ["refused"])
        self.assertEqual(mail.outbox, [])

    def test_what_was_sent_before_another_mailer_turned_out_to_be_misconfigured(self):
        broken = {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": {}}
        shelf = {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": {"shelf": "x"}}
        entry = {"BACKEND": f"{HERE}.FailoverBackend", "OPTIONS": {"mailers": ["a", "b"]}}
        self.addCleanup(wrappers.ShelfBackend.shelves.clear)
        messages = [message("a"), message("two\nlines")]
        with (
            override_settings(MAILERS={IT: entry, "a": shelf, "b": broken}),
            self.assertRaises(InvalidMailer) as caught,
        ):
            send_many(messages, using=IT)
        self.assertEqual(str(caught.exception), "MAILERS['b']: OPTIONS must define 'shelf'.")
        sent, failed = caught.exception.report
        self.assertEqual(sent, SendResult(messages[0], "sent", 250, "On the shelf", via="a"))
        self.assertEqual((failed.message, failed.status), (messages[1], "failed"))


class OutgoingTests(ExactErrors, SimpleTestCase):
    """One message is changed, or dropped."""

    def over(self, backend=LOCMEM, **options):
        entry = {"BACKEND": f"{HERE}.PrefixBackend", "OPTIONS": {"using": "memory", **options}}
        return override_settings(MAILERS={IT: entry, "memory": {"BACKEND": backend}})

    def test_changed(self):
        email = message("a", headers={"X-A": "b"})
        with self.over(prefix="[staging] "):
            self.assertEqual(email.send(using=IT), 1)
        [sent] = mail.outbox
        self.assertEqual(sent.subject, "[staging] a")
        self.assertEqual(sent.extra_headers, {"X-A": "b", "X-Prefixed": "yes"})
        self.assertEqual(sent.to, ["bob@example.com", "archive@example.com"])
        self.assertEqual((email.subject, email.to), ("a", ["bob@example.com"]))

    def test_dropped(self):
        messages = [message("secret"), message("a"), message("secret"), message("b")]
        with self.over():
            report = send_many(messages, using=IT)
            self.assertEqual(mailers[IT].send_messages(messages), 2)
            self.assertEqual(mailers[IT].send_messages(messages[:1]), 0)
        self.assertEqual(
            [(result.message, result.status, result.reason, result.via) for result in report],
            [
                (messages[0], "skipped", "secret", None),
                (messages[1], "sent", "", "memory"),
                (messages[2], "skipped", "secret", None),
                (messages[3], "sent", "", "memory"),
            ],
        )
        self.assertTrue(all(result.is_success for result in report))
        self.assertEqual(len(mail.outbox), 4)

    def test_what_it_raises_is_about_the_message(self):
        error = LookupError("no such template")

        def outgoing(backend, email):
            if email.subject == "bad":
                raise error
            return email

        messages = [message("a"), message("bad"), message("b")]
        with self.over(), mock.patch.object(wrappers.PrefixBackend, "outgoing", outgoing):
            report = send_many(messages, using=IT)
            with self.assertRaisesExactly(LookupError, "no such template"):
                mailers[IT].send_messages(messages)
        self.assertEqual([result.status for result in report], ["sent", "failed", "sent"])
        self.assertIs(report[1].error, error)
        self.assertEqual(len(mail.outbox), 4)


class TeeTests(ExactErrors, SimpleTestCase):
    def over(self, **options):
        entry = {"BACKEND": f"{HERE}.TeeBackend", "OPTIONS": {"using": "shelf", **options}}
        shelf = {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": {"shelf": "s", "size": 1}}
        self.addCleanup(wrappers.ShelfBackend.shelves.clear)
        return override_settings(MAILERS={IT: entry, "shelf": shelf, "memory": {"BACKEND": LOCMEM}})

    def test_the_results_are_those_of_the_first(self):
        with self.over(also=["memory"]):
            report = send_many([message("a"), message("b")], using=IT)
        self.assertEqual(
            [(result.status, result.via) for result in report],
            [("sent", "shelf"), ("refused", None)],
        )
        self.assertEqual([one.subject for one in mail.outbox], ["a"])

    def test_wrong_aliases(self):
        for also, text, problem in [
            (
                "x",
                "OPTIONS 'also' names 'x', which is not in MAILERS.",
                "mailers.E012",
            ),
            (
                IT,
                "OPTIONS 'also' leads back to the mailer itself: 'it' -> 'it'.",
                "mailers.E013",
            ),
        ]:
            with self.subTest(also), self.over(also=["memory", also]):
                with self.assertRaisesExactly(InvalidMailer, f"MAILERS['it']: {text}"):
                    message().send(using=IT)
                found = [found.id for found in checks.check_mailers(None)]
                self.assertIn(problem, found)
        # Nothing was sent before the error.
        self.assertEqual((wrappers.ShelfBackend.shelves, mail.outbox), ({}, []))


class CircleTests(ExactErrors, SimpleTestCase):
    """One that leads through all three options."""

    circle: ClassVar = {
        IT: {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "b"}},
        "b": {"BACKEND": f"{HERE}.FailoverBackend", "OPTIONS": {"mailers": ["default", "c"]}},
        "c": {
            "BACKEND": f"{HERE}.TeeBackend",
            "OPTIONS": {"using": "default", "also": ["default", IT]},
        },
        "default": {"BACKEND": LOCMEM},
    }

    @override_settings(MAILERS=circle)
    def test_at_run_time(self):
        for alias, option, way in [
            (IT, "using", "'it' -> 'b' -> 'c' -> 'it'"),
            ("b", "mailers", "'b' -> 'c' -> 'it' -> 'b'"),
            ("c", "also", "'c' -> 'it' -> 'b' -> 'c'"),
        ]:
            text = f"OPTIONS {option!r} leads back to the mailer itself: {way}."
            with self.subTest(alias):
                for send in (
                    lambda alias=alias: send_many([message()], using=alias),
                    lambda alias=alias: message().send(using=alias),
                ):
                    with self.assertRaisesExactly(InvalidMailer, f"MAILERS[{alias!r}]: {text}"):
                        send()
        self.assertEqual(mail.outbox, [])

    @override_settings(MAILERS=circle)
    def test_in_the_checks(self):
        found = [problem for problem in checks.check_mailers(None) if problem.id[-4:] == "E013"]
        self.assertEqual(
            [problem.msg for problem in found],
            ["MAILERS['it']: OPTIONS lead back to the mailer itself: 'it' -> 'b' -> 'c' -> 'it'."],
        )


class RoutingTests(ExactErrors, SimpleTestCase):
    """Aliases that no option names."""

    mailers: ClassVar = {
        IT: {"BACKEND": f"{HERE}.RoutingBackend"},
        "memory": {"BACKEND": LOCMEM},
        "back": {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": IT}},
    }

    @override_settings(MAILERS=mailers)
    def test_each_message_by_itself(self):
        report = send_many([message("memory"), message("memory")], using=IT)
        self.assertEqual([result.via for result in report], ["memory"] * 2)

    @override_settings(MAILERS=mailers)
    def test_it_can_be_opened(self):
        with mailers[IT] as mailer:
            self.assertEqual(mailer.send_messages([message("memory")]), 1)

    @override_settings(MAILERS=mailers)
    def test_wrong_aliases(self):
        for subject, text in [
            ("x", "MAILERS['it']: The mailer names 'x', which is not in MAILERS."),
            (IT, "MAILERS['it']: The mailer leads back to the mailer itself: 'it' -> 'it'."),
            (
                "back",
                "MAILERS['back']: The mailer leads back to the mailer itself: "
                "'it' -> 'back' -> 'it'.",
            ),
        ]:
            messages = [message("memory"), message(subject)]
            with (
                self.subTest(subject),
                self.assertRaisesExactly(InvalidMailer, text) as caught,
            ):
                send_many(messages, using=IT)
            report = caught.exception.report
            self.assertEqual([result.status for result in report], ["sent", "failed"])

    def test_mail_that_is_sent_while_mail_is_sent(self):
        """By the same way, an error report for example: that is no circle."""
        sent = []

        class Reporting(wrappers.ForeignBackend):
            def send_messages(self, email_messages):
                sent.extend(email_messages)
                if email_messages[0].subject != "report":
                    message("report").send(using=IT)
                return 1

        settings = {
            IT: {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "next"}},
            "next": {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "last"}},
            "last": {"BACKEND": f"{HERE}.Reporting"},
        }
        with (
            mock.patch.object(wrappers, "Reporting", Reporting, create=True),
            override_settings(MAILERS=settings),
        ):
            self.assertEqual(message("a").send(using=IT), 1)
        self.assertEqual([one.subject for one in sent], ["a", "report"])


class OptionTests(ExactErrors, SimpleTestCase):
    backend = f"{HERE}.ShelfBackend"

    def mailer(self, **options):
        entry = {"BACKEND": self.backend, "OPTIONS": options}
        with override_settings(MAILERS={ALIAS: entry}):
            return mailers[ALIAS]

    def test_defaults_and_values(self):
        shelf = self.mailer(shelf="s")
        self.assertEqual((shelf.shelf, shelf.size, shelf.fail_silently), ("s", 1000, False))
        # Nothing of the default is done for each instance.
        self.assertNotIn("size", vars(shelf))
        self.assertEqual(self.mailer(shelf="s", size=3).size, 3)
        self.assertEqual(self.mailer(shelf="s", size=None).size, 1000)

    def test_errors(self):
        for options, text in [
            ({}, "OPTIONS must define 'shelf'."),
            ({"shelf": None}, "OPTIONS must define 'shelf'."),
            ({"shelf": ""}, "OPTIONS 'shelf' must be a str that is not empty."),
            ({"shelf": "s", "size": 0}, "OPTIONS 'size' must be an int greater than 0."),
            ({"shelf": "s", "sise": 1, "x": 2}, "Unknown options 'sise', 'x'."),
        ]:
            with (
                self.subTest(options),
                self.assertRaisesExactly(InvalidMailer, f"MAILERS[{ALIAS!r}]: {text}"),
            ):
                self.mailer(**options)

    def test_a_subclass_adds_options(self):
        class Labelled(wrappers.ShelfBackend):
            option_kinds = {"label": Option(NAME, "none"), "size": Option(COUNT, 7)}

            @staticmethod
            def option_conflict(options):
                return "OPTIONS 'label' needs 'size'." if "size" not in options else None

        self.assertEqual([*Labelled.all_options], ["shelf", "size", "fail_silently", "label"])
        backend = Labelled(alias="x", shelf="s", size=2)
        self.assertEqual((backend.label, backend.size), ("none", 2))
        self.assertEqual(Labelled.size, 7)
        with self.assertRaisesExactly(InvalidMailer, "MAILERS['x']: OPTIONS 'label' needs 'size'."):
            Labelled(alias="x", shelf="s", label="l")

    def test_what_the_class_takes(self):
        found = signature_of(wrappers.ShelfBackend)
        self.assertEqual([*found.names], ["shelf", "size", "fail_silently"])
        self.assertEqual((found.required, found.is_complete), (["shelf"], True))
        self.assertTrue(found.takes_alias)

        class Fixed(wrappers.ShelfBackend):
            def __init__(self, *, color, **kwargs):
                super().__init__(shelf="s", **kwargs)

        found = signature_of(Fixed)
        self.assertEqual([*found.names], ["color", "size", "fail_silently"])
        self.assertEqual((found.required, found.surplus), (["color"], []))

    def test_secrets_are_not_in_the_traceback(self):
        class Keyed(ReportingBackend):
            option_kinds = {"api_key": Option(NAME), "timeout": Option(SECONDS)}

        for options in ({"timeout": -1}, {"unknown": 1}):
            try:
                # assertRaises() would clear the frames.
                Keyed(alias="x", api_key="hunter2", **options)
            except InvalidMailer as error:
                tb = error.__traceback__.tb_next
            names = []
            while tb is not None:
                names.append(tb.tb_frame.f_code.co_name)
                self.assertNotIn("hunter2", repr(tb.tb_frame.f_locals))
                tb = tb.tb_next
            self.assertEqual(names, ["__init__"])

    def test_checks(self):
        for options, expected in [
            ({"mailers": ["memory"]}, []),
            ({}, ["mailers.E009 OPTIONS must define 'mailers'."]),
            ({"mailers": []}, ["mailers.E010 OPTIONS 'mailers' must be a list of aliases."]),
            ({"mailers": "memory"}, ["mailers.E010 OPTIONS 'mailers' must be a list of aliases."]),
            (
                {"mailers": ["x"]},
                ["mailers.E012 OPTIONS 'mailers' names 'x', which is not in MAILERS."],
            ),
            (
                {"mailers": [IT]},
                ["mailers.E013 OPTIONS lead back to the mailer itself: 'it' -> 'it'."],
            ),
            (
                {"mailers": ["memory"], "using": "memory"},
                ["mailers.E008 Unknown options 'using'."],
            ),
        ]:
            entry = {"BACKEND": f"{HERE}.FailoverBackend", "OPTIONS": options}
            settings = {IT: entry, "default": {"BACKEND": LOCMEM}, "memory": {"BACKEND": LOCMEM}}
            with self.subTest(options), override_settings(MAILERS=settings):
                found = [
                    f"{problem.id} {problem.msg.removeprefix(f'MAILERS[{IT!r}]: ')}"
                    for problem in checks.check_mailers(None)
                ]
                self.assertEqual(found, expected)


class SendMessagesTests(ExactErrors, SimpleTestCase):
    """It is defined in terms of send_many()."""

    def shelf(self, **options):
        self.addCleanup(wrappers.ShelfBackend.shelves.clear)
        return wrappers.ShelfBackend(alias="it", shelf="s", **options)

    def test_all_are_tried_and_the_first_error_is_raised(self):
        backend = self.shelf(size=2)
        messages = [message("a"), message("two\nlines"), message("b"), message("c")]
        with self.assertRaises(ValueError):
            backend.send_messages(messages)
        self.assertEqual(backend.shelves["s"], ["a", "b"])
        with self.assertRaisesExactly(OSError, "No room"):
            backend.send_messages([message("d")])

    def test_fail_silently(self):
        """About the network and the server; not about the message."""
        backend = self.shelf(size=1, fail_silently=True)
        self.assertEqual(backend.send_messages([message("a"), message("b")]), 1)
        with self.assertRaises(ValueError):
            backend.send_messages([message("two\nlines")])

    def test_what_is_counted(self):
        backend = self.shelf()
        for result, count in [
            (SendResult("m", "sent"), 1),
            (SendResult("m", "queued"), 1),
            (SendResult("m", "skipped"), 0),
            (SendResult("m", "unknown"), 0),
        ]:
            with (
                self.subTest(result),
                mock.patch.object(wrappers.ShelfBackend, "send_many", return_value=[result]),
            ):
                self.assertEqual(backend.send_messages([message()]), count)
        for status in ("refused", "failed"):
            result = SendResult("m", status)
            with (
                self.subTest(status),
                mock.patch.object(wrappers.ShelfBackend, "send_many", return_value=[result]),
                self.assertRaises(SendError) as caught,
            ):
                backend.send_messages([message()])
            self.assertEqual(str(caught.exception), f"1 {status}")

    @tag("slow")
    def test_any_iterable(self):
        backend = self.shelf()
        self.assertEqual(backend.send_messages(message(str(n)) for n in range(600)), 600)
        self.assertEqual(backend.send_messages(()), 0)
        self.assertEqual(backend.send_messages((message("t"),)), 1)

        def failing():
            yield message("before")
            raise KeyError("mine")

        with self.assertRaisesExactly(KeyError, "mine"):
            backend.send_messages(failing())
        self.assertEqual(backend.shelves["s"][-2:], ["t", "before"])


class SharedTests(SimpleTestCase):
    def test_threads_take_turns_with_a_connection_of_others(self):
        """Else one would see what was said to the other."""
        server = enter(self, SMTPServer(refuse={"RCPT gone@example.com": "550 No"}))
        target = {"OPTIONS": {"host": server.host, "port": server.port, "timeout": TIMEOUT}}
        entry = {"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "django"}}
        enter(self, override_settings(MAILERS={IT: entry, "django": target}))
        start, wrong = threading.Barrier(4, timeout=TIMEOUT), []

        def send(mailer, name):
            start.wait()
            for _ in range(20):
                email = message(to_name := name)
                email.to = [f"{to_name}@example.com"]
                [result] = mailer.send_many([email])
                expected = "refused" if name == "gone" else "sent"
                if result.status != expected or result.recipients[0].address != email.to[0]:
                    wrong.append(result)

        with mailers[IT] as mailer:
            threads = [
                threading.Thread(target=send, args=(mailer, name))
                for name in ("bob", "gone", "eve", "gone")
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT * 2)
        self.assertEqual(wrong, [])
        self.assertEqual(len(server.messages), 40)
        self.assertEqual(len(server.sessions), 1)
