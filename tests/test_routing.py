"""build_mailer() and use_mailer(), alone and with the backend `route`."""

import asyncio
import contextvars
import inspect
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import async_to_sync, sync_to_async
from django.core import mail
from django.core.mail import InvalidMailer, send_mail
from django.test import SimpleTestCase, override_settings

import django_mailers
from django_mailers import asend_mail, asend_many, build_mailer, send_many, use_mailer
from django_mailers.backends import smtp
from django_mailers.routing import current_mailer

from .support.messages import message
from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import DUMMY, LOCMEM, OURS, SMTP, ExactErrors
from .wrapper_contract import HERE, IT

ROUTE = "django_mailers.backends.route.EmailBackend"
MEMORY = {"BACKEND": LOCMEM}
LETTER = ("Hello", "Text", "ada@example.com", ["bob@example.com"])


class BuildMailerTests(ExactErrors, SimpleTestCase):
    def setUp(self):
        super().setUp()
        # Not the test environment's, in which it builds the backend for memory.
        enter(self, override_settings(MAILERS={"default": {"BACKEND": DUMMY}}))

    def test_like_an_entry(self):
        options = {"host": "smtp.example.com", "port": 587, "use_tls": True}
        for config, backend in [
            ({"BACKEND": OURS, "OPTIONS": options}, OURS),
            ({"BACKEND": SMTP, "OPTIONS": options}, SMTP),
            ({"OPTIONS": options}, SMTP),
            ({"BACKEND": LOCMEM}, LOCMEM),
            ({"BACKEND": f"{HERE}.ForwardingBackend", "OPTIONS": {"using": "default"}}, None),
        ]:
            mailer = build_mailer(config)
            self.assertEqual(mailer.alias, "tenant")
            if backend:
                cls = type(mailer)
                self.assertEqual(f"{cls.__module__}.{cls.__qualname__}", backend)
        mailer = build_mailer({"BACKEND": OURS, "OPTIONS": options}, alias="acme")
        self.assertEqual(
            (mailer.alias, mailer.host, mailer.port, mailer.use_tls),
            ("acme", "smtp.example.com", 587, True),
        )
        self.assertEqual(options, {"host": "smtp.example.com", "port": 587, "use_tls": True})

    def test_the_alias_may_be_one_of_mailers(self):
        self.assertEqual(build_mailer(MEMORY, "default").send_messages([message()]), 1)
        self.assertEqual([one.sent_using for one in mail.outbox], ["default"])

    def test_errors(self):
        for config, text in [
            ({"OPTIONS": {"port": 25}}, "OPTIONS must define 'host'."),
            ({"BACKEND": OURS, "OPTIONS": {"host": "a", "hots": 1}}, "Unknown options 'hots'."),
            (
                {"BACKEND": OURS, "OPTIONS": {"host": "a", "pool_size": -1}},
                "OPTIONS 'pool_size' must be an int, 0 or greater.",
            ),
            ({"OPTIONS": {"alias": "x"}}, "OPTIONS must not define 'alias'."),
            (
                {"BACKEND": "no.Backend"},
                "Could not find BACKEND 'no.Backend': No module named 'no'",
            ),
            (
                {"host": "smtp.example.com", "port": 25},
                "Unknown keys 'host', 'port'. 'BACKEND' and 'OPTIONS' are known.",
            ),
            ({"BACKEND": smtp.EmailBackend}, "BACKEND must be a dotted path, not of type type."),
            ({"BACKEND": None}, "BACKEND must be a dotted path, not of type NoneType."),
            ({"OPTIONS": None}, "OPTIONS must be a dict whose keys are strings."),
            ({"OPTIONS": {1: 2}}, "OPTIONS must be a dict whose keys are strings."),
            ("default", "The configuration must be a dict, not of type str."),
            (None, "The configuration must be a dict, not of type NoneType."),
        ]:
            with (
                self.subTest(text),
                self.assertRaisesExactly(InvalidMailer, f"MAILERS['acme']: {text}"),
            ):
                build_mailer(config, "acme")

    def test_secrets_are_not_in_the_traceback(self):
        secret = {"password": "hunter2"}
        for config in [
            {"BACKEND": SMTP, "OPTIONS": secret},
            {"BACKEND": OURS, "OPTIONS": {**secret, "host": "a", "port": "x", "auth": 1}},
            {"BACKEND": f"{HERE}.ShelfBackend", "OPTIONS": secret},
            {"BACKEND": "no.Backend", "OPTIONS": secret},
            {"BACKEND": OURS, **secret},
            {"BACKEND": OURS, "OPTIONS": [secret]},
        ]:
            try:
                build_mailer(config)
            except InvalidMailer as error:
                shown = traceback.TracebackException.from_exception(error, capture_locals=True)
                # Without this test's own frame.
                del shown.stack[0]
                self.assertNotIn("hunter2", "".join(shown.format()))
            else:
                self.fail(f"{config['BACKEND']} could be made.")

    def test_equal_settings_share_sessions(self):
        """With those of MAILERS, too: so nobody has to keep a mailer."""
        with SMTPServer() as server:

            def config():
                options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
                return {"BACKEND": OURS, "OPTIONS": options}

            # It closes all sessions, so it comes first.
            enter(self, override_settings(MAILERS={"default": config()}))
            for alias in ("acme", "acme", "other"):
                self.assertEqual(build_mailer(config(), alias).send_messages([message()]), 1)
            self.assertEqual(message().send(), 1)
            with build_mailer(config()) as mailer:
                mailer.send_messages([message()])
            self.assertEqual((len(server.sessions), len(server.messages)), (1, 5))
            different = config()
            different["OPTIONS"]["timeout"] = TIMEOUT + 1
            build_mailer(different).send_messages([message()])
            self.assertEqual((len(server.sessions), len(server.messages)), (2, 6))

    def test_in_threads(self):
        options = {"host": "smtp.example.com", "port": 587}

        def build(number):
            built = build_mailer({"BACKEND": OURS, "OPTIONS": {**options, "port": number}}, "a")
            return built.port

        with ThreadPoolExecutor(4) as threads:
            self.assertEqual([*threads.map(build, range(1, 100))], [*range(1, 100)])


