"""The asyncio functions: in an event loop, under ASGI, cancelled, and over one's own backends."""

import asyncio
import inspect
import os
import threading
from contextvars import ContextVar
from unittest import skipUnless

from asgiref.sync import async_to_sync
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, InvalidMailer, MailerDoesNotExist
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import JsonResponse
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.urls import path
from django.utils import translation

import django_mailers
from django_mailers import (
    SendError,
    amail_admins,
    amail_managers,
    asend,
    asend_mail,
    asend_many,
    asend_mass_mail,
)
from django_mailers.delivery import aio

from .support.messages import message
from .support.processes import run_python
from .support.servers import TIMEOUT, SMTPServer
from .support.smtp import serving
from .support.utils import LOCMEM, ExactErrors, legacy_settings

variable = ContextVar("variable")


async def order(request):
    """A view that mails."""
    to = f"{request.GET['customer']}@example.com"
    sent = await asend_mail("Order", "Thanks", None, [to], using="relay")
    return JsonResponse({"sent": sent})


urlpatterns = [path("order/", order)]


class GatedBackend(BaseEmailBackend):
    """Waits, in send_messages(), until its gate is opened; `log` tells how far each has come."""

    def __init__(self, *, gate, alias=None):
        super().__init__(alias=alias)
        self.gate = gate

    def open(self):
        self.gate.log.append("open")

    def close(self):
        self.gate.log.append("close")
        self.gate.closed.release()

    def send_messages(self, email_messages):
        with self:
            self.gate.log += [email.subject for email in email_messages]
            self.gate.entered.release()
            if not self.gate.opened.wait(TIMEOUT):
                raise AssertionError("Nobody has opened the gate.")
        return len(email_messages)


class Gate:
    def __init__(self):
        self.log = []
        self.opened = threading.Event()
        self.entered, self.closed = threading.Semaphore(0), threading.Semaphore(0)

    async def wait(self, semaphore):
        """Wait for a thread of the pool, in a thread of another one."""
        if not await asyncio.to_thread(semaphore.acquire, timeout=TIMEOUT):
            raise AssertionError("No thread came.")

    @property
    def settings(self):
        entry = {"BACKEND": "tests.test_aio.GatedBackend", "OPTIONS": {"gate": self}}
        return {"relay": entry}


class ContextBackend(BaseEmailBackend):
    """Notes in its option `log` where it is and what it sees, and sends nothing."""

    def __init__(self, *, log, alias=None):
        super().__init__(alias=alias)
        self.log = log

    def send_messages(self, email_messages):
        thread = threading.current_thread()
        self.log.append((thread.name, variable.get(None), translation.get_language()))
        return len(email_messages)


class ForwardingBackend(BaseEmailBackend):
    """Sends what it is given by another mailer, in its own thread, as one written for asyncio."""

    def send_messages(self, email_messages):
        return sum(async_to_sync(asend)(email, using="memory") for email in email_messages)


class QueryingBackend(BaseEmailBackend):
    """Asks the database, as a queue in a table does, and notes when that connection is closed."""

    def __init__(self, *, log, alias=None):
        super().__init__(alias=alias)
        self.log = log

    def send_messages(self, email_messages):
        database = connections["default"]
        with database.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.log.append(database)

        def close():
            self.log.append("closed")
            # That of a database in memory, as tests have it, closes nothing.
            BaseDatabaseWrapper.close(database)

        database.close = close
        return len(email_messages)


def logging_to(log, backend):
    return {"relay": {"BACKEND": f"tests.test_aio.{backend}", "OPTIONS": {"log": log}}}


def parameters(function):
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]


class SignatureTests(SimpleTestCase):
    def test_they_are_djangos_without_what_is_deprecated(self):
        deprecated = {"fail_silently", "auth_user", "auth_password", "connection"}
        for name in ("send_mail", "send_mass_mail", "mail_admins", "mail_managers"):
            with self.subTest(name=name):
                djangos = getattr(mail, name)
                self.assertEqual(
                    parameters(getattr(django_mailers, f"a{name}")),
                    [one for one in parameters(djangos) if one[0] not in deprecated],
                )

    def test_names_of_the_package(self):
        for name in django_mailers.__all__:
            with self.subTest(name=name):
                self.assertIn(name, dir(django_mailers))
                self.assertIsNotNone(getattr(django_mailers, name))
        with self.assertRaises(AttributeError) as caught:
            django_mailers.asend_everything  # noqa: B018
        self.assertEqual(
            str(caught.exception), "module 'django_mailers' has no attribute 'asend_everything'"
        )


