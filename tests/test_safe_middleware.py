"""`django_mailers.middleware.BrokenLinkEmailsMiddleware`: a 404 stays one."""

import asyncio
import logging
import re
import threading
import time
from unittest.mock import patch

from django.core import mail
from django.http import HttpResponse, HttpResponseNotFound
from django.middleware import common
from django.test import Client, RequestFactory, SimpleTestCase, override_settings
from django.urls import path

from django_mailers.errorreports.reporting import reporting
from django_mailers.middleware import BrokenLinkEmailsMiddleware

from .support.reports import (
    LOCMEM_CACHE,
    LOGGER,
    Clock,
    call_asgi,
    call_wsgi,
    dead_mailers,
    handler,
    handler_of_django,
    listening,
    said,
    smtp_mailers,
    subjects,
)
from .support.servers import STALL, ScriptedServer, enter, spoilt
from .support.utils import LOCMEM, SMTP, ExactErrors, legacy_settings

OURS = "django_mailers.middleware.BrokenLinkEmailsMiddleware"
DJANGO = "django.middleware.common.BrokenLinkEmailsMiddleware"
ELSEWHERE = "http://elsewhere.example/links/"
NOT_SENT = "One of the broken link reports was not sent through the mailer 'default': "

urlpatterns = [path("", lambda request: HttpResponse("here"))]


class Impatient(BrokenLinkEmailsMiddleware):
    timeout = 0.1
    window = None


class Bulk(BrokenLinkEmailsMiddleware):
    using = "bulk"


def not_found(request):
    return HttpResponseNotFound()


def middleware(middleware_class=BrokenLinkEmailsMiddleware, **attributes):
    """One of these, with other values of its attributes, and a clock for the test."""
    made = type("Middleware", (middleware_class,), attributes)(not_found)
    made.limiter.clock = Clock()
    return made


def visit(item, target="/gone/", referer=ELSEWHERE, **headers):
    """Send a request through `item`, and return the status of the response."""
    return item(RequestFactory().get(target, HTTP_REFERER=referer, **headers)).status_code


def report(target="/gone/", referer=ELSEWHERE):
    return (
        f"Referrer: {referer}\nRequested URL: {target}\nUser agent: <none>\nIP address: 127.0.0.1\n"
    )


def bodies():
    return [message.body for message in mail.outbox]


