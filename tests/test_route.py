"""The backend `route`: each message through the mailer that a resolver chooses."""

import traceback
from unittest import mock

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import InvalidMailer, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import checks, send_many
from django_mailers.backends.route import Configuration
from django_mailers.delivery import SendResult
from django_mailers.delivery.faults import fault_of
from django_mailers.delivery.faulttable import CONFIGURATION, MESSAGE

from .backend_contract import BackendContract
from .support import resolvers, wrappers
from .support.messages import message
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.smtp import subjects
from .support.utils import CONSOLE, LOCMEM, OURS, SMTP, ExactErrors
from .support.wrappers import ForeignBackend, ReportingForeignBackend
from .wrapper_contract import HERE, IT, WrapperContract

ROUTE = "django_mailers.backends.route.EmailBackend"
RESOLVERS = resolvers.__name__


class RouteContractTests(WrapperContract, SimpleTestCase):
    """To `using`, as the resolver has no answer."""

    wrapper = ROUTE

    def options(self, alias):
        return {"resolver": f"{RESOLVERS}.nowhere", "using": alias}


class RouteToLocmemContractTests(BackendContract, SimpleTestCase):
    backend = ROUTE
    takes_fail_silently = False
    opens = False

    def options(self):
        self.others = {"memory": {"BACKEND": LOCMEM}}
        return {"resolver": f"{RESOLVERS}.to_memory"}

    def arrived(self):
        return [str(one.subject) for one in mail.outbox]


class RouteToAConfigurationContractTests(BackendContract, SimpleTestCase):
    """Of each backend: ours, whose sessions are pooled, and Django's."""

    backend = ROUTE
    target = OURS
    takes_fail_silently = False
    opens = False

    def options(self):
        self.server = enter(self, SMTPServer())
        options = {"host": self.server.host, "port": self.server.port, "timeout": TIMEOUT}
        return {"resolver": lambda message: {"BACKEND": self.target, "OPTIONS": options}}

    def arrived(self):
        return subjects(self.server)


class RouteToADjangoConfigurationContractTests(RouteToAConfigurationContractTests):
    target = SMTP


class RouteTestCase(ExactErrors, SimpleTestCase):
    def setUp(self):
        super().setUp()
        for log in (ForeignBackend.log, ReportingForeignBackend.batches):
            log.clear()
            self.addCleanup(log.clear)
        self.addCleanup(wrappers.ShelfBackend.shelves.clear)

    def route(self, resolver, using=None, **others):
        options = {"resolver": resolver} | ({"using": using} if using else {})
        entries = {
            IT: {"BACKEND": ROUTE, "OPTIONS": options},
            "memory": {"BACKEND": LOCMEM},
            "batches": {"BACKEND": f"{HERE}.ReportingForeignBackend"},
        }
        return override_settings(MAILERS={**entries, **others})

    def outcomes(self, report):
        return [(result.status, result.via) for result in report]


