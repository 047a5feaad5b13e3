"""The install in a process whose threads send mail, and modules that are loaded once more."""

from unittest import skipIf

from django.test import tag

from .support.processes import ProcessTestCase
from .support.utils import NATIVE

# A project without MAILERS, which sends in all the ways that Django has. Each is to send one
# message, whatever of the install has happened.
SENDING = """
import logging, sys, threading, time, warnings
warnings.simplefilter("ignore")
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection, send_mail
from django.core.mail import mail_admins, mail_managers, send_mass_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends import console, filebased, locmem, smtp
from django.core.management.commands.sendtestemail import Command
from django.http import HttpRequest, HttpResponseNotFound
from django.middleware.common import BrokenLinkEmailsMiddleware
from django.utils.log import AdminEmailHandler
sys.modules["sending"] = sys.modules["__main__"]
sent = threading.local()
class Backend(smtp.EmailBackend):
    def open(self):
        return False
    def send_messages(self, messages):
        for message in messages:
            message.message().as_bytes()
            assert self.prep_address("a@example.com") if hasattr(self, "prep_address") else True
            sent.count += 1
        return len(messages)
class Own(BaseEmailBackend):
    def send_messages(self, messages):
        for message in messages:
            message.message()
            sent.count += 1
        return len(messages)
class Reporter:
    def __init__(self, *args, **kwargs): pass
    def get_traceback_text(self): return "text"
    def get_traceback_html(self): return "<p>html</p>"
class Null:
    def write(self, text): pass
    def flush(self): pass
settings.configure(
    EMAIL_BACKEND="sending.Backend", DEFAULT_EXCEPTION_REPORTER="sending.Reporter",
    USE_I18N=False,
    ADMINS=PEOPLE, MANAGERS=PEOPLE,
    ALLOWED_HOSTS=["*"], SECRET_KEY="x", USE_TZ=True, INSTALLED_APPS=["django_mailers"],
)
TO = ["a@example.com"]
request = HttpRequest()
request.META = {"HTTP_HOST": "here.example", "HTTP_REFERER": "http://there.example/"}
record = logging.LogRecord("x", logging.ERROR, "f", 1, "broken", (), None)
def alternatives():
    message = EmailMultiAlternatives("s", "t", None, TO, attachments=[("a.txt", "a", "text/plain")])
    message.attach_alternative("<p>t</p>", "text/html")
    message.attach("b.txt", "b", "text/plain")
    return message
ways = [
    lambda: send_mail("s", "", None, TO),
    lambda: mail.send_mail("s", "", None, TO, html_message="<p>t</p>", fail_silently=True),
    lambda: send_mail("s", "", None, TO, connection=Own()),
    lambda: send_mass_mail([("s", "", None, TO)]),
    lambda: mail_admins("s", ""),
    lambda: mail_managers("s", "", html_message="<p>t</p>"),
    lambda: alternatives().send(),
    lambda: EmailMessage("s", "t", None, TO, connection=Own()).send(),
    lambda: get_connection().send_messages([EmailMessage("s", "", None, TO)]),
    lambda: get_connection("sending.Own", fail_silently=True).send_messages([alternatives()]),
    lambda: AdminEmailHandler().emit(record),
    lambda: AdminEmailHandler(email_backend="sending.Own", include_html=True).emit(record),
    lambda: BrokenLinkEmailsMiddleware(lambda request: HttpResponseNotFound())(request),
    lambda: Command().handle(email=TO, managers=False, admins=False),
    lambda: console.EmailBackend(stream=Null()).send_messages([alternatives()]) and count(),
    lambda: locmem.EmailBackend().send_messages([alternatives()]) and count(),
]
def count():
    sent.count += 1
def send(way):
    sent.count = 0
    way()
    assert sent.count == 1, sent.count
""".replace("PEOPLE", "[('A', 'a@example.com')]")


