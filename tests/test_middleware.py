"""`BrokenLinkEmailsMiddleware` as in Django 6.1: its attribute `using` names the mailer."""

import re
from unittest.mock import call, patch

from django.core import mail
from django.core.mail import InvalidMailer
from django.http import HttpResponse, HttpResponseNotFound
from django.middleware.common import BrokenLinkEmailsMiddleware
from django.test import (
    AsyncRequestFactory,
    RequestFactory,
    SimpleTestCase,
    override_settings,
)

from .support.utils import LOCMEM, SMTP, ExactErrors, legacy_settings

REFERER = "http://testserver/with-the-link/"
BODY = "Referrer: {referer}\nRequested URL: {path}\nUser agent: {agent}\nIP address: 127.0.0.1\n"


class ForBulk(BrokenLinkEmailsMiddleware):
    using = "bulk"


class ForNobody(BrokenLinkEmailsMiddleware):
    using = "nowhere"


def not_found(request):
    return HttpResponseNotFound()


async def not_found_later(request):
    return HttpResponseNotFound()


def get(middleware=BrokenLinkEmailsMiddleware, path="/gone/", referer=REFERER, view=not_found):
    request = RequestFactory().get(path, headers={"referer": referer} if referer else {})
    return middleware(view)(request)


def outbox():
    return [(message.subject, message.sent_using) for message in mail.outbox]


