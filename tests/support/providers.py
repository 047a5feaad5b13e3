"""Providers that do what a script says, and know what they have taken; and a clock to move."""

import contextlib
import logging
import smtplib
from itertools import zip_longest
from unittest import mock

from django.test import SimpleTestCase, override_settings

from django_mailers.backends._failover import health, rests, shared
from django_mailers.backends.base import ReportingBackend
from django_mailers.delivery import RecipientResult, SendResult
from django_mailers.options import NAME, Option
from django_mailers.smtp import PoolTimeout

from .servers import enter

FAILOVER = "django_mailers.backends.failover.EmailBackend"
ROUNDROBIN = "django_mailers.backends.roundrobin.EmailBackend"
PROVIDER_MODULE = "tests.support.providers"
PROVIDER = f"{PROVIDER_MODULE}.ProviderBackend"


def _refusal(kind, code, text, *more):
    return "refused", code, text, kind(code, text.encode(), *more)


LIMITED = "Throttling, try again in 120 seconds"
# What a provider may do with a message, and what it says then: the fields of a SendResult.
ANSWERS = {
    "take": ("sent", 250, "OK", None),
    "queue": ("queued", None, "", None),
    "take in part": ("sent", 250, "OK", None),
    "take and lose the reply": ("unknown", None, "", TimeoutError("timed out")),
    "lose the reply": ("unknown", None, "", TimeoutError("timed out")),
    "refuse": _refusal(smtplib.SMTPDataError, 550, "No"),
    "refuse for now": _refusal(smtplib.SMTPDataError, 451, "Later"),
    "refuse the sender": _refusal(smtplib.SMTPSenderRefused, 553, "Who?", "ada@example.com"),
    "limit": _refusal(smtplib.SMTPDataError, 454, LIMITED),
    "refuse the login": ("failed", None, "", smtplib.SMTPAuthenticationError(535, b"No")),
    "be unreachable": ("failed", None, "", ConnectionRefusedError("refused")),
    "be full": ("failed", None, "", PoolTimeout("full")),
    "say nothing": ("failed", None, "", None),
    "fail to render": ("failed", None, "", ValueError("No")),
}
TAKES = {"take", "queue", "take in part", "take and lose the reply"}
IN_PART = (RecipientResult("a@b.example", 250, "OK"), RecipientResult("c@d.example", 550, "No"))


class Provider:
    """What stands behind a mailer. It does the deeds of `script` in turn, and then takes all.

    `taken` has the subjects of the messages that it has, `batches` of those that it was given.
    """

    def __init__(self, script=()):
        self.script = [*script]
        self.taken = []
        self.batches = []
        self.opened = 0
        # Called with each message before its deed.
        self.on_message = lambda message: None

    def next(self):
        return self.script.pop(0) if self.script else "take"


providers = {}


class ProviderBackend(ReportingBackend):
    """Hands what it is given to the provider `name`."""

    option_kinds = {"name": Option(NAME, is_required=True)}

    @property
    def provider(self):
        return providers.setdefault(self.name, Provider())

    def open(self):
        provider = self.provider
        if provider.script[:1] == ["be unreachable"]:
            provider.script.pop(0)
            raise ConnectionRefusedError("refused")
        provider.opened += 1
        return True

    def send_many(self, messages):
        self.provider.batches.append([str(message.subject) for message in messages])
        results = []
        for message in messages:
            result = self.do(self.provider.next(), message)
            results.append(result)
            if isinstance(result.error, ConnectionRefusedError):
                # As our backends do it: the others are not tried.
                break
        left = messages[len(results) :]
        return results + [SendResult(m, "failed", error=results[-1].error) for m in left]

    def do(self, deed, message):
        provider = self.provider
        provider.on_message(message)
        if deed in TAKES:
            provider.taken.append(str(message.subject))
        status, code, text, error = ANSWERS[deed]
        recipients = IN_PART if deed == "take in part" else ()
        return SendResult(message, status, code, text, recipients, error)


class RenderingBackend(ProviderBackend):
    """Says of itself that the receivers have the headers of a message as they are."""

    renders_mime = True


class Clock:
    """The clocks that failover sees: a monotonic one, and one on the wall that may be set."""

    def __init__(self):
        self.now, self.wall = 1000.0, 1_800_000_000.0

    def monotonic(self):
        return self.now

    def time(self):
        return self.wall

    def advance(self, seconds):
        self.now += seconds
        self.wall += seconds


@contextlib.contextmanager
def moved_by_hand():
    """Let time stand still for failover, unless the Clock that is given is advanced."""
    clock = Clock()
    with contextlib.ExitStack() as stack:
        for module in (health, rests, shared):
            stack.enter_context(mock.patch.object(module, "time", clock))
        yield clock
    # Nothing that was paused or rests by this clock may do so by the real one.
    shared._paused.clear()
    rests.rests.forget()


@contextlib.contextmanager
def quiet():
    """Keep what failover logs to itself, so that a run of the suite can be read."""
    logger = logging.getLogger("django_mailers.failover")
    handler = logging.NullHandler()
    logger.addHandler(handler)
    with mock.patch.object(logger, "propagate", False):
        yield
    logger.removeHandler(handler)


class ProvidersTestCase(SimpleTestCase):
    """With a failover "it" over the providers "a", "b" and "c", and a clock that stands still."""

    def setUp(self):
        super().setUp()
        enter(self, quiet())
        self.clock = enter(self, moved_by_hand())
        self.script()

    def script(self, *scripts):
        """Give the providers scripts, and begin with providers that have taken nothing."""
        rests.rests.forget()
        providers.clear()
        for name, script in zip_longest("abc", scripts, fillvalue=()):
            providers[name or "d"] = Provider(script)

    def failover(self, **options):
        """Return settings with these options of the failover, or entries of MAILERS by alias."""
        entries = {name: {"BACKEND": PROVIDER, "OPTIONS": {"name": name}} for name in "abcd"}
        for key in [*options]:
            if isinstance(options[key], dict):
                entries[key] = options.pop(key)
        options = {"mailers": ["a", "b", "c"], **options}
        return override_settings(
            MAILERS={**entries, "it": {"BACKEND": FAILOVER, "OPTIONS": options}}
        )

    def taken(self, name):
        return providers[name].taken

    def batches(self):
        return [providers[name].batches for name in "abc"]
