"""The mailers redirect, defaults, transform, tee and observe: the contracts, and chains of them."""

from django.core import mail
from django.core.mail import EmailMultiAlternatives, mailers
from django.test import SimpleTestCase, override_settings

from django_mailers import send_many
from django_mailers.backends._wrapping import recipients

from .backend_contract import BackendContract
from .support import shapers
from .support.messages import message
from .support.servers import SMTPServer, enter
from .support.shapers import entry, path_of
from .support.smtp import subjects
from .support.utils import LOCMEM, OURS, SMTP
from .support.wrappers import ForeignBackend
from .wrapper_contract import HERE, IT, Templated, WrapperContract

# The OPTIONS of each that change a message, besides `using`.
OPTIONS = {
    "redirect": {"to": ["team@example.org"], "subject_prefix": "[staging] "},
    "defaults": {
        "from_email": "Shop <shop@example.com>",
        "reply_to": ["help@example.com"],
        "bcc": ["archive@example.com"],
        "headers": {"X-Shop": "1"},
        "subject_prefix": "[shop] ",
    },
    "transform": {"transforms": [f"{shapers.HERE}.shout", shapers.mark]},
    "tee": {"also": ["copies"]},
    "observe": {},
}


class ShaperContract(WrapperContract):
    name: str

    def setUp(self):
        super().setUp()
        recipients.warned.clear()

    @property
    def wrapper(self):
        return path_of(self.name)

    def options(self, alias):
        return {"using": alias, **OPTIONS[self.name]}


class RedirectContractTests(ShaperContract, SimpleTestCase):
    name = "redirect"
    kept = ("tags", "metadata", "template_id")

    def subject(self, subject):
        return f"[staging] {subject}"

    def test_the_callers_message_is_not_changed(self):
        with self.assertLogs("django_mailers.backends", "WARNING"):
            super().test_the_callers_message_is_not_changed()


class RedirectAllowedContractTests(ShaperContract, SimpleTestCase):
    """Everybody is allowed."""

    name = "redirect"

    def options(self, alias):
        return {**super().options(alias), "allow": ["*@EXAMPLE.com"]}


class DefaultsContractTests(ShaperContract, SimpleTestCase):
    name = "defaults"

    def subject(self, subject):
        return f"[shop] {subject}"


class DefaultsWithoutAnyContractTests(ShaperContract, SimpleTestCase):
    name = "defaults"

    def options(self, alias):
        return {"using": alias}


class TransformContractTests(ShaperContract, SimpleTestCase):
    name = "transform"

    def subject(self, subject):
        return subject.upper()


class TeeContractTests(ShaperContract, SimpleTestCase):
    name = "tee"

    def over(self, backend, options=None, **others):
        return super().over(backend, options, copies={"BACKEND": SILENT}, **others)


class ObserveContractTests(ShaperContract, SimpleTestCase):
    name = "observe"


class BackendContractOver(BackendContract):
    """Over memory, and below over SMTP."""

    name: str
    takes_fail_silently = False
    opens = False
    more = {}

    @property
    def backend(self):
        return path_of(self.name)

    def target(self):
        return {"BACKEND": LOCMEM}

    def options(self):
        self.others = {"target": self.target(), "copies": {"BACKEND": SILENT}}
        return {"using": "target", **OPTIONS[self.name], "subject_prefix": None, **self.more}

    def arrived(self):
        return [str(sent.subject) for sent in mail.outbox]


SILENT = "django.core.mail.backends.dummy.EmailBackend"


class RedirectTests(BackendContractOver, SimpleTestCase):
    name = "redirect"


class DefaultsTests(BackendContractOver, SimpleTestCase):
    name = "defaults"


class PlainOptions(BackendContractOver):
    """Those without an option `subject_prefix`."""

    def options(self):
        options = {**super().options(), **self.more}
        del options["subject_prefix"]
        return options


class TransformTests(PlainOptions, SimpleTestCase):
    name = "transform"
    more = {"transforms": [f"{shapers.HERE}.same"]}


class TeeTests(PlainOptions, SimpleTestCase):
    name = "tee"


class ObserveTests(PlainOptions, SimpleTestCase):
    name = "observe"


class OverSMTP:
    """Over Django's SMTP backend, whose connection is watched."""

    opens = True
    smtp = SMTP

    def target(self):
        self.server = enter(self, SMTPServer())
        return shapers.smtp(self.server, self.smtp)

    def arrived(self):
        return subjects(self.server)


class RedirectOverSMTPTests(OverSMTP, RedirectTests):
    pass


class DefaultsOverOursTests(OverSMTP, DefaultsTests):
    smtp = OURS