@override_settings(MANAGERS=["manager@example.com"])
class BrokenLinkTests(ExactErrors, SimpleTestCase):
    def test_using(self):
        self.assertIsNone(BrokenLinkEmailsMiddleware.using)
        get()
        get(ForBulk)
        self.assertEqual(
            outbox(),
            [
                ("[Django] Broken INTERNAL link on testserver", "default"),
                ("[Django] Broken INTERNAL link on testserver", "bulk"),
            ],
        )

    def test_using_of_an_instance(self):
        middleware = BrokenLinkEmailsMiddleware(not_found)
        middleware.using = "bulk"
        middleware(RequestFactory().get("/gone/", headers={"referer": REFERER}))
        self.assertEqual([alias for _, alias in outbox()], ["bulk"])

    def test_message(self):
        get(ForBulk, path="/gone/?page=2", referer="https://example.org/list/")
        [message] = mail.outbox
        self.assertEqual(
            (message.subject, message.from_email, message.to, message.alternatives),
            (
                "[Django] Broken link on testserver",
                "root@localhost",
                ["manager@example.com"],
                [],
            ),
        )
        self.assertEqual(
            message.body,
            BODY.format(referer="https://example.org/list/", path="/gone/?page=2", agent="<none>"),
        )

    def test_response_is_passed_on(self):
        self.assertEqual(get().status_code, 404)
        self.assertEqual(get(view=lambda request: HttpResponse("found")).content, b"found")
        self.assertEqual(len(mail.outbox), 1)

    def test_only_broken_links(self):
        for kwargs in (
            {"referer": None},
            {"referer": ""},
            # A redirect of APPEND_SLASH.
            {"referer": "/gone", "path": "/gone/"},
            # A search engine.
            {"referer": "https://example.org/search?q=gone"},
            # A bot that names the page itself as where it came from.
            {"referer": "http://testserver/gone/"},
            {"referer": "https://testserver/gone/"},
            {"referer": "/gone/"},
            {"view": lambda request: HttpResponse()},
            {"view": lambda request: HttpResponse(status=410)},
        ):
            with self.subTest(**kwargs):
                get(**kwargs)
                self.assertEqual(mail.outbox, [])

    def test_a_query_on_the_same_site_is_no_search_engine(self):
        get(referer="http://testserver/list/?page=2")
        self.assertEqual(len(mail.outbox), 1)

    def test_settings_that_switch_it_off(self):
        for settings in (
            {"DEBUG": True},
            {"MANAGERS": []},
            {"IGNORABLE_404_URLS": [re.compile(r"^/other/"), re.compile(r"^/go")]},
        ):
            with self.subTest(**settings), override_settings(**settings):
                get(ForBulk)
                self.assertEqual(mail.outbox, [])

    def test_missing_mailer_is_passed_over(self):
        self.assertEqual(get(ForNobody).status_code, 404)
        with override_settings(MAILERS={}):
            self.assertEqual(get().status_code, 404)
            self.assertEqual(get(ForBulk).status_code, 404)
        self.assertEqual(mail.outbox, [])

    def test_broken_mailer_is_not(self):
        with (
            override_settings(MAILERS={"bulk": {"BACKEND": SMTP}}),
            self.assertRaisesExactly(InvalidMailer, "MAILERS['bulk']: OPTIONS must define 'host'."),
        ):
            get(ForBulk)

    def test_failure_to_send_comes_out(self):
        """H35: there is no fail_silently any more."""
        with (
            patch(f"{LOCMEM}.send_messages", side_effect=OSError("no route")),
            self.assertRaisesExactly(OSError, "no route"),
        ):
            get(ForBulk)

    def test_send_mail(self):
        calls = []

        class Hooked(BrokenLinkEmailsMiddleware):
            using = "bulk"

            def send_mail(self, *args, **kwargs):
                calls.append((args, kwargs))
                super().send_mail(*args, html_message="<p>gone</p>", **kwargs)

        get(Hooked)
        body = BODY.format(referer=REFERER, path="/gone/", agent="<none>")
        self.assertEqual(calls, [(("Broken INTERNAL link on testserver", body), {})])
        [message] = mail.outbox
        self.assertEqual((message.body, message.sent_using), (body, "bulk"))
        self.assertEqual([content for content, _ in message.alternatives], ["<p>gone</p>"])

    def test_is_ignorable_request(self):
        class Picky(BrokenLinkEmailsMiddleware):
            def is_ignorable_request(self, request, uri, domain, referer):
                return "Bot" in request.headers["User-Agent"] or super().is_ignorable_request(
                    request, uri, domain, referer
                )

        for agent in ("Bot/1.0", "Browser/1.0"):
            request = RequestFactory().get(
                "/gone/", headers={"referer": REFERER, "user-agent": agent}
            )
            Picky(not_found)(request)
        [message] = mail.outbox
        self.assertEqual(
            message.body, BODY.format(referer=REFERER, path="/gone/", agent="Browser/1.0")
        )

    @override_settings(
        MIDDLEWARE=[f"{__name__}.ForBulk", "django.middleware.common.CommonMiddleware"]
    )
    def test_in_a_project(self):
        self.assertEqual(self.client.get("/gone/").status_code, 404)
        self.assertEqual(mail.outbox, [])
        response = self.client.get("/gone/", headers={"referer": REFERER})
        self.assertEqual(response.status_code, 404)
        self.assertEqual([alias for _, alias in outbox()], ["bulk"])

    async def test_async(self):
        for middleware in (BrokenLinkEmailsMiddleware, ForBulk, ForNobody):
            request = AsyncRequestFactory().get("/gone/", headers={"referer": REFERER})
            response = await middleware(not_found_later)(request)
            self.assertEqual(response.status_code, 404)
        self.assertEqual(
            outbox(),
            [
                ("[Django] Broken INTERNAL link on testserver", "default"),
                ("[Django] Broken INTERNAL link on testserver", "bulk"),
            ],
        )

    @override_settings(MIDDLEWARE=[f"{__name__}.ForBulk"])
    async def test_in_a_project_async(self):
        await self.async_client.get("/gone/", headers={"referer": REFERER})
        self.assertEqual([alias for _, alias in outbox()], ["bulk"])


@override_settings(MANAGERS=["manager@example.com"])
class WithoutMailersTests(SimpleTestCase):
    def test_settings_of_old(self):
        with legacy_settings(EMAIL_BACKEND=LOCMEM):
            get()
            get(ForBulk)
        self.assertEqual([alias for _, alias in outbox()], [None, None])

    def test_the_backend_is_asked_to_fail_silently(self):
        with legacy_settings(), patch("django.core.mail.get_connection") as get_connection:
            get()
        self.assertEqual(get_connection.call_args_list, [call(fail_silently=True)])
        self.assertEqual(len(get_connection.return_value.send_messages.call_args_list), 1)