@override_settings(MANAGERS=["manager@example.com"])
class ReportTests(SimpleTestCase):
    def test_using(self):
        self.assertEqual(visit(middleware(using="bulk")), 404)
        self.assertEqual(visit(middleware()), 404)
        self.assertEqual(
            [(message.sent_using, message.subject, message.to) for message in mail.outbox],
            [
                (alias, "[Django] Broken link on testserver", ["manager@example.com"])
                for alias in ("bulk", "default")
            ],
        )
        self.assertEqual(bodies(), [report()] * 2)

    def test_same_as_django(self):
        for headers in ({}, {"referer": "http://testserver/"}, {"HTTP_USER_AGENT": "Browser"}):
            with self.subTest(headers=headers):
                mail.outbox.clear()
                visit(middleware(), **headers)
                visit(common.BrokenLinkEmailsMiddleware(not_found), **headers)
                one, two = mail.outbox
                for name in ("subject", "body", "from_email", "to", "sent_using"):
                    self.assertEqual(getattr(one, name), getattr(two, name), name)

    def test_what_is_not_reported(self):
        item = middleware()
        self.assertIsInstance(item, common.BrokenLinkEmailsMiddleware)
        for name, settings, request in (
            ("debug", {"DEBUG": True}, {}),
            ("no referer", {}, {"referer": ""}),
            ("itself", {}, {"referer": "http://testserver/gone/"}),
            ("ignored", {"IGNORABLE_404_URLS": [re.compile("^/gone/")]}, {}),
            ("nobody to tell", {"MANAGERS": [], "MAILERS": {}}, {"target": "/other/"}),
        ):
            with self.subTest(name), override_settings(**settings):
                self.assertEqual(visit(item, **request), 404)
        found = BrokenLinkEmailsMiddleware(lambda request: HttpResponse())
        self.assertEqual(visit(found), 200)
        self.assertEqual(mail.outbox, [])
        # Nothing has been used up by what is not about a broken link.
        visit(item)
        self.assertEqual(len(mail.outbox), 1)

    def test_host_that_is_not_allowed(self):
        """Anybody can send one: neither an error of ours, nor one to log."""
        with self.assertNoLogs(LOGGER):
            self.assertEqual(visit(middleware(), HTTP_HOST="evil.example"), 404)
        self.assertEqual(mail.outbox, [])

    def test_overridden_hooks(self):
        class Middleware(BrokenLinkEmailsMiddleware):
            def is_ignorable_request(self, request, uri, domain, referer):
                bot = "bot" in request.META.get("HTTP_USER_AGENT", "")
                return bot or super().is_ignorable_request(request, uri, domain, referer)

            def send_mail(self, subject, message, *args, **kwargs):
                kwargs["fail_silently"] = True
                super().send_mail(f"<{subject}>", message, *args, **kwargs)

        item = middleware(Middleware)
        visit(item, HTTP_USER_AGENT="a bot")
        self.assertEqual(subjects(), [])
        visit(item)
        self.assertEqual(subjects(), ["[Django] <Broken link on testserver>"])

    def test_async(self):
        async def not_found(request):
            return HttpResponseNotFound()

        item = BrokenLinkEmailsMiddleware(not_found)

        async def twice():
            # In threads of their own, by way of sync_to_async().
            requests = [
                RequestFactory().get("/gone/", HTTP_REFERER=ELSEWHERE),
                RequestFactory().get("/gone/", HTTP_REFERER=ELSEWHERE),
            ]
            return [(await item(request)).status_code for request in requests]

        self.assertEqual(asyncio.run(twice()), [404, 404])
        self.assertEqual(bodies(), [report()])


