"""django_mailers.delivery.codec: messages as JSON, for queues."""

import email
import email.policy
import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from email.headerregistry import Address, Group
from email.message import MIMEPart
from email.mime.base import MIMEBase
from enum import Enum
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.mail import EmailAttachment, EmailMessage, EmailMultiAlternatives
from django.core.mail import message as django_message
from django.db.models import TextChoices
from django.test import SimpleTestCase, override_settings, tag
from django.utils import translation
from django.utils.functional import SimpleLazyObject, lazystr
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from django_mailers.delivery.codec import UnreadableMessage, dump, load
from django_mailers.headers import list_unsubscribe

from .record_payloads import FILE, NAMES
from .support.corpus import CORPUS, SETTINGS
from .support.messages import message
from .support.recordings import POLICIES, lines_of, pinned, render
from .support.utils import ExactErrors, ignore_deprecations

# Django cannot render them, as it does not know this type of text as such. What is stored is text.
LAZY_CONTENTS = {"alternative_html_lazy", "attachment_text_lazy"}


class Plain(TextChoices):
    RED = "red"


class Named(str, Enum):
    RED = "red"


class Slotted(EmailMultiAlternatives):
    __slots__ = ("slotted", "unset")

    def __init__(self, *args, **kwargs):
        raise AssertionError("Nothing of the class is called.")

    __reduce_ex__ = __copy__ = __getstate__ = __setstate__ = __init__


class Unusual(MIMEPart):
    """It could do anything when it is written."""


class NotAMessage:
    pass


class CorpusTests(SimpleTestCase):
    maxDiff = None

    @tag("slow")
    def test_every_message_has_the_same_bytes(self):
        for name, make in CORPUS.items():
            with pinned(**SETTINGS.get(name, {})):
                stored = dump(make())
            self.assertTrue(stored.isascii())
            for policy in POLICIES:
                with self.subTest(name, policy=policy), pinned(**SETTINGS.get(name, {})):
                    again = load(stored)
                    self.assertEqual(dump(again), stored)
                    rendered = lines_of(again, policy)
                    if name in LAZY_CONTENTS:
                        self.assertIsInstance(rendered, list)
                    else:
                        self.assertEqual(rendered, render(name, policy))

    @tag("slow")
    def test_dumping_changes_nothing(self):
        for name, make in CORPUS.items():
            with self.subTest(name), pinned(**SETTINGS.get(name, {})):
                one = make()
                dump(one)
                self.assertEqual(lines_of(one, "SMTP"), render(name, "SMTP"))

    def test_what_another_django_has_stored(self):
        recorded = json.loads(FILE.read_text())
        self.assertEqual([*recorded], ["5.2", "6.1"])
        for django, payloads in recorded.items():
            self.assertEqual([*payloads], sorted(NAMES))
            for name, stored in payloads.items():
                with self.subTest(name, django=django), pinned(**SETTINGS.get(name, {})):
                    self.assertEqual(lines_of(load(stored), "SMTP"), render(name, "SMTP"))


