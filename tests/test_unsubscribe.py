"""List-Unsubscribe with one click: the headers as they arrive, and the view that answers them."""

import copy
import email
import pickle
import tempfile
from email import policy
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core import mail, signing
from django.core.mail import EmailMessage, EmailMultiAlternatives, mailers
from django.http import Http404, HttpRequest
from django.test import Client, SimpleTestCase, override_settings
from django.urls import path, reverse
from django.utils.functional import lazystr

from django_mailers import send_many
from django_mailers.delivery.codec import dump, load
from django_mailers.headers import list_unsubscribe
from django_mailers.render import render
from django_mailers.views import OneClickUnsubscribeView

from .support.servers import TIMEOUT, SMTPServer, enter
from .support.utils import FILEBASED, LOCMEM, OURS, SMTP

ONE_CLICK = "List-Unsubscribe=One-Click"
NO_HTTPS = "The URL to unsubscribe must be absolute, and begin with https://."
NO_ADDRESS = "'mailto' must be an address without a name, or begin with mailto:."
FORM = "application/x-www-form-urlencoded"


def url_of_length(length):
    return ("https://example.com/u/" + "aB3-_.~:=" * 100)[:length]


def unsubscribing(*args, cls=EmailMessage, **kwargs):
    return cls(
        "News", "Teapots!", to=["ann@example.com"], headers=list_unsubscribe(*args, **kwargs)
    )