@override_settings(MANAGERS=["manager@example.com"])
class LimitTests(ExactErrors, SimpleTestCase):
    def test_defaults(self):
        item = BrokenLinkEmailsMiddleware(not_found)
        self.assertEqual((item.using, item.timeout), (None, 10))
        self.assertEqual(
            repr(item.limiter), "<ReportLimiter window=86400 rate='30/hour' cache=None>"
        )

    def test_wrong_values(self):
        for name in ("timeout", "window"):
            with self.assertRaisesExactly(
                ValueError, f"{name!r} must be a number of seconds greater than 0, or None, not 0."
            ):
                middleware(**{name: 0})

    def test_window(self):
        item = middleware(window=600)
        for _ in range(3):
            visit(item)
        visit(item, target="/gone/?page=2")
        visit(item, referer="http://other.example/")
        # Who followed the link makes no other link of it.
        visit(item, HTTP_USER_AGENT="another")
        item.limiter.clock.now += 600
        visit(item)
        self.assertEqual(
            bodies(),
            [
                report(),
                report(target="/gone/?page=2"),
                report(referer="http://other.example/"),
                f"{report()}\n3 similar broken links suppressed",
            ],
        )

    def test_rate(self):
        item = middleware(rate="2/minute")
        for number in range(5):
            visit(item, target=f"/{number}/")
        item.limiter.clock.now += 60
        visit(item, target="/last/")
        self.assertEqual(
            bodies(),
            [
                report(target="/0/"),
                report(target="/1/"),
                f"{report(target='/last/')}\n3 further broken links suppressed",
            ],
        )

    def test_what_failed_is_told(self):
        item = middleware(window=600)
        with override_settings(MAILERS=dead_mailers()), self.assertLogs(LOGGER):
            visit(item)
        item.limiter.clock.now += 600
        visit(item)
        self.assertEqual(
            bodies(), [f"{report()}\n1 report could not be sent: ConnectionRefusedError"]
        )

    @override_settings(CACHES={"default": {"BACKEND": LOCMEM_CACHE, "LOCATION": __name__}})
    def test_cache(self):
        for _ in range(2):
            visit(middleware(cache="default"))
        self.assertEqual(bodies(), [report()])

    def test_threads(self):
        item = middleware(window=600)
        barrier = threading.Barrier(8, timeout=10)

        def work(number):
            barrier.wait(10)
            visit(item)
            visit(item, target=f"/{number}/")

        threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        self.assertEqual(
            sorted(bodies()), sorted([report(), *[report(target=f"/{n}/") for n in range(8)]])
        )

    def test_counts_are_told_in_the_report_that_they_belong_to(self):
        """One object serves all threads, and sends for others through the same method."""
        waiting, go_on = threading.Event(), threading.Event()

        class Middleware(BrokenLinkEmailsMiddleware):
            def is_ignorable_request(self, request, *args):
                # The second time it is Django's process_response() that asks, within the limits.
                request.times = getattr(request, "times", 0) + 1
                if "HTTP_X_WAIT" in request.META and request.times == 2:
                    waiting.set()
                    go_on.wait(10)
                return super().is_ignorable_request(request, *args)

        item = middleware(Middleware, window=600)
        visit(item)
        visit(item)
        item.limiter.clock.now += 600
        thread = threading.Thread(target=visit, args=[item], kwargs={"HTTP_X_WAIT": "1"})
        thread.start()
        self.assertTrue(waiting.wait(10))
        visit(item, target="/other/")
        item.send_mail("Hello", "from a subclass\n")
        go_on.set()
        thread.join(10)
        self.assertEqual(
            bodies(),
            [
                report(),
                report(target="/other/"),
                "from a subclass\n",
                f"{report()}\n1 similar broken link suppressed",
            ],
        )
        item.limiter.clock.now += 600
        visit(item)
        visit(item)
        item.limiter.clock.now += 600
        visit(item)
        item.send_mail("Hello", "from a subclass\n")
        self.assertEqual(bodies()[-1], "from a subclass\n")