class TransformOverSMTPTests(OverSMTP, TransformTests):
    pass


class TeeOverOursTests(OverSMTP, TeeTests):
    smtp = OURS


class ObserveOverSMTPTests(OverSMTP, ObserveTests):
    pass


class ChainTests(SimpleTestCase):
    """One over another, over another."""

    def setUp(self):
        recipients.warned.clear()
        del ForeignBackend.log[:]
        self.addCleanup(ForeignBackend.log.clear)

    def chain(self, target, also=LOCMEM):
        return override_settings(
            MAILERS={
                IT: entry("defaults", "changed", headers={"X-Shop": "1"}, subject_prefix="[s] "),
                "changed": entry("transform", "doubled", transforms=[f"{shapers.HERE}.shout"]),
                "doubled": entry("tee", "seen", also=["archive"]),
                "seen": entry("observe", "staged"),
                "staged": entry("redirect", "target", to=["t@example.org"], allow=["*@ok.example"]),
                "target": target,
                "archive": {"BACKEND": also},
            }
        )

    def test_all_five(self):
        """Provider attributes, the class and the result survive; the caller's stays as it is."""
        email = Templated("text", "Hello", to=["bob@example.com"])
        email.metadata, email.template_id = {"order": 5}, "welcome"
        before = dict(vars(email))
        seen = []

        def after(sender, message, alias, result, **kwargs):
            seen.append((alias, message.subject, result.status, result.via))

        foreign = f"{HERE}.ForeignBackend"
        with (
            self.chain({"BACKEND": foreign}, also=foreign),
            shapers.receivers(after=after),
            self.assertLogs("django_mailers.backends", "WARNING"),
        ):
            [result] = send_many([email], using=IT)
        self.assertIs(result.message, email)
        self.assertEqual((result.status, result.via), ("sent", "target"))
        self.assertEqual(seen, [("seen", "[S] HELLO", "sent", "target")])
        sent, archived = ForeignBackend.log
        self.assertEqual(
            (type(sent), sent.subject, sent.to, sent.tags, sent.metadata, sent.template_id),
            (Templated, "[S] HELLO", ["t@example.org"], ["a"], {"order": 5}, "welcome"),
        )
        self.assertEqual(sent.extra_headers, {"X-Shop": "1", "X-Original-To": "bob@example.com"})
        self.assertEqual((archived.subject, archived.to), ("[S] HELLO", ["bob@example.com"]))
        self.assertEqual(vars(email), {**before, "anymail_status": "status of [S] HELLO"})

    def test_over_smtp_as_one_batch(self):
        for backend in (SMTP, OURS):
            with self.subTest(backend), SMTPServer() as server:
                mail.outbox.clear()
                with self.chain(shapers.smtp(server, backend)):
                    messages = [message(name, to=["a@ok.example", "b@x.example"]) for name in "abc"]
                    report = send_many(messages, using=IT)
                    with mailers[IT] as mailer:
                        self.assertEqual(mailer.send_messages([message("d"), message("e")]), 2)
                        self.assertEqual(mailer.send_messages([message("f")]), 1)
                self.assertEqual([result.status for result in report], ["sent"] * 3)
                self.assertEqual(subjects(server), [f"[S] {name}" for name in "AABBCCDEF"])
                # Ours keeps its session for the second batch.
                self.assertEqual(len(server.sessions), 2 if backend == SMTP else 1)
                self.assertEqual(len(mail.outbox), 6)

    def test_a_refusal_at_the_end(self):
        server = enter(self, SMTPServer(refuse={"RCPT": "550 No"}))
        with self.chain(shapers.smtp(server, OURS)):
            [result] = send_many([message()], using=IT)
        self.assertEqual((result.status, result.via), ("refused", None))
        self.assertEqual(mail.outbox, [])

    def test_alternatives_are_not_shared(self):
        email = EmailMultiAlternatives("Hello", "Text", to=["bob@example.com"])
        email.attach_alternative("<b>Text</b>", "text/html")

        def spoil(copied):
            copied.alternatives.clear()
            copied.attachments.append("x")
            copied.extra_headers["X-A"] = "b"
            return copied

        changed = entry("transform", "end", transforms=[spoil, shapers.drop_secrets])
        with shapers.mailers(changed, end={"BACKEND": f"{HERE}.ForeignBackend"}):
            self.assertEqual(email.send(using=IT), 1)
        self.assertEqual((len(email.alternatives), email.attachments), (1, []))
        self.assertEqual(email.extra_headers, {})
        self.assertEqual(ForeignBackend.log[0].alternatives, [])