class HeaderTests(SimpleTestCase):
    def assertUnsubscribes(self, content, *uris):
        """The header has these URIs, as they are, however it is folded."""
        self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 998)
        parsed = email.message_from_bytes(content, policy=policy.default)
        self.assertEqual(parsed["List-Unsubscribe"], ", ".join(f"<{uri}>" for uri in uris))
        self.assertEqual(parsed["List-Unsubscribe-Post"], ONE_CLICK)
        # The lines themselves, as a receiver without Python's decoder sees them.
        for uri in uris:
            self.assertIn(f"<{uri}>".encode(), content)

    def test_any_length_on_any_way(self):  # (H64)
        for length in (60, 100, 300, 900):
            url = url_of_length(length)
            for backend in (SMTP, OURS):
                with self.subTest(backend, length=length), SMTPServer() as server:
                    options = {"host": server.host, "port": server.port, "timeout": TIMEOUT}
                    entry = {"BACKEND": backend, "OPTIONS": options}
                    with override_settings(MAILERS={"default": entry}):
                        message = unsubscribing(url)
                        message.send()
                        send_many([message, unsubscribing(url, cls=EmailMultiAlternatives)])
                    self.assertEqual(len(server.messages), 3)
                    for sent in server.messages:
                        self.assertUnsubscribes(sent.content, url)

    def test_our_rendering_is_djangos(self):
        for length in (20, 58, 59, 60, 61, 100, 900):
            for mailto in (None, "unsubscribe@example.com"):
                with self.subTest(length=length, mailto=mailto):
                    message = unsubscribing(url_of_length(length), mailto)
                    message.extra_headers["Date"] = "Mon, 02 Jan 2023 03:04:05 +0000"
                    message.extra_headers["Message-ID"] = "<1@example.com>"
                    expected = message.message(policy=policy.SMTP).as_bytes()
                    self.assertEqual(render(message), expected)

    def test_lines(self):
        def lines(*args):
            content = render(unsubscribing(*args)).split(b"\r\n")
            return [line.decode() for line in content if line[:5] in {b"List-", b" <htt", b" <mai"}]

        short, long = url_of_length(40), url_of_length(100)
        post = f"List-Unsubscribe-Post: {ONE_CLICK}"
        self.assertEqual(lines(short), [f"List-Unsubscribe: <{short}>", post])
        self.assertEqual(
            lines(short, "a@b.example"),
            [f"List-Unsubscribe: <{short}>,", " <mailto:a@b.example>", post],
        )
        self.assertEqual(
            lines("https://b.example/", "a@b.example"),
            ["List-Unsubscribe: <https://b.example/>, <mailto:a@b.example>", post],
        )
        self.assertEqual(
            lines(long, "a@b.example"),
            [f"List-Unsubscribe: <{long}>,", " <mailto:a@b.example>", post],
        )

    def test_it_survives(self):
        """Copies, pickles, queues and memory."""
        url = url_of_length(300)
        message = unsubscribing(url)
        for again in (
            copy.copy(message),
            copy.deepcopy(message),
            pickle.loads(pickle.dumps(message)),
            load(dump(message)),
        ):
            self.assertUnsubscribes(again.message(policy=policy.SMTP).as_bytes(), url)
        with override_settings(MAILERS={"default": {"BACKEND": LOCMEM}}):
            message.send()
        self.assertUnsubscribes(mail.outbox[0].message(policy=policy.SMTP).as_bytes(), url)

    def test_in_a_file(self):
        url = url_of_length(300)
        folder = Path(enter(self, tempfile.TemporaryDirectory()))
        entry = {"BACKEND": FILEBASED, "OPTIONS": {"file_path": folder}}
        with override_settings(MAILERS={"default": entry}):
            mailers.default.send_messages([unsubscribing(url)])
        [file] = folder.iterdir()
        self.assertIn(f"<{url}>", file.read_text())

    def test_uris(self):
        for given, expected in [
            (("https://example.com/?a=1&b=2",), "<https://example.com/?a=1&b=2>"),
            (("https://example.com/grüße",), "<https://example.com/gr%C3%BC%C3%9Fe>"),
            (("HTTPS://example.com/",), "<HTTPS://example.com/>"),
            # A host is not quoted: nobody would find it.
            (("https://exämple.com/ä",), "<https://xn--exmple-cua.com/%C3%A4>"),
            (("https://a@exämple.com:8443/",), "<https://a@xn--exmple-cua.com:8443/>"),
            (("https://[::1]:8443/",), "<https://[::1]:8443/>"),
            ((lazystr("https://example.com/"),), "<https://example.com/>"),
            (
                ("https://example.com/", lazystr("a@exämple.com")),
                "<https://example.com/>, <mailto:a@xn--exmple-cua.com>",
            ),
            (
                ("https://example.com/", "mailto:a@example.com?subject=leave"),
                "<https://example.com/>, <mailto:a@example.com?subject=leave>",
            ),
            (
                ("https://example.com/", "tea+pot=1@example.com"),
                "<https://example.com/>, <mailto:tea%2Bpot%3D1@example.com>",
            ),
        ]:
            self.assertEqual(list_unsubscribe(*given)["List-Unsubscribe"], expected)

    def test_what_cannot_be_a_header(self):
        for given, error in [
            (
                ("http://example.com/",),
                NO_HTTPS,
            ),
            (
                ("/unsubscribe/",),
                NO_HTTPS,
            ),
            (("",), NO_HTTPS),
            (
                ("https://example.com/>\r\nBcc: eve",),
                "The URL to unsubscribe has a character that a URI must not have.",
            ),
            (("https://example.com/a b",), None),
            (
                ("https://example.com/" + "a" * 1000,),
                "The URL to unsubscribe is too long for a header.",
            ),
            (
                ("https://example.com/", "nobody"),
                NO_ADDRESS,
            ),
            (("https://example.com/", "Ann <ann@example.com>"), NO_ADDRESS),
            (("https://example.com/", "a@example.com, b@example.com"), NO_ADDRESS),
            (("https://example.com/", "a@example.com?subject=leave"), NO_ADDRESS),
            (("https://example.com/", "a@"), NO_ADDRESS),
            (("  https://example.com/",), NO_HTTPS),
            (("https://:443/",), NO_HTTPS),
            ((None,), NO_HTTPS),
            (
                ("https://exa mple.com/",),
                "The URL to unsubscribe has a character that a URI must not have.",
            ),
            (
                ("https://example.com/", "mailto:a@b.example\nBcc: eve"),
                "The 'mailto' to unsubscribe has a character that a URI must not have.",
            ),
        ]:
            with self.subTest(given):
                if error is None:
                    # Quoted, as in a link.
                    self.assertIn("a%20b", list_unsubscribe(*given)["List-Unsubscribe"])
                    continue
                with self.assertRaises(ValueError) as caught:
                    list_unsubscribe(*given)
                self.assertEqual(str(caught.exception), error)


class Unsubscribe(OneClickUnsubscribeView):
    ended = []

    def unsubscribe(self, subscription):
        self.ended.append(subscription)


class OtherUnsubscribe(Unsubscribe):
    salt = "other"


class Undefined(OneClickUnsubscribeView):
    pass