@override_settings(
    MAILERS={"default": {"BACKEND": LOCMEM}, "bulk": {"BACKEND": LOCMEM}},
    ADMINS=["ops@example.com"],
    MANAGERS=["boss@example.com"],
    DEFAULT_FROM_EMAIL="shop@example.com",
)
class SendingTests(ExactErrors, SimpleTestCase):
    def sent(self):
        return [(m.subject, m.from_email, m.to, m.sent_using) for m in mail.outbox]

    async def test_asend(self):
        self.assertEqual(await asend(message(subject="a")), 1)
        self.assertEqual(await asend(message(subject="b"), using="bulk"), 1)
        self.assertEqual(await asend(EmailMessage("Nobody"), using="missing"), 0)
        self.assertEqual(
            self.sent(),
            [
                ("a", "ada@example.com", ["bob@example.com"], "default"),
                ("b", "ada@example.com", ["bob@example.com"], "bulk"),
            ],
        )

    async def test_asend_goes_the_way_of_the_message(self):
        class Templated(EmailMessage):
            def send(self, fail_silently=False, *, using=None):
                self.subject = "rendered"
                return super().send(using="bulk")

        self.assertEqual(await asend(Templated(to=["bob@example.com"]), using="missing"), 1)
        self.assertEqual(
            self.sent(), [("rendered", "shop@example.com", ["bob@example.com"], "bulk")]
        )

    async def test_asend_mail(self):
        sent = await asend_mail(
            "Hello", "Text", None, ["bob@example.com"], html_message="<p>Text</p>", using="bulk"
        )
        self.assertEqual(sent, 1)
        self.assertEqual(self.sent(), [("Hello", "shop@example.com", ["bob@example.com"], "bulk")])
        [email] = mail.outbox
        self.assertEqual(email.body, "Text")
        self.assertEqual([tuple(one) for one in email.alternatives], [("<p>Text</p>", "text/html")])
        self.assertEqual(await asend_mail("Hello", "Text", "ada@example.com", []), 0)

    async def test_asend_mass_mail(self):
        data = [("a", "Text", None, ["bob@example.com"]), ("b", "Text", "x@y.z", ["c@example.com"])]
        self.assertEqual(await asend_mass_mail(iter(data), using="bulk"), 2)
        self.assertEqual(
            self.sent(),
            [
                ("a", "shop@example.com", ["bob@example.com"], "bulk"),
                ("b", "x@y.z", ["c@example.com"], "bulk"),
            ],
        )

    @override_settings(SERVER_EMAIL="root@example.com", EMAIL_SUBJECT_PREFIX="[shop] ")
    async def test_amail_admins_and_amail_managers(self):
        self.assertIsNone(await amail_admins("a", "Text", html_message="<p>", using="bulk"))
        self.assertIsNone(await amail_managers("b", "Text"))
        self.assertEqual(
            self.sent(),
            [
                ("[shop] a", "root@example.com", ["ops@example.com"], "bulk"),
                ("[shop] b", "root@example.com", ["boss@example.com"], "default"),
            ],
        )
        self.assertEqual([len(email.alternatives) for email in mail.outbox], [1, 0])

    async def test_asend_many(self):
        broken = message(subject="Hello\nBcc: eve@example.com")
        report = await asend_many(iter([message(), broken, EmailMessage("Nobody")]), using="bulk")
        self.assertEqual([result.status for result in report], ["sent", "failed", "skipped"])
        self.assertEqual((report.using, report.retryable), ("bulk", []))
        with self.assertRaises(SendError):
            report.raise_for_failures()
        self.assertEqual(len(mail.outbox), 1)

    async def test_errors(self):
        missing = "The mailer 'missing' is not configured."
        for call in (
            asend(message(), using="missing"),
            asend_mail("Hello", "Text", None, ["bob@example.com"], using="missing"),
            asend_mass_mail([], using="missing"),
            amail_admins("Hello", "Text", using="missing"),
            amail_managers("Hello", "Text", using="missing"),
            asend_many([], using="missing"),
        ):
            with (
                self.subTest(call=call.__name__),
                self.assertRaisesExactly(MailerDoesNotExist, missing),
            ):
                await call
        with (
            override_settings(MAILERS={"bulk": {}}),
            self.assertRaisesExactly(InvalidMailer, "MAILERS['bulk']: OPTIONS must define 'host'."),
        ):
            await asend(message(), using="bulk")
        with self.assertRaises(ValueError) as caught:
            await asend(message(subject="Hello\nBcc: eve@example.com"))
        refused = "Header values may not contain linefeed or carriage return characters"
        self.assertEqual(str(caught.exception), refused)
        with self.assertRaises(TypeError):
            await asend_mail("Hello", "Text", None, "bob@example.com")

    async def test_without_mailers(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.assertEqual(await asend(message(subject="a")), 1)
            self.assertEqual(await asend_mass_mail([("b", "", None, ["bob@example.com"])]), 1)
            report = await asend_many([message(subject="c")])
        self.assertEqual([result.status for result in report], ["sent"])
        self.assertEqual([email.subject for email in mail.outbox], ["a", "b", "c"])


class ThreadTests(SimpleTestCase):
    def setUp(self):
        # Each test has threads of its own, which end with it.
        aio._pool.resize(setting="MAILERS_ASYNC_THREADS")
        self.addCleanup(aio._pool.resize, setting="MAILERS_ASYNC_THREADS")

    async def test_context(self):
        log = []
        variable.set("here")
        with override_settings(MAILERS=logging_to(log, "ContextBackend")):
            with translation.override("de"):
                self.assertEqual(await asend(message(), using="relay"), 1)
            await asend_many([message()], using="relay")
        self.assertEqual(
            log, [("django_mailers_0", "here", "de"), ("django_mailers_0", "here", "en-us")]
        )

    async def test_many_at_once_over_few_connections(self):
        with override_settings(MAILERS_ASYNC_THREADS=3), serving(SMTPServer()) as server:
            ticks = 0

            async def tick():
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            sent = await asyncio.gather(
                *(
                    asend(message(to=[f"{number}@example.com"]), using="relay")
                    for number in range(40)
                )
            )
            ticking.cancel()
        self.assertEqual(sent, [1] * 40)
        arrived = sorted(int(m.rcpt_tos[0].partition("@")[0]) for m in server.messages)
        self.assertEqual(arrived, list(range(40)))
        # The loop went on meanwhile.
        self.assertGreater(ticks, 40)

    async def test_no_more_at_once_than_threads(self):
        gate = Gate()
        with override_settings(MAILERS_ASYNC_THREADS=2, MAILERS=gate.settings):
            tasks = [
                asyncio.create_task(asend(message(subject=str(number)), using="relay"))
                for number in range(5)
            ]
            for _ in range(2):
                await gate.wait(gate.entered)
            # All tasks have run as far as they can, and the loop is free.
            await asyncio.sleep(0)
            self.assertEqual(sorted(gate.log), ["0", "1", "open", "open"])
            gate.opened.set()
            self.assertEqual(await asyncio.gather(*tasks), [1] * 5)
        self.assertEqual(gate.log.count("close"), 5)

    async def test_a_backend_may_send_in_turn(self):
        mailers = {
            "memory": {"BACKEND": LOCMEM},
            "forward": {"BACKEND": f"{__name__}.ForwardingBackend"},
        }
        with override_settings(MAILERS_ASYNC_THREADS=1, MAILERS=mailers):
            sent = await asyncio.wait_for(
                asyncio.gather(
                    *(
                        asend(message(to=[f"{number}@example.com"]), using="forward")
                        for number in range(3)
                    )
                ),
                TIMEOUT,
            )
        self.assertEqual(sent, [1, 1, 1])
        self.assertEqual(len(mail.outbox), 3)

    async def test_cancelled_while_it_is_sent(self):
        gate = Gate()
        with override_settings(MAILERS=gate.settings):
            for call in (
                asend(message(), using="relay"),
                asend_mass_mail([("Hello", "", None, ["bob@example.com"])], using="relay"),
            ):
                with self.subTest(call=call.__name__):
                    gate.log.clear()
                    gate.opened.clear()
                    task = asyncio.create_task(call)
                    await gate.wait(gate.entered)
                    task.cancel()
                    # The caller does not wait: the gate is still shut.
                    with self.assertRaises(asyncio.CancelledError):
                        await task
                    self.assertEqual(gate.log, ["open", "Hello"])
                    gate.opened.set()
                    await gate.wait(gate.closed)
                    self.assertEqual(gate.log, ["open", "Hello", "close"])

    async def test_cancelled_while_it_waits_for_a_thread(self):
        gate = Gate()
        with override_settings(MAILERS_ASYNC_THREADS=1, MAILERS=gate.settings):
            first = asyncio.create_task(asend(message(subject="first"), using="relay"))
            await gate.wait(gate.entered)
            second = asyncio.create_task(asend(message(subject="second"), using="relay"))
            await asyncio.sleep(0)
            second.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await second
            gate.opened.set()
            self.assertEqual(await first, 1)
            self.assertEqual(await asend(message(subject="third"), using="relay"), 1)
        self.assertEqual(gate.log, ["open", "first", "close", "open", "third", "close"])

    async def test_timeout(self):
        gate = Gate()
        with override_settings(MAILERS=gate.settings):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(asend_many([message()], using="relay"), 0.01)
            gate.opened.set()
            # Whoever waits next finds threads that work.
            self.assertEqual(await asend(message(), using="relay"), 1)

    def test_loop_that_ends_before_its_thread(self):
        gate = Gate()

        async def leave():
            task = asyncio.create_task(asend(message(), using="relay"))
            await gate.wait(gate.entered)
            task.cancel()

        with override_settings(MAILERS=gate.settings):
            asyncio.run(leave())
            gate.opened.set()
            self.assertIs(gate.closed.acquire(timeout=TIMEOUT), True)
        self.assertEqual(gate.log, ["open", "Hello", "close"])

    def test_number_of_threads(self):
        self.assertEqual(aio._pool.get()._max_workers, 8)
        with override_settings(MAILERS_ASYNC_THREADS=2):
            self.assertEqual(aio._pool.get()._max_workers, 2)
        for number in (0, -1, "2", None, 1.5):
            with (
                self.subTest(number=number),
                override_settings(MAILERS_ASYNC_THREADS=number),
                self.assertRaises(ImproperlyConfigured) as caught,
            ):
                asyncio.run(asend(message()))
            self.assertEqual(
                str(caught.exception), "MAILERS_ASYNC_THREADS must be an int greater than 0."
            )

    @skipUnless(hasattr(os, "fork"), "needs fork()")
    def test_fork(self):
        process = run_python("""
            import asyncio, os, signal
            configure()
            from django_mailers import asend_mail

            def send():
                return asyncio.run(asend_mail("Hello", "", None, ["bob@example.com"]))

            from django.core import mail
            mail.outbox = []
            print(send(), flush=True)
            child = os.fork()
            if not child:
                # Threads that the child waits for, and does not have, would be waited for for ever.
                signal.alarm(10)
                print(send(), flush=True)
                os._exit(0)
            print(os.waitpid(child, 0)[1])
        """)
        self.assertEqual((process.stdout, process.returncode), ("1\n1\n0\n", 0), process.stderr)


class DatabaseTests(TransactionTestCase):
    available_apps = ["django_mailers"]

    async def test_the_thread_closes_its_connection(self):
        log = []
        # The connection is changed: its thread is not for other tests.
        self.addCleanup(aio._pool.resize, setting="MAILERS_ASYNC_THREADS")
        with override_settings(MAILERS=logging_to(log, "QueryingBackend")):
            self.assertEqual(await asend(message(), using="relay"), 1)
        self.assertEqual(log[1:], ["closed"])
        self.assertIsNot(log[0], connections["default"])
        self.assertIsNone(log[0].connection)


@override_settings(ROOT_URLCONF="tests.test_aio", ALLOWED_HOSTS=["testserver"])
class ASGITests(SimpleTestCase):
    async def test_many_requests_over_few_connections(self):
        with serving(SMTPServer()) as server:
            responses = await asyncio.gather(
                *(self.async_client.get(f"/order/?customer={number}") for number in range(24))
            )
        self.assertEqual([response.json() for response in responses], [{"sent": 1}] * 24)
        arrived = sorted(int(m.rcpt_tos[0].partition("@")[0]) for m in server.messages)
        self.assertEqual(arrived, list(range(24)))

    async def test_outbox(self):
        with override_settings(MAILERS={"relay": {"BACKEND": LOCMEM}}):
            response = await self.async_client.get("/order/?customer=ann")
        self.assertEqual(response.json(), {"sent": 1})
        self.assertEqual([email.to for email in mail.outbox], [["ann@example.com"]])