@override_settings(MANAGERS=["manager@example.com"])
class FailureTests(SimpleTestCase):
    def assertFails(self, text, item=None):
        item = item or middleware()
        with self.assertLogs(LOGGER) as logs:
            self.assertEqual(visit(item), 404)
        self.assertEqual(said(logs), [("ERROR", text)])
        self.assertEqual(mail.outbox, [])

    def test_broken_mailer(self):
        with override_settings(MAILERS={"default": {"BACKEND": SMTP}}):
            self.assertFails(f"{NOT_SENT}InvalidMailer")

    def test_wrong_managers(self):
        with override_settings(MANAGERS="manager@example.com"):
            self.assertFails(f"{NOT_SENT}ImproperlyConfigured")

    def test_broken_hook(self):
        class Middleware(BrokenLinkEmailsMiddleware):
            def is_ignorable_request(self, *args):
                raise LookupError("secret")

        self.assertFails(f"{NOT_SENT}LookupError", middleware(Middleware))

    def test_missing_mailer_is_reported_once(self):
        item = middleware(using="nowhere", window=None)
        text = "broken link reports are not sent: there is no mailer 'nowhere' in MAILERS."
        self.assertFails(text, item)
        with self.assertNoLogs(LOGGER):
            self.assertEqual(visit(item), 404)

    def test_recursion(self):
        """A failing mailer that logs does not set off an error report by the same mailer."""
        mailers = {"default": {"BACKEND": "tests.support.reports.LoudBackend"}}
        with (
            override_settings(MAILERS=mailers, ADMINS=["admin@example.com"]),
            patch("tests.support.reports.LoudBackend.attempts", []) as attempts,
            listening(handler(), name="tests.loud"),
        ):
            self.assertFails(f"{NOT_SENT}ConnectionRefusedError ECONNREFUSED")
        self.assertEqual(attempts, ["[Django] Broken link on testserver"])

    def test_no_report_about_a_report(self):
        """Should a mailer ask for a page of the project, say."""
        with reporting():
            self.assertEqual(visit(middleware()), 404)
        self.assertEqual(mail.outbox, [])

    def test_without_mailers(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            self.assertEqual(visit(middleware()), 404)
        self.assertEqual(bodies(), [report()])


@override_settings(
    ROOT_URLCONF=__name__, ADMINS=["admin@example.com"], MANAGERS=["manager@example.com"]
)
class DeadServerTests(SimpleTestCase):
    """A page that another one links to is missing, and the mail server is not there (H35)."""

    REFERER = {"HTTP_REFERER": ELSEWHERE}
    ASGI_REFERER = (b"referer", ELSEWHERE.encode())

    def setUp(self):
        enter(self, override_settings(MAILERS=dead_mailers()))

    @override_settings(MIDDLEWARE=[DJANGO])
    def test_django_lets_it_escape(self):
        with listening(handler_of_django(), name="django"):
            with self.assertRaises(ConnectionRefusedError):
                call_wsgi("/gone/", **self.REFERER)
            with self.assertRaises(ConnectionRefusedError):
                asyncio.run(call_asgi("/gone/", self.ASGI_REFERER))
            with self.assertRaises(ConnectionRefusedError):
                Client(raise_request_exception=False).get("/gone/", **self.REFERER)

    @override_settings(MIDDLEWARE=[DJANGO])
    def test_django_makes_it_an_error(self):
        """With our handler, or none, which is told of it."""
        item = handler()
        with listening(item, name="django"), self.assertLogs(LOGGER):
            self.assertEqual(call_wsgi("/gone/", **self.REFERER), ["500 Internal Server Error"])
        self.assertEqual(item.errors, [("ConnectionRefusedError", "%s: %s")])

    @override_settings(MIDDLEWARE=[OURS])
    def test_ours_does_not(self):
        item = handler(window=None)
        with listening(item, name="django"), self.assertLogs(LOGGER) as logs:
            self.assertEqual(call_wsgi("/gone/", **self.REFERER), ["404 Not Found"])
            self.assertEqual(asyncio.run(call_asgi("/gone/", self.ASGI_REFERER)), 404)
            client = Client(raise_request_exception=False)
            self.assertEqual(client.get("/gone/", **self.REFERER).status_code, 404)
        self.assertEqual(
            said(logs), [("ERROR", f"{NOT_SENT}ConnectionRefusedError ECONNREFUSED")] * 3
        )
        self.assertEqual(item.errors, [])

    @override_settings(MIDDLEWARE=[f"{__name__}.Impatient"])
    def test_stalling_server(self):
        server = enter(self, ScriptedServer(spoilt(None, STALL)))
        with (
            override_settings(MAILERS=smtp_mailers(server)),
            listening(handler(), name="django"),
            self.assertLogs(LOGGER),
        ):
            start = time.monotonic()
            self.assertEqual(call_wsgi("/gone/", **self.REFERER), ["404 Not Found"])
            self.assertEqual(asyncio.run(call_asgi("/gone/", self.ASGI_REFERER)), 404)
            self.assertLess(time.monotonic() - start, 5)

    @override_settings(MIDDLEWARE=[f"{__name__}.Bulk"], MAILERS={"bulk": {"BACKEND": LOCMEM}})
    def test_using(self):
        client = Client(raise_request_exception=False)
        with listening(logging.NullHandler(), name="django"):
            self.assertEqual(client.get("/").status_code, 200)
            self.assertEqual(client.get("/gone/", **self.REFERER).status_code, 404)
        self.assertEqual([message.sent_using for message in mail.outbox], ["bulk"])