urlpatterns = [
    path("u/<str:token>/", Unsubscribe.as_view(), name="unsubscribe"),
    path("other/<str:token>/", OtherUnsubscribe.as_view(), name="other"),
    path("undefined/<str:token>/", Undefined.as_view(), name="undefined"),
]


@override_settings(
    ROOT_URLCONF="tests.test_unsubscribe",
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
)
class ViewTests(SimpleTestCase):
    def setUp(self):
        self.addCleanup(Unsubscribe.ended.clear)
        self.client = Client(enforce_csrf_checks=True)
        self.url = reverse("unsubscribe", args=[Unsubscribe.make_token(17)])

    def test_one_click(self):
        """As a mail program does it: no cookie, no token; twice, as some do."""
        for count in (1, 2):
            response = self.client.post(self.url, ONE_CLICK, content_type=FORM)
            self.assertEqual(response.status_code, 200)
            self.assertContains(response, "You have been unsubscribed.")
            self.assertEqual(Unsubscribe.ended, [17] * count)
            self.assertEqual(response.cookies, {})
            self.assertEqual(response.headers["Referrer-Policy"], "no-referrer")
            self.assertIn("no-store", response.headers["Cache-Control"])

    def test_one_click_as_multipart(self):
        response = self.client.post(self.url, {"List-Unsubscribe": "One-Click"})
        self.assertEqual((response.status_code, Unsubscribe.ended), (200, [17]))

    def test_a_link_that_is_followed_does_nothing(self):  # (H65)
        for method in (self.client.get, self.client.head):
            response = method(self.url)
            self.assertEqual(response.status_code, 200)
        self.assertContains(self.client.get(self.url), '<form method="post">')
        self.assertEqual(Unsubscribe.ended, [])

    def test_the_form_of_the_page(self):
        page = self.client.get(self.url)
        self.assertContains(page, '<input type="hidden" name="List-Unsubscribe" value="One-Click">')
        self.client.post(self.url, {"List-Unsubscribe": "One-Click"})
        self.assertEqual(Unsubscribe.ended, [17])

    def test_translations_are_escaped(self):
        with mock.patch("django_mailers.views.gettext", lambda text: f"{text} <b> & {{0}}"):
            asked = self.client.get(self.url).content.decode()
            done = self.client.post(self.url, {"List-Unsubscribe": "One-Click"}).content.decode()
        tail = " &lt;b&gt; &amp; {0}<"
        self.assertIn(f"<title>Unsubscribe{tail}/title>", asked)
        self.assertIn(f"<button>Unsubscribe{tail}/button>", asked)
        self.assertIn(f"messages?{tail}/p>", asked)
        self.assertIn(f"<p>You have been unsubscribed.{tail}/p>", done)

    def test_a_changed_secret_key(self):
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
            self.assertEqual(self.client.get(self.url).status_code, 200)
        with override_settings(SECRET_KEY="new"):
            self.assertEqual(self.client.get(self.url).status_code, 404)

    def test_another_body(self):
        response = self.client.post(self.url, "a=b", content_type=FORM)
        self.assertEqual((response.status_code, Unsubscribe.ended), (400, []))

    def test_other_tokens(self):
        for token in ("17", Unsubscribe.make_token(17) + "x", OtherUnsubscribe.make_token(17)):
            for method in (self.client.get, self.client.post):
                url = reverse("unsubscribe", args=[token])
                response = method(url, {"List-Unsubscribe": "One-Click"})
                self.assertEqual(response.status_code, 404)
        self.assertEqual(Unsubscribe.ended, [])

    def test_tokens_are_of_one_view(self):
        response = self.client.post(
            reverse("other", args=[OtherUnsubscribe.make_token("a")]), ONE_CLICK, content_type=FORM
        )
        self.assertEqual((response.status_code, Unsubscribe.ended), (200, ["a"]))

    def test_max_age(self):
        token = Unsubscribe.make_token(17)
        with self.assertRaises(signing.SignatureExpired):
            signing.loads(token, salt=Unsubscribe.salt, max_age=-1)
        view = type("Short", (Unsubscribe,), {"max_age": -1}).as_view()
        request = HttpRequest()
        request.method = "GET"
        with self.assertRaises(Http404):
            view(request, token=token)

    def test_a_view_without_the_method(self):
        url = reverse("undefined", args=[Undefined.make_token(1)])
        with self.assertRaisesMessage(NotImplementedError, "Undefined must define unsubscribe()."):
            self.client.post(url, ONE_CLICK, content_type=FORM)