class AliasTests(RouteTestCase):
    def test_by_message(self):
        with self.route(f"{RESOLVERS}.by_subject"):
            report = send_many([message("memory"), message("batches"), message("memory")], using=IT)
        self.assertEqual(
            self.outcomes(report), [("sent", "memory"), ("sent", "batches"), ("sent", "memory")]
        )
        self.assertEqual([one.sent_using for one in mail.outbox], ["memory"] * 2)

    def test_messages_for_one_mailer_are_one_batch(self):
        """The results are in the order of the messages."""
        names = ["1 a", "2 b", "3 a", "4", "5 b", "6 a"]
        messages = [message(name) for name in names]
        with self.route(
            lambda email: {"a": "batches", "b": "memory", "": None}[email.subject[2:]],
            using="batches",
        ):
            report = send_many(messages, using=IT)
            self.assertEqual(mailers[IT].send_messages(messages), 6)
        self.assertEqual([result.message for result in report], messages)
        self.assertEqual(
            [result.via for result in report],
            ["batches", "memory", "batches", "batches", "memory", "batches"],
        )
        self.assertEqual(ReportingForeignBackend.batches, [["1 a", "3 a", "4", "6 a"]] * 2)
        self.assertEqual([one.subject for one in mail.outbox], ["2 b", "5 b"] * 2)

    def test_the_resolver_is_asked_once_for_each_message(self):
        resolver = resolvers.Resolver({"a": "memory", "b": "memory"})
        with self.route(resolver):
            mailers[IT].send_messages([message("a"), message(to=[]), message("b")])
        self.assertEqual(resolver.asked, ["a", "b"])

    def test_none_without_using(self):  # (H51)
        """It fails closed: no message leaves through a mailer that is not meant for it."""
        text = (
            f"The resolver '{RESOLVERS}.by_subject' has no mailer for this message, and there is "
            "no 'using' in OPTIONS for those without."
        )
        messages = [message("memory"), message("none"), message("memory")]
        with self.route(f"{RESOLVERS}.by_subject"):
            report = send_many(messages, using=IT)
            self.assertEqual(
                self.outcomes(report), [("sent", "memory"), ("failed", None), ("sent", "memory")]
            )
            with self.assertRaisesExactly(ValueError, text):
                messages[1].send(using=IT)
        self.assertEqual(str(report[1].error), text)
        # Nor does a failover around it.
        self.assertEqual(fault_of(report[1]), MESSAGE)
        self.assertEqual(len(mail.outbox), 2)

    def test_what_it_raises_is_about_the_message(self):
        error = LookupError("no such tenant")
        resolver = resolvers.Resolver({"a": "memory", "bad": error})
        messages = [message("a"), message("bad"), message("a")]
        with self.route(resolver):
            report = send_many(messages, using=IT)
            with self.assertRaisesExactly(LookupError, "no such tenant"):
                mailers[IT].send_messages(messages)
        self.assertEqual(report[1], SendResult(messages[1], "failed", error=error))
        self.assertEqual([result.status for result in report], ["sent", "failed", "sent"])
        self.assertEqual(len(mail.outbox), 4)

    def test_an_unknown_alias(self):
        text = (
            f"MAILERS['it']: The resolver '{RESOLVERS}.by_subject' has returned 'acme', which is "
            "not in MAILERS."
        )
        with self.route(f"{RESOLVERS}.by_subject"):
            report = send_many([message("acme"), message("memory")], using=IT)
            with self.assertRaisesExactly(InvalidMailer, text):
                message("acme").send(using=IT)
        self.assertEqual(self.outcomes(report), [("failed", None), ("sent", "memory")])
        self.assertEqual((type(report[0].error), str(report[0].error)), (InvalidMailer, text))

    def test_a_wrong_type(self):
        def answer(message):
            return {"number": 1, "list": ["memory"], "mailer": mailers["memory"]}[message.subject]

        with self.route(answer):
            for subject, name in [
                ("number", "int"),
                ("list", "list"),
                ("mailer", "EmailBackend"),
            ]:
                text = (
                    "The resolver 'AliasTests.test_a_wrong_type.<locals>.answer' must return an "
                    f"alias, a dict or None, not an object of type {name}."
                )
                with self.subTest(subject), self.assertRaisesExactly(TypeError, text):
                    message(subject).send(using=IT)

    def test_a_wrong_type_with_a_secret(self):
        with self.route(lambda email: (OURS, {"password": "hunter2"})):
            [result] = send_many([message()], using=IT)
        self.assertIsInstance(result.error, TypeError)
        shown = traceback.TracebackException.from_exception(result.error, capture_locals=True)
        self.assertNotIn("hunter2", "".join(shown.format()))

    def test_an_asynchronous_resolver(self):
        """It is not awaited, and does not warn that it was not."""
        text = (
            f"The resolver '{RESOLVERS}.asynchronous' must return an alias, a dict or None, not an "
            "object of type coroutine. It has to be a function that is not asynchronous."
        )
        with (
            self.route(f"{RESOLVERS}.asynchronous"),
            self.assertRaisesExactly(TypeError, text),
        ):
            message().send(using=IT)

    def test_circles(self):
        """Through any of the three options, and back by an alias that is computed."""
        for option, backend in [
            ("using", "ForwardingBackend"),
            ("mailers", "FailoverBackend"),
            ("also", "TeeBackend"),
        ]:
            options = {"using": "memory", "also": [IT]} if option == "also" else {}
            options[option] = IT if option == "using" else [IT]
            back = {"BACKEND": f"{HERE}.{backend}", "OPTIONS": options}
            text = (
                "MAILERS['back']: The mailer leads back to the mailer itself: "
                "'it' -> 'back' -> 'it'."
            )
            with (
                self.subTest(option),
                self.route(f"{RESOLVERS}.by_subject", back=back),
                self.assertRaisesExactly(InvalidMailer, text),
            ):
                message("back").send(using=IT)
        with (
            self.route(f"{RESOLVERS}.by_subject"),
            self.assertRaisesExactly(
                InvalidMailer,
                "MAILERS['it']: The mailer leads back to the mailer itself: 'it' -> 'it'.",
            ),
        ):
            message(IT).send(using=IT)

    def test_it_opens_using(self):
        with self.route(f"{RESOLVERS}.nowhere", using="batches"), mailers[IT] as mailer:
            mailer.send_messages([message("a")])
        self.assertEqual(ReportingForeignBackend.batches, ["open", ["a"], "close"])

    def test_it_keeps_what_it_uses_while_it_is_open(self):
        servers = [enter(self, SMTPServer()) for _ in range(2)]
        targets = {
            f"server{number}": {
                "BACKEND": SMTP,
                "OPTIONS": {"host": one.host, "port": one.port, "timeout": TIMEOUT},
            }
            for number, one in enumerate(servers)
        }
        with self.route(f"{RESOLVERS}.by_subject", **targets), mailers[IT] as mailer:
            for _ in range(3):
                mailer.send_messages([message("server0"), message("server1"), message("server0")])
        self.assertEqual([len(one.sessions) for one in servers], [1, 1])
        self.assertEqual([len(one.messages) for one in servers], [6, 3])


