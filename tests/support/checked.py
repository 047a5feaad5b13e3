"""Backends, handlers and middleware for the checks to find something in."""

import functools
import re

from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.console import EmailBackend as ConsoleBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.middleware.common import BrokenLinkEmailsMiddleware
from django.utils.log import AdminEmailHandler
from django.views.debug import SafeExceptionReporterFilter

from django_mailers.backends.smtp import EmailBackend as FastSMTPBackend

from .utils import LOCMEM

HERE = __name__
GOOD = {"OPTIONS": {"host": "smtp.example.com"}}
DEFAULT = {"BACKEND": LOCMEM}


class Renamed(FastSMTPBackend):
    pass


class AlwaysTLS(FastSMTPBackend):
    def __init__(self, **kwargs):
        super().__init__(use_tls=True, **kwargs)


class Sends:
    """What makes a class a backend: nothing of Django's."""

    def send_messages(self, messages):
        return len(messages)


class Plain(Sends, BaseEmailBackend):
    """Takes what BaseEmailBackend takes: no option at all."""


class WithKey(Plain):
    def __init__(self, api_key, *, region="eu", **kwargs):
        super().__init__(**kwargs)


class BelowWithKey(WithKey):
    def __init__(self, *args, retries=3, **kwargs):
        super().__init__(*args, **kwargs)


class FixedHost(SMTPBackend):
    def __init__(self, **kwargs):
        super().__init__(host="smtp.example.com", **kwargs)


class OwnPort(SMTPBackend):
    """Takes a port by its name, and so of any type."""

    def __init__(self, *, port="submission", **kwargs):
        super().__init__(port=587 if port == "submission" else port, **kwargs)


class Pops(Plain):
    def __init__(self, **kwargs):
        self.key = kwargs.pop("api_key")
        super().__init__(**kwargs)


class Swallows(Plain):
    def __init__(self, alias=None, **kwargs):
        super().__init__(alias=alias)


class KeepsAlias(Plain):
    """Does not tell its base class that it comes from MAILERS, which tolerates much, then."""

    def __init__(self, alias, **kwargs):
        super().__init__(**kwargs)
        self.alias = alias


class ByPosition(SMTPBackend):
    def __init__(self, server, alias=None, **kwargs):
        super().__init__(server, alias=alias, **kwargs)


class ByName(Plain):
    """Calls its base class by name, which need not be the next one."""

    def __init__(self, **kwargs):
        BaseEmailBackend.__init__(self, **{name: kwargs[name] for name in ["alias"]})


class NotDerived(Sends):
    def __init__(self, **kwargs):
        super().__init__()


class Complete(Sends):
    def __init__(self, alias, url):
        pass


class WithoutConstructor(Sends):
    def __new__(cls, **kwargs):
        return super().__new__(cls)


class Meta(type):
    def __call__(cls, **kwargs):
        return super().__call__()


class OfMeta(Sends, metaclass=Meta):
    def __init__(self):
        pass


def takes_anything(init):
    @functools.wraps(init)
    def wrapper(self, alias, **kwargs):
        init(self, alias)

    return wrapper


class Decorated(Sends):
    @takes_anything
    def __init__(self, alias):
        pass


exec_namespace = {"Plain": Plain}
exec(
    "class Sourceless(Plain):\n"
    "    def __init__(self, **kwargs):\n"
    "        super(Sourceless, self).__init__(alias=kwargs['alias'])\n",
    exec_namespace,
)
Sourceless = exec_namespace["Sourceless"]


class WithKeyOfItsOwn(WithKey):
    def __init__(self, api_key="x", **kwargs):
        super().__init__(api_key=api_key, **kwargs)


class NoConstructor(Sends):
    pass


class OfOld(Sends):
    def __init__(self, fail_silently=False):
        pass


class HandsOnOfOld(Plain):
    def __init__(self, fail_silently=False, **kwargs):
        super().__init__(fail_silently=fail_silently, **kwargs)


class Using(Plain):
    def __init__(self, *, using=None, **kwargs):
        super().__init__(**kwargs)


class Several(Plain):
    def __init__(self, *, mailers=(), **kwargs):
        super().__init__(**kwargs)


class OtherUsing(Plain):
    """Its `using` is among what it takes out of **kwargs: anything."""

    def __init__(self, **kwargs):
        self.using = kwargs.pop("using")
        super().__init__(**kwargs)


class NeverMade(SMTPBackend):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        raise AssertionError("The check has made a backend.")


class Abstract(BaseEmailBackend):
    pass


def factory(**kwargs):
    return Plain(**kwargs)


ReexportedConsole = ConsoleBackend


class Handler(AdminEmailHandler):
    pass


class LinkMiddleware(BrokenLinkEmailsMiddleware):
    using = "reports"


class DatabaseMiddleware:
    using = "replica"


def function_middleware(get_response):
    return get_response


class MasksURLs(SafeExceptionReporterFilter):
    hidden_settings = re.compile("URL", re.IGNORECASE)


class MasksAll(SafeExceptionReporterFilter):
    hidden_settings = re.compile("MAILERS")