@skipIf(NATIVE, "nothing is installed")
class OrderTests(ProcessTestCase):
    def test_all_works_after_each_change(self):
        self.assertRuns(
            SENDING
            + """
changes, inside = [], []
def battery(what):
    for number, way in enumerate(ways):
        try:
            send(way)
        except Exception as error:
            raise AssertionError(f"way {number} behind {what}") from error
import django
from django.apps import apps
battery("nothing")
from django_mailers import polyfill
from django_mailers.polyfill import installation, trampolines
def watched(function):
    def watch(*args, **kwargs):
        inside.append(args)
        result = function(*args, **kwargs)
        inside.pop()
        if not inside:
            changes.append(args)
            battery(args)
        return result
    return watch
installation.Installation._put = watched(installation.Installation._put)
installation._retire = watched(installation._retire)
trampolines.redirect = watched(trampolines.redirect)
django.setup()
battery("everything")
assert len(changes) > 40, len(changes)
"""
        )

    def hammer(self, rounds):
        """Threads send while the app is loaded, in a fork for each round: an install happens once.

        Each thread begins with another way, so that all of them are on their way at any time.
        """
        self.assertRuns(
            SENDING
            + """
import os, traceback
import django.apps, django.core.checks, django.test.utils  # noqa
for way in ways: send(way)
from django.conf import settings
def play():
    import django
    errors, counts, done = [], [0] * 5, threading.Event()
    def work(number):
        turn = number * 3
        try:
            while not done.is_set():
                send(ways[turn % len(ways)])
                counts[number] += 1
                turn += 1
        except BaseException:
            errors.append(traceback.format_exc())
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(counts))]
    for thread in threads: thread.start()
    while not errors and min(counts) < 2: time.sleep(0.001)
    django.setup()
    before = list(counts)
    while not errors and any(c < b + 6 for c, b in zip(counts, before)): time.sleep(0.001)
    done.set()
    for thread in threads: thread.join()
    if errors: sys.stderr.write(errors[0]); sys.stderr.flush()
    return len(errors)
for number in range(ROUNDS):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = play()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0, (number, status)
""".replace("ROUNDS", str(rounds))
        )

    def test_threads_that_send(self):
        self.hammer(2)

    @tag("slow")
    def test_threads_that_send_many_times(self):
        self.hammer(40)


RELOADED = (
    "django.utils.deprecation",
    "django.core.mail.message",
    # From 6.1 on Django's own backends do not survive it, with the app or without.
    *(() if NATIVE else ("django.core.mail.backends.base",)),
    "django.core.mail.backends.smtp",
    "django.core.mail.backends.locmem",
    "django.core.mail",
    "django.utils.log",
    "django.middleware.common",
    "django.test.utils",
    "django.core.checks",
)


class ReloadTests(ProcessTestCase):
    """`importlib.reload()`, by which some test suites and shells begin afresh."""

    SCRIPT = """
    import importlib, sys
    from django.core import mail
    from django.core.mail import EmailMultiAlternatives, send_mail
    configure(MAILERS_BRIDGE=BRIDGE, ADMINS=["admin@example.com"])
    import django.core.checks, django.middleware.common, django.test.utils
    class Early(EmailMultiAlternatives):
        pass
    early = Early("early", "text", None, ["a@example.com"])
    def check(reloaded):
        calls = [
            lambda: send_mail("s", "", None, ["a@example.com"], using="b"),
            lambda: mail.send_mail("s", "", None, ["a@example.com"], using="b"),
            lambda: mail.mail_admins("s", "", using="b") or 1,
            lambda: early.send(using="b"),
            lambda: Early("s", "t", None, ["a@example.com"], cc=["c@example.com"]).send(using="b"),
            lambda: mail.EmailMessage("s", "", None, ["a@example.com"]).send(using="b"),
            lambda: mail.message.EmailMultiAlternatives(
                "s", "", None, ["a@example.com"], alternatives=[("<p>", "text/html")]
            ).send(using="b"),
        ]
        mail.outbox = []
        for number, call in enumerate(calls):
            try:
                assert call() == 1
            except Exception as error:
                raise AssertionError(f"call {number} behind {reloaded}") from error
        assert [m.sent_using for m in mail.outbox] == ["b"] * len(calls), reloaded
        smtp = "django.core.mail.backends.smtp.EmailBackend"
        from django.test import override_settings
        with override_settings(MAILERS={"x": {"BACKEND": smtp, "OPTIONS": {"host": "h"}}}):
            assert (mail.mailers["x"].host, mail.mailers["x"].alias) == ("h", "x")
        assert not hasattr(settings, "EMAIL_HOST") or BRIDGE
        if BRIDGE:
            connection = mail.get_connection("django.core.mail.backends.locmem.EmailBackend")
            assert connection.alias == "default", (reloaded, connection.alias)
    import warnings
    warnings.simplefilter("ignore")
    check("nothing")
    for name in RELOADED:
        importlib.reload(importlib.import_module(name))
        check(name)
        importlib.reload(importlib.import_module(name))
        check(name + " twice")
    """

    def reload(self, bridge):
        script = self.SCRIPT.replace("RELOADED", repr(RELOADED)).replace("BRIDGE", str(bridge))
        self.assertRuns(script.replace(f"MAILERS_{bridge}", "MAILERS_BRIDGE"))

    def test_reloaded(self):
        self.reload(False)

    @tag("slow")
    def test_reloaded_with_the_bridge(self):
        self.reload(True)