class ConfigurationTests(RouteTestCase):
    """The resolver returns settings, of which a mailer is made."""

    def shelf(self, name, **options):
        return {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": {"shelf": name, **options}}

    def test_by_message(self):
        """Equal ones are one mailer, whose alias is that of the route."""
        resolver = resolvers.Resolver(
            {"1": self.shelf("a"), "2": self.shelf("b"), "3": self.shelf("a"), "4": "memory"}
        )
        messages = [message(subject) for subject in "1234"]
        with self.route(resolver):
            report = send_many(messages, using=IT)
        self.assertEqual(report[0], SendResult(messages[0], "sent", 250, "On the shelf", via=IT))
        self.assertEqual([result.via for result in report], [IT, IT, IT, "memory"])
        self.assertEqual(wrappers.ShelfBackend.shelves, {"a": ["1", "3"], "b": ["2"]})

    def test_equal_ones_are_one_batch(self):
        def resolve(message):
            return {"BACKEND": f"{HERE}.ReportingForeignBackend", "OPTIONS": {}}

        with self.route(resolve):
            send_many([message("a"), message("b")], using=IT)
        self.assertEqual(ReportingForeignBackend.batches, [["a", "b"]])

    def test_which_are_equal(self):
        def options(**given):
            return Configuration({"OPTIONS": given})

        for one, other, equal in [
            (options(a=1, b=2), options(b=2, a=1), True),
            (options(a=[1, {"b": [2]}]), options(a=[1, {"b": [2]}]), True),
            (options(a=[1, {"b": [2]}]), options(a=[1, {"b": [3]}]), False),
            (options(a=1), options(a=True), False),
            (options(a=1), options(a=1, b=None), False),
            (options(a={1}), options(a={1}), False),
        ]:
            self.assertIs(one == other, equal)
            self.assertEqual(len({one, other}), 1 if equal else 2)
        self.assertIs(options() == "x", False)
        self.assertEqual(repr(options(password="hunter2")), "<Configuration>")

    def test_a_wrong_one_is_about_the_message(self):  # (H51)
        """It names what is wrong, and nothing of what is secret."""
        start = "MAILERS['it']: The configuration from the resolver 'Resolver' is not valid: "
        for config, text in [
            (self.shelf("s", sise=1), "Unknown options 'sise'."),
            ({"BACKEND": OURS, "OPTIONS": {"password": "hunter2"}}, "OPTIONS must define 'host'."),
            (
                {"BACKEND": OURS, "password": "hunter2"},
                "Unknown keys 'password'. 'BACKEND' and 'OPTIONS' are known.",
            ),
            (
                {"BACKEND": "no.such.Backend", "OPTIONS": {"password": "hunter2"}},
                "Could not find BACKEND 'no.such.Backend': No module named 'no'",
            ),
        ]:
            messages = [message("bad"), message("good"), message("bad")]
            with self.subTest(text):
                resolver = resolvers.Resolver({"bad": config, "good": "memory"})
                with self.route(resolver):
                    report = send_many(messages, using=IT)
                    with self.assertRaisesExactly(InvalidMailer, start + text):
                        messages[0].send(using=IT)
                self.assertEqual(
                    self.outcomes(report), [("failed", None), ("sent", "memory"), ("failed", None)]
                )
                error = report[0].error
                self.assertEqual((type(error), str(error)), (InvalidMailer, start + text))
                self.assertEqual(fault_of(report[0]), CONFIGURATION)
                shown = traceback.TracebackException.from_exception(error, capture_locals=True)
                self.assertNotIn("hunter2", "".join(shown.format()))

    def test_what_a_backend_raises_when_it_is_made(self):
        class Broken(ForeignBackend):
            def __init__(self, alias, password):
                raise RuntimeError("no such region")

        config = {"BACKEND": f"{HERE}.Broken", "OPTIONS": {"password": "hunter2"}}
        with (
            mock.patch.object(wrappers, "Broken", Broken, create=True),
            self.route(resolvers.Resolver({"bad": config, "good": "memory"})),
        ):
            report = send_many([message("bad"), message("good")], using=IT)
        self.assertEqual(self.outcomes(report), [("failed", None), ("sent", "memory")])
        self.assertEqual(repr(report[0].error), "RuntimeError('no such region')")
        shown = traceback.TracebackException.from_exception(report[0].error, capture_locals=True)
        self.assertNotIn("hunter2", "".join(shown.format()))

    def test_what_turns_out_to_be_misconfigured_when_it_sends(self):
        config = {"BACKEND": f"{HERE}.MisconfiguredBackend"}
        resolver = resolvers.Resolver({"a": config, "b": config, "c": "memory"})
        with self.route(resolver):
            report = send_many([message("a"), message("b"), message("c")], using=IT)
        self.assertEqual(
            self.outcomes(report), [("sent", IT), ("failed", None), ("sent", "memory")]
        )
        self.assertIsInstance(report[1].error, ImproperlyConfigured)

    def test_a_wrapper(self):
        def config(alias):
            return {"BACKEND": f"{HERE}.PrefixBackend", "OPTIONS": {"using": alias}}

        resolver = resolvers.Resolver({"a": config("memory"), "b": config(IT), "c": config("x")})
        with self.route(resolver):
            report = send_many([message(subject) for subject in "abc"], using=IT)
        self.assertEqual(
            self.outcomes(report), [("sent", "memory"), ("failed", None), ("failed", None)]
        )
        self.assertEqual([one.subject for one in mail.outbox], ["[test] a"])
        self.assertEqual(
            [str(result.error) for result in report[1:]],
            [
                "MAILERS['it']: OPTIONS 'using' leads back to the mailer itself: 'it' -> 'it'.",
                "MAILERS['it']: OPTIONS 'using' names 'x', which is not in MAILERS.",
            ],
        )

    def test_connections_while_it_is_open(self):
        for backend in (SMTP, OURS):
            server = enter(self, SMTPServer())
            options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}

            def resolve(message, backend=backend, options=options):
                # Another dict each time, as from a database.
                return {"BACKEND": backend, "OPTIONS": {**options}}

            with self.subTest(backend), self.route(resolve):
                with mailers[IT] as mailer:
                    for _ in range(5):
                        self.assertEqual(mailer.send_messages([message(), message()]), 2)
                self.assertEqual((len(server.sessions), len(server.messages)), (1, 10))

    def test_where_the_default_mailer_is_memory(self):
        """As in tests; see test_routing_environment.py."""
        config = {"BACKEND": OURS, "OPTIONS": {"host": "192.0.2.1"}}
        with self.route(lambda message: config, default={"BACKEND": LOCMEM}):
            self.assertEqual(self.outcomes(send_many([message()], using=IT)), [("sent", IT)])
        self.assertEqual([one.sent_using for one in mail.outbox], [IT])