class UseMailerTests(ExactErrors, SimpleTestCase):
    def current(self):
        return current_mailer(message())

    def test_blocks(self):
        config = {"BACKEND": LOCMEM}
        self.assertIsNone(self.current())
        with use_mailer("a"):
            self.assertEqual(self.current(), "a")
            with use_mailer(config):
                self.assertIs(self.current(), config)
                with use_mailer(None):
                    self.assertIsNone(self.current())
            self.assertEqual(self.current(), "a")
        self.assertIsNone(self.current())

    def test_an_exception_ends_a_block(self):
        with self.assertRaisesExactly(KeyError, "mine"), use_mailer("a"):
            raise KeyError("mine")
        self.assertIsNone(self.current())

    def test_one_object_many_times(self):
        used = use_mailer("a")
        with used, use_mailer("b"), used:
            self.assertEqual(self.current(), "a")
            with use_mailer("c"):
                pass
            self.assertEqual(self.current(), "a")
        self.assertIsNone(self.current())
        start = threading.Barrier(4, timeout=TIMEOUT)

        def use(_):
            with used:
                start.wait()
                return self.current()

        with ThreadPoolExecutor(4) as threads:
            self.assertEqual([*threads.map(use, range(4))], ["a"] * 4)

    def test_functions(self):
        @use_mailer("a")
        def function(argument, *, keyword):
            """Say it."""
            return argument, keyword, self.current()

        self.assertEqual(function(1, keyword=2), (1, 2, "a"))
        self.assertEqual((function.__name__, function.__doc__), ("function", "Say it."))
        with use_mailer("b"):
            self.assertEqual(function(1, keyword=2), (1, 2, "a"))
            self.assertEqual(self.current(), "b")
        self.assertIsNone(self.current())

    def test_methods(self):
        class View:
            @use_mailer("a")
            def get(self):
                return self, current_mailer(message())

        view = View()
        self.assertEqual(view.get(), (view, "a"))

    def test_coroutine_functions(self):
        @use_mailer("a")
        async def function(argument):
            before = self.current()
            await asyncio.sleep(0)
            return argument, before, self.current()

        async def other():
            with use_mailer("b"):
                await asyncio.sleep(0)
                return self.current()

        async def both():
            return await asyncio.gather(function(1), other(), function(2))

        self.assertIs(inspect.iscoroutinefunction(function), True)
        self.assertEqual(asyncio.run(both()), [(1, "a", "a"), "b", (2, "a", "a")])
        self.assertIsNone(self.current())

    def test_generators_are_refused(self):
        """Their bodies would run outside."""

        def generator():
            yield

        async def asynchronous():
            yield

        for function in (generator, asynchronous):
            with self.assertRaisesExactly(
                TypeError, "use_mailer() cannot decorate a generator. Use `with` inside it."
            ):
                use_mailer("a")(function)

    def test_what_it_takes(self):
        for value, name in [(1, "int"), (["a"], "list"), (lambda: None, "function")]:
            with self.assertRaisesExactly(
                TypeError,
                f"use_mailer() takes an alias, a dict or None, not an object of type {name}.",
            ):
                use_mailer(value)

    def test_threads(self):
        with use_mailer("a"), ThreadPoolExecutor(1) as threads:
            context = contextvars.copy_context()
            self.assertEqual(threads.submit(context.run, self.current).result(TIMEOUT), "a")
        if not getattr(sys.flags, "thread_inherit_context", False):
            with use_mailer("a"), ThreadPoolExecutor(1) as threads:
                self.assertIsNone(threads.submit(self.current).result(TIMEOUT))

    def test_in_asyncio(self):
        async def run():
            with use_mailer("a"):
                task = asyncio.create_task(sync_to_async(self.current)())
                in_thread = asyncio.create_task(
                    sync_to_async(self.current, thread_sensitive=False)()
                )
            with use_mailer("b"):
                return [await task, await in_thread, await sync_to_async(self.current)()]

        self.assertEqual(asyncio.run(run()), ["a", "a", "b"])

        async def inner():
            return self.current()

        with use_mailer("c"):
            self.assertEqual(async_to_sync(inner)(), "c")