class ValuesTests(ExactErrors, SimpleTestCase):
    def again(self, value):
        email = message()
        email.extra = value
        return load(dump(email)).extra

    def test_values_keep_their_types(self):  # (H60)
        berlin = ZoneInfo("Europe/Berlin")
        when = datetime(2026, 10, 25, 2, 30, 0, 5)
        for value in [
            *(None, True, 0, -(2**70), 1.5, 1e300, float("inf"), "", "\x00 \udce9 \U0001f389"),
            *(b"\x00\xff", bytearray(b"\xff"), memoryview(b"\xff")),
            *([], [1, [2]], (), (1, ("a",)), {}, {"b": 1, "a": {1: (2,)}}, {None: 1}, {"dict": []}),
            *({1, 2}, frozenset({1})),
            *(
                Decimal("1.50"),
                UUID(int=7),
                date(2026, 1, 2),
                time(3, 4, 5, 6),
                timedelta(-1, 2, 3),
            ),
            *(when, when.replace(tzinfo=timezone.utc)),
            when.replace(tzinfo=timezone(timedelta(hours=5, minutes=45))),
            *(Address("Jöe, Jr.", "joe", "example.com"), Group("A", (Address("", "a", "b.c"),))),
            EmailAttachment("a.txt", b"x", "text/plain"),
            list_unsubscribe("https://shop.example/")["List-Unsubscribe"],
        ]:
            with self.subTest(value=repr(value)):
                again = self.again(value)
                self.assertEqual((again, type(again)), (value, type(value)))
        for fold in (0, 1):
            value = when.replace(tzinfo=berlin, fold=fold)
            again = self.again(value)
            self.assertEqual(again.isoformat(), value.isoformat())
            self.assertIs(again.tzinfo, berlin)
        self.assertEqual([*self.again({"b": 1, "a": 2})], ["b", "a"])

    def test_text_is_made_in_the_senders_language(self):
        with translation.override("de"):
            email = message(gettext_lazy("January"), body=lazystr("Lazy"))
            email.tags = [gettext_lazy("February"), mark_safe("<b>")]
            email.to = [SimpleLazyObject(lambda: "bob@example.com")]
            stored = dump(email)
        again = load(stored)
        self.assertEqual(
            (again.subject, again.body, again.tags, again.to),
            ("Januar", "Lazy", ["Februar", "<b>"], ["bob@example.com"]),
        )
        self.assertEqual({type(text) for text in (again.subject, *again.tags)}, {str})

    def test_options_of_providers(self):
        """Those of django-anymail."""
        options = {
            "tags": ["welcome"],
            "metadata": {"order": 7, "when": date(2026, 1, 2)},
            "merge_data": {"bob@example.com": {"name": "Bob"}},
            "merge_global_data": {"site": "x"},
            "template_id": 123,
            "send_at": datetime(2026, 1, 2, tzinfo=timezone.utc),
            "track_opens": True,
            "envelope_sender": "bounce@example.com",
            "esp_extra": {"Sandbox": True, "raw": b"\x00"},
        }
        email = message()
        email.from_email = None
        vars(email).update(options)
        email.anymail_status = NotAMessage()
        again = load(dump(email))
        self.assertIsNone(again.from_email)
        self.assertEqual({name: getattr(again, name) for name in options}, options)
        self.assertFalse(hasattr(again, "anymail_status"))

    def test_enumerations(self):
        self.assertEqual(self.again(Plain.RED), "red")
        with self.assertRaises(TypeError):
            self.again(Named.RED)

    def assertRefused(self, email, text):
        with self.assertRaisesExactly(TypeError, text):
            dump(email)

    def test_what_cannot_be_stored_is_named(self):
        def refused(where, value, kind=f"{__name__}.NotAMessage", **attributes):
            email = message()
            vars(email).update(attributes)
            text = f"{where} of the message is of type {kind}, which cannot be stored in a queue."
            with self.subTest(where):
                self.assertRefused(email, text)

        thing = NotAMessage()
        refused("'request'", thing, request=thing)
        refused("'tags'[1]", thing, tags=["a", thing])
        refused("'metadata'['user_id']", thing, metadata={"user_id": thing})
        refused("'extra_headers'['X-Order']", thing, extra_headers={"X-Order": thing})
        # A key may be an address.
        refused("'merge_data'[...]['a']", thing, merge_data={"bob@example.com": {"a": thing}})
        refused("A key of 'a'", thing, a={thing: 1})
        refused("'attachments'[0]", thing, kind=f"{__name__}.Unusual", attachments=[Unusual()])
        refused("'a'", thing, kind="builtins.function", a=lambda: 1)

    def test_parts_that_cannot_be_stored(self):
        class Policy(email.policy.EmailPolicy):
            pass

        for policy in (Policy(), email.policy.default.clone(content_manager=object())):
            part = MIMEPart(policy=policy)
            with self.subTest(policy=policy):
                self.assertRefused(
                    message(attachments=[part]),
                    f"The policy of 'attachments'[0] of the message is of type "
                    f"{type(policy).__module__}.{type(policy).__qualname__}, "
                    "which cannot be stored in a queue.",
                )

    def test_policies_of_parts(self):
        for policy in (
            email.policy.EmailPolicy(),
            email.policy.SMTP,
            email.policy.default.clone(max_line_length=None, utf8=True),
            email.policy.compat32.clone(linesep="\r\n"),
        ):
            part = MIMEPart(policy=policy)
            part["Subject"] = "é" * 100
            part.set_payload("x")
            [again] = load(dump(message(attachments=[part]))).attachments
            with self.subTest(policy=policy):
                self.assertEqual(bytes(again), bytes(part))
                self.assertEqual(again.policy.linesep, policy.linesep)
                self.assertEqual(again.policy.max_line_length, policy.max_line_length)

    @ignore_deprecations()
    def test_djangos_own_parts(self):
        text = django_message.SafeMIMEText("Grüße\n" + "x" * 1000, "plain", "utf-8")
        mixed = django_message.SafeMIMEMultipart(encoding="utf-8", boundary="b")
        mixed["Subject"] = "Grüße"
        mixed.attach(text)
        part = MIMEBase("application", "x-a")
        part.set_payload("\x00x")
        mixed.attach(part)
        for one in (text, mixed):
            [again] = load(dump(message(attachments=[one]))).attachments
            self.assertIs(type(again), type(one))
            self.assertEqual(again.as_bytes(), one.as_bytes())

    def test_a_message_that_contains_itself(self):
        email = message()
        email.attachments.append((None, email, "message/rfc822"))
        self.assertRefused(email, "The message contains itself. It cannot be stored in a queue.")

    def test_the_beginning_has_no_address(self):
        """RQ logs up to 75 characters of an argument."""
        self.assertNotIn("attributes", dump(message())[:80])

    def test_slots_and_classes(self):
        email = object.__new__(Slotted)
        vars(email).update(vars(EmailMultiAlternatives("Hello", to=["bob@example.com"])))
        email.slotted = b"slot"
        again = load(dump(email))
        self.assertIs(type(again), Slotted)
        self.assertEqual(vars(again).keys(), vars(email).keys())
        self.assertEqual((again.slotted, again.subject), (b"slot", "Hello"))
        self.assertFalse(hasattr(again, "unset"))

    def test_classes_without_a_name(self):
        class Local(EmailMessage):
            pass

        name = f"{__name__}.{Local.__qualname__}"
        self.assertRefused(
            Local(),
            f"The class {name} of the message cannot be imported by this name, so the message "
            "cannot be stored in a queue.",
        )
        self.assertRefused(
            NotAMessage(),
            f"The class of the message is of type {__name__}.NotAMessage, "
            "which cannot be stored in a queue.",
        )

    def test_the_connection_is_not_stored(self):
        with ignore_deprecations():
            email = message(connection=NotAMessage())
            again = load(dump(email))
            self.assertIsNone(again.connection)


