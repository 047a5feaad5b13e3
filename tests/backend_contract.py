"""What every BACKEND must do, Django's and ours: one mixin, applied to each of them."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

from django.core import mail
from django.core.mail import InvalidMailer, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings
from django.utils import translation
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

from django_mailers import send_many

from .support.messages import message
from .support.servers import TIMEOUT, enter
from .support.utils import ExactErrors

ALIAS = "it"
SENDER, TO = "ada@example.com", ["bob@example.com"]


class BackendContract(ExactErrors):
    """A mixin for a SimpleTestCase.

    backend               The BACKEND under test.
    others                Other entries of MAILERS that it needs, by alias.
    options()             Its OPTIONS; called once for each test, which may start a server there.
    arrived()             The subjects of what has arrived, in order as far as one instance sent it.
    status                What a message is that it has taken.
    takes_fail_silently   Whether that is an option of it.
    nothing               What it says of no messages at all.
    delivers              Whether anything arrives anywhere.
    opens                 Whether `open()` opens something, and says so.
    keeps_without_recipients  Whether it takes messages that are for nobody for sent.
    """

    backend: str
    others = {}
    status = "sent"
    takes_fail_silently = True
    nothing: int | None = 0
    delivers = True
    opens = True
    keeps_without_recipients = False

    def options(self):
        return {}

    def arrived(self):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.used_options = self.options()
        enter(self, self.mailer())
        enter(self, override_settings(ADMINS=["admin@example.com"], MANAGERS=["m@example.com"]))

    def mailer(self, **options):
        entry = {"BACKEND": self.backend, "OPTIONS": {**self.used_options, **options}}
        return override_settings(MAILERS={ALIAS: entry, **self.others})

    def assertArrived(self, *subjects):
        """In this order."""
        self.assertEqual(self.arrived(), [*subjects] if self.delivers else [])

    def assertArrivedInAnyOrder(self, *subjects):
        """What several instances have sent."""
        self.assertEqual(sorted(self.arrived()), sorted(subjects) if self.delivers else [])

    # Making one

    def test_it_is_made_from_mailers(self):
        backend = mailers[ALIAS]
        self.assertIsInstance(backend, BaseEmailBackend)
        self.assertEqual(f"{type(backend).__module__}.{type(backend).__qualname__}", self.backend)
        self.assertEqual(backend.alias, ALIAS)
        self.assertIsNot(mailers[ALIAS], backend)

    def test_making_one_sends_nothing(self):
        mailers[ALIAS].close()
        self.assertArrived()

    def test_unknown_options(self):
        with (
            self.mailer(api_key="k", region="eu"),
            self.assertRaisesExactly(
                InvalidMailer, f"MAILERS[{ALIAS!r}]: Unknown options 'api_key', 'region'."
            ),
        ):
            mailers[ALIAS]

    def test_fail_silently(self):
        if not self.takes_fail_silently:
            for value in (True, False):
                with (
                    self.mailer(fail_silently=value),
                    self.assertRaisesExactly(
                        InvalidMailer, f"MAILERS[{ALIAS!r}]: Unknown options 'fail_silently'."
                    ),
                ):
                    mailers[ALIAS]
            return
        self.assertIs(mailers[ALIAS].fail_silently, False)
        for value in (True, False):
            with self.mailer(fail_silently=value):
                backend = mailers[ALIAS]
                self.assertIs(backend.fail_silently, value)
                self.assertEqual(backend.send_messages([message(str(value))]), 1)
        self.assertArrivedInAnyOrder("True", "False")

    def test_configuration_errors_are_not_silent(self):
        with self.mailer(fail_silently=True, api_key="k"), self.assertRaises(InvalidMailer):
            mailers[ALIAS]

    # Sending

    def test_no_messages(self):
        self.assertEqual(mailers[ALIAS].send_messages([]), self.nothing)
        self.assertArrived()

    def test_several_messages(self):
        subjects = [str(number) for number in range(5)]
        self.assertEqual(mailers[ALIAS].send_messages([message(name) for name in subjects]), 5)
        self.assertArrived(*subjects)

    def test_an_iterator_of_messages(self):
        count = mailers[ALIAS].send_messages(message(subject) for subject in "abc")
        self.assertEqual(count, 3)
        self.assertArrived("a", "b", "c")

    def test_messages_without_recipients(self):
        self.assertEqual(message("nobody", to=[]).send(using=ALIAS), 0)
        self.assertArrived()
        messages = [message("a"), message("nobody", to=[]), message("b")]
        count = mailers[ALIAS].send_messages(messages)
        if self.keeps_without_recipients:
            self.assertEqual(count, 3)
            self.assertArrived("a", "nobody", "b")
        else:
            self.assertEqual(count, 2)
            self.assertArrived("a", "b")

    def test_recipients_of_every_kind(self):
        for kind in ("to", "cc", "bcc"):
            email = message(kind, **{"to": [], kind: TO})
            self.assertEqual(email.send(using=ALIAS), 1)
        self.assertArrivedInAnyOrder("to", "cc", "bcc")

    def test_lazy_and_translated_subjects(self):
        with translation.override("de"):
            messages = [message(gettext_lazy("January")), message(lazystr("Lazy"))]
            self.assertEqual(mailers[ALIAS].send_messages(messages), 2)
            # Now, as locmem's are still lazy.
            self.assertArrived("Januar", "Lazy")

    def test_other_text_than_ascii(self):
        message("Grüße \N{PARTY POPPER}", body="Ünïcode").send(using=ALIAS)
        self.assertArrived("Grüße \N{PARTY POPPER}")

    def test_a_header_injection(self):
        if not self.delivers:
            self.skipTest("It does not look at its messages.")
        # Opened here: Django's file backend leaves its file open after an error.
        with mailers[ALIAS] as backend, self.assertRaises(ValueError):
            backend.send_messages([message("one\nBcc: eve@example.com")])
        self.assertArrived()

    # open() and close()

    def test_open_and_close(self):
        backend = mailers[ALIAS]
        self.assertIs(backend.open(), True if self.opens else None)
        self.assertIs(backend.open(), False if self.opens else None)
        self.assertEqual(backend.send_messages([message("1")]), 1)
        self.assertEqual(backend.send_messages([message("2")]), 1)
        backend.close()
        backend.close()
        self.assertArrived("1", "2")

    def test_it_can_be_opened_again(self):
        backend = mailers[ALIAS]
        for subject in "ab":
            self.assertIs(backend.open(), True if self.opens else None)
            self.assertEqual(backend.send_messages([message(subject)]), 1)
            backend.close()
        self.assertEqual(backend.send_messages([message("c")]), 1)
        self.assertArrived("a", "b", "c")

    def test_context_manager(self):
        backend = mailers[ALIAS]
        with backend as entered:
            self.assertIs(entered, backend)
            for subject in "ab":
                self.assertEqual(backend.send_messages([message(subject)]), 1)
        with backend:
            self.assertEqual(backend.send_messages([message("c")]), 1)
        self.assertArrived("a", "b", "c")

    def test_context_manager_lets_errors_out(self):
        backend = mailers[ALIAS]
        with self.assertRaisesExactly(KeyError, "mine"), backend:
            backend.send_messages([message("a")])
            raise KeyError("mine")
        self.assertEqual(backend.send_messages([message("b")]), 1)
        self.assertArrived("a", "b")

    # From end to end

    def test_every_way_of_sending(self):
        rows = [("mass 1", "Text", SENDER, TO), ("mass 2", "Text", SENDER, TO)]
        self.assertEqual(mail.send_mail("mail", "Text", SENDER, TO, using=ALIAS), 1)
        self.assertEqual(mail.send_mass_mail(rows, using=ALIAS), 2)
        self.assertEqual(message("send").send(using=ALIAS), 1)
        html = "<b>Text</b>"
        mail.send_mail("html", "Text", SENDER, TO, html_message=html, using=ALIAS)
        with override_settings(EMAIL_SUBJECT_PREFIX="[x] "):
            mail.mail_admins("admins", "Text", using=ALIAS)
            mail.mail_managers("managers", "Text", using=ALIAS)
        self.assertArrivedInAnyOrder(
            "mail", "mass 1", "mass 2", "send", "html", "[x] admins", "[x] managers"
        )

    def test_send_many(self):
        report = send_many([message("a"), message(to=[]), message("b")], using=ALIAS)
        self.assertEqual(
            [result.status for result in report], [self.status, "skipped", self.status]
        )
        self.assertArrived("a", "b")

    def test_nothing_of_it_stays_on_a_message(self):
        """H22, H23: a lock or a pool could neither be copied nor pickled."""
        email = message("a")
        email.attach("a.txt", "Attached", "text/plain")
        email.send(using=ALIAS)
        with mailers[ALIAS] as backend:
            backend.send_messages([email])
            send_many([email], using=ALIAS)
            for again in (copy.deepcopy(email), pickle.loads(pickle.dumps(email))):
                self.assertEqual(vars(again).keys(), vars(email).keys())
                self.assertEqual(backend.send_messages([again]), 1)
        self.assertArrivedInAnyOrder(*"aaaaa")

    def test_threads(self):
        """Each with an instance of its own, and all with the same one."""
        shared, start = mailers[ALIAS], threading.Barrier(4, timeout=TIMEOUT)

        def send(thread):
            start.wait(TIMEOUT)
            for number in range(5):
                message(f"own {thread} {number}").send(using=ALIAS)
                self.assertEqual(shared.send_messages([message(f"shared {thread} {number}")]), 1)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(send, range(4)))
        names = [f"{thread} {number}" for thread in range(4) for number in range(5)]
        self.assertArrivedInAnyOrder(
            *(f"own {name}" for name in names), *(f"shared {name}" for name in names)
        )

    def test_threads_share_what_was_opened(self):
        with mailers[ALIAS] as backend, ThreadPoolExecutor(4) as threads:
            counts = threads.map(lambda n: backend.send_messages([message(str(n))]), range(20))
            self.assertEqual(list(counts), [1] * 20)
        self.assertArrivedInAnyOrder(*map(str, range(20)))