@override_settings(
    MAILERS={
        IT: {
            "BACKEND": ROUTE,
            "OPTIONS": {"resolver": "django_mailers.routing.current_mailer", "using": "usual"},
        },
        "strict": {
            "BACKEND": ROUTE,
            "OPTIONS": {"resolver": "django_mailers.routing.current_mailer"},
        },
        "usual": MEMORY,
        "acme": MEMORY,
    }
)
class UsedByRouteTests(ExactErrors, SimpleTestCase):
    """With the backend `route` and the resolver `current_mailer`."""

    def sent_using(self):
        return [one.sent_using for one in mail.outbox]

    def test_it(self):
        send_mail(*LETTER, using=IT)
        with use_mailer("acme"):
            send_mail(*LETTER, using=IT)
            send_many([message()], using=IT)
            with use_mailer(MEMORY):
                send_mail(*LETTER, using=IT)
            with use_mailer(None):
                send_mail(*LETTER, using=IT)
        self.assertEqual(self.sent_using(), ["usual", "acme", "acme", IT, "usual"])

    def test_outside_without_using(self):
        """It fails closed."""
        with self.assertRaises(ValueError):
            send_mail(*LETTER, using="strict")
        with use_mailer("strict-typo"), self.assertRaises(InvalidMailer):
            send_mail(*LETTER, using="strict")
        with use_mailer("acme"):
            send_mail(*LETTER, using="strict")
        self.assertEqual(self.sent_using(), ["acme"])

    def test_asend(self):
        """Its threads have the context of the coroutine, also one that ends meanwhile."""

        async def run():
            with use_mailer("acme"):
                await asend_mail(*LETTER, using="strict")
                task = asyncio.create_task(asend_many([message()], using="strict"))
            report = await task
            with self.assertRaises(ValueError):
                await asend_mail(*LETTER, using="strict")
            return [result.via for result in report]

        self.assertEqual(asyncio.run(run()), ["acme"])
        self.assertEqual(self.sent_using(), ["acme", "acme"])


class PublicNamesTests(SimpleTestCase):
    def test_they_are_those_of_the_modules(self):
        self.assertIs(django_mailers.build_mailer, django_mailers.routing.build_mailer)
        self.assertIs(django_mailers.use_mailer, django_mailers.routing.use_mailer)
        for name in ("CancelSend", "MailersFailed", "RateLimited"):
            self.assertIs(getattr(django_mailers, name), getattr(django_mailers.errors, name))