class UnreadableTests(ExactErrors, SimpleTestCase):
    def assertUnreadable(self, text, **changes):
        stored = {**json.loads(dump(message())), **changes}
        with self.assertRaisesExactly(UnreadableMessage, text):
            load(json.dumps(stored))

    def test_versions(self):
        self.assertEqual(json.loads(dump(message()))["version"], 1)
        for version in (2, "1.1", None):
            self.assertUnreadable(
                "The message was stored by another version of django_mailers: its format is "
                f"{version!r}, and this version reads 1.",
                version=version,
            )

    def test_classes(self):
        for name in ("os.system", f"{__name__}.NotAMessage", "django.core.mail.mail_admins"):
            self.assertUnreadable(
                f"The class of the stored message, {name!r}, is not a subclass of EmailMessage.",
                **{"class": name},
            )
        for name in ("nowhere.Message", f"{__name__}.Missing", "Message"):
            self.assertUnreadable(
                f"The class of the stored message, {name!r}, cannot be imported.",
                **{"class": name},
            )

    def test_it_is_not_executed(self):  # (H60)
        self.assertUnreadable(
            "The stored message has an unknown part: ['call'].",
            attributes={"body": {"call": "os.system"}},
        )
        self.assertUnreadable(
            "The stored message cannot be read (KeyError).",
            attributes={"body": {"part": {"class": "os.system", "policy": ["default", {}]}}},
        )

    def test_anything_else(self):
        for text in ("", "[]", "{}", "null", '{"version": 1}', "x bob@example.com"):
            with self.subTest(text), self.assertRaises(UnreadableMessage) as caught:
                load(text)
            self.assertNotIn("bob", str(caught.exception))

    @override_settings(DEFAULT_FROM_EMAIL="new@example.com")
    def test_what_was_decided_stays(self):
        with override_settings(DEFAULT_FROM_EMAIL="old@example.com"):
            stored = dump(EmailMessage("Hello", to=["bob@example.com"]))
        self.assertEqual(load(stored).from_email, "old@example.com")

    def test_large_attachments(self):
        content = partial(bytes, 10_000_000)
        email = message()
        email.attach("a.bin", content(), "application/octet-stream")
        stored = dump(email)
        self.assertLess(len(stored), 13_400_000)
        self.assertEqual(load(stored).attachments[0].content, content())