class ResolverTests(RouteTestCase):
    """The option itself."""

    def test_what_cannot_be_imported(self):
        start = "MAILERS['it']: "
        for path, text in [
            ("no.such.path", "Could not import OPTIONS 'resolver' 'no.such.path': No module named"),
            (f"{RESOLVERS}.missing", f"Could not import OPTIONS 'resolver' '{RESOLVERS}.missing'"),
            (
                f"{RESOLVERS}.NOT_CALLABLE",
                f"OPTIONS 'resolver' '{RESOLVERS}.NOT_CALLABLE' is not callable.",
            ),
        ]:
            for send in (
                lambda: send_many([message()], using=IT),
                lambda: message().send(using=IT),
            ):
                with self.subTest(path), self.route(path), self.assertRaises(InvalidMailer) as one:
                    send()
                self.assertTrue(str(one.exception).startswith(start + text), one.exception)

    def test_it_is_required(self):
        with (
            override_settings(MAILERS={IT: {"BACKEND": ROUTE}}),
            self.assertRaisesExactly(
                InvalidMailer, "MAILERS['it']: OPTIONS must define 'resolver'."
            ),
        ):
            mailers[IT]
        with (
            self.route(3),
            self.assertRaisesExactly(
                InvalidMailer,
                "MAILERS['it']: OPTIONS 'resolver' must be a callable or the path of one.",
            ),
        ):
            mailers[IT]

    def test_checks(self):
        path = f"OPTIONS 'resolver' '{RESOLVERS}.NOT_CALLABLE'"
        for resolver, expected in [
            (f"{RESOLVERS}.to_memory", None),
            (resolvers.to_memory, None),
            (
                "not a path",
                (
                    "mailers.E010",
                    "OPTIONS 'resolver' must be a callable or the path of one.",
                ),
            ),
            (
                "no.such.path",
                (
                    "mailers.E050",
                    "Could not import OPTIONS 'resolver' 'no.such.path': No module named 'no'",
                ),
            ),
            (f"{RESOLVERS}.NOT_CALLABLE", ("mailers.E050", f"{path} is not callable.")),
            (
                f"{RESOLVERS}.asynchronous",
                ("mailers.E051", "OPTIONS 'resolver' is an asynchronous function."),
            ),
            (
                resolvers.asynchronous,
                ("mailers.E051", "OPTIONS 'resolver' is an asynchronous function."),
            ),
        ]:
            with self.subTest(resolver), self.route(resolver, default={"BACKEND": CONSOLE}):
                found = [
                    (problem.id, problem.msg.removeprefix(f"MAILERS[{IT!r}]: "))
                    for problem in self.found()
                ]
                self.assertEqual(found, [expected] if expected else [])

    def found(self):
        found = checks.check_mailers(None)
        return [problem for problem in found if problem.msg.startswith(f"MAILERS[{IT!r}]: ")]

    def test_checks_of_a_module_that_raises(self):
        with (
            mock.patch.object(checks.callables, "import_callable", side_effect=OSError("hunter2")),
            self.route("some.path", default={"BACKEND": CONSOLE}),
        ):
            [found] = self.found()
        self.assertEqual(
            (found.id, found.msg),
            (
                "mailers.E050",
                "MAILERS['it']: Could not import OPTIONS 'resolver' 'some.path': it raised "
                "OSError.",
            ),
        )

    def test_checks_of_aliases(self):
        with self.route(f"{RESOLVERS}.nowhere", using="x", default={"BACKEND": CONSOLE}):
            [found] = self.found()
        self.assertEqual(found.id, "mailers.E012")
