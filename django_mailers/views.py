"""`OneClickUnsubscribeView`, which answers the URL of `headers.list_unsubscribe()`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

__all__ = ["OneClickUnsubscribeView"]

PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
</head>
<body>
<p>{text}</p>
{form}
</body>
</html>
"""
FORM = """<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button>{label}</button>
</form>"""


# A mail program sends the POST, which has neither a cookie nor a token of a form.
@method_decorator([csrf_exempt, never_cache], name="dispatch")
class OneClickUnsubscribeView(View):
    """Unsubscribe the recipient that the signed token in the URL names (RFC 8058).

    A subclass defines `unsubscribe()`. Its URL has the `token` that `make_token()` returns:

        path("unsubscribe/<str:token>/", Unsubscribe.as_view(), name="unsubscribe")

    POST unsubscribes; a mail program sends it, or the form on the page that GET shows. GET never
    unsubscribes: programs that look for malware follow every link (H65). A wrong token is a 404.
    """

    # Tokens are valid for this view only, if its subclasses have different ones.
    salt: ClassVar[str] = "django_mailers.views.OneClickUnsubscribeView"
    # Seconds for which a link can be used; None for ever, as mail may be kept for long.
    max_age: ClassVar[int | None] = None

    @classmethod
    def make_token(cls, subscription: Any) -> str:
        """Return the token for `subscription`: a str, a number, or anything else JSON can store.

        Everybody who has the mail can read it: use a primary key, not an address.
        """
        return signing.dumps(subscription, salt=cls.salt)

    def unsubscribe(self, subscription: Any) -> None:
        """End `subscription`, as it was given to `make_token()`.

        It may be called again for a subscription that has ended, and must do nothing then.
        """
        raise NotImplementedError(f"{type(self).__name__} must define unsubscribe().")

    def page(self, request: HttpRequest, subscription: Any, *, is_done: bool) -> HttpResponse:
        """Return the page that asks, or says that it `is_done`. Projects may override it.

        A form on it needs the hidden field of `List-Unsubscribe`, with the value `One-Click`, and
        no csrf_token.
        """
        title = gettext("Unsubscribe")
        if is_done:
            text, form = gettext("You have been unsubscribed."), ""
        else:
            text = gettext("Do you want to unsubscribe from these messages?")
            form = format_html(FORM, label=title)
        return HttpResponse(format_html(PAGE, title=title, text=text, form=form))

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self.page(request, self._subscription(token), is_done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        subscription = self._subscription(token)
        if request.POST.get("List-Unsubscribe") != "One-Click":
            # RFC 8058, 3.2: so it is not by accident.
            return HttpResponse(
                "The body must be List-Unsubscribe=One-Click.",
                status=400,
                content_type="text/plain",
            )
        self.unsubscribe(subscription)
        return self.page(request, subscription, is_done=True)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        # The token must not reach another site with the next link.
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    def _subscription(self, token: str) -> Any:
        try:
            return signing.loads(token, salt=self.salt, max_age=self.max_age)
        except signing.BadSignature as error:
            raise Http404(gettext("This link is not valid.")) from error
